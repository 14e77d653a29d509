//! What happens in a pool, as it happens.

use sessile_jar::Timestamp;

use super::{LeaseId, Outcome};
use crate::store::Name;

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolEvent {
    /// When, by the pool's time.
    pub at: Timestamp,
    /// In which pool.
    pub pool: Name,
    /// What.
    pub kind: PoolEventKind,
}

/// What happened. Sessions go by their stored names; no secret is in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PoolEventKind {
    /// An account is used no more until a person has seen to it.
    AccountStopped {
        /// Its user name.
        user: String,
        /// Why, in words.
        why: String,
    },
    /// A check, a refresh or a renewal of a session failed.
    CheckFailed {
        /// The session.
        session: Name,
        /// Why, in words.
        why: String,
    },
    /// The pool was closed.
    Closed,
    /// A lease ended without being given back.
    LeaseTimedOut {
        /// The lease.
        lease: LeaseId,
        /// Its session.
        session: Name,
    },
    /// A login failed.
    LoginFailed {
        /// The seat.
        seat: Name,
        /// Why, in words.
        why: String,
    },
    /// A session was made and has taken its seat over.
    Made {
        /// The session.
        session: Name,
        /// The one that served before.
        replaces: Option<Name>,
    },
    /// A proxy failed too often and rests.
    ProxyCools {
        /// The proxy, without its login.
        proxy: String,
        /// Until when.
        until: Timestamp,
    },
    /// A session's cookies were refreshed.
    Refreshed {
        /// The session.
        session: Name,
    },
    /// A session was logged in again.
    Renewed {
        /// The session.
        session: Name,
    },
    /// A session was removed.
    Retired {
        /// The session.
        session: Name,
    },
    /// A seat is served here from now on, or no more.
    SeatMoved {
        /// The seat.
        seat: Name,
        /// Whether it is served here.
        is_here: bool,
    },
    /// A seat waits for an account, a proxy or the store: nothing was asked of the site. Told once, until
    /// it waits for something else.
    SeatWaits {
        /// The seat.
        seat: Name,
        /// For what, in words.
        why: String,
    },
    /// Something that was used went wrong.
    UseFailed {
        /// The session.
        session: Name,
        /// What came of it.
        outcome: Outcome,
    },
    /// A session was found to be logged in.
    Validated {
        /// The session.
        session: Name,
    },
}

impl PoolEventKind {
    /// The words of all kinds.
    pub const NAMES: &[&str] = &[
        "accountStopped",
        "checkFailed",
        "closed",
        "leaseTimedOut",
        "loginFailed",
        "made",
        "proxyCools",
        "refreshed",
        "renewed",
        "retired",
        "seatMoved",
        "seatWaits",
        "useFailed",
        "validated",
    ];

    /// One word for programs, which is also among [`Self::NAMES`].
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AccountStopped { .. } => "accountStopped",
            Self::CheckFailed { .. } => "checkFailed",
            Self::Closed => "closed",
            Self::LeaseTimedOut { .. } => "leaseTimedOut",
            Self::LoginFailed { .. } => "loginFailed",
            Self::Made { .. } => "made",
            Self::ProxyCools { .. } => "proxyCools",
            Self::Refreshed { .. } => "refreshed",
            Self::Renewed { .. } => "renewed",
            Self::Retired { .. } => "retired",
            Self::SeatMoved { .. } => "seatMoved",
            Self::SeatWaits { .. } => "seatWaits",
            Self::UseFailed { .. } => "useFailed",
            Self::Validated { .. } => "validated",
        }
    }
}
