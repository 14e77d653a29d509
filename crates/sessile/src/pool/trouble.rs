//! Why an action didn't succeed: what errors and verdicts mean for a member.

use std::time::Duration;

use sessile_jar::Timestamp;

use super::state::Fault;
use crate::error::Error as RequestError;
use crate::login::LoginError;
use crate::renew::{KeepError, NoRenewal};
use crate::session::Verdict;
use crate::store::StoreError;

/// Why an action didn't succeed, for the state and for people.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) fault: Fault,
    pub(super) why: String,
}

impl Trouble {
    pub(super) fn new(fault: Fault, why: &str) -> Self {
        Self {
            fault,
            why: why.to_owned(),
        }
    }

    pub(super) fn later(why: String) -> Self {
        let fault = Fault::Later { until: None };
        Self { fault, why }
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
        let why = error.to_string();
        Self { fault, why }
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
        RequestError::HoldOff { .. } => Fault::Later { until: None },
        _ => Fault::Later { until: None },
    }
}
