//! Renewing a login before it ends, where a site file names the cookies that carry it.
//!
//! Their expiry is a hint: a login that can't be renewed early goes on to be used, and the site's
//! reply says when it is gone. Access tokens are `refresh`'s.

use std::time::Duration;

use sessile_jar::{Jar, Timestamp};

use super::{Inner, KeepError, Mode, Renewal};
use crate::session::Sign;
use crate::site::RenewRules;

/// How long an early renewal that failed is left alone.
const PAUSE: Duration = Duration::from_secs(60);

impl Inner {
    /// Replaces what is about to end, before a request is sent with it.
    pub(super) async fn renew_if_due(&self) -> Result<Option<Renewal>, KeepError> {
        if let Some(renewal) = self.renew_token_if_due().await? {
            return Ok(Some(renewal));
        }
        let Some(cookie) = self.ending_cookie() else {
            return Ok(None);
        };
        let renewed = self.renew(self.seen(), &Sign::CookieEnds(cookie)).await;
        renewed.or_else(|error| {
            let now = self.session.now();
            self.held().not_before = Some(now.plus(PAUSE));
            tracing::warn!(session = %self.name, %error, "the login was not renewed early");
            Ok(None)
        })
    }

    /// The cookie whose end is near, where the login can be renewed without a person.
    fn ending_cookie(&self) -> Option<String> {
        if self.mode == Mode::ReadOnly {
            return None;
        }
        let now = self.session.now();
        let held = self.held();
        let login = held.login.as_ref()?;
        let rules = &login.how.site()?.renew;
        let is_paused = held.not_before.is_some_and(|time| now < time);
        let has_secret = login.credentials.password.is_some() || !login.how.needs_password();
        if is_paused || !has_secret || held.last.refusal.is_some() {
            return None;
        }
        let since = held.last.login?;
        self.session
            .read(|state| ending(rules, state.jar(), since, now))
    }
}

/// The name of a cookie that carries the login and is about to end.
///
/// `since` is when the login was made. Where a login lives for less than twice the margin, half its
/// life is the margin: else every request would log in.
fn ending(rules: &RenewRules, jar: &Jar, since: Timestamp, now: Timestamp) -> Option<String> {
    let mut cookies = jar.iter();
    let ending = cookies.find(|cookie| {
        let is_named = rules
            .cookies
            .iter()
            .any(|name| *name == cookie.name_lossy());
        let Some(expires) = cookie.expires().filter(|_| is_named) else {
            return false;
        };
        let lives = expires.as_millis().saturating_sub(since.as_millis());
        let margin = i64::try_from(rules.before.as_millis()).unwrap_or(i64::MAX);
        let left = expires.as_millis().saturating_sub(now.as_millis());
        // One that is over says nothing: the site does.
        left > 0 && left <= margin.min(lives / 2)
    });
    ending.map(|cookie| cookie.name_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use sessile_jar::{NewCookie, Scope};

    use super::*;

    #[test]
    fn a_login_is_renewed_shortly_before_its_cookie_ends() {
        // Logged in at 0, the cookie ends at 1000, the margin is 60.
        check(Some(1000), 0, 939, false);
        check(Some(1000), 0, 940, true);
        check(Some(1000), 0, 999, true);
        check(Some(1000), 0, 1000, false);
        check(None, 0, 999, false);
    }

    #[test]
    fn a_short_login_is_renewed_after_half_its_life() {
        check(Some(30), 0, 14, false);
        check(Some(30), 0, 15, true);
        // A login that left the cookie as it was.
        check(Some(30), 20, 24, false);
        check(Some(30), 20, 25, true);
        // A cookie that was there before the login, and has ended since.
        check(Some(30), 40, 41, false);
    }

    #[test]
    fn other_cookies_say_nothing() {
        let rules = RenewRules::default();
        let jar = jar(Some(1000));
        let at = Timestamp::from_seconds;
        assert_eq!(ending(&rules, &jar, at(0), at(999)), None);
    }

    fn jar(ends: Option<i64>) -> Jar {
        let mut cookie = NewCookie::new("sid", "1");
        cookie.scope = Scope::HostOnly("a.test".to_owned());
        cookie.expires = ends.map(Timestamp::from_seconds);
        let mut jar = Jar::new();
        jar.insert(&cookie, Timestamp::from_seconds(0)).unwrap();
        jar
    }

    #[track_caller]
    fn check(ends: Option<i64>, since: i64, now: i64, expected: bool) {
        let mut rules = RenewRules::default();
        rules.cookies = vec!["other".to_owned(), "sid".to_owned()];
        let at = Timestamp::from_seconds;
        let found = ending(&rules, &jar(ends), at(since), at(now));
        assert_eq!(found.is_some(), expected, "{ends:?} {since} {now}");
    }
}
