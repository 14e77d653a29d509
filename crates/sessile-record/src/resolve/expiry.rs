//! When a signed address stops working, as far as its query says so in a common way.

use sessile::clock::Timestamp;
use url::Url;

/// The earliest time that the address names.
pub(super) fn of_url(url: &Url) -> Option<Timestamp> {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let value = |name: &str| {
        let mut pairs = pairs.iter();
        let found = pairs.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    let plain = ["expires", "expire", "exp", "e", "validto", "x-expires"]
        .iter()
        .filter_map(|name| seconds(value(name)?));
    let signed = ["X-Amz", "X-Goog"].iter().filter_map(|prefix| {
        let from = basic(value(&format!("{prefix}-Date"))?)?;
        let span: i64 = value(&format!("{prefix}-Expires"))?.parse().ok()?;
        Some(from.plus_seconds(span))
    });
    // `hdnts=st=1~exp=2~acl=…` has its own pairs inside one value.
    let inside = pairs.iter().flat_map(|(_, value)| value.split('~'));
    let inside = inside.filter_map(|pair| seconds(pair.strip_prefix("exp=")?));
    let stamp = value("se").and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let stamp = stamp.map(|at| Timestamp::from_seconds(at.as_second()));
    plain.chain(signed).chain(inside).chain(stamp).min()
}

/// Seconds since the epoch, or milliseconds, of this century.
fn seconds(text: &str) -> Option<Timestamp> {
    const CENTURY: std::ops::Range<i64> = 1_000_000_000..4_102_444_800;
    let number: i64 = text.parse().ok()?;
    let seconds = match CENTURY.contains(&number) {
        true => number,
        false => number / 1_000,
    };
    CENTURY
        .contains(&seconds)
        .then(|| Timestamp::from_seconds(seconds))
}

/// `20261121T120000Z`.
fn basic(text: &str) -> Option<Timestamp> {
    let at = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", text).ok()?;
    let at = at.to_datetime().ok()?;
    let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_seconds(at.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_say_when_they_end() {
        check("Expires=1795262400&Signature=x", Some(1_795_262_400));
        check("token=x&exp=1795262400", Some(1_795_262_400));
        check("e=1795262400000", Some(1_795_262_400));
        check(
            "X-Amz-Date=20261121T120000Z&X-Amz-Expires=300",
            Some(1_795_262_700),
        );
        check("hdnts=st%3D1~exp%3D1795262400~acl%3D*", Some(1_795_262_400));
        check("se=2026-11-21T12:00:00Z&sig=x", Some(1_795_262_400));
        check("exp=12&e=episode&expires=never", None);
        check("exp=9223372036854775807", None);
        check(
            "X-Amz-Date=20261121T120000Z&X-Amz-Expires=9223372036854775807",
            Some(i64::MAX / 1000),
        );
    }

    #[track_caller]
    fn check(query: &str, expected: Option<i64>) {
        let url = format!("http://a.test/x?{query}").parse().unwrap();
        assert_eq!(of_url(&url).map(Timestamp::as_seconds), expected, "{query}");
    }
}
