//! What becomes of a target after an attempt. Pure: outcomes in, decisions out.

use std::time::Duration;

use http::StatusCode;

use crate::error::Error;
use crate::login::LoginError;
use crate::login::oauth2::OAuthError;
use crate::pool::PoolError;
use crate::renew::{KeepError, NoRenewal};
use crate::session::Verdict;

/// How often a target is tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Patience {
    /// How often at most, in all. Defaults to 4.
    pub attempts: u32,
    /// How often at most where the host says that it is asked too much. Defaults to 10.
    pub rate_limited: u32,
    /// The wait after the first attempt; it doubles each time, up to a minute. Defaults to half a
    /// second.
    pub pause: Duration,
    /// The longest wait that a host's `Retry-After` is granted. Defaults to an hour.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 4,
            rate_limited: 10,
            pause: Duration::from_millis(500),
            longest_wait: Duration::from_secs(3600),
        }
    }
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Ended<'a> {
    Failed(&'a PoolError),
    /// By a fault of the program.
    Panicked,
    Replied {
        verdict: &'a Verdict,
        retry_after: Option<Duration>,
        /// Why the body couldn't be had.
        lost: Option<&'a Error>,
    },
}

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried {
    /// How often it was, this time included.
    pub(super) attempts: u32,
    /// Whether doing it twice does no more than doing it once.
    pub(super) is_repeatable: bool,
    /// Whether another attempt may go through another session.
    pub(super) has_many: bool,
}

/// How often a target is tried where a session of many is refused: another one may not be.
const REFUSALS: u32 = 2;

/// What becomes of the target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// It is tried again after this wait.
    Again(Duration),
    /// The session can't be used, so that the batch ends; the target stays open.
    End,
    /// It is tried again after this wait, and the host is left alone until then.
    LeaveAlone(Duration),
    /// This is what came of it.
    Record,
}

/// `jitter` is between 0 and 1 and spreads those who failed together.
pub(super) fn decide(patience: &Patience, tried: Tried, ended: &Ended<'_>, jitter: f64) -> Next {
    let again = |may: bool| match may && tried.attempts < patience.attempts {
        true => Next::Again(patience.back_off(tried.attempts, jitter)),
        false => Next::Record,
    };
    let leave_alone = |may: bool, asked: Option<Duration>| {
        let wait = asked.unwrap_or_default();
        let is_bearable = wait <= patience.longest_wait;
        match may && is_bearable && tried.attempts < patience.rate_limited {
            true => Next::LeaveAlone(wait.max(patience.back_off(tried.attempts, jitter))),
            false => Next::Record,
        }
    };
    match ended {
        Ended::Panicked => Next::Record,
        Ended::Failed(error) => match fault(error) {
            Fault::Batch => Next::End,
            // Whoever lacks a session, or has a dead one, has sent nothing that was done.
            Fault::Session => match tried.has_many {
                true => again(true),
                false => Next::End,
            },
            Fault::Target => Next::Record,
            Fault::Request(Error::HoldOff { pause, .. }) => leave_alone(true, Some(*pause)),
            Fault::Request(error) => again(may_help(error, tried)),
        },
        Ended::Replied {
            verdict,
            retry_after,
            lost,
        } => match (verdict, retry_after) {
            // Who is told to slow down was not served: it is no second time.
            (Verdict::RateLimited { .. }, asked) => leave_alone(true, *asked),
            (Verdict::Failing(StatusCode::SERVICE_UNAVAILABLE), Some(asked)) => {
                leave_alone(tried.is_repeatable, Some(*asked))
            }
            (Verdict::Failing(_), _) => again(tried.is_repeatable),
            (Verdict::Blocked | Verdict::Challenged(_) | Verdict::Expired(_), _) => {
                let may = tried.has_many && tried.attempts < REFUSALS;
                again(may && tried.is_repeatable)
            }
            _ => again(lost.is_some_and(|error| may_help(error, tried))),
        },
    }
}

impl Patience {
    fn back_off(&self, attempts: u32, jitter: f64) -> Duration {
        const LONGEST: Duration = Duration::from_secs(60);
        let doubled = 1 << attempts.saturating_sub(1).min(16);
        let pause = self.pause.saturating_mul(doubled).min(LONGEST);
        pause.mul_f64(0.5 + jitter / 2.0)
    }
}

