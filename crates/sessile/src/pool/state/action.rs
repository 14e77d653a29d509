//! What is to be done, and what can become of it.

use sessile_jar::Timestamp;

use super::{ActionId, MemberId, SeatId};

/// One thing to do. It is given out once and wants exactly one answer, whatever becomes of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Action {
    /// What to answer with.
    pub id: ActionId,
    /// What to do.
    pub task: Task,
    /// For which seat.
    pub seat: SeatId,
    /// With which member. For [`Task::Release`] the one that goes with the seat, if any.
    pub member: Option<MemberId>,
}

/// What is to be done with a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Task {
    /// Log in under a new stored name, warm up, check. Answered well, the member takes the seat over.
    Make,
    /// Fetch what keeps its cookies fresh.
    Refresh,
    /// The seat is empty of leases and is nobody's here any more: hand it to whoever is next.
    Release,
    /// Log in again, the same session.
    Renew,
    /// Close its connections and remove its record.
    Retire,
    /// See whether its login still holds.
    Validate,
}

/// Why an action didn't succeed; for a panic or a time-out of the action [`Fault::Failed`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// It was seen that the login is gone; of a renewal, that this member can't log in again and
    /// another one has to be made.
    Expired,
    /// It failed: the seat waits before the next login, a check counts as a failure of the member.
    Failed,
    /// It couldn't be tried, or the site is in trouble, which says nothing of the member.
    Later {
        /// When to try again; by the rules where that isn't known.
        until: Option<Timestamp>,
    },
    /// A person has to do something: no login for this seat until [`State::retry`](super::State::retry).
    NeedsPerson,
    /// The credentials were refused: no login for this seat until [`State::retry`](super::State::retry).
    Refused,
}

/// What a person asks for is meant for these.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Which {
    /// All seats.
    All,
    /// One seat.
    Seat(SeatId),
}
