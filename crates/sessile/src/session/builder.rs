//! The options of a session, and how it is made of them.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_jar::Timestamp;

use super::fallback::{self, Ladder};
use super::manners::Register;
use super::{
    Authorization, Habits, Inner, Live, Manners, Redirects, RetryPolicy, Session, SessionState,
    absolute_url,
};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::profile::ProfileChoice;
use crate::transport::{Chromium, ConnectOptions, Engine, Patience, Transport};

/// How much of a body is read whole.
const BODY_LIMIT: u64 = 256 * 1024 * 1024;

/// Options of a session.
#[derive(Clone)]
pub struct SessionBuilder(Box<Parts>);

/// On the heap: each option given moves a builder.
#[derive(Clone)]
struct Parts {
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
            .field("state", &self.0.state)
            .field("connect", &self.0.connect)
            .finish_non_exhaustive()
    }
}

impl Default for SessionBuilder {
    fn default() -> Self {
        Self(Box::new(Parts {
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
        }))
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
        self.0.state.set_base_url(absolute_url(url)?);
        Ok(self)
    }

    /// The set of default headers. A state that was kept and has a profile that fits keeps it.
    /// Defaults to the state's own, which is `standard` in an empty one.
    pub fn profile(mut self, profile: impl Into<ProfileChoice>) -> Self {
        self.0.profile = Some(profile.into());
        self
    }

    /// A header for every request; see [`SessionState::set_header`]. Defaults to none.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.headers.push((name.into(), value.into()));
        self
    }

    /// A pair for the query of every request to the site of the base URL, or to everywhere where
    /// there is none. A request's own pairs of the same name take its place. Defaults to none.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.habits.query.push((name.into(), value.into()));
        self
    }

    /// What proves who is asking. Defaults to nothing.
    pub fn authorization(mut self, authorization: Authorization) -> Self {
        self.0.state.authorization = Some(authorization);
        self
    }

    /// How long connecting and each read may take. Defaults to 10 s and 30 s.
    pub fn patience(mut self, patience: Patience) -> Self {
        self.0.habits.patience = patience;
        self
    }

    /// How long an exchange may take in all, redirects included. Defaults to no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.habits.timeout = Some(timeout);
        self
    }

    /// Whether redirects are followed. Defaults to 20 at most.
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.0.habits.redirects = redirects;
        self
    }

    /// What is sent again and how often. Defaults to [`RetryPolicy::default`].
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.0.habits.retry = policy;
        self
    }

    /// How a host is treated: how often it is asked, its `Retry-After`, its `robots.txt`. Give one
    /// value to all sessions of a program. Defaults to no limits but those of the retries.
    pub fn manners(mut self, manners: Manners) -> Self {
        self.0.habits.manners = Some(manners);
        self
    }

    /// Keeps a site's manners too; of each limit the stricter one counts.
    pub(crate) fn and_manners(mut self, site: Manners) -> Self {
        self.0.habits.manners = Some(match self.0.habits.manners.take() {
            Some(manners) => manners.joined(site),
            None => site,
        });
        self
    }

    /// Keeps the limits, where there are some, together with everybody who uses the register.
    pub(crate) fn limits_kept_in(mut self, register: impl FnOnce() -> Register) -> Self {
        let manners = self.0.habits.manners.take();
        self.0.habits.manners = manners.map(|manners| manners.kept_in(register));
        self
    }

    /// How many bytes of a body are read whole. Defaults to 256 MiB; streaming has no limit.
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.0.habits.body_limit = bytes;
        self
    }

    /// How to connect: proxy, names, TLS. Defaults to the proxy of the state and the system's roots.
    pub fn connect(mut self, options: ConnectOptions) -> Self {
        self.0.connect = Some(options);
        self
    }

    /// Connects without a proxy, whatever the state says. Defaults to the proxy of the options or,
    /// where they name none, of the state.
    pub fn direct(mut self) -> Self {
        self.0.is_direct = true;
        self
    }

    /// The engine that owns the connections. Defaults to one of its own.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.0.engine = Some(engine);
        self
    }

    /// Something else than the engine to send with. Defaults to none.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.0.transport = Some(transport);
        self
    }

    /// The browser of [`Tier::Browser`](super::Tier::Browser), connecting as the session does. Defaults to the Chromium or
    /// Chrome in the search path.
    pub fn browser(mut self, browser: Chromium) -> Self {
        self.0.browser = browser;
        self
    }

    /// What [`Tier::Curl`](super::Tier::Curl) sends with. Defaults to the system's [`Curl`](crate::transport::Curl),
    /// connecting as the session does.
    pub fn curl(mut self, transport: Arc<dyn Transport>) -> Self {
        self.0.curl = Some(transport);
        self
    }

    /// How long the way that worked comes first for its host, where several may be tried.
    /// Defaults to 30 minutes.
    pub fn remember_tier(mut self, span: Duration) -> Self {
        self.0.remember_tier = span;
        self
    }

    /// Where the time comes from. Defaults to the machine's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.0.clock = clock;
        self
    }

    /// Starts from a state that was kept. Defaults to an empty one.
    pub fn state(mut self, state: SessionState) -> Self {
        self.0.state = state;
        self
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The session.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] where a header can't be sent.
    pub fn build(self) -> Result<Session, Error> {
        self.0.build()
    }
}

impl Parts {
    fn build(mut self) -> Result<Session, Error> {
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
