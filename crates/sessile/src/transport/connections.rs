//! The connections of one session: the idle ones, and the tasks of all.
//!
//! Knows nothing of HTTP: a connection is something that can be usable and, perhaps, shared.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as Turn;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;
use url::Url;

use super::ConnectOptions;
use super::connect::Connector;

/// How long an idle connection is kept.
const KEEP: Duration = Duration::from_secs(60);

/// How many idle connections a session keeps.
const MOST: usize = 64;

/// The connections of one session.
#[derive(Debug)]
pub(super) struct Connections<C> {
    tasks: TaskTracker,
    state: Mutex<State<C>>,
}

#[derive(Debug)]
struct State<C> {
    options: Arc<ConnectOptions>,
    /// Made when it is needed: many sessions never connect.
    connector: Option<Arc<Connector>>,
    /// Counts the connectors: a connection of an older one isn't kept.
    epoch: u32,
    idle: Vec<Idle<C>>,
    /// What runs for this session, to be stopped when it closes.
    running: Vec<(u32, Kind, AbortHandle)>,
    next_task: u32,
    is_closed: bool,
    gates: Vec<(Origin, Arc<Gate>)>,
}

#[derive(Debug)]
struct Idle<C> {
    origin: Origin,
    since: Instant,
    connection: C,
}

/// What a task does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Connecting,
    Connection,
    Watching,
}

/// A connection as far as keeping it goes.
pub(super) trait Reusable: Sized + Send + 'static {
    /// Whether it is still open as far as one knows.
    fn is_usable(&self) -> bool;
    /// A second handle, where a connection carries several requests at once.
    fn share(&self) -> Option<Self>;
}

/// One connection at a time is made to an origin where one may do for all requests.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) turn: Turn<()>,
    /// Each request needs a connection of its own: nobody waits any more.
    is_open: AtomicBool,
}

impl Gate {
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    pub(super) fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }
}

/// A connection in use, and where it came from.
#[derive(Debug)]
pub(super) struct Lent<C: Reusable> {
    pub(super) connection: C,
    pub(super) origin: Origin,
    epoch: u32,
    home: Arc<Connections<C>>,
}

impl<C: Reusable> Lent<C> {
    /// Keeps the connection for the next request.
    pub(super) fn give_back(self) {
        // Where it can be shared, a handle has stayed there.
        if self.connection.share().is_none() {
            self.home.put(self.origin, self.connection, self.epoch);
        }
    }

    /// Whether the session was closed while it was lent.
    pub(super) fn is_closed(&self) -> bool {
        self.home.lock().is_closed
    }
}

impl<C: Reusable> Connections<C> {
    pub(super) fn new(options: Arc<ConnectOptions>, tasks: TaskTracker) -> Self {
        Self {
            tasks,
            state: Mutex::new(State {
                options,
                connector: None,
                epoch: 0,
                idle: Vec::new(),
                running: Vec::new(),
                next_task: 0,
                is_closed: false,
                gates: Vec::new(),
            }),
        }
    }

    /// The idle connection to the URL's origin that was used last; unusable ones are dropped.
    pub(super) fn take(self: &Arc<Self>, url: &Url) -> Option<Lent<C>> {
        let mut state = self.lock();
        while let Some(at) = state.idle.iter().rposition(|idle| idle.origin.is_of(url)) {
            if !state.idle[at].connection.is_usable() {
                state.idle.remove(at);
                continue;
            }
            let (origin, connection) = match state.idle[at].connection.share() {
                Some(shared) => {
                    state.idle[at].since = Instant::now();
                    (state.idle[at].origin.clone(), shared)
                }
                None => {
                    let idle = state.idle.remove(at);
                    (idle.origin, idle.connection)
                }
            };
            return Some(Lent {
                connection,
                origin,
                epoch: state.epoch,
                home: Arc::clone(self),
            });
        }
        None
    }

    /// Lends a connection that was just made; one that can be shared is kept as well.
    pub(super) fn lend(self: &Arc<Self>, origin: Origin, connection: C, epoch: u32) -> Lent<C> {
        if let Some(shared) = connection.share() {
            self.put(origin.clone(), shared, epoch);
        }
        Lent {
            connection,
            origin,
            epoch,
            home: Arc::clone(self),
        }
    }

    fn put(self: &Arc<Self>, origin: Origin, connection: C, epoch: u32) {
        let mut state = self.lock();
        if state.is_closed || state.epoch != epoch {
            return;
        }
        if state.idle.len() == MOST {
            state.idle.remove(0);
        }
        let since = Instant::now();
        state.idle.push(Idle {
            origin,
            since,
            connection,
        });
        let is_watched = || {
            state
                .running
                .iter()
                .any(|(_, kind, _)| *kind == Kind::Watching)
        };
        if state.idle.len() == 1 && !is_watched() {
            drop(state);
            self.watch(since + KEEP);
        }
    }

