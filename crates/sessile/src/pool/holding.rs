//! Keeps the right to seats; those whose right is about to end aren't served until it is there again.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use foldhash::{HashMap, HashSet};
use futures_util::StreamExt as _;
use futures_util::stream;
use sessile_jar::Timestamp;
use tokio::time::{Instant, timeout};

use super::hold::{Extended, PATIENCE};
use super::lease::MARGIN;
use super::state::SeatId;
use super::{Live, Shared};

/// Without the right for at least so long, nothing is begun for a seat.
const LAST: Duration = Duration::from_secs(2);

/// How often is looked whether rights end.
const LOOK: Duration = Duration::from_secs(1);

/// How often is looked whether a right lasts for longer than leases need it.
const LONGER: Duration = Duration::from_secs(10);

/// So many rights are extended at the same time.
const AT_ONCE: usize = 16;

impl Shared {
    /// Keeps the right to all parts that are held here until the pool is closed. A task of its own:
    /// whatever else hangs, this goes on.
    pub(super) async fn hold_on(self: Arc<Self>) {
        let mut looked = Instant::now();
        while !self.stop.is_cancelled() {
            if looked.elapsed() >= LONGER {
                looked = Instant::now();
                self.hold_no_longer_than_needed();
            }
            self.give_unopened_back();
            tokio::select! {
                () = self.extend_holds() => {}
                () = self.stop.cancelled() => {}
            }
            let pause = LOOK.min(self.term() / 6);
            let _stopped = timeout(pause, self.stop.cancelled()).await;
        }
    }

    async fn extend_holds(&self) {
        let mut due = self.holds.parts();
        due.retain(|part| self.holds.left(part) <= self.term() * 2 / 3);
        if due.is_empty() {
            return;
        }
        stream::iter(due)
            .for_each_concurrent(AT_ONCE, async |part| self.extend_hold(&part).await)
            .await;
        // Seats that weren't served for that are again.
        self.bell.notify_one();
    }

    async fn extend_hold(&self, part: &str) {
        let mut extending = pin!(self.holds.extend(&self.vault, part, self.term()));
        let extended = match timeout(PATIENCE, &mut extending).await {
            Ok(extended) => extended,
            Err(_elapsed) => {
                self.holds.note_late(&self.vault, part);
                extending.await
            }
        };
        match extended {
            Extended::Gone | Extended::Held => {}
            Extended::Lost(fence) => self.lose_part(part, &fence),
            Extended::Failed(error) => {
                tracing::warn!(pool = %self.name, %part, %error, "seats may be lost");
            }
        }
    }

    /// A long lease that was given back early leaves the seat to others as early, should this process
    /// be killed.
    fn hold_no_longer_than_needed(&self) {
        let long = self.holds.longer_than(self.term() * 2);
        if long.is_empty() {
            return;
        }
        // Nobody gets a lease or extends one meanwhile.
        let live = self.live();
        let usual = Instant::now() + live.state.rules().lease_time_out + MARGIN;
        let needed = live.needed(&long);
        for part in long {
            let needed = needed
                .get(&part)
                .map(|until| self.clock.instant(*until) + MARGIN);
            self.holds.lower(&part, (needed, usual), self.term());
        }
    }

    /// Seats whose right is about to end take no lease and begin nothing until it is there again;
    /// answers when the next one is.
    pub(super) fn suspend_and_resume(&self, live: &mut Live, now: Timestamp) -> Option<Timestamp> {
        let (unsure, next) = self.holds.unsure(self.least());
        let changed: Vec<(SeatId, bool)> = match unsure == live.unsure {
            true => Vec::new(),
            false => live.changed_to(&unsure),
        };
        for (seat, is_unsure) in changed {
            // It may be leaving.
            let _gone = match is_unsure {
                true => live.state.suspend(seat, now),
                false => live.state.resume(seat, now),
            };
        }
        live.unsure = unsure;
        next.map(|next| now.plus(next.saturating_duration_since(Instant::now())))
    }

    /// Whether a seat is held for long enough to begin something.
    pub(super) fn is_sure_of(&self, seat: SeatId) -> bool {
        self.held_for(seat).is_some_and(|left| left > self.least())
    }

    fn least(&self) -> Duration {
        LAST.min(self.term() / 4)
    }
}

impl Live {
    fn changed_to(&self, unsure: &HashSet<Arc<str>>) -> Vec<(SeatId, bool)> {
        let seats = self.seats.iter().map(|(id, seat)| {
            let is_unsure = unsure.contains(&seat.part);
            (
                *id,
                is_unsure,
                is_unsure != self.unsure.contains(&seat.part),
            )
        });
        let changed = seats.filter(|(_, _, has_changed)| *has_changed);
        changed.map(|(id, is_unsure, _)| (id, is_unsure)).collect()
    }

    /// When the last lease on the seats of each of these parts ends.
    fn needed(&self, parts: &[Arc<str>]) -> HashMap<Arc<str>, Timestamp> {
        let mut needed = HashMap::default();
        for (id, seat) in self.seats.iter() {
            if !parts.contains(&seat.part) {
                continue;
            }
            let members = self.state.members_of(*id);
            let leases = members.flat_map(|member| self.state.leases_of(member.id));
            if let Some(until) = leases.map(|lease| lease.until).max() {
                let last = needed.entry(Arc::clone(&seat.part)).or_insert(until);
                *last = until.max(*last);
            }
        }
        needed
    }
}
