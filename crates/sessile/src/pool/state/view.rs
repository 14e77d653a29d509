//! The state as values for people and programs.

use std::time::Duration;

use sessile_jar::Timestamp;

use super::{LeaseId, MemberId, Mode, SeatId, Target};

/// Where a member is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "these are the states")]
pub enum Phase {
    /// It rests after failures and takes no lease.
    Cooling {
        /// Until then; it is checked before it is used again.
        until: Timestamp,
    },
    /// It takes no more lease; those it has may go on.
    Draining {
        /// Until then, pinned ones longer.
        until: Timestamp,
    },
    /// It can be used and is.
    Leased,
    /// It can be used.
    Ready,
    /// It is used no more and is about to be removed.
    Retired,
    /// It is being made, or has to be checked or renewed before it is used.
    Warming,
}

/// One member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MemberView {
    /// Its id.
    pub id: MemberId,
    /// The seat that it was made for.
    pub seat: SeatId,
    /// Where it is in its life.
    pub phase: Phase,
    /// When its login was finished; for one in the making, when that began.
    pub born: Timestamp,
    /// When it was last seen to be logged in.
    pub validated: Option<Timestamp>,
    /// When its cookies were last refreshed.
    pub refreshed: Timestamp,
    /// When it was last leased.
    pub used: Option<Timestamp>,
    /// When its successor is due; `None` while it can't be followed.
    pub rotates: Option<Timestamp>,
    /// Its running leases.
    pub leases: u32,
    /// How many leases it has had.
    pub uses: u64,
    /// Failures in a row.
    pub failures: u32,
    /// How often in a row it has cooled.
    pub cooled: u32,
}

/// One seat.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SeatView {
    /// Its id.
    pub id: SeatId,
    /// The target that it is reserved for.
    pub target: Option<Target>,
    /// The member that serves it, or that goes with it where it is being given away.
    pub member: Option<MemberId>,
    /// The member that is being made for it.
    pub next: Option<MemberId>,
    /// How many earlier members are still about.
    pub behind: u32,
    /// Failed logins in a row.
    pub login_failures: u32,
    /// Before this no login is tried.
    pub login_after: Option<Timestamp>,
    /// Whether logins were given up until a person acts.
    pub stopped: bool,
    /// Whether it may not be served just now.
    pub suspended: bool,
    /// Whether it is being given away or removed.
    pub leaving: bool,
}

/// One lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LeaseView {
    /// Its id.
    pub id: LeaseId,
    /// Whose session it may use.
    pub member: MemberId,
    /// The member's seat.
    pub seat: SeatId,
    /// Alone or with others.
    pub mode: Mode,
    /// When it ends if it isn't extended.
    pub until: Timestamp,
    /// Whether it may outlast the drain of its member.
    pub pinned: bool,
}

/// A member that was there before, as it is put back into its seat.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Restored {
    /// When its login was finished.
    pub born: Timestamp,
    /// When it was last seen to be logged in.
    pub validated: Option<Timestamp>,
    /// When its cookies were last refreshed.
    pub refreshed: Option<Timestamp>,
    /// How many leases it has had.
    pub uses: u64,
    /// Failures in a row.
    pub failures: u32,
    /// How often in a row it has cooled.
    pub cooled: u32,
    /// Until when it cools.
    pub cools_until: Option<Timestamp>,
}

/// Counts over the whole pool.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Seats, leaving ones included.
    pub seats: usize,
    /// Seats whose logins were given up until a person acts.
    pub stopped: usize,
    /// Members that can be used and aren't.
    pub ready: usize,
    /// Members that are used.
    pub leased: usize,
    /// Members that are made, checked or renewed before they are used.
    pub warming: usize,
    /// Members that rest after failures.
    pub cooling: usize,
    /// Members that take no more lease.
    pub draining: usize,
    /// Members that are about to be removed.
    pub retired: usize,
    /// Running leases.
    pub leases: usize,
    /// Who waits for a lease.
    pub waiting: usize,
    /// Actions that were given out and not answered yet.
    pub acting: usize,
    /// Leases that were granted, ever.
    pub granted: u64,
    /// Leases that ended by their time-out, ever.
    pub timed_out: u64,
    /// What came of the uses.
    pub outcomes: Outcomes,
    /// The mean age of members that can be used or cool.
    pub average_age: Duration,
    /// The age of the oldest of them.
    pub oldest: Duration,
}

/// How often each came of a use, ever.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Outcomes {
    /// The site refused without a reason.
    pub blocked: u64,
    /// The site wanted a proof.
    pub challenged: u64,
    /// Nobody said.
    pub dropped: u64,
    /// The login was gone.
    pub expired: u64,
    /// The server was in trouble.
    pub failing: u64,
    /// All went well.
    pub ok: u64,
    /// Too much was asked.
    pub rate_limited: u64,
    /// The proxy couldn't be reached or refused.
    pub unreachable: u64,
}
