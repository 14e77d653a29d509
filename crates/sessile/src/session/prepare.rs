//! The headers of an outgoing request, in their final order.
//!
//! The session's come first, the request's own in their place or after them, then the
//! authorization and the cookies. What the last plain request carried is kept for the next one.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use sessile_jar::{Jar, Revision, Timestamp};
use url::{Position, Url};

use super::auth::Scope;
use super::credential::is_credential;
use super::request::{Body, Request};
use super::{Authorization, Live, cookies};
use crate::error::Error;

/// The headers that a request is sent with.
///
/// # Errors
///
/// [`Error::BadRequest`] where the authorization or a cookie by hand can't be a header's value.
pub(super) fn headers(
    live: &mut Live,
    request: &Request,
    url: &Url,
    now: Timestamp,
) -> Result<HeaderMap, Error> {
    let mut headers = if is_plain(live, request) {
        plain(live, request, url, now)?
    } else {
        let mut headers = merge(live, request, url)?;
        let without = request.without.contains(&header::COOKIE);
        if let Some(line) = cookies::line_with(&live.state.jar, url, &request.cookies, now)?
            && !without
        {
            headers.insert(header::COOKIE, line);
        }
        headers
    };
    needs_length(&mut headers, request);
    Ok(headers)
}

/// Section 8.6 of RFC 9110: methods that mean something by a body say that it is empty, and a
/// body that arrives in pieces says how long it is where that is known.
fn needs_length(headers: &mut HeaderMap, request: &Request) {
    if let Body::Parts(_) | Body::Stream { .. } = &request.body
        && let Some(length) = request.body.length()
    {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    let expects = matches!(request.method, Method::POST | Method::PUT | Method::PATCH);
    if expects && matches!(request.body, Body::Empty) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}

/// Whether a request carries nothing but what its session says, the same each time.
fn is_plain(live: &Live, request: &Request) -> bool {
    request.headers.is_empty()
        && request.without.is_empty()
        && request.cookies.is_empty()
        && !matches!(live.state.authorization, Some(Authorization::Digest { .. }))
}

fn plain(
    live: &mut Live,
    request: &Request,
    url: &Url,
    now: Timestamp,
) -> Result<HeaderMap, Error> {
    let mut prepared = match live.prepared.take() {
        Some(prepared) if prepared.is_for_origin(url) => prepared,
        Some(_) | None => Box::new(Prepared::new(merge(live, request, url)?)),
    };
    let revision = live.state.jar.line_revision();
    if !prepared.is_for(url, revision, now) {
        prepared.move_to(url, &live.state.jar, now);
    }
    let headers = prepared.headers.clone();
    live.prepared = Some(prepared);
    Ok(headers)
}

/// The headers of the last plain request.
pub(super) struct Prepared {
    headers: HeaderMap,
    /// Its URL up to the query.
    page: Box<str>,
    revision: Revision,
    /// When the first of its cookies ends.
    valid_until: Timestamp,
}

impl Prepared {
    fn new(headers: HeaderMap) -> Self {
        Self {
            headers,
            page: Box::default(),
            revision: Revision::default(),
            valid_until: Timestamp::EARLIEST,
        }
    }

    fn is_for_origin(&self, url: &Url) -> bool {
        let rest = self.page.strip_prefix(&url[..Position::BeforePath]);
        rest.is_some_and(|path| path.starts_with('/'))
    }

    fn is_for(&self, url: &Url, revision: Revision, now: Timestamp) -> bool {
        self.revision == revision && now < self.valid_until && *self.page == *page(url)
    }

    fn move_to(&mut self, url: &Url, jar: &Jar, now: Timestamp) {
        let (line, valid_until) = cookies::line(jar, url, now);
        match line {
            Some(line) => self.headers.insert(header::COOKIE, line),
            // It is the last one, so that the others keep their order.
            None => self.headers.remove(header::COOKIE),
        };
        if *self.page != *page(url) {
            self.page = page(url).into();
        }
        self.revision = jar.line_revision();
        self.valid_until = valid_until;
    }
}

fn page(url: &Url) -> &str {
    &url[..Position::AfterPath]
}

/// Everything but the cookies. Nothing is removed from a map: that would change its order.
fn merge(live: &mut Live, request: &Request, url: &Url) -> Result<HeaderMap, Error> {
    let of_profile = live.state.profile.headers();
    let of_session = &own_headers(live, url);
    let mut merged = HeaderMap::with_capacity(12);
    merged.insert(header::HOST, host(url)?);
    for name in of_profile.keys().chain(of_session.keys()) {
        if request.without.contains(name) || merged.contains_key(name) || is_framing(name) {
            continue;
        }
        let sources = [&request.headers, of_session, &of_profile];
        if let Some(source) = sources.into_iter().find(|map| map.contains_key(name)) {
            append_all(&mut merged, source, name);
        }
    }
    if !request.headers.is_empty() {
        add_own(&mut merged, &request.headers);
    }
    if let Some(name) = authorization_name(live)?
        && !request.without.contains(&name)
        && !merged.contains_key(&name)
        && let Some(value) = authorization(live, &request.method, url)?
    {
        merged.insert(name, value);
    }
    Ok(merged)
}

/// The session's headers, without the credentials among them where they don't belong.
fn own_headers(live: &mut Live, url: &Url) -> HeaderMap {
    let own = &live.state.headers;
    if own.iter().any(|(name, _)| is_credential(&name)) && !is_in_scope(live, url) {
        let others = live.state.headers.iter();
        return others.filter(|(name, _)| !is_credential(name)).collect();
    }
    live.state.headers.to_map()
}

/// A request's own headers that take no other's place, but for `Host`, which has one.
fn add_own(merged: &mut HeaderMap, own: &HeaderMap) {
    if let Some(host) = own.get(header::HOST) {
        merged.insert(header::HOST, host.clone());
    }
    for name in own.keys() {
        if !merged.contains_key(name) && !is_framing(name) {
            append_all(merged, own, name);
        }
    }
}

fn append_all(merged: &mut HeaderMap, source: &HeaderMap, name: &HeaderName) {
    for value in source.get_all(name) {
        merged.append(name, value.clone());
    }
}

/// How long the body is and how it is cut is said by who sends it; a copied header would be wrong.
fn is_framing(name: &HeaderName) -> bool {
    *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING
}

fn host(url: &Url) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort])
        .map_err(|_invalid| Error::bad_request("the URL's host can't be sent"))
}

/// The header that the session's authorization goes into, where it has one.
fn authorization_name(live: &Live) -> Result<Option<HeaderName>, Error> {
    let authorization = live.state.authorization.as_ref();
    authorization.map(Authorization::header_name).transpose()
}

/// The session's authorization, where this request may carry it.
fn authorization(
    live: &mut Live,
    method: &Method,
    url: &Url,
) -> Result<Option<HeaderValue>, Error> {
    if live.state.authorization.is_none() || !is_in_scope(live, url) {
        return Ok(None);
    }
    let Some(authorization) = &live.state.authorization else {
        return Ok(None);
    };
    match (&mut live.digest, authorization) {
        (Some(prompt), Authorization::Digest { .. }) => prompt.answer(authorization, method, url),
        (Some(_) | None, _) => authorization.header(),
    }
}

/// Whether the session's credentials belong to the URL's site: that of the base URL or, without
/// one, the first that is asked.
fn is_in_scope(live: &mut Live, url: &Url) -> bool {
    let scope = live.state.scope.get_or_insert_with(|| Scope::of(url));
    scope.covers(url)
}
