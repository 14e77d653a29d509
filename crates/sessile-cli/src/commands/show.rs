//! How values look: times, ages, masked secrets, cookies.

use std::time::Duration;

use serde_json::{Value, json};
use sessile::record::Tokens;
use sessile_jar::{Cookie, SameSite, Timestamp};

/// What stands in a secret's place.
const MASK: &str = "***";

/// The age of a login that is worth a warning.
pub(super) const OLD: Duration = Duration::from_secs(24 * 3600);

/// The value, or what stands in its place.
pub(super) fn secret(value: &str, show: bool) -> String {
    match show {
        true => crate::printer::plain(value),
        // Not even its length: that halves the work of guessing a short one.
        false => MASK.to_owned(),
    }
}

/// A time as RFC 3339 has it, in UTC.
pub(super) fn time(at: Timestamp) -> String {
    let at = at.as_millis().clamp(EARLIEST, LATEST);
    let whole = at.div_euclid(1000) * 1000;
    match jiff::Timestamp::from_millisecond(whole) {
        Ok(at) => at.to_string(),
        Err(_) => "never".to_owned(),
    }
}

/// The years -9999 and 9999, beyond which calendars have no names.
const EARLIEST: i64 = -377_705_023_201_000;
const LATEST: i64 = 253_402_207_200_000;

/// From one time to a later one; nothing where the clock was set back in between.
pub(super) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    let millis = later.as_millis().saturating_sub(earlier.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// A length of time in its two largest units.
pub(super) fn length(length: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = length.as_secs();
    let mut words = Vec::new();
    for (seconds, unit) in UNITS {
        let count = rest / seconds;
        rest %= seconds;
        if count > 0 || !words.is_empty() {
            words.push((count, unit));
        }
    }
    let words: Vec<String> = words
        .into_iter()
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    match words.is_empty() {
        true => "0 s".to_owned(),
        false => words.join(" "),
    }
}

/// How long ago a time was, and when.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago ({})", length(between(at, now)), time(at))
}

/// A cookie for programs; its value is `null` where secrets stay hidden.
pub(super) fn cookie_document(cookie: Cookie<'_>, show: bool) -> Value {
    json!({
        "name": cookie.name_lossy(),
        "value": show.then(|| cookie.value_lossy()),
        "domain": cookie.domain(),
        "hostOnly": cookie.is_host_only(),
        "path": String::from_utf8_lossy(cookie.path()),
        "expires": cookie.expires().map(time),
        "secure": cookie.is_secure(),
        "httpOnly": cookie.is_http_only(),
        "sameSite": same_site(cookie.same_site()),
    })
}

/// A cookie for people: the columns of [`COOKIE_COLUMNS`].
pub(super) fn cookie_row(cookie: Cookie<'_>, show: bool) -> [String; 6] {
    let domain = match cookie.is_host_only() {
        true => cookie.domain().to_owned(),
        false => format!(".{}", cookie.domain()),
    };
    [
        crate::printer::plain(&cookie.name_lossy()),
        secret(&cookie.value_lossy(), show),
        domain,
        crate::printer::plain(&String::from_utf8_lossy(cookie.path())),
        cookie.expires().map_or("session".to_owned(), time),
        attributes(cookie),
    ]
}

pub(super) const COOKIE_COLUMNS: [&str; 6] =
    ["NAME", "VALUE", "DOMAIN", "PATH", "EXPIRES", "ATTRIBUTES"];

fn attributes(cookie: Cookie<'_>) -> String {
    let same_site = same_site(cookie.same_site());
    [
        cookie.is_secure().then_some("Secure"),
        cookie.is_http_only().then_some("HttpOnly"),
        (same_site != "default").then_some(same_site),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(", ")
}

fn same_site(rule: SameSite) -> &'static str {
    match rule {
        SameSite::Lax => "Lax",
        SameSite::None => "None",
        SameSite::Strict => "Strict",
        SameSite::Default => "default",
    }
}

/// What is known of an access token, none of it secret.
pub(super) fn token_document(tokens: &Tokens, now: Timestamp) -> Value {
    json!({
        "expires": tokens.expires.map(time),
        "isOver": tokens.is_over(now),
        "hasRefreshToken": tokens.refresh.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_well() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_725, "1 h 2 min"),
            (86_400, "1 d"),
            (90_000, "1 d 1 h"),
            (86_460, "1 d"),
        ] {
            assert_eq!(length(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn times_are_utc_and_never_fail() {
        assert_eq!(
            time(Timestamp::from_millis(1_795_262_400_999)),
            "2026-11-21T12:00:00Z"
        );
        assert_eq!(time(Timestamp::LATEST), "9999-12-30T22:00:00Z");
        assert_eq!(time(Timestamp::EARLIEST), "-009999-01-02T01:59:59Z");
    }

    #[test]
    fn a_secret_is_shown_only_when_asked_for() {
        assert_eq!(secret("hunter2", false), "***");
        assert_eq!(secret("hunter2", true), "hunter2");
    }
}
