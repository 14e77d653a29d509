//! What the site remembers, behind one lock.
//!
//! The rules of logging in are here; which page asks for what is in `pages`.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::csrf::Csrf;
use crate::journal::Journal;
use crate::media::Media;
use crate::options::{Account, Expiry, Options, User};
use crate::secret::{self, Digest};
use crate::throttle::Throttle;
use crate::tickets::Tickets;
use crate::totp;

/// For a link that logs in.
const LINK_LIFETIME: Duration = Duration::from_secs(3600);

/// Between the two pages of a login in two steps.
const FLOW_LIFETIME: Duration = Duration::from_secs(600);

/// How long a device is remembered that was to be.
const DEVICE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// How many wrong codes a login may have before it starts anew.
const WRONG_CODES: u32 = 5;

/// The whole site but for its sockets.
pub(crate) struct World {
    pub(crate) csrf: Csrf,
    admin: Digest,
    clock: Clock,
    /// How many connections are open.
    connections: AtomicUsize,
    /// Whether visitors of `/members/held` may go on.
    gate: watch::Sender<bool>,
    pub(crate) media: Media,
    options: Options,
    state: Mutex<State>,
    users: HashMap<String, User>,
}

/// What changes while the site runs.
pub(crate) struct State {
    pub(crate) attempts: u64,
    /// How many codes of the second factor were sent.
    pub(crate) codes: u64,
    /// Devices that need no code, and whose.
    pub(crate) devices: Tickets<String>,
    /// Who is between the pages of a login in two steps.
    pub(crate) flows: Tickets<String>,
    /// Who has given the password and not yet the code.
    pub(crate) halfway: Tickets<Halfway>,
    pub(crate) items: Vec<Value>,
    /// Links that log in, and whom.
    pub(crate) links: Tickets<String>,
    pub(crate) journal: Journal,
    pub(crate) logins: u64,
    /// What members have left at `/members/notes`.
    pub(crate) notes: Vec<Value>,
    pub(crate) sessions: Tickets<Session>,
    /// Bearer tokens and whose they are.
    pub(crate) tokens: Tickets<String>,
    pub(crate) views: u64,
    throttle: Throttle,
    /// The step of the last code that each user has used.
    used_codes: HashMap<String, u64>,
}

/// A login that waits for the code of the second factor.
pub(crate) struct Halfway {
    user: String,
    wrong: u32,
}

/// A login that was remembered.
pub(crate) struct Session {
    pub(crate) user: String,
    lifetime: Duration,
}

/// How long a login is to be remembered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Remember {
    /// Until the browser is closed, or the session's lifetime ends.
    Session,
    /// Across restarts of the browser.
    Lasting,
}

/// Why a name and a password open nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    Locked,
    TooMany(Duration),
    UsedCode,
    Wrong,
    WrongCode,
}

impl World {
    pub(crate) fn new(mut options: Options, media: Media, admin_token: &str) -> Self {
        let users = std::mem::take(&mut options.users).into_iter();
        Self {
            csrf: Csrf::new(),
            admin: Digest::of(admin_token),
            clock: options.clock.clone(),
            connections: AtomicUsize::new(0),
            gate: watch::Sender::new(false),
            media,
            options,
            state: Mutex::new(State::new()),
            users: users.map(|user| (user.name.clone(), user)).collect(),
        }
    }

