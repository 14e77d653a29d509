//! A request before a session sends it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use std::fmt;
use std::time::Duration;
use url::{Url, form_urlencoded};

use super::fallback::Tier;
use super::multipart::{Multipart, MultipartBody, random_boundary};
use crate::error::Error;
use crate::profile::RequestKind;
use crate::redact::ShownHeaders;
use crate::transport::{ByteStream, OutgoingBody};

/// What to fetch, and how it differs from the session's habits.
///
/// Mistakes (a header with a line break, JSON that can't be written) are kept and reported when
/// the request is sent, so that a chain of calls needs no `?` in between.
///
/// ```
/// use sessile::Request;
///
/// let request = Request::post("/orders")
///     .query("dry", "1")
///     .header("x-trace", "7")
///     .json(&["one", "two"]);
/// ```
pub struct Request {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) without: Vec<HeaderName>,
    pub(super) cookies: Vec<(String, String)>,
    pub(super) body: Body,
    pub(super) redirects: Option<Redirects>,
    pub(super) redirect_rule: Option<RedirectRule>,
    pub(super) timeout: Option<Duration>,
    pub(super) kind: Option<RequestKind>,
    /// The ways to try, in order; none means directly.
    pub(super) tiers: Vec<Tier>,
    /// Whether `robots.txt` is asked first, where the session does so.
    pub(super) asks_robots: bool,
    /// Whether the body is meant for the first origin alone.
    pub(super) body_stays: bool,
    /// Whether the caller said that it may be sent again.
    pub(super) may_repeat: bool,
    pub(super) mistake: Option<Error>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page = self.url.split(['?', '#']).next().unwrap_or_default();
        let page = page.rsplit_once('@').map_or(page, |(_user, place)| place);
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &page)
            .field("headers", &ShownHeaders(&self.headers))
            .finish_non_exhaustive()
    }
}

/// What to do when a reply redirects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Redirects {
    /// Follow at most so many.
    Follow(usize),
    /// Answer the redirect itself.
    Stay,
}

/// Why a page may not redirect to another one, from its address and the other's; `None` where it may.
pub type RedirectRule = fn(from: &Url, to: &Url) -> Option<&'static str>;

/// A request's body.
#[derive(Default)]
pub(crate) enum Body {
    Bytes(Bytes),
    #[default]
    Empty,
    Parts(MultipartBody),
    /// Can be sent once; `None` after that.
    Stream(Option<StreamOnce>),
}

/// A stream that is taken once.
pub(crate) struct StreamOnce(ByteStream);

impl StreamOnce {
    pub(super) fn new(stream: ByteStream) -> Self {
        Self(stream)
    }

    pub(super) fn into_inner(self) -> ByteStream {
        self.0
    }
}

