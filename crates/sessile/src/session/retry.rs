//! Whether a request is sent again (RFC 9110, section 9.2.2: only idempotent ones).

use std::time::Duration;

use http::StatusCode;

use crate::error::Error;

/// What is sent again, and how often.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often at most, beside the first time. Defaults to 2.
    pub attempts: u32,
    /// The wait before the first repetition; it doubles each time. Defaults to 200 ms.
    pub pause: Duration,
    /// The longest wait that a server's `Retry-After` is granted. Defaults to 10 s.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 2,
            pause: Duration::from_millis(200),
            longest_wait: Duration::from_secs(10),
        }
    }
}

impl RetryPolicy {
    /// Sends everything once.
    pub fn never() -> Self {
        Self {
            attempts: 0,
            ..Self::default()
        }
    }
}

/// How an attempt ended.
pub(super) enum Outcome<'a> {
    Failed(&'a Error),
    Replied {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
}

/// What is sent, and how often it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Whether it does no more harm to be done twice than once.
    pub(super) is_repeatable: bool,
    /// Whether its body is still there.
    pub(super) is_replayable: bool,
    /// How often it was sent again.
    pub(super) again: u32,
}

/// The wait before the next attempt; `None` where there is none.
///
/// `jitter` is between 0 and 1 and spreads those who failed together; it is asked for where there
/// is something to spread.
pub(super) fn decide(
    policy: &RetryPolicy,
    sent: Sent,
    outcome: &Outcome<'_>,
    jitter: impl FnOnce() -> f64,
) -> Option<Duration> {
    if sent.again >= policy.attempts || !sent.is_replayable {
        return None;
    }
    let pause = || {
        policy
            .pause
            .saturating_mul(1 << sent.again.min(16))
            .mul_f64(0.5 + jitter() / 2.0)
    };
    match outcome {
        // The server can't have seen it: any method may go again.
        Outcome::Failed(Error::Connect { .. } | Error::Disconnect { sent: false, .. }) => {
            is_sensible(outcome).then(pause)
        }
        Outcome::Failed(_) => (sent.is_repeatable && is_sensible(outcome)).then(pause),
        Outcome::Replied {
            status,
            retry_after,
        } => {
            let asks_to_wait = matches!(
                *status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            );
            if !asks_to_wait || !sent.is_repeatable {
                return None;
            }
            match retry_after {
                // A longer wait is the caller's decision, who sees the header.
                Some(wait) => (*wait <= policy.longest_wait).then(|| (*wait).max(pause())),
                None => Some(pause()),
            }
        }
    }
}

/// Time-outs are the caller's limit, and a body that was cut is seen only after the head.
fn is_sensible(outcome: &Outcome<'_>) -> bool {
    match outcome {
        Outcome::Failed(Error::TimeOut { .. }) => false,
        Outcome::Failed(error) => error.is_retry_sensible(),
        Outcome::Replied { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::error::Obstacle;

    fn disconnect(sent: bool) -> Error {
        Error::Disconnect {
            origin: "http://a.test:80".into(),
            detail: String::new(),
            sent,
        }
    }

    fn refused() -> Error {
        let origin = "http://a.test:80".to_owned();
        Error::Connect {
            origin,
            obstacle: Obstacle::Refused,
            detail: String::new(),
        }
    }

    #[test]
    fn a_post_that_may_have_arrived_is_never_repeated() {
        check("POST", &Outcome::Failed(&disconnect(true)), None);
        check("POST", &replied(503, None), None);
        check("POST", &Outcome::Failed(&disconnect(false)), Some(150));
        check("POST", &Outcome::Failed(&refused()), Some(150));
    }

    #[test]
    fn idempotent_requests_are_repeated() {
        check("GET", &Outcome::Failed(&disconnect(true)), Some(150));
        check("PUT", &Outcome::Failed(&disconnect(true)), Some(150));
        check("GET", &replied(503, None), Some(150));
        check("GET", &replied(429, Some(3)), Some(3000));
        check("GET", &replied(429, Some(3600)), None);
        check("GET", &replied(500, None), None);
        check("GET", &Outcome::Failed(&Error::Closed), None);
    }

    fn replied(status: u16, seconds: Option<u64>) -> Outcome<'static> {
        let status = StatusCode::from_u16(status).unwrap();
        Outcome::Replied {
            status,
            retry_after: seconds.map(Duration::from_secs),
        }
    }

    #[track_caller]
    fn check(method: &str, outcome: &Outcome<'_>, millis: Option<u64>) {
        let method: Method = method.parse().unwrap();
        let decide = |is_replayable, again| {
            let sent = Sent {
                is_repeatable: method.is_idempotent(),
                is_replayable,
                again,
            };
            decide(&RetryPolicy::default(), sent, outcome, || 0.5)
        };
        let wait = decide(true, 0);
        assert_eq!(wait, millis.map(Duration::from_millis), "{method}");
        assert_eq!((decide(false, 0), decide(true, 2)), (None, None));
    }

    #[test]
    fn chance_is_asked_where_there_is_something_to_spread() {
        let sent = Sent {
            is_repeatable: true,
            is_replayable: true,
            again: 0,
        };
        let policy = RetryPolicy::default();
        let unasked = || -> f64 { panic!("nothing is sent again") };
        assert_eq!(decide(&policy, sent, &replied(200, None), unasked), None);
    }
}
