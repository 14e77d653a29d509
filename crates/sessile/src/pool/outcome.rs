//! What the answer to a leased request says of the session.

use super::proxies::{is_proxys, proxy_of};
use super::state::{Granted, Outcome, Which};
use super::{PoolEventKind, Shared};
use crate::error::Error as RequestError;
use crate::renew::{Answer, KeepError, Kept, NoRenewal};
use crate::session::Verdict;

impl Shared {
    /// Notes what came of a use. Who sent may be the successor of the one that was leased.
    pub(super) fn note(
        &self,
        granted: Granted,
        (sender, outcome): (&Kept, Outcome),
        answer: &Result<Answer, KeepError>,
    ) {
        let now = self.now();
        let mut live = self.live();
        // The lease may have ended meanwhile; the member's facts are then nobody's business.
        let noted = live.state.record(granted.lease, outcome, now);
        if noted.is_ok() && is_others_login(answer) {
            // It may be this session's all the same; the site file's check knows.
            live.state.validate(Which::Seat(granted.seat), now);
        }
        self.settle(live, now);
        let proxy = proxy_of(sender);
        match outcome {
            Outcome::Ok => return self.proxy_serves(proxy.as_deref()),
            Outcome::Dropped => return,
            _ => {}
        }
        if let Err(error) = answer {
            self.proxy_failed(proxy.as_deref(), error);
        }
        if noted.is_ok() {
            let session = sender.name().clone();
            self.tell(PoolEventKind::UseFailed { session, outcome });
        }
    }
}

/// Whether the session was replaced and can't log in any more.
pub(super) fn is_replaced(error: &KeepError) -> bool {
    let gone = matches!(
        error,
        KeepError::LoggedOut {
            why: NoRenewal::Replaced,
            ..
        }
    );
    gone || matches!(error, KeepError::Unknown { .. })
        || matches!(error, KeepError::Request(RequestError::Closed))
}

/// What an answer says of the session.
pub(super) fn outcome(shared: &Shared, answer: &Result<Answer, KeepError>) -> Outcome {
    match answer {
        Ok(answer) => match answer.reply.verdict() {
            Verdict::Blocked => Outcome::Blocked,
            Verdict::Challenged(_) => Outcome::Challenged,
            // A login that is gone and is this session's own is an error.
            Verdict::Expired(_) => Outcome::Dropped,
            Verdict::Failing(_) => Outcome::Failing,
            Verdict::RateLimited { wait } => Outcome::RateLimited {
                until: wait.map(|wait| shared.now().plus(wait)),
            },
            Verdict::Valid => Outcome::Ok,
        },
        Err(KeepError::LoggedOut { why, .. }) => of_no_renewal(why),
        Err(KeepError::Login(_)) => Outcome::Expired,
        // Another proxy may help; where the site is down, no other session does better.
        Err(error) if is_proxys(error) => Outcome::Unreachable,
        Err(KeepError::Request(error)) => of_request(error),
        Err(_) => Outcome::Dropped,
    }
}

/// Whether a page asks for a login that isn't known to be this session's.
fn is_others_login(answer: &Result<Answer, KeepError>) -> bool {
    answer
        .as_ref()
        .is_ok_and(|answer| matches!(answer.reply.verdict(), Verdict::Expired(_)))
}

/// Where the login holds, or nobody looked, another one would be for nothing.
fn of_no_renewal(why: &NoRenewal) -> Outcome {
    match why {
        NoRenewal::Busy(_)
        | NoRenewal::Interrupted
        | NoRenewal::OtherRights
        | NoRenewal::ReadOnly
        | NoRenewal::Replaced
        | NoRenewal::TokenRefused => Outcome::Dropped,
        _ => Outcome::Expired,
    }
}

fn of_request(error: &RequestError) -> Outcome {
    match error {
        RequestError::Connect { .. }
        | RequestError::CutShort { .. }
        | RequestError::Disconnect { .. }
        | RequestError::Protocol { .. }
        | RequestError::TimeOut { .. }
        | RequestError::Tls { .. } => Outcome::Failing,
        _ => Outcome::Dropped,
    }
}