impl Request {
    /// A request with any method. The URL may be relative to the session's base URL.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            without: Vec::new(),
            cookies: Vec::new(),
            body: Body::Empty,
            redirects: None,
            redirect_rule: None,
            timeout: None,
            kind: None,
            tiers: Vec::new(),
            asks_robots: true,
            body_stays: false,
            may_repeat: false,
            mistake: None,
        }
    }

    /// `GET` of a URL.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    /// `POST` to a URL.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::POST, url)
    }

    /// `DELETE` of a URL.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new(Method::DELETE, url)
    }

    /// `HEAD` of a URL.
    pub fn head(url: impl Into<String>) -> Self {
        Self::new(Method::HEAD, url)
    }

    /// `OPTIONS` of a URL.
    pub fn options(url: impl Into<String>) -> Self {
        Self::new(Method::OPTIONS, url)
    }

    /// `PATCH` of a URL.
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new(Method::PATCH, url)
    }

    /// `PUT` of a URL.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new(Method::PUT, url)
    }

    /// Adds a pair to the query; the URL's own query stays.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sends this header in place of the session's. It follows redirects, but to another origin
    /// only where its name doesn't say that it is a credential, as `Authorization`, `X-Api-Key` or
    /// `X-CSRF-Token` do.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match header_pair(name, value) {
            Ok((name, value)) => {
                self.headers.append(name, value);
            }
            Err(mistake) => self.mistake = Some(mistake),
        }
        self
    }

    /// Leaves one of the session's headers out.
    pub fn without_header(mut self, name: &str) -> Self {
        match header_name(name) {
            Ok(name) => self.without.push(name),
            Err(mistake) => self.mistake = Some(mistake),
        }
        self
    }

    /// Sends this cookie, in place of the jar's of the same name, with this request alone.
    pub fn cookie(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.cookies.push((name.into(), value.into()));
        self
    }

    /// A body of bytes. Set its `Content-Type` with [`Request::header`].
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Body::Bytes(body.into());
        self
    }

    /// A JSON body.
    pub fn json(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(text) => {
                self.content_type("application/json");
                self.body(text)
            }
            Err(error) => {
                self.mistake = Some(Error::bad_request(format!("the JSON body: {error}")));
                self
            }
        }
    }

    /// A form body (`application/x-www-form-urlencoded`).
    pub fn form<N: AsRef<str>, V: AsRef<str>>(
        mut self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let text = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.content_type("application/x-www-form-urlencoded");
        self.body(text)
    }

    /// A form of texts and files (`multipart/form-data`).
    pub fn multipart(mut self, form: Multipart) -> Self {
        let body = random_boundary().and_then(|boundary| form.into_body(boundary));
        match body {
            Ok(body) => {
                // Without this very boundary the body can't be read, whatever type was set.
                let kind = HeaderValue::from_str(&body.content_type());
                self.headers.insert(
                    header::CONTENT_TYPE,
                    kind.expect("a boundary is hexadecimal"),
                );
                self.body = Body::Parts(body);
            }
            Err(mistake) => self.mistake = Some(mistake),
        }
        self
    }

    /// A body that is read as it is sent. It can be sent once: a redirect that asks for it again
    /// and a renewed login fail with a clear error.
    pub fn stream(mut self, stream: ByteStream) -> Self {
        self.body = Body::Stream(Some(StreamOnce(stream)));
        self
    }

    /// Whether to follow redirects. Defaults to the session's habit.
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = Some(redirects);
        self
    }

    /// Asks a rule before each redirect is followed, so that nothing is sent to where it may not
    /// lead. Defaults to no rule beside the session's own.
    pub fn redirect_rule(mut self, rule: RedirectRule) -> Self {
        self.redirect_rule = Some(rule);
        self
    }

    /// How long the whole exchange may take, redirects included. Defaults to the session's limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What a browser would be doing, for profiles that are a browser's: it decides on
    /// `Sec-Fetch-*`, `Origin` and `Accept`. Defaults to [`RequestKind::of`] method and headers.
    pub fn kind(mut self, kind: RequestKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// The ways to send it: the next one is tried where a reply is challenged or blocked, unless
    /// the request could do something twice, see
    /// [`Session::fetch_with_fallback`](crate::Session::fetch_with_fallback). Defaults to
    /// [`Tier::Direct`] alone.
    pub fn tiers(mut self, tiers: &[Tier]) -> Self {
        self.tiers = tiers.to_vec();
        self
    }

    /// Doing it twice does no more than doing it once, whatever the method: it is sent again where a
    /// `GET` would be. Defaults to what the method says (RFC 9110, section 9.2.2), so that no `POST`
    /// is ever sent twice.
    pub fn repeatable(mut self) -> Self {
        self.may_repeat = true;
        self
    }

    pub(super) fn is_repeatable(&self) -> bool {
        self.may_repeat || self.method.is_idempotent()
    }

    /// For what is no page of the site, as its `robots.txt` itself: asked for whatever the file
    /// says, and without the session's own query pairs.
    pub(crate) fn without_robots(mut self) -> Self {
        self.asks_robots = false;
        self
    }

    /// Never sends the body to another origin, whatever a redirect asks for: it holds a password.
    pub(crate) fn keep_body_home(mut self) -> Self {
        self.body_stays = true;
        self
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL as it was given.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same request again; `None` where the body is a stream or has one in it.
    pub fn try_clone(&self) -> Option<Self> {
        let body = match &self.body {
            Body::Bytes(bytes) => Body::Bytes(bytes.clone()),
            Body::Empty => Body::Empty,
            Body::Parts(parts) => Body::Parts(parts.try_clone()?),
            Body::Stream(_) => return None,
        };
        Some(Self {
            method: self.method.clone(),
            url: self.url.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            without: self.without.clone(),
            cookies: self.cookies.clone(),
            body,
            redirects: self.redirects,
            redirect_rule: self.redirect_rule,
            timeout: self.timeout,
            kind: self.kind,
            tiers: self.tiers.clone(),
            asks_robots: self.asks_robots,
            body_stays: self.body_stays,
            may_repeat: self.may_repeat,
            mistake: self.mistake.clone(),
        })
    }

    /// A type that the caller set by hand wins.
    fn content_type(&mut self, value: &'static str) {
        if !self.headers.contains_key(header::CONTENT_TYPE) {
            self.headers
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
        }
    }
}

impl Body {
    pub(super) fn is_replayable(&self) -> bool {
        match self {
            Self::Bytes(_) | Self::Empty => true,
            Self::Parts(parts) => parts.is_replayable(),
            Self::Stream(_) => false,
        }
    }

    /// How long it is, where it is there and its length is known.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Parts(parts) => parts.length(),
            Self::Empty | Self::Stream(_) => None,
        }
    }

    /// The body for one sending; `None` where it was a stream and is gone.
    pub(super) fn outgoing(&mut self) -> Option<OutgoingBody> {
        Some(match self {
            Self::Bytes(bytes) => OutgoingBody::Bytes(bytes.clone()),
            Self::Empty => OutgoingBody::Empty,
            Self::Parts(parts) => parts.outgoing()?,
            Self::Stream(stream) => OutgoingBody::Stream(stream.take()?.0),
        })
    }
}

/// A header by its name and value.
///
/// # Errors
///
/// [`Error::BadRequest`] names the header; its value isn't shown, since it may be a secret.
pub(crate) fn header_pair(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let parsed = header_name(name)?;
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_invalid| {
        Error::bad_request(format!(
            "the value of the header `{name}` has a line break or another control character"
        ))
    })?;
    Ok((parsed, value))
}

fn header_name(name: &str) -> Result<HeaderName, Error> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_invalid| {
        Error::bad_request(format!(
            "`{}` can't be a header's name",
            name.escape_debug()
        ))
    })
}
