//! Whether and how a redirect is followed (RFC 9110, section 15.4).

use http::{Method, StatusCode};
use url::Url;

use super::request::{RedirectRule, Redirects};
use crate::error::RedirectRefusal;

/// What the rule looks at.
pub(super) struct Attempt<'a> {
    pub(super) policy: Redirects,
    pub(super) may_downgrade: bool,
    /// The caller's own.
    pub(super) rule: Option<RedirectRule>,
    pub(super) method: &'a Method,
    pub(super) url: &'a Url,
    pub(super) status: StatusCode,
    /// The `Location` field, where there is one.
    pub(super) location: Option<&'a [u8]>,
    pub(super) is_replayable: bool,
    /// Whether the body is meant for this origin alone.
    pub(super) body_stays: bool,
    /// The pages of this chain so far, this one not included.
    pub(super) followed: usize,
    /// Whether the chain has been at a URL before, with the same cookies.
    pub(super) was_there: &'a dyn Fn(&Method, &Url) -> bool,
}

/// What to do with a reply.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Decision {
    /// It redirects to where we don't go.
    Fail { to: String, why: RedirectRefusal },
    /// Ask for this next.
    Follow(Next),
    /// It is the answer.
    Stop,
}

/// The next request of a chain.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Next {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) keeps_body: bool,
    /// Whether scheme, host or port changed: credentials stay behind.
    pub(super) leaves_origin: bool,
}

pub(super) fn decide(attempt: &Attempt<'_>) -> Decision {
    let Redirects::Follow(limit) = attempt.policy else {
        return Decision::Stop;
    };
    let Some((method, keeps_body)) = next_method(attempt.method, attempt.status) else {
        return Decision::Stop;
    };
    // Without a Location there is nothing to follow: the reply is the answer.
    let Some(location) = attempt.location else {
        return Decision::Stop;
    };
    let to = String::from_utf8_lossy(location);
    let fail = |why| Decision::Fail {
        to: shown(attempt.url, &to),
        why,
    };
    let Some(mut url) = target(attempt.url, &to) else {
        return fail(RedirectRefusal::BadLocation);
    };
    // Section 10.2.2: a target without a fragment inherits that of the request.
    if url.fragment().is_none() {
        url.set_fragment(attempt.url.fragment());
    }
    if !matches!(url.scheme(), "http" | "https") {
        return fail(RedirectRefusal::OtherScheme);
    }
    if attempt.url.scheme() == "https" && url.scheme() == "http" && !attempt.may_downgrade {
        return fail(RedirectRefusal::Downgrade);
    }
    if let Some(why) = attempt.rule.and_then(|rule| rule(attempt.url, &url)) {
        return fail(RedirectRefusal::Forbidden(why));
    }
    if keeps_body && attempt.body_stays && attempt.url.origin() != url.origin() {
        return fail(RedirectRefusal::BodyElsewhere);
    }
    if keeps_body && !attempt.is_replayable {
        return fail(RedirectRefusal::NotReplayable);
    }
    if (attempt.was_there)(&method, &url) {
        return fail(RedirectRefusal::Loop);
    }
    if attempt.followed >= limit {
        return fail(RedirectRefusal::TooMany(limit));
    }
    let leaves_origin = attempt.url.origin() != url.origin();
    Decision::Follow(Next {
        method,
        url,
        keeps_body,
        leaves_origin,
    })
}

/// The method of the next request and whether the body goes along; `None` where it is no redirect.
fn next_method(method: &Method, status: StatusCode) -> Option<(Method, bool)> {
    match status {
        // Sections 15.4.2 and 15.4.3: for historical reasons a POST becomes a GET.
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND if *method == Method::POST => {
            Some((Method::GET, false))
        }
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => Some((method.clone(), true)),
        // Section 15.4.4: see another resource, with GET (or HEAD).
        StatusCode::SEE_OTHER if *method == Method::HEAD => Some((Method::HEAD, false)),
        StatusCode::SEE_OTHER => Some((Method::GET, false)),
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
            Some((method.clone(), true))
        }
        _ => None,
    }
}

fn target(from: &Url, location: &str) -> Option<Url> {
    let url = from.join(location).ok()?;
    (url.has_host() || !matches!(url.scheme(), "http" | "https")).then_some(url)
}

