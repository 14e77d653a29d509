//! What the library's errors are to those who ask over HTTP: a kind of problem each.

use std::mem::{Discriminant, discriminant};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sessile::login::LoginError;
use sessile::login::oauth2::OAuthError;
use sessile::pool::{Dead, PoolError};
use sessile::renew::{KeepError, NoRenewal};
use sessile::store::StoreError;
use sessile::{Blame, Error};
use sessile_jar::Timestamp;
use tokio::time::Instant;

use crate::access::AccessError;
use crate::problem::{Kind, Problem};
use crate::times;

impl From<KeepError> for Problem {
    fn from(error: KeepError) -> Self {
        let kind = match &error {
            KeepError::Login(error) => return error.clone().into(),
            KeepError::Request(error) => return error.clone().into(),
            KeepError::Store(error) => return error.clone().into(),
            KeepError::LoggedOut { why, .. } => of_renewal(why),
            KeepError::NobodyWaits { .. } => Kind::WrongMoment,
            KeepError::NotReplayable { .. } => Kind::NotReplayable,
            KeepError::Unknown { name, .. } => return unknown_session(name),
            KeepError::Tokens(_) | KeepError::Unreadable { .. } => Kind::Store,
            _ => Kind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

/// Where the store is stays the daemon's business.
pub(crate) fn unknown_session(name: &str) -> Problem {
    Problem::new(
        Kind::UnknownSession,
        format!("there is no session `{name}`"),
    )
}

fn of_renewal(why: &NoRenewal) -> Kind {
    match why {
        NoRenewal::NoPassword | NoRenewal::PersonNeeded => Kind::PersonNeeded,
        NoRenewal::Refused { .. } => Kind::LoginRefused,
        _ => Kind::NotLoggedIn,
    }
}

impl From<PoolError> for Problem {
    fn from(error: PoolError) -> Self {
        let kind = match &error {
            PoolError::Keep(error) => return error.clone().into(),
            PoolError::Store(error) => return error.clone().into(),
            PoolError::Busy { .. } | PoolError::Full { .. } => Kind::Busy,
            PoolError::Closed { .. } => Kind::Closing,
            PoolError::Elsewhere { .. } => Kind::Elsewhere,
            PoolError::LeaseEnded => Kind::LeaseEnded,
            PoolError::NoAccount { .. }
            | PoolError::NoneAlive { .. }
            | PoolError::ServedElsewhere { .. } => Kind::NoSession,
            PoolError::Unknown { pool, .. } => {
                return Self::new(Kind::UnknownPool, format!("there is no pool `{pool}`"));
            }
            PoolError::UnknownPart { .. } => Kind::UnknownSession,
            PoolError::Unreadable { .. } => Kind::Store,
            _ => Kind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

/// As a problem that says when it may be worth asking again, by the pool's time.
pub(crate) fn of_pool(error: PoolError, now: Timestamp) -> Problem {
    let wait = wait(&error, now);
    Problem::from(error).retry_after(wait)
}

/// `None` where asking again is of no use, or nothing is known.
fn wait(error: &PoolError, now: Timestamp) -> Option<Duration> {
    match error {
        PoolError::Busy { next, .. } => next.map(|next| times::between(now, next)),
        PoolError::Elsewhere { until, .. } => Some(times::between(now, *until)),
        PoolError::Full { .. } => Some(SHORTLY),
        PoolError::NoneAlive { next, why, .. } => match (next, why) {
            (Some(next), _) => Some(times::between(now, *next)),
            (None, Dead::Stopped) => None,
            (None, Dead::Warming) => Some(SHORTLY),
            // Another process, the store or a person has to act first.
            (None, _) => Some(LATER),
        },
        _ => None,
    }
}

/// When to ask again for what is under way.
const SHORTLY: Duration = Duration::from_secs(1);

/// When to ask again for what waits for others.
const LATER: Duration = Duration::from_secs(10);

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        let kind = match &error {
            LoginError::Request(error) | LoginError::OAuth(OAuthError::Request(error)) => {
                return error.clone().into();
            }
            LoginError::CodeRefused { .. }
            | LoginError::RateLimited { .. }
            | LoginError::Refused { .. }
            | LoginError::Unproven { .. }
            | LoginError::OAuth(OAuthError::Refused { .. } | OAuthError::RateLimited { .. }) => {
                Kind::LoginRefused
            }
            LoginError::Captcha { .. }
            | LoginError::Challenged { .. }
            | LoginError::SecondFactor { .. } => Kind::PersonNeeded,
            other if other.needs_person() => Kind::PersonNeeded,
            _ => Kind::LoginFailed,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::LimitsUnavailable { .. } => Kind::Store,
            Error::BadRequest { .. } => Kind::BadRequest,
            Error::Closed => {
                let detail = "the session was removed, or followed by the next one of its pool, \
                              while the request ran";
                return Self::new(Kind::SessionClosed, detail);
            }
            Error::HoldOff { pause, .. } => {
                let pause = Some(*pause);
                return Self::new(Kind::Busy, error.to_string()).retry_after(pause);
            }
            Error::TimeOut { .. } => Kind::SiteTimeOut,
            other => match other.blame() {
                Blame::Caller => Kind::BadRequest,
                _ => Kind::SiteUnreachable,
            },
        };
        Self::new(kind, error.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::BadName { .. } => Self::new(Kind::BadRequest, error.to_string()),
            StoreError::UnknownName { .. } => Self::new(Kind::UnknownSession, error.to_string()),
            // Its words may name files and hosts: they are for the log.
            _ => {
                log_store_failure(&error);
                Self::new(
                    Kind::Store,
                    "the store can't be used now; the daemon's log says why",
                )
            }
        }
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Store(error) => error.into(),
            other => {
                tracing::error!(error = %other, "tokens can't be read");
                Self::new(
                    Kind::Internal,
                    "the daemon's tokens can't be read; its log says why",
                )
            }
        }
    }
}

/// Says why the store failed. While it is away every request meets the same failure: that is said
/// once in a while.
fn log_store_failure(error: &StoreError) {
    static SAID: Said = Said(Mutex::new(Vec::new()));
    match SAID.is_due(error, Instant::now()) {
        true => tracing::error!(%error, "the store failed"),
        false => tracing::debug!(%error, "the store failed"),
    }
}

/// When each kind of failure was said last. Their words may differ each time.
struct Said(Mutex<Vec<(Discriminant<StoreError>, Instant)>>);

impl Said {
    /// Whether to say it, which is noted.
    fn is_due(&self, error: &StoreError, now: Instant) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|(_, at)| now.duration_since(*at) < SAY_AGAIN);
        let kind = discriminant(error);
        let is_due = said.iter().all(|(before, _)| *before != kind);
        if is_due {
            said.push((kind, now));
        }
        is_due
    }
}

/// How often the same kind of failure of the store is said.
const SAY_AGAIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_of_the_store_is_said_once_in_a_while() {
        let (said, start) = (Said(Mutex::new(Vec::new())), Instant::now());
        let locked = |millis| StoreError::Locked {
            place: "store".to_owned(),
            holder: "somebody".to_owned(),
            waited: Duration::from_millis(millis),
        };
        let full = StoreError::Full {
            place: "store".to_owned(),
        };
        assert!(said.is_due(&locked(1), start) && said.is_due(&full, start));
        assert!(!said.is_due(&locked(2), start) && !said.is_due(&full, start));
        assert!(said.is_due(&locked(3), start + SAY_AGAIN));
        assert!(!said.is_due(&locked(4), start + SAY_AGAIN));
    }
}
