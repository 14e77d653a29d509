//! A cookie as others see it, and one made by hand.
//!
//! The stored form is in `record`; the rules a cookie made by hand must keep are in `storage`.

use std::borrow::Cow;
use std::fmt;

use crate::Timestamp;
use crate::context::Partition;
use crate::record::Record;

/// A cookie in a jar.
///
/// ```
/// use sessile_jar::{Context, Jar, Target, Timestamp};
///
/// let (mut jar, now) = (Jar::new(), Timestamp::from_seconds(0));
/// let target = Target::parse("https://shop.example/")?;
/// jar.store(b"id=a3f; Secure", &target, &Context::default(), now)?;
/// let cookie = jar.iter().next().ok_or("no cookie")?;
/// assert_eq!(cookie.name(), b"id");
/// assert!(cookie.is_secure() && cookie.is_session() && cookie.is_host_only());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Cookie<'a> {
    domain: &'a str,
    pub(crate) record: &'a Record,
}

impl<'a> Cookie<'a> {
    pub(crate) fn new(domain: &'a str, record: &'a Record) -> Self {
        Self { domain, record }
    }

    /// The name, possibly empty.
    pub fn name(&self) -> &'a [u8] {
        self.record.name()
    }

    /// The value, possibly empty.
    pub fn value(&self) -> &'a [u8] {
        self.record.value()
    }

    /// The name as text; bytes that are no UTF-8 are replaced.
    pub fn name_lossy(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.name())
    }

    /// The value as text; bytes that are no UTF-8 are replaced.
    pub fn value_lossy(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.value())
    }

    /// The host it goes back to, or the domain it goes to with all names below.
    pub fn domain(&self) -> &'a str {
        self.domain
    }

    /// The path it is sent for, and below.
    pub fn path(&self) -> &'a [u8] {
        self.record.path()
    }

    /// When it was created; a later value of the same cookie keeps this.
    pub fn created(&self) -> Timestamp {
        self.record.created
    }

    /// When it ends; `None` for a session cookie.
    pub fn expires(&self) -> Option<Timestamp> {
        (!self.record.is_session()).then_some(self.record.expires)
    }

    /// When it was last set or sent.
    pub fn last_access(&self) -> Timestamp {
        self.record.accessed()
    }

    /// When its value or an attribute changed last, as far as the writers' clocks tell.
    pub fn changed(&self) -> Timestamp {
        self.record.stamp.time()
    }

    /// Its `SameSite`.
    pub fn same_site(&self) -> SameSite {
        self.record.flags.same_site()
    }

    /// The partition it was set in, if it was set with `Partitioned`.
    pub fn partition(&self) -> Option<Partition> {
        self.record.partition().to_partition()
    }

    /// Whether it goes to its host alone, not to names below.
    pub fn is_host_only(&self) -> bool {
        self.record.flags.is_host_only()
    }

    /// Whether it is for HTTP alone, hidden from scripts.
    pub fn is_http_only(&self) -> bool {
        self.record.flags.is_http_only()
    }

    /// Whether it goes over secure connections only.
    pub fn is_secure(&self) -> bool {
        self.record.flags.is_secure()
    }

    /// Whether it ends with the session, having no expiry.
    pub fn is_session(&self) -> bool {
        self.record.is_session()
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.record.is_expired(now)
    }

    /// The cookie as one made by hand, to change or to put into another jar.
    pub fn to_new(&self) -> NewCookie {
        let mut cookie = NewCookie::new(self.name(), self.value());
        cookie.scope = if self.is_host_only() {
            Scope::HostOnly(self.domain.to_owned())
        } else {
            Scope::Domain(self.domain.to_owned())
        };
        cookie.path = self.path().to_vec();
        cookie.created = Some(self.created());
        cookie.expires = self.expires();
        cookie.same_site = self.same_site();
        cookie.partition = self.partition();
        cookie.secure = self.is_secure();
        cookie.http_only = self.is_http_only();
        cookie
    }
}

/// Shows no value: cookies are secrets.
impl fmt::Debug for Cookie<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("name", &self.name_lossy())
            .field("domain", &self.domain)
            .field("path", &String::from_utf8_lossy(self.path()))
            .finish_non_exhaustive()
    }
}

