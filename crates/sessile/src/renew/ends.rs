//! When a login ends by the clock: its access token, or a cookie that a site file names.

use std::time::Duration;

use sessile_jar::Timestamp;

use super::{Held, Inner};
use crate::session::SessionState;

/// A cookie that carries the login, and its end.
#[derive(Debug)]
struct Ending {
    name: String,
    end: Timestamp,
    /// How long before it the login is renewed.
    margin: Duration,
}

impl Inner {
    /// Whether the login, or its access token, is to be renewed before it is used again.
    pub(super) fn is_end_near(&self) -> bool {
        self.is_token_due() || !self.ending_cookies().is_empty()
    }

    /// Whether it has ended, as far as that is known.
    pub(super) fn is_over(&self) -> bool {
        let now = self.session.now();
        let endings = self.endings();
        let held = self.held();
        match &held.tokens {
            Some(tokens) => tokens.is_over(now),
            None => endings.iter().all(|ending| ending.end <= now),
        }
    }

    /// The login's cookies that end soon.
    pub(super) fn ending_cookies(&self) -> Vec<String> {
        let now = self.session.now();
        let endings = self.endings().into_iter();
        let near = endings.filter(|ending| now.plus(ending.margin) >= ending.end);
        near.map(|ending| ending.name).collect()
    }

    fn endings(&self) -> Vec<Ending> {
        let held = self.held();
        self.session.read(|state| held.endings(state))
    }
}

impl Held {
    fn endings(&self, state: &SessionState) -> Vec<Ending> {
        let login = self.login.as_ref();
        let Some(site) = login.and_then(|login| login.how.site()) else {
            return Vec::new();
        };
        let rules = &site.renew;
        // Most files name none: their jars aren't looked through at every request.
        if rules.cookies.is_empty() {
            return Vec::new();
        }
        let named = |name: &str| rules.cookies.iter().any(|cookie| cookie == name);
        let cookies = state.jar().iter().filter_map(|cookie| {
            let (name, end) = (cookie.name_lossy(), cookie.expires()?);
            named(&name).then(|| (name.into_owned(), end))
        });
        let endings = cookies.map(|(name, end)| Ending {
            name,
            end,
            margin: margin(rules.before, self.last.login, end),
        });
        endings.collect()
    }
}

/// A cookie that lives shorter than it is to be renewed before its end would be renewed for ever:
/// of its life the last quarter has to do.
fn margin(before: Duration, login: Option<Timestamp>, end: Timestamp) -> Duration {
    let Some(login) = login else {
        return before;
    };
    let lives = end.as_millis().saturating_sub(login.as_millis());
    let lives = Duration::from_millis(u64::try_from(lives).unwrap_or(0));
    before.min(lives / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_life_is_used_for_three_quarters() {
        check(600, Some(0), 3_600, 600);
        check(600, Some(0), 60, 15);
        check(600, None, 60, 600);
        check(600, Some(60), 30, 0);
    }

    #[track_caller]
    fn check(before: u64, login: Option<i64>, end: i64, expected: u64) {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let found = margin(Duration::from_secs(before), login.map(at), at(end));
        assert_eq!(found, Duration::from_secs(expected));
    }
}
