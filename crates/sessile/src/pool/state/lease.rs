//! What is wished for, what is granted and what is refused.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sessile_jar::Timestamp;

use super::{Assign, LeaseId, MemberId, SeatId};

/// What a session is bound to: an event, a channel, a customer.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Target(Arc<str>);

impl Target {
    /// Any text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The target as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Target {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What somebody wants to lease.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Wish {
    /// How a member is chosen. Defaults to the pool's rule.
    pub assign: Option<Assign>,
    /// Alone or with others. Defaults to counted.
    pub mode: Mode,
    /// What it is for. A target with a seat of its own gets that seat's member and no other; for
    /// others the wish has to be sticky. Defaults to nothing in particular.
    pub target: Option<Target>,
    /// How long the lease lasts if it isn't given back. Defaults to the pool's rule.
    pub time_out: Option<Duration>,
}

impl Wish {
    /// For this target.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Chosen so.
    #[must_use]
    pub fn assign(mut self, assign: Assign) -> Self {
        self.assign = Some(assign);
        self
    }

    /// Alone on its member.
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.mode = Mode::Exclusive;
        self
    }

    /// Ends after so long if it isn't given back or extended.
    #[must_use]
    pub fn time_out(mut self, time_out: Duration) -> Self {
        self.time_out = Some(time_out);
        self
    }
}

/// Whether others may use the member at the same time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "alone or not alone")]
pub enum Mode {
    /// As many as the rules say.
    #[default]
    Counted,
    /// Nobody else.
    Exclusive,
}

/// A lease that was granted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Granted {
    /// What to give it back with.
    pub lease: LeaseId,
    /// The session that may be used.
    pub member: MemberId,
    /// The seat that it was made for.
    pub seat: SeatId,
    /// When the lease ends if it is neither given back nor extended.
    pub until: Timestamp,
}

/// Why there is no lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// All that could be used are in use, or others wait already.
    Busy {
        /// When something comes free by itself at the latest, or the pool looks again.
        next: Option<Timestamp>,
    },
    /// The pool is being closed.
    Closing,
    /// No more may wait.
    Full,
    /// There is no member that could be used, however long somebody gives back.
    NoneAlive {
        /// What stands in the way.
        why: Dead,
        /// When the pool does something about it next; `None` where it is doing it now, or where a
        /// person has to.
        next: Option<Timestamp>,
    },
    /// The target has no seat of its own, and the wish isn't sticky.
    UnknownTarget,
}

/// Why no member is alive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Dead {
    /// Members cool after failures.
    Cooling,
    /// Logins fail and are tried again.
    LoginsFail,
    /// There is no seat.
    NoSeat,
    /// Logins were refused for good until a person acts.
    Stopped,
    /// The seats may not be served just now.
    Suspended,
    /// Members are being made or checked.
    Warming,
}

/// What came of the use of a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The site refused without a reason: a failure of the member, which is checked before it rests
    /// for that.
    Blocked,
    /// The site wants a proof: a failure of the member.
    Challenged,
    /// Nobody said.
    Dropped,
    /// The login is gone and couldn't be had again: the member is renewed before it is used again.
    Expired,
    /// The server is in trouble, which says nothing of the member.
    Failing,
    /// All went well.
    Ok,
    /// Too much was asked: the member rests, without its being a failure.
    RateLimited {
        /// Until when; the first cool-down where the site didn't say.
        until: Option<Timestamp>,
    },
    /// Its proxy can't be reached or refuses: a failure of the member. A site that can't be reached
    /// is [`Outcome::Failing`].
    Unreachable,
}

/// The lease had ended, or there was none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "there is no more to say")]
pub struct LeaseEnded;

impl fmt::Display for LeaseEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lease has ended")
    }
}

impl std::error::Error for LeaseEnded {}

/// A lease that ended without being given back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Ended {
    /// The lease.
    pub lease: LeaseId,
    /// Whose it was.
    pub member: MemberId,
    /// The member's seat.
    pub seat: SeatId,
    /// Why it ended.
    pub why: End,
}

/// Why a lease ended without being given back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum End {
    /// Its member had drained for as long as it may.
    Drained,
    /// The seat was lost to another owner.
    Lost,
    /// It wasn't given back in time.
    TimedOut,
}
