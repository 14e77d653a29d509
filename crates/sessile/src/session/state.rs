//! What a session is, as a value: it goes out, is kept somewhere, and comes back.
//!
//! Who keeps it is not known here.

use std::fmt;

use http::header;
use sessile_jar::{Jar, Timestamp};
use url::Url;

use super::auth::{Authorization, Scope};
use super::cookies;
use super::headers::Headers;
use super::request::header_pair;
use super::verdict::Signs;
use crate::browser::OriginStorage;
use crate::error::Error;
use crate::profile::Profile;
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::transport::Proxy;

/// The identity of a session and everything that it has gathered.
#[derive(Clone, Default)]
pub struct SessionState {
    pub(crate) base_url: Option<Url>,
    pub(crate) profile: Profile,
    pub(crate) headers: Headers,
    pub(crate) authorization: Option<Authorization>,
    pub(crate) scope: Option<Scope>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) jar: Jar,
    pub(crate) storage: Vec<OriginStorage>,
    pub(crate) signs: Signs,
    pub(crate) generation: u64,
    pub(crate) counts: Counts,
}

impl fmt::Debug for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionState")
            .field("base_url", &self.base_url.as_ref().map(ShownUrl))
            .field("profile", &self.profile)
            .field("headers", &self.headers)
            .field("authorization", &self.authorization)
            .field("cookies", &self.jar.len())
            .field("generation", &self.generation)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// What a session has done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// Replies that came, redirects included.
    pub replies: u64,
    /// Requests that were sent, redirects included.
    pub requests: u64,
}

impl Counts {
    /// What was done after `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            replies: self.replies.saturating_sub(earlier.replies),
            requests: self.requests.saturating_sub(earlier.requests),
        }
    }

    pub(crate) fn plus(self, more: Self) -> Self {
        Self {
            replies: self.replies.saturating_add(more.replies),
            requests: self.requests.saturating_add(more.requests),
        }
    }
}

impl SessionState {
    /// A session that has done nothing yet.
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            ..Self::default()
        }
    }

    /// What relative URLs are relative to, and the site that the authorization belongs to.
    pub fn base_url(&self) -> Option<&Url> {
        self.base_url.as_ref()
    }

    /// The set of headers that it started with.
    pub fn profile(&self) -> Profile {
        self.profile.clone()
    }

    /// The headers that were set for every request, beside the profile's.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The kind of authorization, where there is one.
    pub fn authorization(&self) -> Option<&Authorization> {
        self.authorization.as_ref()
    }

    /// What its connections go through; part of who it is to the site.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// The cookies.
    pub fn jar(&self) -> &Jar {
        &self.jar
    }

    /// The cookies, to change them.
    pub fn jar_mut(&mut self) -> &mut Jar {
        &mut self.jar
    }

    /// What pages keep with a browser beside cookies, by origin.
    pub fn storage(&self) -> &[OriginStorage] {
        &self.storage
    }

    /// What says that the login is gone.
    pub fn signs(&self) -> &Signs {
        &self.signs
    }

    /// Counts the logins; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What it has done.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Forgets cookies, what a browser keeps, headers, authorization and login; base URL, profile, proxy and counts
    /// stay.
    ///
    /// It counts as a new login, so that nobody who still holds the old one brings it back.
    pub fn clear(&mut self, now: Timestamp) {
        self.jar.clear(now);
        self.headers.clear();
        self.storage.clear();
        self.authorization = None;
        self.signs.login_pages.clear();
        self.generation += 1;
    }

    /// Sets what relative URLs are relative to; the authorization is sent only there.
    pub fn set_base_url(&mut self, url: Url) {
        self.scope = Some(Scope::of(&url));
        self.base_url = Some(url);
    }

    /// Whether a request to this URL carries the authorization.
    pub(crate) fn is_in_scope(&self, url: &Url) -> bool {
        self.scope.as_ref().is_some_and(|scope| scope.covers(url))
    }

    /// Sets what connections go through from the next request on.
    pub fn set_proxy(&mut self, proxy: Option<Proxy>) {
        self.proxy = proxy;
    }

    /// Sets what proves who is asking, in place of what did before.
    pub fn set_authorization(&mut self, authorization: Authorization) {
        self.authorization = Some(authorization);
    }

    /// Sets a header for every request. A `Cookie` goes into the jar, an `Authorization` takes the
    /// place of the session's. One whose name says that it is a credential, as `X-Api-Key` or
    /// `X-CSRF-Token` do, goes where the authorization goes and nowhere else.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] where name or value can't be a header's, and for a `Cookie` while
    /// there is no base URL that it could belong to.
    pub fn set_header(&mut self, name: &str, value: &str, now: Timestamp) -> Result<(), Error> {
        let (name, value) = header_pair(name, value)?;
        if name == header::COOKIE {
            let base = self.base_url.as_ref().ok_or_else(|| {
                Error::bad_request("a Cookie header needs a base URL that its cookies belong to")
            })?;
            return cookies::insert_line(&mut self.jar, value.as_bytes(), base, now);
        }
        if name == header::AUTHORIZATION {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            self.authorization = Some(Authorization::Header(Secret::from(text)));
            return Ok(());
        }
        self.headers.set(&name, &value);
        Ok(())
    }
}
