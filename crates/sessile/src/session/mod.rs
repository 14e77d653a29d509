//! One identity towards one site: cookies, headers, authorization, connections.
//!
//! `run` is the life of a request. The rules beside it (`redirect`, `retry`, `verdict`) are pure.
//! A session knows nothing of stores, pools or logins: its state goes out as [`SessionState`].

mod address;
mod auth;
mod builder;
mod challenge;
mod cookies;
mod credential;
mod deadline;
pub(crate) mod decode;
mod fallback;
mod headers;
mod hop;
mod inspect;
mod manners;
mod multipart;
mod permission;
mod prepare;
mod redirect;
mod reply;
mod request;
mod retry;
mod run;
mod state;
pub(crate) mod verdict;
mod window;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use sessile_jar::{Context, Cookie, Timestamp};
use url::Url;

use crate::clock::Clock;
use crate::error::Error;
use crate::secret::Secret;
use crate::transport::{Chromium, ConnectOptions, Patience, Transport};

pub use crate::browser::OriginStorage;
pub use auth::Authorization;
pub(crate) use auth::Scope;
pub use builder::SessionBuilder;
pub use challenge::Challenge;
pub(crate) use cookies::target;
use fallback::Ladder;
pub use fallback::{Captured, PassedOver, Tier};
pub use headers::Headers;
pub use inspect::{InspectedCookie, InspectedHeader, InspectedValue, Inspection};
#[cfg(test)]
pub(crate) use manners::TERM;
pub(crate) use manners::{Entry, Fault, Register, Standing, key};
pub use manners::{Limits, Manners};
pub use multipart::{Multipart, Part};
pub use reply::{Content, Hop, Reply};
pub use request::{RedirectRule, Redirects, Request};
pub use retry::RetryPolicy;
pub use state::{Counts, SessionState};
pub use verdict::{Sign, Signs, Verdict};

/// A session: cheap to clone, safe to use from many tasks and threads.
///
/// ```no_run
/// # async fn example() -> Result<(), sessile::Error> {
/// use sessile::{Request, Session};
///
/// let session = Session::builder().base_url("https://example.com/")?.build()?;
/// let reply = session.get("/news").await?;
/// println!("{} {}", reply.status(), reply.text().await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    habits: Habits,
    transport: Arc<dyn Transport>,
    ladder: Arc<Ladder>,
    clock: Arc<dyn Clock>,
    state: Mutex<Live>,
}

/// What stays the same for a session's life.
#[derive(Clone)]
struct Habits {
    patience: Patience,
    timeout: Option<Duration>,
    query: Vec<(String, String)>,
    redirects: Redirects,
    may_downgrade: bool,
    retry: RetryPolicy,
    manners: Option<Manners>,
    body_limit: u64,
}

/// The state with what is derived from it.
struct Live {
    state: SessionState,
    /// Counts those that the session has been.
    identity: u32,
    /// The address of the last request, for the next one.
    last: Option<Box<address::Last>>,
    /// The headers of the last request, while the state stays as it is.
    prepared: Option<Box<prepare::Prepared>>,
    digest: Option<Box<auth::DigestPrompt>>,
}

impl Session {
    /// A session with the defaults: see [`SessionBuilder`].
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// Sends a request and answers the reply's head; the body streams.
    ///
    /// # Errors
    ///
    /// [`Error`], which says whose fault it is. Any status is a reply, not an error.
    pub async fn send(&self, request: Request) -> Result<Reply, Error> {
        run::run(&self.0, request).await
    }

    /// Sends a `GET`.
    ///
    /// # Errors
    ///
    /// As [`Session::send`].
    pub async fn get(&self, url: &str) -> Result<Reply, Error> {
        self.send(Request::get(url)).await
    }

    /// Sends a request by the first of these ways, and by the next one where its reply is
    /// challenged or blocked. The jar is one for all ways. The way that worked comes first for its
    /// host for a while, see [`SessionBuilder::remember_tier`].
    ///
    /// [`Reply::tier`] says which way served, [`Reply::passed_over`] why the others didn't. Where
    /// none served, the reply is the refusal that says most.
    ///
    /// A body that streams is sent once, by the first way. So is what could be done twice, a `POST`
    /// for example, unless it is [repeatable](Request::repeatable): a refusal that comes from the
    /// site itself may come after the site did what was asked.
    ///
    /// # Errors
    ///
    /// As [`Session::send`], for the first way; where a later one fails, that is a reason in
    /// [`Reply::passed_over`].
    pub async fn fetch_with_fallback(
        &self,
        request: Request,
        tiers: &[Tier],
    ) -> Result<Reply, Error> {
        self.send(request.tiers(tiers)).await
    }

    /// What a request to this URL carries at this moment, for other programs.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] where it isn't an http or https URL.
    pub fn captured(&self, url: &str) -> Result<Captured, Error> {
        Captured::of(&self.0, &absolute_url(url)?)
    }

    /// The headers that this request would be sent with at this moment, `Host` and `Cookie` among
    /// them, in the order in which they are sent; for programs that send it themselves. Nothing is
    /// sent.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] where the request can't be sent.
    ///
    /// ```
    /// use sessile::{Request, Session};
    ///
    /// let session = Session::builder().base_url("https://example.com/")?.build()?;
    /// let headers = session.headers_of(Request::get("/news"))?;
    /// assert_eq!(headers.keys().next().unwrap(), "host");
    /// # Ok::<(), sessile::Error>(())
    /// ```
    pub fn headers_of(&self, request: Request) -> Result<HeaderMap, Error> {
        run::headers_of(&self.0, request)
    }