/// What a cookie says about requests from other sites (section 5.6.7).
///
/// ```
/// use sessile_jar::{SameSite, SetCookie};
///
/// assert_eq!(SetCookie::parse(b"id=1; samesite=STRICT")?.same_site, SameSite::Strict);
/// assert_eq!(SetCookie::parse(b"id=1; SameSite=Sometimes")?.same_site, SameSite::Default);
/// # Ok::<(), sessile_jar::Refusal>(())
/// ```
#[expect(clippy::exhaustive_enums, reason = "the specification has these four")]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum SameSite {
    /// Nothing was said: treated as [`SameSite::Lax`].
    #[default]
    Default,
    /// From another site only with a navigation by a safe method.
    Lax,
    /// From everywhere; needs `Secure`.
    None,
    /// Never from another site.
    Strict,
}

/// Which hosts a cookie goes back to.
///
/// ```
/// use sessile_jar::{NewCookie, Scope};
///
/// let cookie = NewCookie::new("id", "1").for_domain("shop.example");
/// assert_eq!(cookie.scope, Scope::Domain("shop.example".to_owned()));
/// ```
#[expect(clippy::exhaustive_enums, reason = "the specification has these two")]
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Scope {
    /// A domain and every name below it, from a `Domain` attribute.
    Domain(String),
    /// The one host that set the cookie.
    HostOnly(String),
}

impl Scope {
    /// The host or the domain.
    pub fn domain(&self) -> &str {
        match self {
            Self::Domain(domain) | Self::HostOnly(domain) => domain,
        }
    }
}

/// A cookie made by hand, for [`Jar::insert`](crate::Jar::insert).
///
/// ```
/// use sessile_jar::{Jar, NewCookie, SameSite, Scope, Timestamp};
///
/// let mut cookie = NewCookie::new("id", "a3f");
/// cookie.scope = Scope::HostOnly("shop.example".to_owned());
/// cookie.secure = true;
/// cookie.same_site = SameSite::Strict;
/// Jar::new().insert(&cookie, Timestamp::from_seconds(0))?;
/// # Ok::<(), sessile_jar::Refusal>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Eq, PartialEq)]
pub struct NewCookie {
    /// The name, possibly empty.
    pub name: Vec<u8>,
    /// The value, possibly empty.
    pub value: Vec<u8>,
    /// The hosts it is for. Defaults to no host at all, which [`Jar::insert`] refuses.
    ///
    /// [`Jar::insert`]: crate::Jar::insert
    pub scope: Scope,
    /// The path it is for. Defaults to `/`.
    pub path: Vec<u8>,
    /// When it was created. Defaults to `None`: when it is put in, or when the cookie in its
    /// place was.
    pub created: Option<Timestamp>,
    /// When it ends. Defaults to `None`: with the session.
    pub expires: Option<Timestamp>,
    /// Its `SameSite`. Defaults to [`SameSite::Default`].
    pub same_site: SameSite,
    /// Its partition. Defaults to none.
    pub partition: Option<Partition>,
    /// Whether it goes over secure connections only. Defaults to no.
    pub secure: bool,
    /// Whether it is hidden from scripts. Defaults to no.
    pub http_only: bool,
}

impl NewCookie {
    /// A cookie of that name and value, with everything else at its default.
    pub fn new(name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            scope: Scope::HostOnly(String::new()),
            path: b"/".to_vec(),
            created: None,
            expires: None,
            same_site: SameSite::Default,
            partition: None,
            secure: false,
            http_only: false,
        }
    }

    /// The same cookie for that host alone.
    #[must_use]
    pub fn for_host(mut self, host: impl Into<String>) -> Self {
        self.scope = Scope::HostOnly(host.into());
        self
    }

    /// The same cookie for that domain and every name below it.
    #[must_use]
    pub fn for_domain(mut self, domain: impl Into<String>) -> Self {
        self.scope = Scope::Domain(domain.into());
        self
    }
}

/// Shows no value: cookies are secrets.
impl fmt::Debug for NewCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCookie")
            .field("name", &String::from_utf8_lossy(&self.name))
            .field("scope", &self.scope)
            .field("path", &String::from_utf8_lossy(&self.path))
            .finish_non_exhaustive()
    }
}
