//! A caller's request to the daemon as a request to the site, and the site's reply as the answer.
//!
//! Which headers pass in either direction is decided by the tables here. Sending is the session's.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use sessile::{Request, Verdict};

use crate::problem::{Kind, Problem};

/// A verdict's name, as it stands in `Sessile-Verdict` and in metrics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum VerdictName {
    Blocked,
    Challenged,
    Expired,
    Failing,
    RateLimited,
    Valid,
}

impl VerdictName {
    pub(crate) const ALL: [Self; 6] = [
        Self::Blocked,
        Self::Challenged,
        Self::Expired,
        Self::Failing,
        Self::RateLimited,
        Self::Valid,
    ];

    /// The name of a verdict; one that is not known here speaks against nothing.
    pub(crate) fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Blocked => Self::Blocked,
            Verdict::Challenged(_) => Self::Challenged,
            Verdict::Expired(_) => Self::Expired,
            Verdict::Failing(_) => Self::Failing,
            Verdict::RateLimited { .. } => Self::RateLimited,
            _ => Self::Valid,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Challenged => "challenged",
            Self::Expired => "expired",
            Self::Failing => "failing",
            Self::RateLimited => "rate-limited",
            Self::Valid => "valid",
        }
    }

    /// Whether it leaves the session as good as it was: trouble of the whole site says nothing of it.
    pub(crate) const fn is_for_session(self) -> bool {
        match self {
            Self::Failing | Self::RateLimited | Self::Valid => true,
            Self::Blocked | Self::Challenged | Self::Expired => false,
        }
    }
}

/// How a header for the site is marked.
const MARK: &str = "sessile-header-";

/// Adds what of the caller's headers is meant for the site.
///
/// A client's library sends headers of its own, which would break the session's profile: only those
/// that say what is asked for or what the body is pass as they are. All others are marked, as in
/// `Sessile-Header-X-Trace: 7`.
pub(crate) fn add_headers(mut request: Request, headers: &HeaderMap) -> Result<Request, Problem> {
    for (name, value) in headers {
        let Some(name) = name_at_site(name, value)? else {
            continue;
        };
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else {
            return Err(bad(format!("the value of the header `{name}` isn't UTF-8")));
        };
        request = request.header(&name, value);
    }
    Ok(request)
}

fn name_at_site(name: &HeaderName, value: &HeaderValue) -> Result<Option<String>, Problem> {
    if let Some(marked) = name.as_str().strip_prefix(MARK) {
        if marked.is_empty() || is_of_connection(marked) || NOT_BY_HAND.contains(&marked) {
            return Err(bad(format!("`{name}`: this header can't be set by hand")));
        }
        return Ok(Some(marked.to_owned()));
    }
    let passes = PASSING.contains(name)
        || name.as_str().starts_with("if-")
        || (*name == header::ACCEPT && value != "*/*");
    Ok(passes.then(|| name.as_str().to_owned()))
}

fn bad(detail: String) -> Problem {
    Problem::new(Kind::BadRequest, detail)
}

/// What passes to the site as it is, beside `If-…` and an `Accept` that asks for something.
const PASSING: [HeaderName; 3] = [
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::RANGE,
];

/// What the session decides of itself.
const NOT_BY_HAND: [&str; 3] = ["content-length", "expect", "host"];

/// What belongs to one connection (RFC 9110, section 7.6.1) and passes in neither direction.
fn is_of_connection(name: &str) -> bool {
    const HOP: [&str; 9] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    HOP.contains(&name)
}

/// What of a site's reply speaks to the site's own clients, and not to the daemon's: its cookies are
/// the session's, and its promises about its host are none about the daemon's.
fn is_for_site_only(name: &str) -> bool {
    const OWN: [&str; 8] = [
        "alt-svc",
        "clear-site-data",
        "public-key-pins",
        "service-worker-allowed",
        "set-cookie",
        "set-cookie2",
        "strict-transport-security",
        "www-authenticate",
    ];
    OWN.contains(&name) || name.starts_with("access-control-") || name.starts_with("sessile-")
}

/// Copies what of a site's headers is handed out.
pub(crate) fn hand_out(from: &HeaderMap, is_decoded: bool, into: &mut HeaderMap) {
    let nominated = nominated(from);
    for (name, value) in from {
        let describes_encoding =
            *name == header::CONTENT_ENCODING || *name == header::CONTENT_LENGTH;
        let text = name.as_str();
        let stays = is_of_connection(text)
            || is_for_site_only(text)
            || nominated.iter().any(|other| other == text)
            || (is_decoded && describes_encoding);
        if !stays {
            into.append(name, value.clone());
        }
    }
}

/// The headers that `Connection` says are the connection's too.
fn nominated(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONNECTION).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let names = texts.flat_map(|text| text.split(','));
    names.map(|name| name.trim().to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_s_own_headers_stay_behind() {
        check("user-agent", "python-requests/2", Ok(None));
        check("accept", "*/*", Ok(None));
        check("accept", "text/html", Ok(Some("accept")));
        check("accept-encoding", "gzip", Ok(None));
        check("authorization", "Bearer t", Ok(None));
        check("cookie", "a=1", Ok(None));
        check("content-type", "text/plain", Ok(Some("content-type")));
        check("content-length", "3", Ok(None));
        check("if-none-match", "\"x\"", Ok(Some("if-none-match")));
        check("range", "bytes=0-", Ok(Some("range")));
        check("sessile-header-user-agent", "x", Ok(Some("user-agent")));
        check("sessile-header-x-trace", "7", Ok(Some("x-trace")));
        for refused in [
            "sessile-header-",
            "sessile-header-host",
            "sessile-header-te",
        ] {
            check(refused, "x", Err(()));
        }
    }

    #[track_caller]
    fn check(name: &'static str, value: &'static str, expected: Result<Option<&str>, ()>) {
        let name = HeaderName::from_static(name);
        let found = name_at_site(&name, &HeaderValue::from_static(value));
        let found = found.map_err(|_problem| ());
        assert_eq!(
            found,
            expected.map(|name| name.map(str::to_owned)),
            "{name}: {value}"
        );
    }

    #[test]
    fn a_site_s_cookies_and_promises_are_not_handed_out() {
        let mut from = HeaderMap::new();
        for (name, value) in [
            ("content-type", "text/html"),
            ("set-cookie", "id=1"),
            ("set-cookie", "b=2"),
            ("connection", "X-Hop, close"),
            ("x-hop", "1"),
            ("sessile-verdict", "forged"),
            ("access-control-allow-origin", "*"),
            ("content-encoding", "gzip"),
            ("content-length", "10"),
            ("link", "<a>"),
            ("link", "<b>"),
        ] {
            from.append(name, HeaderValue::from_static(value));
        }
        let names = |is_decoded| {
            let mut into = HeaderMap::new();
            hand_out(&from, is_decoded, &mut into);
            let names: Vec<_> = into.iter().map(|(name, _)| name.to_string()).collect();
            names.join(" ")
        };
        assert_eq!(names(true), "content-type link link");
        assert_eq!(
            names(false),
            "content-type content-encoding content-length link link"
        );
    }
}
