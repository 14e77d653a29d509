//! One identity towards one site: cookies, headers, authorization, connections.
//!
//! `run` is the life of a request. The rules beside it (`redirect`, `retry`, `verdict`) are pure.
//! A session knows nothing of stores, pools or logins: its state goes out as [`SessionState`].

mod address;
mod auth;
mod challenge;
mod cookies;
mod deadline;
pub(crate) mod decode;
mod fallback;
mod headers;
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

use sessile_jar::Timestamp;
use url::Url;

use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::profile::ProfileChoice;
use crate::transport::{Chromium, ConnectOptions, Engine, Patience, Transport};

pub use crate::browser::OriginStorage;
pub use auth::Authorization;
pub(crate) use auth::Scope;
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
pub use reply::{Hop, Reply};
pub use request::{Redirects, Request};
pub use retry::RetryPolicy;
pub use state::{Counts, SessionState};
pub use verdict::{Sign, Signs, Verdict};

/// How much of a body is read whole.
const BODY_LIMIT: u64 = 256 * 1024 * 1024;

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
        let now = self.0.clock.now();
        let mut live = self.0.live();
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
            last: None,
            prepared: None,
            digest: None,
        }
    }
}

/// Options of a session.
#[derive(Clone)]
pub struct SessionBuilder {
    state: SessionState,
    habits: Habits,
    connect: Option<ConnectOptions>,
    is_direct: bool,
    engine: Option<Engine>,
    transport: Option<Arc<dyn Transport>>,
    browser: Chromium,
    curl: Option<Arc<dyn Transport>>,
    remember_tier: Duration,
    clock: Arc<dyn Clock>,
    headers: Vec<(String, String)>,
    profile: Option<ProfileChoice>,
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("state", &self.state)
            .field("connect", &self.connect)
            .finish_non_exhaustive()
    }
}

impl Default for SessionBuilder {
    fn default() -> Self {
        Self {
            state: SessionState::default(),
            habits: Habits {
                patience: Patience::default(),
                timeout: None,
                query: Vec::new(),
                redirects: Redirects::Follow(20),
                may_downgrade: false,
                retry: RetryPolicy::default(),
                manners: None,
                body_limit: BODY_LIMIT,
            },
            connect: None,
            is_direct: false,
            engine: None,
            transport: None,
            browser: Chromium::default(),
            curl: None,
            remember_tier: fallback::REMEMBER,
            clock: SystemClock::shared(),
            headers: Vec::new(),
            profile: None,
        }
    }
}

impl SessionBuilder {
    /// What relative URLs are relative to, and the site that an authorization is sent to.
    /// Defaults to none: every URL has to be absolute.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] where it isn't an absolute http or https URL.
    pub fn base_url(mut self, url: &str) -> Result<Self, Error> {
        self.state.set_base_url(absolute_url(url)?);
        Ok(self)
    }

