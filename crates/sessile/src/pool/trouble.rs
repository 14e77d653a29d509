//! Why an action didn't succeed: what errors and verdicts mean for a member.

use std::time::Duration;

use sessile_jar::Timestamp;

use super::PoolError;
use super::state::Fault;
use crate::error::Error as RequestError;
use crate::login::LoginError;
use crate::renew::{KeepError, NoRenewal};
use crate::session::Verdict;
use crate::store::StoreError;

/// How often a seat without an account looks for one.
const ACCOUNT_LOOK: Duration = Duration::from_secs(30);

/// Why an action didn't succeed, for the state and for people.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) fault: Fault,
    pub(super) why: String,
    /// Whether the site was asked.
    pub(super) is_tried: bool,
}

impl Trouble {
    pub(super) fn new(fault: Fault, why: &str) -> Self {
        Self {
            fault,
            why: why.to_owned(),
            is_tried: true,
        }
    }

    pub(super) fn later(why: String) -> Self {
        Self {
            fault: Fault::Later { until: None },
            why,
            is_tried: true,
        }
    }

    /// The site wasn't asked.
    pub(super) fn untried(self) -> Self {
        let is_tried = false;
        Self { is_tried, ..self }
    }

    /// What it was for isn't here any more.
    pub(super) fn gone() -> Self {
        Self::new(Fault::Failed, "the seat is no more served here")
    }

    /// What an error says of a member.
    pub(super) fn of(error: &KeepError, now: Timestamp) -> Self {
        let later = Fault::Later { until: None };
        let fault = match error {
            KeepError::LoggedOut { why, .. } => match why {
                NoRenewal::Refused { .. } | NoRenewal::NeverLoggedIn => Fault::Refused,
                NoRenewal::NoPassword | NoRenewal::PersonNeeded => Fault::NeedsPerson,
                NoRenewal::Busy(_) | NoRenewal::Interrupted | NoRenewal::Replaced => later,
                _ => Fault::Failed,
            },
            KeepError::Login(error) => of_login(error, now),
            KeepError::Request(error) => of_request(error),
            KeepError::Unknown { .. } | KeepError::Unreadable { .. } => Fault::Expired,
            _ => later,
        };
        Self::new(fault, &error.to_string())
    }

    /// What it says that a member can't even be begun. Where no account is free, one may come free in
    /// another process.
    pub(super) fn of_pool(error: &PoolError, now: Timestamp) -> Self {
        let PoolError::NoAccount { standing, .. } = error else {
            return error.clone().into();
        };
        let fault = match standing.is_hopeless() {
            true => Fault::Refused,
            false => Fault::Later {
                until: Some(now.plus(ACCOUNT_LOOK)),
            },
        };
        Self::new(fault, &format!("no account is free: {standing}"))
    }

    /// What a verdict that isn't good says of a member.
    pub(super) fn of_verdict(verdict: &Verdict, why: &str, now: Timestamp) -> Self {
        let fault = match verdict {
            Verdict::Expired(_) => Fault::Expired,
            Verdict::Failing(_) => Fault::Later { until: None },
            Verdict::RateLimited { wait } => Fault::Later {
                until: wait.map(|wait| now.plus(wait)),
            },
            Verdict::Blocked | Verdict::Challenged(_) | Verdict::Valid => Fault::Failed,
        };
        Self::new(fault, why)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::later(error.to_string())
    }
}

impl From<PoolError> for Trouble {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::LeaseEnded => Self::gone(),
            other => Self::later(other.to_string()),
        }
    }
}

fn of_login(error: &LoginError, now: Timestamp) -> Fault {
    match error {
        LoginError::Refused { .. }
        | LoginError::CodeRefused { .. }
        | LoginError::Unproven { .. } => Fault::Refused,
        LoginError::RateLimited { wait, .. } => Fault::Later {
            until: wait.map(|wait| now.plus(Duration::from_secs(wait))),
        },
        LoginError::Failing { .. } => Fault::Later { until: None },
        LoginError::Request(error) => of_request(error),
        error if error.needs_person() => Fault::NeedsPerson,
        _ => Fault::Failed,
    }
}

/// What can't be reached says nothing of the session.
fn of_request(error: &RequestError) -> Fault {
    match error {
        RequestError::Closed => Fault::Failed,
        RequestError::BadRequest { .. }
        | RequestError::Connect { .. }
        | RequestError::CutShort { .. }
        | RequestError::Decode { .. }
        | RequestError::Disconnect { .. }
        | RequestError::HoldOff { .. }
        | RequestError::LimitsUnavailable { .. }
        | RequestError::Program { .. }
        | RequestError::Protocol { .. }
        | RequestError::Redirect { .. }
        | RequestError::Robots { .. }
        | RequestError::Status { .. }
        | RequestError::TimeOut { .. }
        | RequestError::Tls { .. }
        | RequestError::TooLarge { .. } => Fault::Later { until: None },
    }
}
