//! Those who wait for a lease, and the leases that they get.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use foldhash::HashMap;
use sessile_jar::Timestamp;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::state::{Assign, Dead, Granted, Outcome, Refusal, Ticket, Wish};
use super::{Live, PoolError, Shared};
use crate::renew::Kept;

/// Those who wait.
pub(super) type Waiting = HashMap<Ticket, oneshot::Sender<Result<Granted, Refusal>>>;

/// A lease as it is handed out.
pub(super) struct Taken {
    pub(super) granted: Granted,
    pub(super) kept: Kept,
    /// Whether the seat is surely held until the lease has ended.
    pub(super) is_held: bool,
}

/// Somebody who waits; dropped, he leaves the queue.
struct Waiter<'a> {
    shared: &'a Shared,
    ticket: Ticket,
    answer: oneshot::Receiver<Result<Granted, Refusal>>,
}

impl Shared {
    /// Grants a lease as soon as there is one, for at most `wait`.
    pub(super) async fn grant(
        self: &Arc<Self>,
        wish: &Wish,
        wait: Duration,
    ) -> Result<Taken, PoolError> {
        if let Some(taken) = self.grant_at_once(wish) {
            return taken;
        }
        if let Some(target) = wish.target.as_ref().filter(|_| !self.is_sticky(wish)) {
            self.seat_for(target, None, wait).await?;
        }
        let waiter = {
            let now = self.now();
            let mut live = self.live();
            match live.state.lease(wish, now) {
                Ok(granted) => return self.take(live, granted, now),
                Err(refusal) if wait.is_zero() || !is_worth_waiting(&refusal) => {
                    return Err(self.refused(&live, refusal));
                }
                Err(_refused) => match self.line_up(&mut live, wish, now) {
                    Ok(waiter) => {
                        self.settle(live, now);
                        waiter
                    }
                    Err(refusal) => return Err(self.refused(&live, refusal)),
                },
            }
        };
        self.served(waiter, wish, wait).await
    }

    /// Most often there is a session that has room: in one turn, without a wait.
    fn grant_at_once(&self, wish: &Wish) -> Option<Result<Taken, PoolError>> {
        let now = self.now();
        let mut live = self.live();
        let granted = live.state.lease(wish, now).ok()?;
        Some(self.take(live, granted, now))
    }

    /// What a lease is made of, in the same turn in which it was granted.
    fn take(
        &self,
        mut live: MutexGuard<'_, Live>,
        granted: Granted,
        now: Timestamp,
    ) -> Result<Taken, PoolError> {
        let member = live.members.get(&granted.member);
        let is_targets = member.is_some_and(|member| member.is_targets);
        let taken = member.map(|member| Taken {
            granted,
            kept: member.kept.clone(),
            is_held: self.holds.need(&member.part, self.hold_until(&granted)),
        });
        if is_targets && let Some(seat) = live.seats.get_mut(&granted.seat) {
            seat.asked = now;
        }
        self.settle(live, now);
        taken.ok_or(PoolError::LeaseEnded)
    }

    async fn served(
        &self,
        mut waiter: Waiter<'_>,
        wish: &Wish,
        wait: Duration,
    ) -> Result<Taken, PoolError> {
        let answer = match timeout(wait, &mut waiter.answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_gone)) => Err(Refusal::Closing),
            Err(_elapsed) => {
                drop(waiter);
                // What stands in the way may be something else by now.
                let now = self.now();
                self.live().state.lease(wish, now)
            }
        };
        let now = self.now();
        let live = self.live();
        match answer {
            Ok(granted) => self.take(live, granted, now),
            Err(refusal) => Err(self.refused(&live, refusal)),
        }
    }

    fn line_up(&self, live: &mut Live, wish: &Wish, now: Timestamp) -> Result<Waiter<'_>, Refusal> {
        let ticket = live.state.queue(wish.clone(), now)?;
        let (sender, answer) = oneshot::channel();
        live.waiting.insert(ticket, sender);
        Ok(Waiter {
            shared: self,
            ticket,
            answer,
        })
    }

    fn is_sticky(&self, wish: &Wish) -> bool {
        let rule = wish
            .assign
            .unwrap_or_else(|| self.live().state.rules().assign);
        rule == Assign::Sticky
    }

    fn refused(&self, live: &Live, refusal: Refusal) -> PoolError {
        let pool = self.name.to_string();
        match refusal {
            Refusal::Busy { next } => PoolError::Busy { pool, next },
            Refusal::Closing => PoolError::Closed { pool },
            Refusal::Full => PoolError::Full { pool },
            Refusal::NoneAlive {
                why: Dead::NoSeat, ..
            } if live.is_left_out => self.left_out(live),
            Refusal::NoneAlive { why, next } => PoolError::NoneAlive {
                pool,
                why,
                reason: live.last_trouble.clone(),
                next,
            },
            Refusal::UnknownTarget => PoolError::UnknownPart {
                pool,
                what: "seat for this target",
                name: String::new(),
            },
        }
    }

    pub(super) fn left_out(&self, live: &Live) -> PoolError {
        PoolError::ServedElsewhere {
            pool: self.name.to_string(),
            owners: live.owners,
            size: self.definition().size(),
        }
    }

    /// After whatever may have made room or something due: serves those who wait, and rings where
    /// the keeper would sleep for too long.
    pub(super) fn settle(&self, mut live: MutexGuard<'_, Live>, now: Timestamp) {
        let next = live.hand_out(now);
        let is_early = next.is_some_and(|next| next < live.sleeps_until);
        drop(live);
        if is_early {
            self.bell.notify_one();
        }
    }
}

impl Live {
    /// Serves those who wait as long as there is something for them; answers when something is due.
    pub(super) fn hand_out(&mut self, now: Timestamp) -> Option<Timestamp> {
        while let Some((ticket, served)) = self.state.serve(now) {
            let waiting = self.waiting.remove(&ticket);
            let unheard = waiting.is_none_or(|waiting| waiting.send(served).is_err());
            if let (true, Ok(granted)) = (unheard, served) {
                let _ended = self.state.finish(granted.lease, Outcome::Dropped, now);
            }
        }
        self.state.next_due(now)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let now = self.shared.now();
        let mut live = self.shared.live();
        live.state.give_up(self.ticket);
        live.waiting.remove(&self.ticket);
        // A lease that came too late is given back.
        self.answer.close();
        if let Ok(Ok(granted)) = self.answer.try_recv() {
            let _ended = live.state.finish(granted.lease, Outcome::Dropped, now);
        }
        self.shared.settle(live, now);
    }
}

/// Whether time alone may help.
fn is_worth_waiting(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Busy { .. } => true,
        Refusal::Closing | Refusal::Full | Refusal::UnknownTarget => false,
        Refusal::NoneAlive { why, .. } => !matches!(why, Dead::Stopped),
    }
}