/// Whether sending it again can help, and may be done.
fn may_help(error: &Error, tried: Tried) -> bool {
    let was_sent = !matches!(
        error,
        Error::Connect { .. } | Error::Disconnect { sent: false, .. }
    );
    error.is_retry_sensible() && (tried.is_repeatable || !was_sent)
}

/// Whose fault a failure is.
enum Fault<'a> {
    /// No other attempt would do better.
    Batch,
    Request(&'a Error),
    /// Every other target would meet it too, with the same session.
    Session,
    Target,
}

fn fault(error: &PoolError) -> Fault<'_> {
    match error {
        PoolError::Busy { .. }
        | PoolError::Elsewhere { .. }
        | PoolError::Full { .. }
        | PoolError::LeaseEnded
        | PoolError::NoAccount { .. } => Fault::Session,
        PoolError::Keep(error) => fault_of_session(error),
        PoolError::BadDefinition { .. }
        | PoolError::Closed { .. }
        | PoolError::InUse { .. }
        | PoolError::NoneAlive { .. }
        | PoolError::ServedElsewhere { .. }
        | PoolError::Store(_)
        | PoolError::Taken { .. }
        | PoolError::Targets { .. }
        | PoolError::Unknown { .. }
        | PoolError::UnknownPart { .. }
        | PoolError::Unreadable { .. } => Fault::Batch,
    }
}