    /// The names and values of the cookies that a request to this URL carries.
    pub fn cookies_for(&self, url: &Url) -> Vec<(String, Secret<String>)> {
        self.select_cookies(url, |cookie| {
            let value = Secret::new(cookie.value_lossy().into_owned());
            (cookie.name_lossy().into_owned(), value)
        })
    }

    /// When the first of the cookies ends that a request to this URL carries.
    pub fn cookies_end(&self, url: &Url) -> Option<Timestamp> {
        let ends = self.select_cookies(url, |cookie| cookie.expires());
        ends.into_iter().flatten().min()
    }

    fn select_cookies<T>(&self, url: &Url, read: impl Fn(Cookie<'_>) -> T) -> Vec<T> {
        let Some(target) = target(url) else {
            return Vec::new();
        };
        let (context, now) = (Context::default(), self.now());
        self.read(|state| {
            let cookies = state.jar().select(&target, &context, now);
            cookies.map(read).collect()
        })
    }

    /// The session as a value, at this moment.
    pub fn state(&self) -> SessionState {
        self.0.live().state.clone()
    }

    /// Reads the state without copying it.
    pub fn read<T>(&self, look: impl FnOnce(&SessionState) -> T) -> T {
        look(&self.0.live().state)
    }

    /// Changes the state; requests that start later see the change.
    pub fn update<T>(&self, change: impl FnOnce(&mut SessionState, Timestamp) -> T) -> T {
        self.change(0, change)
    }

    /// Puts another identity in the place of this one: what is still under way for the old one
    /// brings no cookies any more.
    pub(crate) fn become_another<T>(
        &self,
        change: impl FnOnce(&mut SessionState, Timestamp) -> T,
    ) -> T {
        self.change(1, change)
    }

    fn change<T>(
        &self,
        identities: u32,
        change: impl FnOnce(&mut SessionState, Timestamp) -> T,
    ) -> T {
        let now = self.0.clock.now();
        let mut live = self.0.live();
        live.identity += identities;
        let proxy = live.state.proxy.clone();
        let answer = change(&mut live.state, now);
        live.last = None;
        live.prepared = None;
        if live.state.proxy != proxy {
            self.0.ladder.route(live.state.proxy.as_ref());
            self.0.transport.route(live.state.proxy.clone());
        }
        answer
    }

    /// What the session is and has at this moment, secrets masked.
    pub fn inspect(&self) -> Inspection {
        Inspection::of(&self.0)
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.0.transport.connections() + self.0.ladder.connections()
    }

    /// Connects in another way from the next request on, through another proxy perhaps. No
    /// connection made before is used again; requests under way end on theirs.
    pub fn reconnect(&self, options: ConnectOptions) {
        let mut live = self.0.live();
        live.state.proxy.clone_from(&options.proxy);
        self.0.ladder.reconnect(&options);
        self.0.transport.reconnect(options);
    }

    /// Drops every connection. Requests under way and later ones fail with [`Error::Closed`].
    ///
    /// When the last clone is dropped, idle connections are; a reply that is still read ends on its
    /// own.
    pub fn close(&self) {
        self.0.ladder.close();
        self.0.transport.close();
    }

    /// Another session with the same options and connections and a state of its own.
    pub(crate) fn fork(&self, state: SessionState) -> Self {
        self.with(state, Arc::clone(&self.0.transport))
    }

    /// A session that the server can't tell to be this one: no cookie, no authorization and no
    /// connection in common.
    pub(crate) fn stranger(&self) -> Self {
        let transport = &self.0.transport;
        let transport = transport.sibling().unwrap_or_else(|| Arc::clone(transport));
        let state = self.read(|state| SessionState {
            base_url: state.base_url.clone(),
            profile: state.profile.clone(),
            headers: state.headers.clone(),
            proxy: state.proxy.clone(),
            ..SessionState::default()
        });
        self.with(state, transport)
    }

    /// A session that connects in the same way, for a site that is to learn nothing of this one: no
    /// cookie, no header and no authorization in common.
    pub(crate) fn apart(&self) -> Self {
        let state = self.read(|state| SessionState {
            profile: state.profile.clone(),
            proxy: state.proxy.clone(),
            ..SessionState::default()
        });
        self.fork(state)
    }

    fn with(&self, state: SessionState, transport: Arc<dyn Transport>) -> Self {
        let inner = &self.0;
        Self(Arc::new(Inner {
            habits: inner.habits.clone(),
            transport,
            ladder: Arc::clone(&inner.ladder),
            clock: Arc::clone(&inner.clock),
            state: Mutex::new(Live::new(state)),
        }))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The browser of this session, which doesn't run before it is asked to.
    pub(crate) fn browser(&self) -> &Chromium {
        self.0.ladder.browser()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self.0.live();
        f.debug_struct("Session")
            .field(
                "base_url",
                &live.state.base_url.as_ref().map(crate::redact::ShownUrl),
            )
            .field("generation", &live.state.generation)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn live(&self) -> MutexGuard<'_, Live> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn new(state: SessionState) -> Self {
        Self {
            state,
            identity: 0,
            last: None,
            prepared: None,
            digest: None,
        }
    }
}

/// An absolute http or https URL.
pub(crate) fn absolute_url(text: &str) -> Result<Url, Error> {
    let shown = text.split(['?', '#']).next().unwrap_or("").escape_debug();
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => Error::bad_request(format!(
            "`{shown}` isn't an absolute URL; write it with http:// or https://"
        )),
        other => Error::bad_request(format!("`{shown}` isn't a URL: {other}")),
    })?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Error::bad_request(format!(
            "`{shown}` isn't an http or https URL"
        )));
    }
    Ok(url)
}
