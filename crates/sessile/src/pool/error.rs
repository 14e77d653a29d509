//! Why a pool doesn't do what it was asked.

use std::time::{Duration, UNIX_EPOCH};

use sessile_jar::Timestamp;
use thiserror::Error;

use super::accounts::NoAccount;
use super::state::{Dead, LeaseEnded};
use crate::error::Error as RequestError;
use crate::renew::KeepError;
use crate::store::{Name, StoreError};

/// Why a pool doesn't do what it was asked.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A definition breaks a rule.
    #[error("pool `{pool}`: {what}")]
    BadDefinition {
        /// The pool.
        pool: String,
        /// What is wrong.
        what: String,
    },
    /// All sessions are in use.
    #[error("all sessions of pool `{pool}` are in use{}", again(*.next))]
    Busy {
        /// The pool.
        pool: String,
        /// When one comes free at the latest, or the pool looks again.
        next: Option<Timestamp>,
    },
    /// The pool was closed.
    #[error("pool `{pool}` is closed")]
    Closed {
        /// The pool.
        pool: String,
    },
    /// Another process serves the target just now.
    #[error("target `{target}` of pool `{pool}` is served by {holder}, until {} at least", time(*.until))]
    Elsewhere {
        /// The pool.
        pool: String,
        /// The target.
        target: String,
        /// Who serves it.
        holder: String,
        /// Until when at least.
        until: Timestamp,
    },
    /// Too many wait already.
    #[error("too many wait for a session of pool `{pool}`")]
    Full {
        /// The pool.
        pool: String,
    },
    /// A process serves the pool just now.
    #[error("pool `{pool}` is served by {owner}; stop that first")]
    InUse {
        /// The pool.
        pool: String,
        /// Who serves it.
        owner: String,
    },
    /// The session has no answer.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// The lease has ended, or there never was one of that number.
    #[error("the lease has ended")]
    LeaseEnded,
    /// There is no account for another session.
    #[error("no account of pool `{pool}` is free: {standing}")]
    NoAccount {
        /// The pool.
        pool: String,
        /// How the accounts stand.
        standing: NoAccount,
    },
    /// There is no session that could be used.
    #[error("no session of pool `{pool}` can be used: {}{}{}", dead(*.why), because(.reason.as_ref()), again(*.next))]
    NoneAlive {
        /// The pool.
        pool: String,
        /// What stands in the way.
        why: Dead,
        /// Why the last login failed, where one did.
        reason: Option<String>,
        /// When the pool does something about it next; `None` where it is doing it now, or where a
        /// person has to.
        next: Option<Timestamp>,
    },
    /// All of its seats are other processes' part; none is handed over to this one while they serve it.
    #[error(
        "{owners} processes serve pool `{pool}`, and none of its {size} seats is this one's: lease from one of them"
    )]
    ServedElsewhere {
        /// The pool.
        pool: String,
        /// How many processes serve it, this one included.
        owners: usize,
        /// How many seats it has.
        size: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is a pool of that name already.
    #[error("there is a pool `{pool}` already")]
    Taken {
        /// Its name.
        pool: String,
    },
    /// The targets can't be read.
    #[error("the targets of pool `{pool}` can't be had: {what}")]
    Targets {
        /// The pool.
        pool: String,
        /// Why not.
        what: String,
    },
    /// There is no pool of that name.
    #[error("there is no pool `{pool}` in {place}")]
    Unknown {
        /// The name that was asked for.
        pool: String,
        /// The store.
        place: String,
    },
    /// There is no account, proxy or session of that name in the pool.
    #[error("pool `{pool}` has no {what} `{name}`")]
    UnknownPart {
        /// The pool.
        pool: String,
        /// What kind of thing.
        what: &'static str,
        /// What was asked for.
        name: String,
    },
    /// The stored pool isn't one that this program understands.
    #[error("pool `{pool}` can't be read: {what}")]
    Unreadable {
        /// The pool.
        pool: String,
        /// What is wrong.
        what: String,
    },
}

impl PoolError {
    /// For a pool that has no such part.
    pub fn unknown_part(pool: &Name, what: &'static str, name: String) -> Self {
        Self::UnknownPart {
            pool: pool.to_string(),
            what,
            name,
        }
    }
}

impl From<LeaseEnded> for PoolError {
    fn from(_ended: LeaseEnded) -> Self {
        Self::LeaseEnded
    }
}

impl From<RequestError> for PoolError {
    fn from(error: RequestError) -> Self {
        Self::Keep(KeepError::Request(error))
    }
}

fn dead(why: Dead) -> &'static str {
    match why {
        Dead::Cooling => "they rest after failures",
        Dead::LoginsFail => "logins fail and are tried again",
        Dead::NoSeat => "it has none here",
        Dead::Stopped => "the site refused the logins, and a person has to see to it",
        Dead::Suspended => "the store can't be reached",
        Dead::Warming => "they are being made or checked",
    }
}

fn because(reason: Option<&String>) -> String {
    reason.map_or_else(String::new, |reason| format!(" ({reason})"))
}

fn again(next: Option<Timestamp>) -> String {
    next.map_or_else(String::new, |next| {
        format!("; look again after {}", time(next))
    })
}

fn time(at: Timestamp) -> String {
    let since = u64::try_from(at.as_millis()).unwrap_or(0);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(since))
}
