//! What all requests to the daemon share.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sessile::clock::{Clock, SystemClock};
use sessile::renew::{KeepError, Kept, KeptOptions, Notify};
use sessile::store::{Name, Room, Vault};
use sessile_jar::Timestamp;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{AccessError, Grants};
use crate::events::{Event, Events};
use crate::metrics::Metrics;
use crate::open::{InUse, OpenSessions};
use crate::pools::Pools;
use crate::problem::{Kind, Problem};
use crate::traced::JoinTrace;

/// The sessions of a store, to be served over HTTP. Cheap to clone.
///
/// ```no_run
/// # async fn example(vault: sessile::store::Vault) -> Result<(), Box<dyn std::error::Error>> {
/// use sessile_server::{Daemon, DaemonOptions, Listener};
///
/// let daemon = Daemon::new(vault, DaemonOptions::default());
/// let listener = Listener::tcp("127.0.0.1:0".parse()?, None).await?;
/// let report = sessile_server::serve(listener, daemon, std::future::pending()).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Daemon(pub(crate) Arc<Shared>);

/// How a daemon behaves.
#[non_exhaustive]
pub struct DaemonOptions {
    /// How long a login that asks for a one-time code waits for one to be handed over. Defaults to
    /// two minutes.
    pub code_wait: Duration,
    /// How long requests that run when the daemon is to stop may go on. Defaults to 30 seconds.
    pub drain: Duration,
    /// After how long without use a session is closed; it is opened again when it is needed.
    /// Defaults to ten minutes.
    pub idle: Duration,
    /// Joins the span of a request to the trace that its headers tell of. Defaults to none: each
    /// request begins a trace of its own, where anybody traces.
    pub join_trace: Option<JoinTrace>,
    /// How many connections may be open at once; more are refused. Defaults to 16,384.
    pub max_connections: usize,
    /// Who hears, beside those who listen to the daemon's events, that a person is needed. Defaults
    /// to nobody.
    pub notify: Option<Notify>,
    /// How long the head of a request may take, and each pause in its body. Defaults to 30 seconds.
    pub patience: Duration,
}

