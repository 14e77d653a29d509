//! What a browser adds for the request at hand: `Sec-Fetch-*` (Fetch Metadata Request Headers),
//! `Origin` (Fetch standard, section 3.2), priorities; and the order of everything.
//!
//! Pure: who asks and where the redirects went comes in as a value.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use sessile_jar::{Ancestors, Partition, PublicSuffixes, Target};
use url::{Host, Url};

use super::list::Browser;

const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_USER: HeaderName = HeaderName::from_static("sec-fetch-user");
const PRIORITY: HeaderName = HeaderName::from_static("priority");
const HINTS: [HeaderName; 3] = [
    HeaderName::from_static("sec-ch-ua"),
    HeaderName::from_static("sec-ch-ua-mobile"),
    HeaderName::from_static("sec-ch-ua-platform"),
];

/// What a browser would be doing when it sends a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RequestKind {
    /// A script of the page asks: an API call.
    Fetch,
    /// A page sends itself on, without a person's click.
    Forward,
    /// A person opens a page, follows a link or submits a form.
    Navigate,
}

impl RequestKind {
    /// What a request most likely is: reading a page or sending a form is a person's doing; other
    /// methods, other bodies and whatever asks for JSON is a script's.
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        let says = |name: HeaderName, words: &[&str]| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| words.iter().any(|word| value.starts_with(word)))
        };
        let is_script = headers.contains_key("x-requested-with")
            || says(header::ACCEPT, &["application/json", "text/event-stream"]);
        let forms = ["application/x-www-form-urlencoded", "multipart/form-data"];
        let has_other_body =
            headers.contains_key(header::CONTENT_TYPE) && !says(header::CONTENT_TYPE, &forms);
        match *method {
            Method::GET | Method::HEAD if !is_script => Self::Navigate,
            Method::POST if !is_script && !has_other_body => Self::Navigate,
            _ => Self::Fetch,
        }
    }
}

/// One sending of a request.
pub(crate) struct Occasion<'a> {
    pub(crate) method: &'a Method,
    /// The pages that redirected here, first to last, and the page that is asked now.
    pub(crate) chain: Vec<&'a Url>,
    pub(crate) kind: RequestKind,
    /// The length of the body, where there is a body and it is known.
    pub(crate) length: Option<u64>,
    /// What the caller does not want to send.
    pub(crate) without: &'a [HeaderName],
}

/// The headers as the browser sends them on this occasion. What the caller set stays as it is.
pub(crate) fn dress(browser: Browser, headers: HeaderMap, occasion: &Occasion<'_>) -> HeaderMap {
    let Some(url) = occasion.chain.last() else {
        return headers;
    };
    let mut dress = Dress {
        browser,
        headers,
        occasion,
        url,
    };
    dress.undress_for_plain();
    dress.name_origin();
    dress.say_kind();
    dress.add(PRIORITY, dress.priority());
    dress.add(
        header::CONTENT_LENGTH,
        occasion.length.map(HeaderValue::from),
    );
    ordered(&dress.headers, browser)
}

struct Dress<'a> {
    browser: Browser,
    headers: HeaderMap,
    occasion: &'a Occasion<'a>,
    url: &'a Url,
}

