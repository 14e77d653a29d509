//! A lease in the hands of whoever uses it.

use std::fmt;
use std::time::Duration;

use sessile_jar::Timestamp;

use super::outcome::{is_replaced, outcome};
use super::state::{Granted, LeaseId, Mode, Outcome, SeatId, Wish};
use super::waiting::Taken;
use super::{LeaseInfo, Pool, PoolError, Shared};
use crate::renew::{Answer, Kept};
use crate::session::Request;
use crate::store::Name;

/// The right to use a session of the pool for a while. Dropped, it is given back.
pub struct Lease {
    pool: Pool,
    granted: Granted,
    kept: Kept,
    end: OnDrop,
}

/// What happens to a lease when its handle is dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum OnDrop {
    GiveBack,
    Leave,
}

impl Lease {
    /// Sends a request through the session and notes what came of it. Where the session has been
    /// replaced and its login is gone meanwhile, the request is sent once more through the one
    /// that took its place.
    ///
    /// # Errors
    ///
    /// [`PoolError::LeaseEnded`] where the lease has ended before, [`PoolError::Keep`] where there is
    /// no answer.
    pub async fn send(&self, request: Request) -> Result<Answer, PoolError> {
        let shared = &self.pool.0;
        if shared.live().state.leased(self.granted.lease).is_none() {
            return Err(PoolError::LeaseEnded);
        }
        let mut again = request.try_clone();
        let mut sender = self.kept.clone();
        let mut answer = sender.send(request).await;
        // The one that took its place may have been replaced meanwhile too.
        while answer.as_ref().err().is_some_and(is_replaced)
            && let Some(request) = again.take()
            && let Some(successor) = self.successor(&sender)
        {
            again = request.try_clone();
            sender = successor;
            answer = sender.send(request).await;
        }
        let outcome = outcome(shared, &answer);
        shared.note(self.granted, (&sender, outcome), &answer);
        Ok(answer?)
    }

    /// The session. What is sent through it directly is not noted, and not sent again through
    /// another one.
    pub fn session(&self) -> &Kept {
        &self.kept
    }

    /// The session that serves the seat now, where that is another one.
    fn successor(&self, than: &Kept) -> Option<Kept> {
        let live = self.pool.0.live();
        let seat = live.state.seat_view(self.granted.seat)?;
        let kept = &live.members.get(&seat.member?)?.kept;
        (kept.name() != than.name()).then(|| kept.clone())
    }

    /// Its number in this process.
    pub fn id(&self) -> LeaseId {
        self.granted.lease
    }

    /// The name of the session.
    pub fn name(&self) -> &Name {
        self.kept.name()
    }

    /// When it ends if it is neither given back nor extended.
    pub fn until(&self) -> Timestamp {
        let live = self.pool.0.live();
        let view = live.state.leased(self.granted.lease);
        view.map_or(self.granted.until, |view| view.until)
    }

    /// Lets it last for so long from now, at most an hour; answers when it ends.
    ///
    /// # Errors
    ///
    /// [`PoolError::LeaseEnded`]; [`PoolError::Store`] where the seat can't be held for so long.
    pub async fn extend(&self, time: Duration) -> Result<Timestamp, PoolError> {
        self.pool.extend(self.granted.lease, time).await
    }

    /// Lets it outlast the drain of its session, as a recording does; it has to be extended all the
    /// same.
    ///
    /// # Errors
    ///
    /// [`PoolError::LeaseEnded`].
    pub fn pin(&self) -> Result<(), PoolError> {
        let shared = &self.pool.0;
        let now = shared.now();
        Ok(shared.live().state.pin(self.granted.lease, now)?)
    }

    /// Gives it back, and says what came of it.
    ///
    /// # Errors
    ///
    /// [`PoolError::LeaseEnded`] where it has ended before.
    pub fn finish(mut self, outcome: Outcome) -> Result<(), PoolError> {
        self.end = OnDrop::Leave;
        self.pool.finish(self.granted.lease, outcome)
    }

