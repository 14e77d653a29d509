//! Whether headers that claim to be a browser's contradict each other.
//!
//! Pure, over any headers: the list is checked with it, and so is a session whose owner has set
//! another `User-Agent` than its profile's.

use std::fmt;

use http::{HeaderMap, header};

use super::list::Family;
use crate::session::decode::ACCEPTED;

/// How headers contradict each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Contradiction {
    /// The client hints name another browser or version than the user agent, or are missing.
    Hints,
    /// Only one of user agent and client hints says that it is a telephone.
    Mobile,
    /// The pages that are accepted are not those that the browser accepts.
    Pages,
    /// User agent and client hints name different systems.
    System,
    /// An encoding is accepted that can't be undone.
    Undecodable,
}

/// Everything that does not fit together; nothing for headers that claim to be no browser.
///
/// ```
/// use sessile::Profile;
/// use sessile::profile::{Contradiction, contradictions};
///
/// let mut headers = "chrome/147/windows".parse::<Profile>()?.headers();
/// assert_eq!(contradictions(&headers), []);
///
/// let other = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0";
/// headers.insert("user-agent", other.parse().unwrap());
/// assert!(contradictions(&headers).contains(&Contradiction::Hints));
/// # Ok::<(), sessile::Error>(())
/// ```
pub fn contradictions(headers: &HeaderMap) -> Vec<Contradiction> {
    let Some(claim) = Claim::of(headers) else {
        return Vec::new();
    };
    let checks = [
        (claim.hints_fit(), Contradiction::Hints),
        (claim.phone_fits(), Contradiction::Mobile),
        (claim.pages_fit(), Contradiction::Pages),
        (claim.system_fits(), Contradiction::System),
        (claim.is_decodable(), Contradiction::Undecodable),
    ];
    checks
        .into_iter()
        .filter(|(fits, _)| !fits)
        .map(|(_, contradiction)| contradiction)
        .collect()
}

/// What the headers claim to be.
struct Claim<'a> {
    headers: &'a HeaderMap,
    agent: &'a str,
    family: Family,
    major: &'a str,
}

impl<'a> Claim<'a> {
    fn of(headers: &'a HeaderMap) -> Option<Self> {
        let agent = headers.get(header::USER_AGENT)?.to_str().ok()?;
        // Chrome's user agent names Safari as well, so it is looked for first.
        let marks = [
            ("Chrome/", Family::Chrome),
            ("Firefox/", Family::Firefox),
            ("Version/", Family::Safari),
        ];
        let (version, family) = marks
            .into_iter()
            .find_map(|(mark, family)| Some((agent.split_once(mark)?.1, family)))?;
        let major = version.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(Self {
            headers,
            agent,
            family,
            major,
        })
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn hints_fit(&self) -> bool {
        match (self.family, self.text("sec-ch-ua")) {
            (Family::Chrome, Some(brands)) => {
                let engine = format!("\"Chromium\";v=\"{}\"", self.major);
                brands.split(", ").any(|brand| brand == engine)
            }
            (Family::Chrome, None) => false,
            (Family::Firefox | Family::Safari, hints) => hints.is_none(),
        }
    }

    fn phone_fits(&self) -> bool {
        let is_phone = self.agent.contains("Mobile");
        self.text("sec-ch-ua-mobile")
            .is_none_or(|hint| (hint == "?1") == is_phone)
    }

    fn pages_fit(&self) -> bool {
        let Some(accept) = self.text("accept") else {
            return false;
        };
        let begins = accept.starts_with("text/html,application/xhtml+xml,application/xml;q=0.9,");
        let has_exchange = accept.contains("application/signed-exchange");
        begins && has_exchange == (self.family == Family::Chrome)
    }

    fn system_fits(&self) -> bool {
        let system = match self.text("sec-ch-ua-platform") {
            None => return true,
            Some("\"Android\"") => "Android",
            Some("\"Linux\"") => "X11; Linux",
            Some("\"Windows\"") => "Windows NT",
            Some("\"macOS\"") => "Mac OS X",
            Some(_) => return false,
        };
        self.agent.contains(system)
    }

    fn is_decodable(&self) -> bool {
        let known = |name: &str| ACCEPTED.split(", ").any(|known| known == name.trim());
        self.text("accept-encoding")
            .is_none_or(|names| names.split(',').all(known))
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hints => "User-Agent and sec-ch-ua name different browsers or versions",
            Self::Mobile => "only one of User-Agent and sec-ch-ua-mobile says it is a telephone",
            Self::Pages => "Accept is not what the browser of the User-Agent accepts",
            Self::System => "User-Agent and sec-ch-ua-platform name different systems",
            Self::Undecodable => "Accept-Encoding has an encoding that can't be undone",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Browser, Profile, browsers};
    use http::{HeaderName, HeaderValue};

    #[test]
    fn no_browser_of_the_list_contradicts_itself() {
        for browser in browsers() {
            assert_eq!(
                contradictions(&Profile::Browser(browser).headers()),
                [],
                "{browser}"
            );
            assert!(is_what_it_says(browser), "{browser}");
        }
    }

    fn is_what_it_says(browser: Browser) -> bool {
        let version = browser.version();
        let ending = match browser.family() {
            Family::Chrome => format!("Chrome/{version}.0.0.0 Safari/537.36"),
            Family::Firefox => format!("rv:{version}.0) Gecko/20100101 Firefox/{version}.0"),
            Family::Safari => format!("Version/{version} Safari/605.1.15"),
        };
        let system = match browser.system() {
            "linux" => "(X11; Linux x86_64",
            "macos" => "(Macintosh; Intel Mac OS X 10",
            "windows" => "(Windows NT 10.0; Win64; x64",
            _ => return false,
        };
        browser.user_agent().ends_with(&ending) && browser.user_agent().contains(system)
    }

    #[test]
    fn a_plain_client_claims_nothing() {
        assert_eq!(contradictions(&Profile::Standard.headers()), []);
        assert_eq!(contradictions(&Profile::None.headers()), []);
    }

    #[test]
    fn a_header_of_another_browser_is_found() {
        let linux = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/147.0.0.0 Safari/537.36";
        check("user-agent", linux, &[Contradiction::System]);
        check(
            "user-agent",
            &linux.replace("147", "146"),
            &[Contradiction::Hints, Contradiction::System],
        );
        check(
            "sec-ch-ua",
            "\"Chromium\";v=\"14\"",
            &[Contradiction::Hints],
        );
        check("sec-ch-ua-mobile", "?1", &[Contradiction::Mobile]);
        check("sec-ch-ua-platform", "\"BeOS\"", &[Contradiction::System]);
        check("accept", "*/*", &[Contradiction::Pages]);
        check(
            "accept-encoding",
            "gzip, dcb",
            &[Contradiction::Undecodable],
        );
        check("accept-encoding", "gzip,br", &[]);
    }

    #[track_caller]
    fn check(name: &'static str, value: &str, expected: &[Contradiction]) {
        let mut headers = "chrome/147/windows".parse::<Profile>().unwrap().headers();
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
        assert_eq!(contradictions(&headers), expected, "{name}: {value}");
    }
}