fn fault_of_session(error: &KeepError) -> Fault<'_> {
    match error {
        KeepError::Request(Error::Closed) => Fault::Session,
        KeepError::Request(Error::LimitsUnavailable { .. }) | KeepError::Store(_) => Fault::Batch,
        KeepError::Request(error)
        | KeepError::Login(
            LoginError::Request(error) | LoginError::OAuth(OAuthError::Request(error)),
        ) => Fault::Request(error),
        KeepError::LoggedOut {
            why:
                NoRenewal::Interrupted
                | NoRenewal::OtherRights
                | NoRenewal::StillAsking
                | NoRenewal::TokenRefused,
            ..
        }
        | KeepError::NotReplayable { .. } => Fault::Target,
        KeepError::LoggedOut { .. }
        | KeepError::Login(_)
        | KeepError::NobodyWaits { .. }
        | KeepError::Tokens(_)
        | KeepError::Unknown { .. }
        | KeepError::Unreadable { .. } => Fault::Session,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Obstacle;
    use crate::session::Sign;

    const ONCE: Tried = Tried {
        attempts: 1,
        is_repeatable: true,
        has_many: false,
    };

    fn refused() -> PoolError {
        of_request(Error::Connect {
            origin: "http://h".into(),
            obstacle: Obstacle::Refused,
            detail: String::new(),
        })
    }

    fn of_request(error: Error) -> PoolError {
        KeepError::Request(error).into()
    }

    fn cut_short() -> Error {
        Error::CutShort {
            url: "http://h/".into(),
            detail: String::new(),
        }
    }

    fn seconds(number: u64) -> Option<Duration> {
        Some(Duration::from_secs(number))
    }

    #[test]
    fn what_a_later_attempt_can_help_is_tried_again() {
        let half = Next::Again(Duration::from_millis(375));
        check_failed(&refused(), half);
        check_replied(&Verdict::Failing(StatusCode::BAD_GATEWAY), None, half);
        check_replied(
            &Verdict::Failing(StatusCode::SERVICE_UNAVAILABLE),
            None,
            half,
        );
        check_replied(&Verdict::Valid, None, Next::Record);
        check_replied(&Verdict::Blocked, None, Next::Record);
        check_replied(&Verdict::Expired(Sign::Unauthorized), None, Next::Record);
        let lost = Ended::Replied {
            verdict: &Verdict::Valid,
            retry_after: None,
            lost: Some(&cut_short()),
        };
        assert_eq!(decide(&Patience::default(), ONCE, &lost, 0.5), half);
    }

    #[test]
    fn a_host_that_asks_for_it_is_left_alone() {
        let limited = Verdict::RateLimited { wait: None };
        check_replied(
            &limited,
            seconds(7),
            Next::LeaveAlone(Duration::from_secs(7)),
        );
        check_replied(&limited, None, Next::LeaveAlone(Duration::from_millis(375)));
        check_replied(&limited, seconds(7200), Next::Record);
        let failing = Verdict::Failing(StatusCode::SERVICE_UNAVAILABLE);
        check_replied(
            &failing,
            seconds(3),
            Next::LeaveAlone(Duration::from_secs(3)),
        );
        let hold_off = of_request(Error::HoldOff {
            host: "h".into(),
            pause: Duration::from_secs(90),
        });
        check_failed(&hold_off, Next::LeaveAlone(Duration::from_secs(90)));
    }

    #[test]
    fn attempts_are_bounded() {
        let patience = Patience::default();
        let after = |attempts, ended: &Ended<'_>| {
            let tried = Tried { attempts, ..ONCE };
            decide(&patience, tried, ended, 0.5)
        };
        let error = refused();
        let failed = Ended::Failed(&error);
        assert_eq!(after(3, &failed), Next::Again(Duration::from_millis(1500)));
        assert_eq!(after(4, &failed), Next::Record);
        let limited = Ended::Replied {
            verdict: &Verdict::RateLimited { wait: None },
            retry_after: None,
            lost: None,
        };
        assert_eq!(
            after(9, &limited),
            Next::LeaveAlone(Duration::from_secs(45))
        );
        assert_eq!(after(10, &limited), Next::Record);
        assert_eq!(after(1, &Ended::Panicked), Next::Record);
    }

    #[test]
    fn what_may_have_been_done_is_not_done_twice() {
        let tried = Tried {
            is_repeatable: false,
            ..ONCE
        };
        let decide = |ended: &Ended<'_>| decide(&Patience::default(), tried, ended, 0.5);
        let cut = of_request(cut_short());
        assert_eq!(decide(&Ended::Failed(&cut)), Next::Record);
        assert!(matches!(decide(&Ended::Failed(&refused())), Next::Again(_)));
        let replied = |verdict| Ended::Replied {
            verdict,
            retry_after: None,
            lost: None,
        };
        let failing = Verdict::Failing(StatusCode::BAD_GATEWAY);
        assert_eq!(decide(&replied(&failing)), Next::Record);
        let limited = Verdict::RateLimited { wait: None };
        assert!(matches!(decide(&replied(&limited)), Next::LeaveAlone(_)));
    }

    fn logged_out(why: NoRenewal) -> PoolError {
        let error = KeepError::LoggedOut {
            name: "shop".into(),
            sign: "401".into(),
            why,
        };
        error.into()
    }

    #[test]
    fn a_session_that_is_gone_ends_the_batch() {
        check_failed(&logged_out(NoRenewal::NoPassword), Next::End);
        check_failed(&logged_out(NoRenewal::OtherRights), Next::Record);
        check_failed(&of_request(Error::Closed), Next::End);
    }

    #[test]
    fn of_many_sessions_another_one_may_do() {
        let again = Next::Again(Duration::from_millis(375));
        let after = |attempts, ended: &Ended<'_>| {
            let tried = Tried {
                attempts,
                has_many: true,
                ..ONCE
            };
            decide(&Patience::default(), tried, ended, 0.5)
        };
        let pool = || "shop".to_owned();
        let busy = PoolError::Busy {
            pool: pool(),
            next: None,
        };
        for error in [
            logged_out(NoRenewal::NoPassword),
            PoolError::LeaseEnded,
            busy,
        ] {
            assert_eq!(after(1, &Ended::Failed(&error)), again, "{error}");
            assert_eq!(after(4, &Ended::Failed(&error)), Next::Record, "{error}");
        }
        let dead = PoolError::NoneAlive {
            pool: pool(),
            why: crate::pool::state::Dead::Stopped,
            reason: None,
            next: None,
        };
        assert_eq!(after(1, &Ended::Failed(&dead)), Next::End);
        let blocked = Ended::Replied {
            verdict: &Verdict::Blocked,
            retry_after: None,
            lost: None,
        };
        assert_eq!(after(1, &blocked), again);
        assert_eq!(after(2, &blocked), Next::Record);
    }

    #[track_caller]
    fn check_failed(error: &PoolError, expected: Next) {
        let next = decide(&Patience::default(), ONCE, &Ended::Failed(error), 0.5);
        assert_eq!(next, expected, "{error}");
    }

    #[track_caller]
    fn check_replied(verdict: &Verdict, retry_after: Option<Duration>, expected: Next) {
        let ended = Ended::Replied {
            verdict,
            retry_after,
            lost: None,
        };
        let next = decide(&Patience::default(), ONCE, &ended, 0.5);
        assert_eq!(next, expected, "{verdict}");
    }
}
