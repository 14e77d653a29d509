//! One request of a chain of redirects, and what it takes along to the next page.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, COOKIE, HOST, REFERER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use sessile_jar::Revision;
use url::Url;

use super::credential::is_credential;
use super::fallback::Tier;
use super::redirect::Next;
use super::reply::Hop as Passed;
use super::request::{Body, Request};
use super::{Inner, address};
use crate::error::Error;

/// One request of a chain of redirects.
pub(super) struct Hop {
    pub(super) request: Request,
    pub(super) url: Arc<Url>,
    pub(super) tier: Tier,
    pub(super) timeout: Option<Duration>,
    pub(super) cookies_set: Vec<String>,
    pub(super) passed: Vec<Passed>,
    /// The pages that redirected, with the cookies they were asked with.
    been: Vec<(Method, Arc<Url>, Revision)>,
    /// The cookies that this page is asked with.
    pub(super) cookies: Revision,
}

impl Hop {
    pub(super) fn first(session: &Inner, mut request: Request) -> Result<Self, Error> {
        let mut url = address::of(&mut session.live(), &request.url)?;
        if request.asks_robots && !session.habits.query.is_empty() {
            let live = session.live();
            let base = live.state.base_url.as_ref();
            if base.is_none_or(|base| base.origin() == url.origin()) {
                add_defaults(&mut request, &url, &session.habits.query);
            }
        }
        if !request.query.is_empty() {
            let pairs = request.query.drain(..);
            Arc::make_mut(&mut url)
                .query_pairs_mut()
                .extend_pairs(pairs);
        }
        take_cookie_header(&mut request);
        Ok(Self {
            timeout: request.timeout,
            request,
            url,
            tier: Tier::Direct,
            cookies_set: Vec::new(),
            passed: Vec::new(),
            been: Vec::new(),
            cookies: Revision::default(),
        })
    }

    /// The same request by another way, before it was sent; `None` where its body is a stream.
    pub(super) fn by(&self, tier: Tier) -> Option<Self> {
        Some(Self {
            request: self.request.try_clone()?,
            url: Arc::clone(&self.url),
            tier,
            timeout: self.timeout,
            cookies_set: Vec::new(),
            passed: Vec::new(),
            been: Vec::new(),
            cookies: Revision::default(),
        })
    }

    /// Whether the chain has been at a page with these cookies. One that sends back to itself after
    /// it has set a cookie is no loop.
    pub(super) fn was_at(&self, method: &Method, url: &Url, cookies: Revision) -> bool {
        let is_here = self.request.method == *method && *self.url == *url;
        let been = self.been.iter();
        let mut been = been.map(|(method, url, cookies)| (method, &**url, *cookies));
        (is_here && self.cookies == cookies) || been.any(|page| page == (method, url, cookies))
    }

    /// Goes on to the page that this one leads to.
    pub(super) fn advance(&mut self, status: StatusCode, next: Next) {
        let from = std::mem::replace(&mut self.url, Arc::new(next.url));
        let method = std::mem::replace(&mut self.request.method, next.method);
        self.passed.push(Passed {
            url: Url::clone(&from),
            status,
        });
        self.been.push((method, from, self.cookies));
        let headers = &mut self.request.headers;
        if !next.keeps_body {
            self.request.body = Body::Empty;
            leave_out(headers, &[CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE]);
        }
        if next.leaves_origin {
            // Section 15.4 step 1 of RFC 9110: credentials stay with the origin they are for.
            leave_out_if(headers, |name| *name == HOST || is_credential(name));
            self.request.cookies.clear();
            shorten_referer(&mut self.request.headers);
        }
    }
}

/// Another site learns which site leads to it, not which page, as browsers have it by default.
fn shorten_referer(headers: &mut HeaderMap) {
    let Some(referer) = headers.get(REFERER) else {
        return;
    };
    let page = referer.to_str().ok().and_then(|text| Url::parse(text).ok());
    let site = page.map(|page| format!("{}/", page.origin().ascii_serialization()));
    match site.and_then(|site| HeaderValue::from_str(&site).ok()) {
        Some(site) => _ = headers.insert(REFERER, site),
        None => leave_out(headers, &[REFERER]),
    }
}

fn leave_out(headers: &mut HeaderMap, names: &[HeaderName]) {
    leave_out_if(headers, |name| names.contains(name));
}

/// Drops headers; the others keep their order.
fn leave_out_if(headers: &mut HeaderMap, is_out: impl Fn(&HeaderName) -> bool) {
    if headers.keys().any(&is_out) {
        let all = std::mem::take(headers);
        let kept = all.iter().filter(|(name, _)| !is_out(name));
        *headers = kept
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
    }
}

/// The session's query pairs that the request has nothing of its own for, before its own.
fn add_defaults(request: &mut Request, url: &Url, defaults: &[(String, String)]) {
    let is_absent = |name: &str| {
        !request.query.iter().any(|(own, _)| own == name)
            && !url.query_pairs().any(|(own, _)| own == name)
    };
    let absent: Vec<_> = defaults
        .iter()
        .filter(|(name, _)| is_absent(name))
        .cloned()
        .collect();
    request.query.splice(..0, absent);
}

/// A `Cookie` header by hand means cookies for this request: one header goes out, never two.
fn take_cookie_header(request: &mut Request) {
    for value in request.headers.get_all(COOKIE) {
        let text = String::from_utf8_lossy(value.as_bytes());
        for pair in text
            .split(';')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            request.cookies.push((name.to_owned(), value.to_owned()));
        }
    }
    leave_out(&mut request.headers, &[COOKIE]);
}
