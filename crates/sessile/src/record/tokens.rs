//! What came with an access token, which itself is the session's authorization.

use std::time::Duration;

use sessile_jar::Timestamp;
use url::Url;

use crate::login::oauth2::ClientAuthentication;
use crate::secret::Secret;

/// How long before its end a token is replaced, at most.
const MARGIN: Duration = Duration::from_secs(30);

/// Lifetimes are whole seconds, and who rounds down counts up to one less than he says.
const ROUNDING: Duration = Duration::from_secs(1);

/// What somebody who gives out access tokens said of the last one, and what brings the next
/// (RFC 6749, section 5.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Tokens {
    /// What a new access token is had for.
    pub refresh: Option<Secret<String>>,
    /// When the access token ends, where that was said.
    pub expires: Option<Timestamp>,
    /// How long before its end it is replaced.
    pub margin: Duration,
    /// Counts the access tokens since the login, so that who has an older one finds out.
    pub revision: u64,
    /// Whether the site refused this token while it was fresh: another one wouldn't help.
    pub is_refused: bool,
    /// Where the next one is had.
    pub endpoint: Option<Url>,
    /// How the client proves itself there, where that was found out.
    pub client_authentication: Option<ClientAuthentication>,
}

impl Tokens {
    /// A token that was asked for at `obtained` and lives so long: it is replaced half a minute
    /// before its end, and a short-lived one for the last quarter of its life or a little more.
    pub(crate) fn for_time(obtained: Timestamp, lifetime: Option<Duration>) -> Self {
        let lives = lifetime.unwrap_or_default();
        Self {
            expires: lifetime.map(|lives| obtained.plus(lives)),
            margin: (MARGIN.min(lives / 4) + ROUNDING).min(lives * 3 / 4),
            revision: 1,
            ..Self::default()
        }
    }

    /// Whether the access token is to be replaced before it is used again.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let soon = now.plus(self.margin);
        self.expires.is_some_and(|expires| soon >= expires)
    }

    /// Whether it has ended.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_due_a_little_before_its_end() {
        check(Some(3600), 3_568_999, false);
        check(Some(3600), 3_569_000, true);
        check(Some(2), 499, false);
        check(Some(2), 500, true);
        check(Some(0), 0, true);
        check(None, i64::MAX / 2, false);
    }

    #[track_caller]
    fn check(lifetime: Option<u64>, now: i64, expected: bool) {
        let lifetime = lifetime.map(Duration::from_secs);
        let tokens = Tokens::for_time(Timestamp::from_millis(0), lifetime);
        let is_due = tokens.is_due(Timestamp::from_millis(now));
        assert_eq!(is_due, expected, "{lifetime:?} at {now}");
    }
}
