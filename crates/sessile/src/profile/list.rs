//! The list of browsers: one dated file, read when a browser is asked for first.
//!
//! `scripts/browser-profiles` makes the file; see `data/NOTICE` for where its values come from.

use std::fmt;
use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use sessile_jar::Timestamp;

/// After how many days the list is said to be old. Browsers bring out a release a month.
const FRESH_DAYS: i64 = 120;

static LIST: LazyLock<List> = LazyLock::new(|| {
    serde_json::from_str(include_str!("data/browsers.json")).expect("a test reads the same file")
});

/// One browser release on one system.
#[derive(Clone, Copy)]
pub struct Browser(&'static Release);

/// A browser, whatever its version.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Google Chrome.
    Chrome,
    /// Mozilla Firefox.
    Firefox,
    /// Apple Safari.
    Safari,
}

/// A list of browsers that is older than it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Staleness {
    /// The day on which the list's values were gathered, as `2026-05-04`.
    pub collected: &'static str,
    /// How many days ago that was.
    pub days: i64,
}

/// Whether the list of browsers is old; a site may find its versions odd then.
///
/// ```
/// use sessile::clock::Timestamp;
///
/// let in_2040 = Timestamp::from_millis(2_208_988_800_000);
/// assert!(sessile::profile::staleness(in_2040).is_some());
/// ```
pub fn staleness(now: Timestamp) -> Option<Staleness> {
    let days = (now.as_seconds() - LIST.collected_seconds) / 86_400;
    (days > FRESH_DAYS).then_some(Staleness {
        collected: &LIST.collected,
        days,
    })
}

/// Every browser of the list.
pub fn browsers() -> impl Iterator<Item = Browser> {
    LIST.browsers.iter().map(Browser)
}

impl Browser {
    pub(super) fn named(name: &str) -> Option<Self> {
        browsers().find(|browser| browser.to_string() == name)
    }

    /// The newest browser of the family that a name begins with, on the same system if there is one.
    pub(super) fn nearest(name: &str) -> Option<Self> {
        let family = Family::named(name.split('/').next()?)?;
        let system = name.rsplit('/').next()?;
        let of_family = || browsers().filter(|browser| browser.family() == family);
        of_family()
            .find(|browser| browser.system() == system)
            .or_else(|| of_family().next())
    }

    /// Which browser it is.
    pub fn family(self) -> Family {
        self.0.family
    }

    /// The version, as `149` or `26.4`.
    pub fn version(self) -> &'static str {
        &self.0.version
    }

    /// The operating system: `linux`, `macos` or `windows`.
    pub fn system(self) -> &'static str {
        &self.0.system
    }

    /// The `User-Agent`.
    pub fn user_agent(self) -> &'static str {
        &self.0.user_agent
    }

    pub(super) fn weight(self) -> u32 {
        self.0.weight
    }

    pub(super) fn release(self) -> &'static Release {
        self.0
    }

    pub(super) fn habits(self) -> &'static Habits {
        match self.0.family {
            Family::Chrome => &LIST.families.chrome,
            Family::Firefox => &LIST.families.firefox,
            Family::Safari => &LIST.families.safari,
        }
    }

    /// What every page is asked with, in the browser's order.
    pub(super) fn headers(self) -> HeaderMap {
        let release = self.0;
        let mut headers = HeaderMap::new();
        for name in self.habits().order() {
            let value = match name.as_str() {
                "accept" => Some(release.accept.as_str()),
                "accept-encoding" => Some(release.accept_encoding.as_str()),
                "accept-language" => Some(self.habits().accept_language.as_str()),
                "connection" => Some("keep-alive"),
                "sec-ch-ua" => release.sec_ch_ua.as_deref(),
                "sec-ch-ua-mobile" => release.sec_ch_ua_mobile.as_deref(),
                "sec-ch-ua-platform" => release.sec_ch_ua_platform.as_deref(),
                "user-agent" => Some(release.user_agent.as_str()),
                _ => None,
            };
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        headers
    }
}

impl PartialEq for Browser {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Browser {}

impl fmt::Display for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.0.family, self.0.version, self.0.system)
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Family {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "chrome" => Some(Self::Chrome),
            "firefox" => Some(Self::Firefox),
            "safari" => Some(Self::Safari),
            _ => None,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chrome => "chrome",
            Self::Firefox => "firefox",
            Self::Safari => "safari",
        })
    }
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the list of browser profiles is {} days old (from {}); a newer version may have a \
             newer list",
            self.days, self.collected
        )
    }
}

#[derive(Deserialize)]
struct List {
    collected: String,
    collected_seconds: i64,
    families: Families,
    browsers: Vec<Release>,
}

#[derive(Deserialize)]
struct Families {
    chrome: Habits,
    firefox: Habits,
    safari: Habits,
}

/// What all versions of a browser do alike.
#[derive(Deserialize)]
pub(super) struct Habits {
    pub(super) accept_language: String,
    pub(super) priority: Priority,
    pub(super) te: Option<String>,
    order: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Priority {
    pub(super) navigation: String,
    pub(super) fetch: String,
    pub(super) only_secure: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Release {
    pub(super) family: Family,
    pub(super) version: String,
    pub(super) system: String,
    pub(super) weight: u32,
    pub(super) user_agent: String,
    pub(super) accept: String,
    pub(super) accept_encoding: String,
    pub(super) sec_ch_ua: Option<String>,
    pub(super) sec_ch_ua_mobile: Option<String>,
    pub(super) sec_ch_ua_platform: Option<String>,
}

impl Habits {
    /// The names of headers in the order in which the browser sends them.
    pub(super) fn order(&'static self) -> impl Iterator<Item = HeaderName> {
        self.order.iter().map(|name| HeaderName::from_static(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_family() {
        for family in [Family::Chrome, Family::Firefox, Family::Safari] {
            assert!(
                browsers().any(|browser| browser.family() == family),
                "{family}"
            );
        }
    }

    #[test]
    fn an_old_list_is_said() {
        let collected = LIST.collected_seconds;
        let at = |days: i64| staleness(Timestamp::from_millis((collected + days * 86_400) * 1000));
        assert_eq!(at(-1), None);
        assert_eq!(at(FRESH_DAYS), None);
        assert_eq!(at(FRESH_DAYS + 1).unwrap().days, FRESH_DAYS + 1);
    }
}