    pub(crate) fn count_connections(&self, open: usize) {
        self.connections.store(open, Ordering::Relaxed);
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn let_go(&self) {
        self.gate.send_replace(true);
    }

    pub(crate) async fn wait_to_go(&self) {
        let mut gate = self.gate.subscribe();
        // The sender lives as long as the world.
        let _gone = gate.wait_for(|may_go| *may_go).await;
    }

    pub(crate) fn is_admin(&self, token: &str) -> bool {
        self.admin.matches(token)
    }

    /// As [`Self::check_password`], for a login that needs no more; counts it.
    pub(crate) fn try_password(&self, name: &str, password: &str) -> Result<String, Refusal> {
        let user = self.check_password(name, password)?;
        self.state().logins += 1;
        Ok(user)
    }

    /// Checks a password, counts the attempt, and answers the user's name.
    pub(crate) fn check_password(&self, name: &str, password: &str) -> Result<String, Refusal> {
        let now = self.now();
        let mut state = self.state();
        state.attempts += 1;
        state.throttle.admit(name, now).map_err(Refusal::TooMany)?;
        let user = self.users.get(name);
        // An unknown name takes as long as a wrong password.
        let nobody = Digest::of(&secret::random());
        let expected = user.map_or(&nobody, |user| &user.password);
        let (Some(user), true) = (user, expected.matches(password)) else {
            state.throttle.failed(name, now);
            return Err(Refusal::Wrong);
        };
        match user.state {
            Account::Locked => Err(Refusal::Locked),
            Account::Open => {
                state.throttle.succeeded(name);
                Ok(user.name.clone())
            }
        }
    }

    /// Opens a session and answers its id; `old` is the one it takes the place of.
    pub(crate) fn open_session(&self, user: &str, remember: Remember, old: Option<&str>) -> String {
        let now = self.now();
        let mut state = self.state();
        if let Some(old) = old {
            state.sessions.revoke(old);
        }
        if self.options.one_session_per_user {
            state.sessions.revoke_all(|session| session.user == user);
        }
        let lifetime = self.lifetime(remember);
        let session = Session {
            user: user.to_owned(),
            lifetime,
        };
        state.sessions.issue(session, now, lifetime)
    }

    pub(crate) fn lifetime(&self, remember: Remember) -> Duration {
        match remember {
            Remember::Lasting => self.options.remember_lifetime,
            Remember::Session => self.options.session_lifetime,
        }
    }

    /// Whose session this is. With sliding expiry, asking makes it live longer.
    pub(crate) fn use_session(&self, id: &str) -> Option<String> {
        let now = self.now();
        let mut state = self.state();
        let session = state.sessions.value(id, now)?;
        let (user, lifetime) = (session.user.clone(), session.lifetime);
        if self.options.expiry == Expiry::Sliding {
            state.sessions.extend(id, now, lifetime);
        }
        Some(user)
    }

    pub(crate) fn open_flow(&self, name: &str) -> String {
        let now = self.now();
        self.state()
            .flows
            .issue(name.to_owned(), now, FLOW_LIFETIME)
    }

    pub(crate) fn flow(&self, id: &str) -> Option<String> {
        self.state().flows.value(id, self.now()).cloned()
    }

    pub(crate) fn open_halfway(&self, user: &str) -> String {
        let halfway = Halfway {
            user: user.to_owned(),
            wrong: 0,
        };
        let now = self.now();
        self.state().halfway.issue(halfway, now, FLOW_LIFETIME)
    }

    pub(crate) fn halfway(&self, id: &str) -> Option<String> {
        let now = self.now();
        let state = self.state();
        let halfway = state.halfway.value(id, now)?;
        Some(halfway.user.clone())
    }

    /// Checks a code of the second factor, which ends the login under way if it is right.
    pub(crate) fn try_code(&self, id: &str, user: &str, code: &str) -> Result<(), Refusal> {
        let (now, period) = (self.now(), self.options.totp_period);
        let mut state = self.state();
        state.codes += 1;
        let last = state.used_codes.get(user).copied();
        let refusal = match totp::matching_step(code, now, period) {
            Some(step) if last.is_none_or(|last| step > last) => {
                state.used_codes.insert(user.to_owned(), step);
                state.halfway.revoke(id);
                state.logins += 1;
                return Ok(());
            }
            Some(_) => Refusal::UsedCode,
            None => Refusal::WrongCode,
        };
        if let Some(halfway) = state.halfway.value_mut(id, now) {
            halfway.wrong += 1;
            if halfway.wrong >= WRONG_CODES {
                state.halfway.revoke(id);
            }
        }
        Err(refusal)
    }

    pub(crate) fn remember_device(&self, user: &str) -> String {
        let now = self.now();
        self.state()
            .devices
            .issue(user.to_owned(), now, DEVICE_LIFETIME)
    }

    pub(crate) fn knows_device(&self, device: &str, user: &str) -> bool {
        let now = self.now();
        let state = self.state();
        state
            .devices
            .value(device, now)
            .is_some_and(|owner| owner == user)
    }

    pub(crate) fn totp_period(&self) -> Duration {
        self.options.totp_period
    }

    /// The secret of a link that logs `user` in, once.
    pub(crate) fn open_link(&self, user: &str) -> String {
        let now = self.now();
        let links = &mut self.state().links;
        links.issue(user.to_owned(), now, LINK_LIFETIME)
    }

    /// Whom a link logs in, the first time it is used.
    pub(crate) fn use_link(&self, ticket: &str) -> Option<String> {
        let now = self.now();
        let mut state = self.state();
        let user = state.links.value(ticket, now).cloned()?;
        state.links.revoke(ticket);
        state.logins += 1;
        Some(user)
    }

    /// A bearer token for `user`, and how long it lives.
    pub(crate) fn open_token(&self, user: &str) -> (String, Duration) {
        let lifetime = self.options.token_lifetime;
        let now = self.now();
        let token = self.state().tokens.issue(user.to_owned(), now, lifetime);
        (token, lifetime)
    }

    pub(crate) fn token_user(&self, token: &str) -> Option<String> {
        self.state().tokens.value(token, self.now()).cloned()
    }
}

impl State {
    fn new() -> Self {
        Self {
            attempts: 0,
            codes: 0,
            devices: Tickets::new(),
            flows: Tickets::new(),
            halfway: Tickets::new(),
            items: Vec::new(),
            links: Tickets::new(),
            journal: Journal::default(),
            logins: 0,
            notes: Vec::new(),
            sessions: Tickets::new(),
            throttle: Throttle::default(),
            tokens: Tickets::new(),
            used_codes: HashMap::new(),
            views: 0,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Locked => "This account is locked.",
            Self::TooMany(_) => "Too many attempts. Please try again later.",
            Self::UsedCode => "This code was used already. Wait for the next one.",
            Self::Wrong => "Wrong user name or password.",
            Self::WrongCode => "Wrong code.",
        })
    }
}
