//! What a reply says of the session. Pure: a table of rules over status, headers and addresses.
//!
//! The signs of those who ask for a proof are in `challenge`. What only the page's content can say
//! (a learned check) is decided where the check is known.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use url::Url;

use super::challenge::Challenge;

/// What a reply says of the session that asked.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// Refused, and nothing says how to be let in.
    Blocked,
    /// A person or a browser has to prove something first.
    Challenged(Challenge),
    /// The login is gone.
    Expired(Sign),
    /// The server is in trouble; that says nothing of the session.
    Failing(StatusCode),
    /// Too much was asked; that says nothing of the session.
    RateLimited {
        /// How long the server asks to wait, where it says so.
        wait: Option<Duration>,
    },
    /// Nothing speaks against it.
    Valid,
}

impl Verdict {
    /// One word for it, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Challenged(_) => "challenged",
            Self::Expired(_) => "expired",
            Self::Failing(_) => "failing",
            Self::RateLimited { .. } => "rateLimited",
            Self::Valid => "valid",
        }
    }
}

/// How a reply shows that the login is gone.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Sign {
    /// It leads to the login page, named by its path.
    LoginRedirect(String),
    /// The page is the one that strangers get; the reason in words.
    StrangersPage(String),
    /// By the clock: the access token or the login's cookie ends, or has ended.
    TokenEnds,
    /// By a pool's rules: the login is renewed after so long, whether it holds or not.
    TooOld,
    /// Status 401.
    Unauthorized,
}

/// What the rules know of a session: where its login page is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Signs {
    /// Pages that ask for the login; a redirect to one of them says that it is gone.
    pub login_pages: Vec<Url>,
}

impl Signs {
    /// Whether a redirect from one page to another asks for the login.
    pub fn is_login_redirect(&self, from: &Url, to: &Url) -> bool {
        // Whoever asks for the login page itself isn't sent away from anything.
        !self.is_login_page(from) && self.is_login_page(to)
    }

    fn is_login_page(&self, url: &Url) -> bool {
        self.login_pages.iter().any(|page| {
            page.host() == url.host()
                && page.port_or_known_default() == url.port_or_known_default()
                && page.path().trim_end_matches('/') == url.path().trim_end_matches('/')
                && same_front_controller(page, url)
        })
    }
}

/// `index.php?page=login` is another page than `index.php?page=members`: where the login page's
/// query names a page, the same pairs must be there.
fn same_front_controller(page: &Url, url: &Url) -> bool {
    const ROUTE: [&str; 8] = [
        "action",
        "controller",
        "do",
        "mod",
        "option",
        "page",
        "route",
        "title",
    ];
    page.query_pairs()
        .filter(|(name, _)| ROUTE.contains(&name.as_ref()))
        .all(|wanted| url.query_pairs().any(|pair| pair == wanted))
}

/// Judges a reply by its head.
pub(crate) fn of_reply(status: StatusCode, headers: &HeaderMap, now_unix: i64) -> Verdict {
    if let Some(challenge) = Challenge::of_head(status, headers) {
        return Verdict::Challenged(challenge);
    }
    match status {
        StatusCode::UNAUTHORIZED => Verdict::Expired(Sign::Unauthorized),
        StatusCode::FORBIDDEN => Verdict::Blocked,
        StatusCode::TOO_MANY_REQUESTS => Verdict::RateLimited {
            wait: retry_after(headers, now_unix),
        },
        status if status.is_server_error() => Verdict::Failing(status),
        _ => Verdict::Valid,
    }
}

/// Whether a refusing page may say more than its head did.
pub(super) fn may_hide_challenge(status: StatusCode, verdict: &Verdict) -> bool {
    let is_refusal = matches!(
        status,
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    is_refusal && !matches!(verdict, Verdict::Challenged(_))
}

/// How long `Retry-After` asks to wait, in seconds or until a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now_unix: i64) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let until = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    let wait = i64::try_from(until).ok()?.saturating_sub(now_unix);
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => f.write_str("blocked: the server answered 403"),
            Self::Challenged(who) => write!(f, "challenged: {who}"),
            Self::Expired(sign) => write!(f, "expired: {sign}"),
            Self::Failing(status) => write!(f, "failing: the server answered {status}"),
            Self::RateLimited { wait: Some(wait) } => {
                write!(
                    f,
                    "rate-limited: the server asks to wait {} s",
                    wait.as_secs()
                )
            }
            Self::RateLimited { wait: None } => f.write_str("rate-limited"),
            Self::Valid => f.write_str("valid"),
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoginRedirect(path) => write!(f, "redirected to {path}"),
            Self::StrangersPage(why) => f.write_str(why),
            Self::TokenEnds => f.write_str("the login is about to end"),
            Self::TooOld => f.write_str("the login is old"),
            Self::Unauthorized => f.write_str("the server answered 401"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_judged() {
        check(200, &[], &Verdict::Valid);
        check(404, &[], &Verdict::Valid);
        check(401, &[], &Verdict::Expired(Sign::Unauthorized));
        check(403, &[], &Verdict::Blocked);
        check(
            403,
            &[("cf-mitigated", "challenge")],
            &Verdict::Challenged(Challenge::Cloudflare),
        );
        check(
            202,
            &[("x-amzn-waf-action", "challenge")],
            &Verdict::Challenged(Challenge::AwsWaf),
        );
        check(
            403,
            &[("x-datadome", "protected")],
            &Verdict::Challenged(Challenge::DataDome),
        );
        check(200, &[("x-datadome", "protected")], &Verdict::Valid);
        check(
            428,
            &[("set-cookie", "sec_cpt=ab~1~cd; path=/")],
            &Verdict::Challenged(Challenge::Akamai),
        );
        check(200, &[("set-cookie", "sec_cpt=ab~3~cd")], &Verdict::Valid);
        check(428, &[], &Verdict::Valid);
        check(503, &[], &Verdict::Failing(StatusCode::SERVICE_UNAVAILABLE));
        check(429, &[], &Verdict::RateLimited { wait: None });
        let minute = Some(Duration::from_secs(60));
        check(
            429,
            &[("retry-after", "60")],
            &Verdict::RateLimited { wait: minute },
        );
        let date = [("retry-after", "Thu, 01 Jan 1970 00:01:40 GMT")];
        check(429, &date, &Verdict::RateLimited { wait: minute });
    }

    #[track_caller]
    fn check(status: u16, pairs: &[(&'static str, &str)], expected: &Verdict) {
        let headers = pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(
            &of_reply(status, &headers.collect(), 40),
            expected,
            "{status} {pairs:?}"
        );
    }

    #[test]
    fn a_redirect_to_the_login_page_is_a_sign() {
        let page = |text: &str| Url::parse(text).unwrap();
        let signs = Signs {
            login_pages: vec![page("http://a.test/login/?next=/x")],
        };
        let is = |from: &str, to: &str| signs.is_login_redirect(&page(from), &page(to));
        assert!(is(
            "http://a.test/members",
            "http://a.test/login/?next=/members"
        ));
        assert!(is("http://a.test/members", "http://a.test/login"));
        assert!(!is("http://a.test/login", "http://a.test/login/"));
        assert!(!is("http://a.test/members", "http://b.test/login/"));
        assert!(!is("http://a.test/members", "http://a.test/login/help"));

        let signs = Signs {
            login_pages: vec![page("http://a.test/index.php?page=login")],
        };
        let is = |to: &str| signs.is_login_redirect(&page("http://a.test/"), &page(to));
        assert!(is("http://a.test/index.php?page=login&from=x"));
        assert!(!is("http://a.test/index.php?page=members"));
    }
}