    /// The set of default headers. A state that was kept and has a profile that fits keeps it.
    /// Defaults to the state's own, which is `standard` in an empty one.
    pub fn profile(mut self, profile: impl Into<ProfileChoice>) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// A header for every request; see [`SessionState::set_header`]. Defaults to none.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A pair for the query of every request to the site of the base URL, or to everywhere where
    /// there is none. A request's own pairs of the same name take its place. Defaults to none.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.habits.query.push((name.into(), value.into()));
        self
    }

    /// What proves who is asking. Defaults to nothing.
    pub fn authorization(mut self, authorization: Authorization) -> Self {
        self.state.authorization = Some(authorization);
        self
    }

    /// How long connecting and each read may take. Defaults to 10 s and 30 s.
    pub fn patience(mut self, patience: Patience) -> Self {
        self.habits.patience = patience;
        self
    }

    /// How long an exchange may take in all, redirects included. Defaults to no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.habits.timeout = Some(timeout);
        self
    }

    /// Whether redirects are followed. Defaults to 20 at most.
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.habits.redirects = redirects;
        self
    }

    /// What is sent again and how often. Defaults to [`RetryPolicy::default`].
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.habits.retry = policy;
        self
    }

    /// How a host is treated: how often it is asked, its `Retry-After`, its `robots.txt`. Give one
    /// value to all sessions of a program. Defaults to no limits but those of the retries.
    pub fn manners(mut self, manners: Manners) -> Self {
        self.habits.manners = Some(manners);
        self
    }

    /// Keeps the limits, where there are some, together with everybody who uses the register.
    pub(crate) fn limits_kept_in(mut self, register: impl FnOnce() -> Register) -> Self {
        let manners = self.habits.manners.take();
        self.habits.manners = manners.map(|manners| manners.kept_in(register));
        self
    }

    /// How many bytes of a body are read whole. Defaults to 256 MiB; streaming has no limit.
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.habits.body_limit = bytes;
        self
    }

    /// How to connect: proxy, names, TLS. Defaults to the proxy of the state and the system's roots.
    pub fn connect(mut self, options: ConnectOptions) -> Self {
        self.connect = Some(options);
        self
    }

    /// Connects without a proxy, whatever the state says. Defaults to the proxy of the options or,
    /// where they name none, of the state.
    pub fn direct(mut self) -> Self {
        self.is_direct = true;
        self
    }

    /// The engine that owns the connections. Defaults to one of its own.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Something else than the engine to send with. Defaults to none.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// The browser of [`Tier::Browser`], connecting as the session does. Defaults to the Chromium or
    /// Chrome in the search path.
    pub fn browser(mut self, browser: Chromium) -> Self {
        self.browser = browser;
        self
    }

    /// What [`Tier::Curl`] sends with. Defaults to the system's [`Curl`](crate::transport::Curl),
    /// connecting as the session does.
    pub fn curl(mut self, transport: Arc<dyn Transport>) -> Self {
        self.curl = Some(transport);
        self
    }

    /// How long the way that worked comes first for its host, where several may be tried.
    /// Defaults to 30 minutes.
    pub fn remember_tier(mut self, span: Duration) -> Self {
        self.remember_tier = span;
        self
    }

    /// Where the time comes from. Defaults to the machine's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Starts from a state that was kept. Defaults to an empty one.
    pub fn state(mut self, state: SessionState) -> Self {
        self.state = state;
        self
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The session.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] where a header can't be sent.
    pub fn build(mut self) -> Result<Session, Error> {
        let now = self.clock.now();
        self.choose_profile();
        let lengths = self.headers.iter();
        let bytes = lengths.map(|(name, value)| name.len() + value.len()).sum();
        self.state.headers.reserve(self.headers.len(), bytes);
        for (name, value) in &self.headers {
            self.state.set_header(name, value, now)?;
        }
        self.choose_proxy();
        let connect = self.connect.map_or_else(ConnectOptions::shared, Arc::new);
        let ladder = Ladder::new(
            Arc::clone(&connect),
            self.browser,
            self.curl,
            self.remember_tier,
        );
        let transport = self.transport.unwrap_or_else(|| {
            let engine = self.engine.unwrap_or_default();
            engine.transport(connect)
        });
        Ok(Session(Arc::new(Inner {
            habits: self.habits,
            transport,
            ladder: Arc::new(ladder),
            clock: self.clock,
            state: Mutex::new(Live::new(self.state)),
        })))
    }
}

impl SessionBuilder {
    /// One proxy, in the options and in the state.
    fn choose_proxy(&mut self) {
        let chosen = self
            .connect
            .as_ref()
            .and_then(|connect| connect.proxy.clone());
        if self.is_direct {
            self.state.proxy = None;
        } else if chosen.is_some() {
            self.state.proxy = chosen;
        }
        // Without options of its own a session shares those that all such sessions have.
        if self.connect.is_some() || self.state.proxy.is_some() {
            let connect = self.connect.get_or_insert_default();
            connect.proxy.clone_from(&self.state.proxy);
        }
        if let (Some(transport), Some(proxy)) = (&self.transport, &self.state.proxy) {
            transport.route(Some(proxy.clone()));
        }
    }

    /// Draws a profile, unless the state has one already that was drawn for the same choice.
    fn choose_profile(&mut self) {
        let Some(choice) = self.profile.take() else {
            return;
        };
        if !choice.accepts(&self.state.profile) {
            self.state.profile = choice.choose();
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