impl Dress<'_> {
    fn add(&mut self, name: HeaderName, value: Option<HeaderValue>) {
        let Some(value) = value else { return };
        if !self.headers.contains_key(&name) && !self.occasion.without.contains(&name) {
            self.headers.insert(name, value);
        }
    }

    /// Client hints and the newer encodings are for connections that nobody can read.
    fn undress_for_plain(&mut self) {
        if is_trustworthy(self.url) {
            return;
        }
        let own = self.browser.headers();
        for name in HINTS {
            if self.headers.get(&name) == own.get(&name) {
                self.headers.remove(&name);
            }
        }
        if self.headers.get(header::ACCEPT_ENCODING) == own.get(header::ACCEPT_ENCODING) {
            let plain = HeaderValue::from_static("gzip, deflate");
            self.headers.insert(header::ACCEPT_ENCODING, plain);
        }
    }

    /// Fetch standard, "append a request `Origin` header".
    fn name_origin(&mut self) {
        let is_safe = matches!(*self.occasion.method, Method::GET | Method::HEAD);
        let Some(first) = self.occasion.chain.first() else {
            return;
        };
        let initiator = self.initiator().unwrap_or_else(|| (*first).clone());
        let is_cross = initiator.origin() != self.url.origin();
        if is_safe && !(self.occasion.kind == RequestKind::Fetch && is_cross) {
            return;
        }
        let is_downgrade = initiator.scheme() == "https" && self.url.scheme() != "https";
        let origin = if is_tainted(&initiator, &self.occasion.chain) || is_downgrade {
            "null".to_owned()
        } else {
            initiator.origin().ascii_serialization()
        };
        self.add(header::ORIGIN, HeaderValue::from_str(&origin).ok());
    }

    fn say_kind(&mut self) {
        let is_fetch = self.occasion.kind == RequestKind::Fetch;
        if is_fetch {
            let own = HeaderValue::from_static(&self.browser.release().accept);
            if self.headers.get(header::ACCEPT) == Some(&own) {
                self.headers
                    .insert(header::ACCEPT, HeaderValue::from_static("*/*"));
            }
        } else {
            self.add(
                header::UPGRADE_INSECURE_REQUESTS,
                Some(HeaderValue::from_static("1")),
            );
        }
        if self.url.scheme() == "https"
            && let Some(te) = &self.browser.habits().te
        {
            self.add(header::TE, Some(HeaderValue::from_static(te)));
        }
        if !is_trustworthy(self.url) {
            return;
        }
        let (mode, dest) = if is_fetch {
            ("cors", "empty")
        } else {
            ("navigate", "document")
        };
        self.add(FETCH_SITE, Some(HeaderValue::from_static(self.site())));
        self.add(FETCH_MODE, Some(HeaderValue::from_static(mode)));
        self.add(FETCH_DEST, Some(HeaderValue::from_static(dest)));
        // Safari leaves out who did it.
        let says_user = self.browser.habits().order().any(|name| name == FETCH_USER);
        if self.occasion.kind == RequestKind::Navigate && says_user {
            self.add(FETCH_USER, Some(HeaderValue::from_static("?1")));
        }
    }

    fn priority(&self) -> Option<HeaderValue> {
        let priority = &self.browser.habits().priority;
        if priority.only_secure && self.url.scheme() != "https" {
            return None;
        }
        Some(HeaderValue::from_static(match self.occasion.kind {
            RequestKind::Fetch => &priority.fetch,
            RequestKind::Forward | RequestKind::Navigate => &priority.navigation,
        }))
    }

    /// The page that asks, by what the caller says of it. `None`: nobody, a URL was typed.
    fn initiator(&self) -> Option<Url> {
        let named = [header::REFERER, header::ORIGIN]
            .into_iter()
            .find_map(|name| {
                let value = self.headers.get(name)?.to_str().ok()?;
                Url::parse(value).ok().filter(Url::has_host)
            });
        named.or_else(|| {
            match self.occasion.kind {
                RequestKind::Fetch | RequestKind::Forward => self.occasion.chain.first().copied(),
                // A form that is sent was on a page of its own site.
                RequestKind::Navigate if *self.occasion.method == Method::POST => {
                    self.occasion.chain.first().copied()
                }
                RequestKind::Navigate => None,
            }
            .cloned()
        })
    }

    /// The least related of all the pages on the way.
    fn site(&self) -> &'static str {
        let Some(initiator) = self.initiator() else {
            return "none";
        };
        let relation = |url: &&Url| relation(&initiator, url);
        match self.occasion.chain.iter().map(relation).max() {
            Some(Relation::CrossSite) => "cross-site",
            Some(Relation::SameSite) => "same-site",
            Some(Relation::SameOrigin) | None => "same-origin",
        }
    }
}

#[derive(Eq, Ord, PartialEq, PartialOrd)]
enum Relation {
    SameOrigin,
    SameSite,
    CrossSite,
}

fn relation(from: &Url, to: &Url) -> Relation {
    if from.origin() == to.origin() {
        Relation::SameOrigin
    } else if site(from).is_some_and(|site_of| site(to) == Some(site_of)) {
        Relation::SameSite
    } else {
        Relation::CrossSite
    }
}

fn site(url: &Url) -> Option<String> {
    let target = Target::parse(url.as_str()).ok()?;
    let partition = Partition::of(&target, Ancestors::SameSite, &PublicSuffixes);
    Some(partition.site().to_owned())
}

/// Fetch standard, "HTTP-redirect fetch": an origin that was led through another one is hidden.
fn is_tainted(initiator: &Url, chain: &[&Url]) -> bool {
    chain.windows(2).any(|pair| {
        let [from, to] = pair else { return false };
        from.origin() != to.origin() && initiator.origin() != from.origin()
    })
}

