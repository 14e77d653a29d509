//! The headers that a session starts with, chosen once and kept for its life.
//!
//! A [`Profile`] is what a session has, a [`ProfileChoice`] what was asked for. Browsers come from
//! a dated list (`list`), each checked to be consistent with itself (`consistency`); what depends
//! on the request, `Sec-Fetch-*` and the order, is in `occasion`. The TLS handshake and the order
//! of HTTP/2's pseudo headers stay our own: a profile is a set of headers, not a disguise.

mod choice;
mod consistency;
mod list;
mod occasion;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};

use crate::error::Error;
use crate::session::decode::ACCEPTED;

pub use choice::ProfileChoice;
pub use consistency::{Contradiction, contradictions};
pub use list::{Browser, Family, Staleness, browsers, staleness};
pub use occasion::RequestKind;
pub(crate) use occasion::{Occasion, dress};

/// A set of default headers.
///
/// Its text is what is kept of it: `none`, `standard`, or a browser as `chrome/149/windows`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Profile {
    /// One browser of the list.
    Browser(Browser),
    /// Nothing but what HTTP asks for.
    None,
    /// A plain client that says what it is.
    #[default]
    Standard,
    /// A browser that another version's list has. It keeps its name, and sends what the nearest
    /// browser of this list sends.
    Unknown(Arc<str>),
}

impl Profile {
    /// The profile of a session that was kept. A name that isn't known here isn't lost.
    ///
    /// ```
    /// use sessile::Profile;
    ///
    /// assert_eq!(Profile::stored("standard"), Profile::Standard);
    /// assert_eq!(Profile::stored("chrome/999/windows").to_string(), "chrome/999/windows");
    /// ```
    pub fn stored(name: &str) -> Self {
        name.parse()
            .unwrap_or_else(|_not_known| Self::Unknown(name.into()))
    }

    /// The browser whose headers are sent, where it is one.
    pub fn browser(&self) -> Option<Browser> {
        match self {
            Self::Browser(browser) => Some(*browser),
            Self::None | Self::Standard => None,
            Self::Unknown(name) => Browser::nearest(name),
        }
    }

    /// The headers that are the same for every page a person opens, in the order in which they are
    /// sent.
    pub fn headers(&self) -> HeaderMap {
        match self {
            Self::None => HeaderMap::new(),
            Self::Browser(_) | Self::Standard | Self::Unknown(_) => {
                self.browser().map_or_else(standard, Browser::headers)
            }
        }
    }
}

fn standard() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let agent = concat!("sessile/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    headers
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Browser(browser) => fmt::Display::fmt(browser, f),
            Self::None => f.write_str("none"),
            Self::Standard => f.write_str("standard"),
            Self::Unknown(name) => f.write_str(name),
        }
    }
}

impl FromStr for Profile {
    type Err = Error;

    /// One profile by its whole name; [`ProfileChoice`] understands `browser` and `chrome` too.
    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "none" => Ok(Self::None),
            "standard" => Ok(Self::Standard),
            _ => Browser::named(name).map(Self::Browser).ok_or_else(|| {
                Error::bad_request(format!(
                    "there is no profile `{}`; the profiles are none, standard, browser, chrome, \
                     firefox, safari, and single browsers such as {}",
                    name.escape_debug(),
                    browsers()
                        .next()
                        .map_or_else(String::new, |browser| browser.to_string()),
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_known_keeps_its_name_and_acts_like_the_nearest() {
        let unknown = Profile::stored("firefox/999/windows");
        assert_eq!(unknown.to_string(), "firefox/999/windows");
        let acts_as = unknown.browser().unwrap();
        assert_eq!(
            (acts_as.family(), acts_as.system()),
            (Family::Firefox, "windows")
        );
        assert_eq!(unknown.headers(), acts_as.headers());
    }

    #[test]
    fn a_kind_that_is_not_known_is_a_plain_client() {
        let unknown = Profile::stored("teapot");
        assert_eq!(unknown.to_string(), "teapot");
        assert_eq!(unknown.headers(), Profile::Standard.headers());
    }

    #[test]
    fn every_profile_is_found_by_its_text() {
        let all = browsers()
            .map(Profile::Browser)
            .chain([Profile::None, Profile::Standard]);
        for profile in all {
            assert_eq!(profile.to_string().parse::<Profile>().unwrap(), profile);
        }
    }

    #[test]
    fn a_wrong_name_says_which_there_are() {
        let error = "netscape".parse::<Profile>().unwrap_err().to_string();
        assert!(
            error.starts_with("there is no profile `netscape`; the profiles are"),
            "{error}"
        );
    }
}
