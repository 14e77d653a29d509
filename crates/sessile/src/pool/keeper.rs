//! The pool's one owner of background work: does what is due, and serves those who wait.

use std::sync::Arc;
use std::time::Duration;

use sessile_jar::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::state::Ended;
use super::{PoolEventKind, Shared};

/// How long the keeper sleeps at most.
const LONGEST: Duration = Duration::from_secs(30);

impl Shared {
    /// Goes on until the pool is closed.
    pub(super) async fn keep(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            let wake = match self.turn() {
                Some(next) => self.clock.instant(next),
                None => Instant::now() + LONGEST,
            };
            // Whoever ends the pool rings too.
            let _rung = timeout_at(wake, self.bell.notified()).await;
        }
    }

    /// Begins what is due; answers when something is next.
    fn turn(self: &Arc<Self>) -> Option<Timestamp> {
        let now = self.now();
        let (mut ended, mut actions) = (Vec::new(), Vec::new());
        let mut live = self.live();
        let unsure = self.suspend_and_resume(&mut live, now);
        while let Some(end) = live.state.expire(now) {
            ended.push(end);
        }
        while let Some(action) = live.state.due(now) {
            actions.push(action);
        }
        let next = live.hand_out(now);
        let longest = now.plus(LONGEST);
        let next = [next, unsure].into_iter().flatten().min();
        let next = next.map(|next| next.min(longest));
        live.sleeps_until = next.unwrap_or(longest);
        let names = ended.iter().map(|end| {
            let member = live.members.get(&end.member);
            member.map(|member| member.kept.name().clone())
        });
        let names: Vec<_> = names.collect();
        drop(live);
        for action in actions {
            let doing = Arc::clone(self);
            self.tasks.spawn(doing.act(action));
        }
        for (Ended { lease, .. }, session) in ended.into_iter().zip(names) {
            if let Some(session) = session {
                self.tell(PoolEventKind::LeaseTimedOut { lease, session });
            }
        }
        next
    }
}