    /// Idle connections are dropped in the background while there are any.
    fn watch(self: &Arc<Self>, mut due: Instant) {
        let weak = Arc::downgrade(self);
        self.spawn(Kind::Watching, async move {
            loop {
                sleep_until(due).await;
                let Some(connections) = weak.upgrade() else {
                    return;
                };
                match connections.drop_old() {
                    Some(next) => due = next,
                    None => return,
                }
            }
        });
    }

    /// Drops what was idle for [`KEEP`]; answers when the next one is due.
    fn drop_old(&self) -> Option<Instant> {
        let mut state = self.lock();
        let is_young = |idle: &Idle<C>| idle.since.elapsed() < KEEP;
        state
            .idle
            .retain(|idle| is_young(idle) && idle.connection.is_usable());
        if state.idle.is_empty() {
            state.idle.shrink_to_fit();
            // The task ends now; a connection that is put back begins another.
            state.running.retain(|(_, kind, _)| *kind != Kind::Watching);
        }
        state.idle.iter().map(|idle| idle.since + KEEP).min()
    }

    /// How to connect at present; the number goes along with the connection.
    pub(super) fn connector(&self) -> (Arc<Connector>, u32) {
        let mut state = self.lock();
        let options = Arc::clone(&state.options);
        let connector = state
            .connector
            .get_or_insert_with(|| Arc::new(Connector::new(options)));
        (Arc::clone(connector), state.epoch)
    }

    pub(super) fn options(&self) -> Arc<ConnectOptions> {
        Arc::clone(&self.lock().options)
    }

    /// Connects in another way from now on.
    pub(super) fn renew(&self, options: Arc<ConnectOptions>) {
        let mut state = self.lock();
        state.options = options;
        state.connector = None;
        state.epoch = state.epoch.wrapping_add(1);
        let old = std::mem::take(&mut state.idle);
        state.gates.clear();
        drop(state);
        drop(old);
    }

    /// Who may make a connection to an origin.
    pub(super) fn gate(&self, origin: &Origin) -> Arc<Gate> {
        let mut state = self.lock();
        let known = state.gates.iter().find(|(known, _)| known == origin);
        if let Some((_, gate)) = known {
            return Arc::clone(gate);
        }
        let gate = Arc::<Gate>::default();
        if state.gates.len() == MOST {
            state.gates.remove(0);
        }
        state.gates.push((origin.clone(), Arc::clone(&gate)));
        gate
    }

    /// Runs a task that ends with the session; `None` where that has been closed.
    pub(super) fn spawn<F>(self: &Arc<Self>, kind: Kind, task: F) -> Option<JoinHandle<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut state = self.lock();
        if state.is_closed {
            return None;
        }
        let id = state.next_task;
        state.next_task = id.wrapping_add(1);
        let running = Running {
            id,
            home: Arc::clone(self),
        };
        let task = self.tasks.spawn(async move {
            let _running = running;
            task.await
        });
        state.running.push((id, kind, task.abort_handle()));
        Some(task)
    }

    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// How many connections are open, idle or not.
    pub(super) fn open(&self) -> usize {
        let state = self.lock();
        let running = state.running.iter();
        running
            .filter(|(_, kind, _)| *kind == Kind::Connection)
            .count()
    }

    /// Ends everything.
    pub(super) fn close(&self) {
        for (_, _, task) in self.retire() {
            task.abort();
        }
    }

    /// Lends nothing more; what is lent goes on. Answers what still runs.
    pub(super) fn retire(&self) -> Vec<(u32, Kind, AbortHandle)> {
        let mut state = self.lock();
        state.is_closed = true;
        let idle = std::mem::take(&mut state.idle);
        let running = state.running.clone();
        drop(state);
        drop(idle);
        for (_, kind, task) in &running {
            if *kind == Kind::Watching {
                task.abort();
            }
        }
        running
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a task off the list when it has ended.
struct Running<C: Reusable> {
    id: u32,
    home: Arc<Connections<C>>,
}

impl<C: Reusable> Drop for Running<C> {
    fn drop(&mut self) {
        let mut state = self.home.lock();
        state.running.retain(|(id, ..)| *id != self.id);
        if state.running.is_empty() {
            state.running.shrink_to_fit();
        }
    }
}

/// A server: scheme, host and port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Origin {
    pub(super) is_tls: bool,
    /// As in a URL: an IPv6 address has brackets.
    host: Box<str>,
    pub(super) port: u16,
}

impl Origin {
    pub(super) fn plain(host: &str, port: u16) -> Self {
        Self {
            is_tls: false,
            host: host.into(),
            port,
        }
    }

    /// `None` where the URL has no host or an unknown scheme.
    pub(super) fn of(url: &Url) -> Option<Self> {
        Some(Self {
            is_tls: url.scheme() == "https",
            host: url.host_str()?.into(),
            port: url.port_or_known_default()?,
        })
    }

    fn is_of(&self, url: &Url) -> bool {
        url.host_str() == Some(&*self.host)
            && url.port_or_known_default() == Some(self.port)
            && self.is_tls == (url.scheme() == "https")
    }

    /// The name or the address, without brackets.
    pub(super) fn host(&self) -> &str {
        let inner = self.host.strip_prefix('[');
        inner
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(&self.host)
    }

    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}