/// Secure Contexts, section 3.1.
fn is_trustworthy(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

/// The browser's order; what it never sends comes last, as the caller had it.
fn ordered(headers: &HeaderMap, browser: Browser) -> HeaderMap {
    let order: Vec<HeaderName> = browser.habits().order().collect();
    let mut sorted = HeaderMap::with_capacity(headers.len());
    for name in &order {
        for value in headers.get_all(name) {
            sorted.append(name.clone(), value.clone());
        }
    }
    for (name, value) in headers.iter().filter(|(name, _)| !order.contains(name)) {
        sorted.append(name.clone(), value.clone());
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    /// The names and values that the browser sends, with `…` for what it always sends.
    fn wire(profile: &str, kind: RequestKind, line: &str, given: &[(&str, &str)]) -> String {
        let (method, urls) = line.split_once(' ').unwrap();
        let chain: Vec<Url> = urls.split(" > ").map(|url| url.parse().unwrap()).collect();
        let profile: Profile = profile.parse().unwrap();
        let method: Method = method.parse().unwrap();
        let mut headers = profile.headers();
        for (name, value) in given {
            let name: HeaderName = name.parse().unwrap();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        let occasion = Occasion {
            method: &method,
            chain: chain.iter().collect(),
            kind,
            length: (method == Method::POST).then_some(7),
            without: &[],
        };
        let own = profile.headers();
        let dressed = dress(profile.browser().unwrap(), headers, &occasion);
        let line = |(name, value): (&HeaderName, &HeaderValue)| match own.get(name) {
            Some(of_profile) if of_profile == value => name.as_str().to_owned(),
            Some(_) | None => format!("{name}: {}", value.to_str().unwrap()),
        };
        dressed.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn chrome_opens_a_page() {
        let given = [("host", "a.example"), ("cookie", "a=1"), ("x-own", "1")];
        let sent = wire(
            "chrome/147/windows",
            RequestKind::Navigate,
            "GET https://a.example/",
            &given,
        );
        assert_eq!(
            sent,
            "host: a.example\nconnection\nsec-ch-ua\nsec-ch-ua-mobile\nsec-ch-ua-platform\n\
             upgrade-insecure-requests: 1\nuser-agent\naccept\nsec-fetch-site: none\n\
             sec-fetch-mode: navigate\nsec-fetch-user: ?1\nsec-fetch-dest: document\n\
             accept-encoding\naccept-language\ncookie: a=1\npriority: u=0, i\nx-own: 1"
        );
    }

    #[test]
    fn chrome_sends_a_form() {
        let given = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("host", "a.example"),
            ("referer", "https://a.example/login"),
            ("cookie", "a=1"),
        ];
        let sent = wire(
            "chrome/147/linux",
            RequestKind::Navigate,
            "POST https://a.example/",
            &given,
        );
        assert_eq!(
            sent,
            "host: a.example\nconnection\ncontent-length: 7\nsec-ch-ua\nsec-ch-ua-mobile\n\
             sec-ch-ua-platform\norigin: https://a.example\n\
             content-type: application/x-www-form-urlencoded\nupgrade-insecure-requests: 1\n\
             user-agent\naccept\nsec-fetch-site: same-origin\nsec-fetch-mode: navigate\n\
             sec-fetch-user: ?1\nsec-fetch-dest: document\nreferer: https://a.example/login\n\
             accept-encoding\naccept-language\ncookie: a=1\npriority: u=0, i"
        );
    }

    #[test]
    fn firefox_and_safari_have_an_order_of_their_own() {
        let given = [
            ("host", "a.example"),
            ("cookie", "a=1"),
            ("referer", "https://b.example/"),
        ];
        let line = "GET https://a.example/";
        let firefox = wire("firefox/150/linux", RequestKind::Fetch, line, &given);
        assert_eq!(
            firefox,
            "host: a.example\nuser-agent\naccept: */*\naccept-language\naccept-encoding\n\
             origin: https://b.example\nconnection\nreferer: https://b.example/\ncookie: a=1\n\
             sec-fetch-dest: empty\nsec-fetch-mode: cors\nsec-fetch-site: cross-site\n\
             priority: u=4\nte: trailers"
        );
        let safari = wire("safari/26.4/macos", RequestKind::Navigate, line, &given);
        assert_eq!(
            safari,
            "referer: https://b.example/\naccept\nupgrade-insecure-requests: 1\nuser-agent\n\
             accept-encoding\naccept-language\nconnection\nhost: a.example\ncookie: a=1\n\
             sec-fetch-dest: document\nsec-fetch-mode: navigate\nsec-fetch-site: cross-site\n\
             priority: u=0, i"
        );
    }

    #[test]
    fn a_plain_connection_is_told_less() {
        let sent = wire(
            "chrome/147/macos",
            RequestKind::Navigate,
            "GET http://a.example/",
            &[],
        );
        assert_eq!(
            sent,
            "connection\nupgrade-insecure-requests: 1\nuser-agent\naccept\n\
             accept-encoding: gzip, deflate\naccept-language"
        );
    }

    #[test]
    fn what_the_caller_sets_or_leaves_out_stays_so() {
        let profile: Profile = "chrome/147/macos".parse().unwrap();
        let url: Url = "https://a.example/".parse().unwrap();
        let mut headers = profile.headers();
        headers.insert(FETCH_SITE, HeaderValue::from_static("same-site"));
        let without = [FETCH_USER, header::ORIGIN];
        let occasion = Occasion {
            method: &Method::POST,
            chain: vec![&url],
            kind: RequestKind::Navigate,
            length: None,
            without: &without,
        };
        let dressed = dress(profile.browser().unwrap(), headers, &occasion);
        assert_eq!(dressed[FETCH_SITE], "same-site");
        assert!(!dressed.contains_key(FETCH_USER) && !dressed.contains_key(header::ORIGIN));
    }

    #[test]
    fn the_site_is_the_least_related_page_on_the_way() {
        let a = "https://a.example/";
        check_site(RequestKind::Navigate, "GET https://a.example/", "", "none");
        check_site(
            RequestKind::Navigate,
            "GET https://a.example/ > https://b.example/",
            "",
            "none",
        );
        check_site(
            RequestKind::Forward,
            "GET https://a.example/",
            "",
            "same-origin",
        );
        check_site(
            RequestKind::Fetch,
            "GET https://a.example/",
            "",
            "same-origin",
        );
        check_site(
            RequestKind::Navigate,
            "GET https://a.example/",
            a,
            "same-origin",
        );
        check_site(
            RequestKind::Navigate,
            "GET https://www.a.example/",
            a,
            "same-site",
        );
        check_site(
            RequestKind::Navigate,
            "GET https://a.example:444/",
            a,
            "same-site",
        );
        check_site(
            RequestKind::Navigate,
            "GET https://b.example/",
            a,
            "cross-site",
        );
        check_site(
            RequestKind::Navigate,
            "GET https://a.example/",
            "http://a.example/",
            "cross-site",
        );
        let there_and_back = "GET https://a.example/ > https://b.example/ > https://a.example/";
        check_site(RequestKind::Navigate, there_and_back, a, "cross-site");
        check_site(
            RequestKind::Fetch,
            "GET https://y.github.io/",
            "https://x.github.io/",
            "cross-site",
        );
        check_site(
            RequestKind::Navigate,
            "GET http://127.0.0.1:8000/",
            "",
            "none",
        );
    }

    #[track_caller]
    fn check_site(kind: RequestKind, line: &str, referer: &str, expected: &str) {
        let given = [("referer", referer)];
        let given = if referer.is_empty() { &[] } else { &given[..] };
        let sent = wire("chrome/147/macos", kind, line, given);
        let site = sent
            .lines()
            .find_map(|line| line.strip_prefix("sec-fetch-site: "));
        assert_eq!(site, Some(expected), "{kind:?} {line} from {referer:?}");
    }

    #[test]
    fn an_origin_is_named_where_something_may_change() {
        let a = Some("https://a.example");
        check_origin(RequestKind::Navigate, "GET https://a.example/", None);
        check_origin(RequestKind::Fetch, "GET https://a.example/", None);
        check_origin(RequestKind::Fetch, "DELETE https://a.example/", a);
        check_origin(RequestKind::Navigate, "POST https://a.example/", a);
        check_origin(
            RequestKind::Navigate,
            "POST https://a.example/ > https://b.example/",
            a,
        );
        let tainted = "POST https://a.example/ > https://b.example/ > https://c.example/";
        check_origin(RequestKind::Navigate, tainted, Some("null"));
        check_origin(
            RequestKind::Navigate,
            "POST https://a.example/ > http://a.example/",
            Some("null"),
        );
    }

    #[track_caller]
    fn check_origin(kind: RequestKind, line: &str, expected: Option<&str>) {
        let sent = wire("firefox/150/macos", kind, line, &[]);
        let origin = sent.lines().find_map(|line| line.strip_prefix("origin: "));
        assert_eq!(origin, expected, "{kind:?} {line}");
    }

    #[test]
    fn the_kind_of_a_request_shows_in_its_headers() {
        check_kind("GET", &[], RequestKind::Navigate);
        check_kind("POST", &[], RequestKind::Navigate);
        check_kind(
            "POST",
            &[("content-type", "multipart/form-data; boundary=x")],
            RequestKind::Navigate,
        );
        check_kind(
            "POST",
            &[("content-type", "application/json")],
            RequestKind::Fetch,
        );
        check_kind(
            "GET",
            &[("accept", "application/json, */*")],
            RequestKind::Fetch,
        );
        check_kind(
            "GET",
            &[("x-requested-with", "XMLHttpRequest")],
            RequestKind::Fetch,
        );
        check_kind("DELETE", &[], RequestKind::Fetch);
    }

    #[track_caller]
    fn check_kind(method: &str, headers: &[(&'static str, &'static str)], expected: RequestKind) {
        let of_request = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let kind = RequestKind::of(&method.parse().unwrap(), &of_request.collect());
        assert_eq!(kind, expected, "{method} {headers:?}");
    }
}
