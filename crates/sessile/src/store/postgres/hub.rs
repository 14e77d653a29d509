//! What the thread works with: the connections, and the patience to get one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::Site;
use super::fault::Fault;
use super::line::Line;
use super::listen::Changes;
use super::schema;
use crate::store::StoreError;

pub(super) struct Hub {
    pub(super) site: Arc<Site>,
    pub(super) changes: Arc<Changes>,
    /// Commits, and tells everybody else who listens. Both go out together.
    pub(super) commit: String,
    pool: Pool,
    recognised: OnceCell<()>,
    /// Whether the database has ever answered: then it is worth waiting for.
    is_known: Cell<bool>,
    listener: RefCell<Option<JoinHandle<()>>>,
}

/// Enough for commits to share the database's writes to disk, and few enough for many processes.
const CONNECTIONS: usize = 8;

/// How often a database that is away is tried.
const RETRY: Duration = Duration::from_millis(50);

impl Hub {
    pub(super) fn new(site: Arc<Site>, changes: Arc<Changes>) -> Self {
        let manager = Manager::from_connect(
            site.dial.config().clone(),
            site.dial.clone(),
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(site.silence()))
            .create_timeout(Some(site.silence()))
            .build()
            .expect("a runtime is named for the time-outs");
        Self {
            commit: format!("COMMIT; {}", announcement(&site)),
            pool,
            recognised: OnceCell::new(),
            is_known: Cell::new(false),
            listener: RefCell::new(None),
            site,
            changes,
        }
    }

    /// Does `work` on a line, and again on another one where the line turns out to be broken: it must be harmless to
    /// do it twice.
    pub(super) async fn patiently<T>(
        &self,
        mut work: impl AsyncFnMut(Line) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let start = Instant::now();
        loop {
            let outcome = match self.line().await {
                Ok(line) => work(line).await,
                Err(fault) => Err(fault),
            };
            match outcome {
                Ok(done) => return Ok(done),
                Err(fault)
                    if self.is_worth_waiting(&fault) && start.elapsed() < self.site.patience() =>
                {
                    tracing::debug!(?fault, "trying the store again");
                    sleep(RETRY).await;
                }
                Err(fault) => return Err(fault.at(&self.site)),
            }
        }
    }

    fn is_worth_waiting(&self, fault: &Fault) -> bool {
        fault.is_starting() || (fault.is_cut() && self.is_known.get())
    }

    /// A line to the store, which is looked at, and made if need be, the first time.
    async fn line(&self) -> Result<Line, Fault> {
        let line = self.raw_line().await?;
        if self.recognised.initialized() {
            return Ok(line);
        }
        self.recognised
            .get_or_try_init(|| async { schema::recognise(&self.site, &line).await })
            .await?;
        Ok(line)
    }

    async fn raw_line(&self) -> Result<Line, Fault> {
        let client = self.pool.get().await?;
        self.is_known.set(true);
        Ok(Line::new(client, self.site.silence()))
    }

    /// Tells everybody else who listens.
    pub(super) async fn announce(&self, line: &Line) -> Result<(), Fault> {
        line.say(&announcement(&self.site)).await
    }

    /// Keeps the task that listens.
    pub(super) fn listen_by(&self, listener: JoinHandle<()>) {
        self.listener.replace(Some(listener));
    }

    /// Ends what goes on by itself, and the connections.
    pub(super) fn close(self: Rc<Self>) {
        if let Some(listener) = self.listener.take() {
            listener.abort();
        }
        self.pool.close();
    }
}

/// The channel on which a store's changes are announced.
pub(super) fn channel(site: &Site) -> String {
    format!("sessile_{}", site.url.schema)
}

fn announcement(site: &Site) -> String {
    format!("NOTIFY {}, '{}'", channel(site), site.handle)
}
