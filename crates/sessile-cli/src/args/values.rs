//! Values of options that need more than clap's own parsers.

use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use sessile::ProfileChoice;
use sessile::transport::Proxy;
use url::Url;

/// A time limit: seconds, or a number with a unit.
pub(super) fn time_limit(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => with_unit(text),
    };
    parsed
        .filter(|limit| !limit.is_zero())
        .ok_or_else(|| "write seconds, or a number with a unit: 30, 1.5, 500ms, 2m".to_owned())
}

/// How often: a number of requests and what it is counted in. Answers the time between two.
pub(super) fn rate(text: &str) -> Result<Duration, String> {
    let parsed = text.split_once('/').and_then(|(number, unit)| {
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let number = number.parse::<u32>().ok()?;
        Duration::from_secs(seconds).checked_div(number)
    });
    parsed.ok_or_else(|| "write a number of requests and s, m, h or d: 5/s, 30/m, 100/h".to_owned())
}

/// How many at once.
pub(super) fn at_once(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| "write how many at once, 1 or more: 4".to_owned())
}

/// An age. A bare number is refused: `24` would empty everything older than seconds.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    with_unit(text).ok_or_else(|| "write a number with its unit: 24h, 90m or 7d".to_owned())
}

fn with_unit(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at_checked(digits)?;
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

/// A size: bytes, or a number with k, M, G or T.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let factor = match unit {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        _ => 0.0,
    };
    let bytes = number.parse::<f64>().unwrap_or_default() * factor;
    match bytes.is_finite() && (1.0..1e18).contains(&bytes) {
        true => Ok(bytes as u64),
        false => Err("write a size in bytes, or with k, M, G or T: 800k, 500M, 1.5G".to_owned()),
    }
}

/// The name of a profile, or of several to choose one from.
pub(super) fn profile(name: &str) -> Result<ProfileChoice, String> {
    name.parse()
        .map_err(|unknown: sessile::Error| unknown.to_string())
}

/// What connections are to go through.
#[derive(Clone, Debug)]
pub(crate) enum ProxyChoice {
    /// Nothing.
    Direct,
    /// This.
    Through(Proxy),
}

impl FromStr for ProxyChoice {
    type Err = sessile::Error;

    fn from_str(text: &str) -> Result<Self, sessile::Error> {
        Ok(match text {
            "none" => Self::Direct,
            _ => Self::Through(text.parse()?),
        })
    }
}

/// The parser of a proxy's URL in an argument. Whatever is wrong with it, its text may hold a
/// password and isn't shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProxyParser;

impl TypedValueParser for ProxyParser {
    type Value = ProxyChoice;

    fn parse_ref(
        &self,
        cmd: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<ProxyChoice, Error> {
        let refuse =
            |why: &str| Error::raw(ErrorKind::ValueValidation, format!("{why}\n")).with_cmd(cmd);
        let text = value
            .to_str()
            .ok_or_else(|| refuse("the proxy's address is not UTF-8"))?;
        if text.contains('@') {
            return Err(refuse(LOGIN_IN_PROXY));
        }
        text.parse()
            .map_err(|why: sessile::Error| refuse(&why.to_string()))
    }
}

const LOGIN_IN_PROXY: &str = "--proxy takes no user and password: an argument's value is seen by \
     everyone in the process list, and kept in the shell's history.\n\n\
     Put the whole URL into an environment variable and name that with --proxy-env VAR";

/// The parser of a collector's URL, which isn't shown either.
#[derive(Clone, Copy, Debug)]
pub(super) struct CollectorParser;

impl TypedValueParser for CollectorParser {
    type Value = Url;

    fn parse_ref(&self, cmd: &Command, _: Option<&Arg>, value: &OsStr) -> Result<Url, Error> {
        let refuse = || {
            let why = "--otlp takes the collector's address, as http://127.0.0.1:4318, without user, \
                       password and query; what it wants of secrets goes into the environment \
                       variable OTEL_EXPORTER_OTLP_HEADERS\n";
            Error::raw(ErrorKind::ValueValidation, why).with_cmd(cmd)
        };
        let url = value.to_str().and_then(|text| Url::parse(text).ok());
        url.filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
        })
        .ok_or_else(refuse)
    }
}

/// The parser of an option that exists to say why it doesn't: its value, a secret,
/// is dropped unseen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused(pub(super) &'static str);

impl TypedValueParser for Refused {
    type Value = String;

    fn parse_ref(&self, cmd: &Command, _: Option<&Arg>, _: &OsStr) -> Result<String, Error> {
        Err(Error::raw(ErrorKind::UnknownArgument, format!("{}\n", self.0)).with_cmd(cmd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_limit_is_seconds_unless_it_says_otherwise() {
        check(time_limit("30"), Some(30_000));
        check(time_limit("1.5"), Some(1_500));
        check(time_limit("500ms"), Some(500));
        check(time_limit("2m"), Some(120_000));
        check(time_limit("0"), None);
        check(time_limit("-1"), None);
        check(time_limit("NaN"), None);
        check(time_limit("inf"), None);
        check(time_limit("1e300"), None);
        check(time_limit(""), None);
        check(time_limit("5y"), None);
    }

    #[test]
    fn an_age_names_its_unit() {
        check(age("24h"), Some(86_400_000));
        check(age("7d"), Some(604_800_000));
        check(age("0s"), Some(0));
        check(age("24"), None);
        check(age("h"), None);
        check(age("1.2.3h"), None);
    }

    #[test]
    fn a_rate_says_what_it_is_counted_in() {
        check(rate("5/s"), Some(200));
        check(rate("30/m"), Some(2_000));
        check(rate("1/h"), Some(3_600_000));
        check(rate("24/d"), Some(3_600_000));
        for wrong in ["5", "0/s", "-1/s", "1.5/s", "5/", "/s", "5/y", "5/ s", ""] {
            check(rate(wrong), None);
        }
    }

    #[test]
    fn a_size_is_bytes_unless_it_says_otherwise() {
        for (text, expected) in [
            ("1000", Some(1_000)),
            ("800k", Some(800_000)),
            ("1.5G", Some(1_500_000_000)),
            ("2T", Some(2_000_000_000_000)),
            ("0", None),
            ("", None),
            ("G", None),
            ("-1", None),
            ("5Y", None),
            ("1e3", None),
            ("1.2.3G", None),
        ] {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
    }

    #[track_caller]
    fn check(found: Result<Duration, String>, expected: Option<u128>) {
        assert_eq!(found.ok().map(|length| length.as_millis()), expected);
    }
}