impl Default for DaemonOptions {
    fn default() -> Self {
        Self {
            code_wait: Duration::from_secs(120),
            drain: Duration::from_secs(30),
            idle: Duration::from_secs(600),
            join_trace: None,
            max_connections: 16_384,
            notify: None,
            patience: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for DaemonOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DaemonOptions")
            .field("drain", &self.drain)
            .field("idle", &self.idle)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

pub(crate) struct Shared {
    pub(crate) vault: Vault,
    pub(crate) options: DaemonOptions,
    pub(crate) grants: Grants,
    pub(crate) sessions: OpenSessions,
    pub(crate) pools: Pools,
    pub(crate) events: Arc<Events>,
    pub(crate) metrics: Metrics,
    /// Cancelled when nothing more is taken on.
    pub(crate) closing: CancellationToken,
    /// Cancelled when connections are to end.
    pub(crate) stop: CancellationToken,
    /// Everything that runs on the daemon's behalf.
    pub(crate) tasks: TaskTracker,
    /// When cookies were thrown away last.
    last_reset: Mutex<Option<Timestamp>>,
    /// When the store was last asked whether it answers, and whether it did.
    asked_store: AsyncMutex<Option<(Instant, bool)>>,
    clock: Arc<dyn Clock>,
}

impl Daemon {
    /// A daemon over a store; nothing runs before it is served.
    pub fn new(vault: Vault, options: DaemonOptions) -> Self {
        let run = getrandom::u32().unwrap_or(0);
        Self(Arc::new(Shared {
            vault,
            options,
            grants: Grants::new(),
            sessions: OpenSessions::default(),
            pools: Pools::default(),
            events: Arc::new(Events::new(format!("{run:08x}"))),
            metrics: Metrics::new(),
            closing: CancellationToken::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            last_reset: Mutex::default(),
            asked_store: AsyncMutex::default(),
            clock: Arc::new(SystemClock),
        }))
    }

    /// How many tokens there are that somebody could ask with.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where the store can't be read.
    pub async fn tokens(&self) -> Result<usize, AccessError> {
        self.0.grants.count(&self.0.vault).await
    }
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon")
            .field("store", &self.0.vault.place())
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn tell(&self, event: Event) {
        self.events.tell(event);
    }

    pub(crate) fn event(&self, kind: &'static str) -> Event {
        Event::new(kind, self.now())
    }

    /// Notes that cookies were thrown away.
    pub(crate) fn note_reset(&self) {
        let mut last = self
            .last_reset
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(self.now());
    }

    pub(crate) fn last_reset(&self) -> Option<Timestamp> {
        *self
            .last_reset
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the store answers now, or did a moment ago.
    pub(crate) async fn does_store_answer(&self) -> bool {
        let mut asked = self.asked_store.lock().await;
        if let Some((at, answers)) = *asked
            && at.elapsed() < ASK_EVERY
        {
            return answers;
        }
        // Whether there is such a row doesn't matter.
        let row = "readyz"
            .parse::<Name>()
            .map(|name| name.beside(Room::Access));
        let answers = match row {
            Ok(row) => timeout(STORE_WAIT, self.vault.load(&row)).await,
            Err(_bad_name) => return false,
        };
        let answers = match answers {
            Ok(Ok(_row)) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the store failed");
                false
            }
            Err(_elapsed) => {
                tracing::warn!("the store doesn't answer");
                false
            }
        };
        *asked = Some((Instant::now(), answers));
        answers
    }

    /// The stored session of this name, opened where it isn't.
    pub(crate) async fn session(&self, name: &Name) -> Result<InUse, Problem> {
        self.outside_pools(name)?;
        let now = self.now();
        let open = Kept::open(&self.vault, name, self.keeping());
        Ok(self.sessions.take(name, now, open).await?)
    }

    /// Refuses a session of a pool: what is done with it is the pool's to decide.
    pub(crate) fn outside_pools(&self, name: &Name) -> Result<(), Problem> {
        match self.pools.has(name) {
            true => Err(Problem::new(
                Kind::InPool,
                format!("session `{name}` belongs to a pool: lease it there"),
            )),
            false => Ok(()),
        }
    }

    /// What an error of a session means: one that is gone from the store isn't held any longer.
    pub(crate) fn failed(&self, name: &Name, error: KeepError) -> Problem {
        if matches!(error, KeepError::Unknown { .. }) {
            self.let_go(name);
        }
        error.into()
    }

    /// Closes a session that is open, whoever uses it.
    pub(crate) fn let_go(&self, name: &Name) {
        if let Some(kept) = self.sessions.forget(name) {
            kept.session().close();
        }
    }

    /// How sessions are opened that serve requests.
    pub(crate) fn keeping(&self) -> KeptOptions {
        let mut options = KeptOptions::default();
        options.code_wait = Some(self.options.code_wait);
        options.notify = Some(self.notify());
        options
    }

    /// Tells of a trouble as an event, and whoever the daemon was told to tell.
    pub(crate) fn notify(&self) -> Notify {
        let (events, clock) = (Arc::clone(&self.events), Arc::clone(&self.clock));
        let other = self.options.notify.clone();
        Arc::new(move |trouble| {
            tracing::warn!(
                session = trouble.session,
                kind = trouble.kind.as_str(),
                "a person is needed"
            );
            let event = Event::new("personNeeded", clock.now());
            let words = format!("{}: {}", trouble.kind.as_str(), trouble.reason);
            events.tell(event.session(&trouble.session).detail(&words));
            if let Some(other) = &other {
                other(trouble);
            }
        })
    }
}

/// How long an answer of the store holds for those who ask whether it answers.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How long the store may take to be called ready.
const STORE_WAIT: Duration = Duration::from_secs(2);