fn shown(from: &Url, location: &str) -> String {
    match from.join(location) {
        Ok(url) if url.has_host() => crate::redact::ShownUrl(&url).to_string(),
        Ok(url) => format!("{}:…", url.scheme()),
        Err(_unreadable) => "an unreadable address".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_change_as_the_rfc_says() {
        check("POST", 301, "/b", Ok("GET http://a.test/b"));
        check("POST", 302, "/b", Ok("GET http://a.test/b"));
        check("POST", 303, "/b", Ok("GET http://a.test/b"));
        check("POST", 307, "/b", Ok("POST http://a.test/b with body"));
        check("POST", 308, "/b", Ok("POST http://a.test/b with body"));
        check("PUT", 301, "/b", Ok("PUT http://a.test/b with body"));
        check("PUT", 303, "/b", Ok("GET http://a.test/b"));
        check("HEAD", 303, "/b", Ok("HEAD http://a.test/b"));
        check(
            "GET",
            302,
            "//b.test/c",
            Ok("GET http://b.test/c with body elsewhere"),
        );
        check("GET", 302, "?q=1", Ok("GET http://a.test/x?q=1 with body"));
    }

    #[test]
    fn only_redirects_are_followed() {
        check("GET", 300, "/b", Ok("stop"));
        check("GET", 304, "/b", Ok("stop"));
        check("GET", 200, "/b", Ok("stop"));
    }

    #[test]
    fn bad_targets_are_named() {
        check("GET", 302, "http://", Err(RedirectRefusal::BadLocation));
        check(
            "GET",
            302,
            "ftp://b.test/",
            Err(RedirectRefusal::OtherScheme),
        );
        check(
            "GET",
            302,
            "javascript:alert(1)",
            Err(RedirectRefusal::OtherScheme),
        );
        check("GET", 302, "/seen", Err(RedirectRefusal::Loop));
    }

    #[track_caller]
    fn check(method: &str, status: u16, location: &str, expected: Result<&str, RedirectRefusal>) {
        let url = Url::parse("http://a.test/x").unwrap();
        let decision = decide(&Attempt {
            policy: Redirects::Follow(20),
            may_downgrade: false,
            rule: None,
            method: &method.parse().unwrap(),
            url: &url,
            status: StatusCode::from_u16(status).unwrap(),
            location: Some(location.as_bytes()),
            is_replayable: true,
            body_stays: false,
            followed: 0,
            was_there: &|_, url| url.path() == "/seen",
        });
        let found = match decision {
            Decision::Fail { why, .. } => Err(why),
            Decision::Stop => Ok("stop".to_owned()),
            Decision::Follow(next) => Ok(format!(
                "{} {}{}{}",
                next.method,
                next.url,
                if next.keeps_body { " with body" } else { "" },
                if next.leaves_origin { " elsewhere" } else { "" }
            )),
        };
        assert_eq!(
            found,
            expected.map(str::to_owned),
            "{method} {status} {location}"
        );
    }

    #[test]
    fn a_rule_of_the_caller_s_keeps_from_following() {
        let url = Url::parse("http://a.test/x").unwrap();
        let to = |location: &str| {
            decide(&Attempt {
                policy: Redirects::Follow(1),
                may_downgrade: false,
                rule: Some(|from, to| (from.host() != to.host()).then_some("it is elsewhere")),
                method: &Method::GET,
                url: &url,
                status: StatusCode::FOUND,
                location: Some(location.as_bytes()),
                is_replayable: true,
                body_stays: false,
                followed: 0,
                was_there: &|_, _| false,
            })
        };
        assert!(matches!(to("/y"), Decision::Follow(_)));
        let Decision::Fail { why, .. } = to("http://b.test/") else {
            panic!("followed")
        };
        assert_eq!(why, RedirectRefusal::Forbidden("it is elsewhere"));
    }

    #[test]
    fn a_body_for_one_site_is_not_sent_to_another() {
        let url = Url::parse("https://a.test/login").unwrap();
        let go = |status, location: &str| {
            decide(&Attempt {
                policy: Redirects::Follow(1),
                may_downgrade: false,
                rule: None,
                method: &Method::POST,
                url: &url,
                status,
                location: Some(location.as_bytes()),
                is_replayable: true,
                body_stays: true,
                followed: 0,
                was_there: &|_, _| false,
            })
        };
        let elsewhere = go(StatusCode::TEMPORARY_REDIRECT, "https://b.test/");
        assert!(
            matches!(
                elsewhere,
                Decision::Fail {
                    why: RedirectRefusal::BodyElsewhere,
                    ..
                }
            ),
            "{elsewhere:?}"
        );
        assert!(matches!(
            go(StatusCode::TEMPORARY_REDIRECT, "/again"),
            Decision::Follow(_)
        ));
        assert!(matches!(
            go(StatusCode::SEE_OTHER, "https://b.test/"),
            Decision::Follow(_)
        ));
    }

    #[test]
    fn a_secure_page_does_not_lead_to_an_open_one() {
        let url = Url::parse("https://a.test/x").unwrap();
        let mut attempt = Attempt {
            policy: Redirects::Follow(1),
            may_downgrade: false,
            rule: None,
            method: &Method::GET,
            url: &url,
            status: StatusCode::FOUND,
            location: Some(b"http://a.test/"),
            is_replayable: true,
            body_stays: false,
            followed: 0,
            was_there: &|_, _| false,
        };
        let Decision::Fail { why, .. } = decide(&attempt) else {
            panic!("followed")
        };
        assert_eq!(why, RedirectRefusal::Downgrade);
        attempt.may_downgrade = true;
        assert!(matches!(decide(&attempt), Decision::Follow(_)));
        attempt.followed = 1;
        let Decision::Fail { why, .. } = decide(&attempt) else {
            panic!("followed")
        };
        assert_eq!(why, RedirectRefusal::TooMany(1));
    }
}