    /// Leaves it to whoever has its number: dropping the handle doesn't give it back.
    pub fn into_id(mut self) -> LeaseId {
        self.end = OnDrop::Leave;
        self.granted.lease
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.end == OnDrop::GiveBack {
            // It may have ended by itself. What came of its uses was noted as they came.
            let _ended = self.pool.finish(self.granted.lease, Outcome::Dropped);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("id", &self.granted.lease)
            .field("session", self.kept.name())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Leases a session, waiting its turn for at most `wait`.
    ///
    /// # Errors
    ///
    /// [`PoolError::Busy`] where all are in use, [`PoolError::NoneAlive`] where none could be used,
    /// [`PoolError::Store`] where the right to the seat can't be kept for as long as the lease.
    pub async fn lease(&self, wish: &Wish, wait: Duration) -> Result<Lease, PoolError> {
        let mut tries = 0;
        loop {
            let Taken {
                granted,
                kept,
                is_held,
            } = self.0.grant(wish, wait).await?;
            // Given back by whoever stops waiting.
            let handle = Lease {
                pool: self.clone(),
                granted,
                kept,
                end: OnDrop::GiveBack,
            };
            if is_held {
                return Ok(handle);
            }
            tries += 1;
            match self.0.hold_for(&granted).await {
                Ok(()) => return Ok(handle),
                // The seat was lost to another process just now; there are others.
                Err(PoolError::LeaseEnded) if tries < TRIES => {}
                Err(error) => {
                    drop(handle);
                    let granted = self.0.shorter(wish, granted.seat, error)?;
                    return self.handle(granted, OnDrop::GiveBack);
                }
            }
        }
    }

    /// A running lease by its number. Dropping this handle doesn't give it back.
    ///
    /// # Errors
    ///
    /// [`PoolError::LeaseEnded`].
    pub fn leased(&self, lease: LeaseId) -> Result<Lease, PoolError> {
        let view = self.0.live().state.leased(lease);
        let view = view.ok_or(PoolError::LeaseEnded)?;
        let granted = Granted {
            lease,
            member: view.member,
            seat: view.seat,
            until: view.until,
        };
        self.handle(granted, OnDrop::Leave)
    }

    /// What is known of a running lease.
    ///
    /// # Errors
    ///
    /// [`PoolError::LeaseEnded`].
    pub fn lease_info(&self, lease: LeaseId) -> Result<LeaseInfo, PoolError> {
        let live = self.0.live();
        let view = live.state.leased(lease).ok_or(PoolError::LeaseEnded)?;
        let member = live.members.get(&view.member);
        let member = member.ok_or(PoolError::LeaseEnded)?;
        Ok(LeaseInfo {
            id: view.id,
            session: member.kept.name().clone(),
            mode: view.mode,
            until: view.until,
            is_pinned: view.pinned,
        })
    }

    /// Lets a lease last for so long from now, at most an hour; answers when it ends.
    ///
    /// # Errors
    ///
    /// As [`Lease::extend`].
    pub async fn extend(&self, lease: LeaseId, time: Duration) -> Result<Timestamp, PoolError> {
        let shared = &self.0;
        let longest = shared.live().state.rules().lease_time_out_longest;
        let until = shared.now().plus(time.min(longest));
        let view = shared.live().state.leased(lease);
        let view = view.ok_or(PoolError::LeaseEnded)?;
        let wanted = Granted {
            lease,
            member: view.member,
            seat: view.seat,
            until,
        };
        for _try in 0..TRIES {
            shared.hold_for(&wanted).await?;
            let now = shared.now();
            let mut live = shared.live();
            // In one step: meanwhile the seat may be held for no longer than was needed.
            if shared.is_held_until(&live, &wanted) {
                let until = live.state.extend(lease, until, now)?;
                shared.bell.notify_one();
                return Ok(until);
            }
        }
        Err(PoolError::LeaseEnded)
    }

    /// Lets a lease outlast the drain of its session.
    ///
    /// # Errors
    ///
    /// [`PoolError::LeaseEnded`].
    pub fn pin(&self, lease: LeaseId) -> Result<(), PoolError> {
        let now = self.0.now();
        Ok(self.0.live().state.pin(lease, now)?)
    }

    /// Gives a lease back, and says what came of it.
    ///
    /// # Errors
    ///
    /// [`PoolError::LeaseEnded`] where it has ended before.
    pub fn finish(&self, lease: LeaseId, outcome: Outcome) -> Result<(), PoolError> {
        let shared = &self.0;
        let now = shared.now();
        let mut live = shared.live();
        let finished = live.state.finish(lease, outcome, now);
        shared.settle(live, now);
        Ok(finished?)
    }

    fn handle(&self, granted: Granted, end: OnDrop) -> Result<Lease, PoolError> {
        let live = self.0.live();
        let member = live.members.get(&granted.member);
        let kept = member.map(|member| member.kept.clone());
        drop(live);
        Ok(Lease {
            pool: self.clone(),
            granted,
            kept: kept.ok_or(PoolError::LeaseEnded)?,
            end,
        })
    }
}

impl Shared {
    /// Where the seat can't be held for the lease's time: a lease for as long as it is held.
    fn shorter(&self, wish: &Wish, seat: SeatId, error: PoolError) -> Result<Granted, PoolError> {
        let now = self.now();
        let left = self.held_for(seat).unwrap_or_default();
        if left < SHORTEST {
            return Err(error);
        }
        let wish = wish.clone().time_out(left - MARGIN);
        let mut live = self.live();
        let granted = live.state.lease(&wish, now);
        self.settle(live, now);
        let granted = granted.map_err(|_refused| error.clone())?;
        // Another seat may have been picked, whose hold is shorter.
        if self
            .held_for(granted.seat)
            .is_some_and(|held| held >= left - MARGIN)
        {
            return Ok(granted);
        }
        let _ended = self
            .live()
            .state
            .finish(granted.lease, Outcome::Dropped, now);
        Err(error)
    }
}

/// How often another seat is tried where one was lost.
const TRIES: usize = 4;

/// The shortest lease that is still of use.
const SHORTEST: Duration = Duration::from_secs(5);

/// How much earlier a lease ends than the hold of its seat.
pub(super) const MARGIN: Duration = Duration::from_secs(2);

/// For those that only look: whether a lease is its session's only one.
impl LeaseInfo {
    /// Whether nobody else may use the session meanwhile.
    pub fn is_exclusive(&self) -> bool {
        self.mode == Mode::Exclusive
    }
}
