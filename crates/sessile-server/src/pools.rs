//! The pools that the daemon serves: all that the store has, opened as they are defined.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use sessile::pool::{Pool, PoolEvent, PoolEventKind, PoolOptions};
use sessile::store::Name;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::broadcast::error::RecvError;

use crate::daemon::Shared;
use crate::events::Event;
use crate::leases::Leases;
use crate::problem::{Kind, Problem};

/// The pools that are open, and the leases that were handed out of them.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    open: RwLock<BTreeMap<Name, Pool>>,
    pub(crate) leases: Leases,
    looked: AsyncMutex<Option<u64>>,
}

/// What ended with the pools.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ended {
    pub(crate) cut_off: usize,
}

impl Pools {
    /// All of them, or the one that is named.
    pub(crate) fn some(&self, name: Option<&str>) -> Result<Vec<Pool>, Problem> {
        match name {
            Some(name) => Ok(vec![self.named(name)?]),
            None => Ok(self.all()),
        }
    }

    /// The one that is named or, where none is, the only one.
    pub(crate) fn one(&self, name: Option<&str>) -> Result<Pool, Problem> {
        let mut pools = self.some(name)?;
        match (pools.pop(), pools.is_empty()) {
            (Some(pool), true) => Ok(pool),
            (Some(_), false) => {
                let detail = "there are several pools: name one with `?pool=`";
                Err(Problem::new(Kind::BadRequest, detail))
            }
            (None, _) => Err(Problem::new(
                Kind::UnknownPool,
                "this daemon serves no pool",
            )),
        }
    }

    pub(crate) fn named(&self, name: &str) -> Result<Pool, Problem> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let pool = open.get(name).cloned();
        pool.ok_or_else(|| Problem::new(Kind::UnknownPool, format!("there is no pool `{name}`")))
    }

    pub(crate) fn all(&self) -> Vec<Pool> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.values().cloned().collect()
    }

    /// Whether a stored session belongs to one of them: it is used by a lease only.
    pub(crate) fn has(&self, session: &Name) -> bool {
        let pool = session.as_str().split_once('~').map(|(pool, _seat)| pool);
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        pool.is_some_and(|pool| open.contains_key(pool))
    }

    /// Ends all of them: no more leases; those that run may go on for so long.
    pub(crate) async fn close(&self, limit: Duration) -> Ended {
        let closing = self
            .all()
            .into_iter()
            .map(|pool| async move { pool.close(limit).await });
        let mut ended = Ended::default();
        for closed in join_all(closing).await {
            ended.cut_off += closed.cut_off;
        }
        ended
    }
}

impl Shared {
    /// Opens the pools that were defined since the last look.
    pub(crate) async fn open_pools(self: &Arc<Self>) {
        if let Err(error) = self.try_open_pools().await {
            tracing::error!(%error, "the pools can't be opened");
        }
    }

    async fn try_open_pools(self: &Arc<Self>) -> Result<(), sessile::pool::PoolError> {
        let mut looked = self.pools.looked.lock().await;
        let changes = self.vault.changes()?;
        if *looked == Some(changes) {
            return Ok(());
        }
        let names = Pool::names(&self.vault).await?;
        for name in &names {
            if self.pools.named(name.as_str()).is_err() {
                self.open_pool(name).await;
            }
        }
        self.close_removed(&names).await;
        *looked = Some(changes);
        Ok(())
    }

    /// One that can't be opened doesn't keep the others from being served.
    async fn open_pool(self: &Arc<Self>, name: &Name) {
        let mut options = PoolOptions::default();
        options.code_wait = Some(self.options.code_wait);
        options.notify = Some(self.notify());
        match Pool::open(&self.vault, name, options).await {
            Ok(pool) => {
                tracing::info!(pool = %name, "serving");
                self.tasks.spawn(hear(Arc::clone(self), pool.clone()));
                let mut open = self
                    .pools
                    .open
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                open.insert(name.clone(), pool);
            }
            Err(error) => tracing::error!(pool = %name, %error, "the pool can't be opened"),
        }
    }

    async fn close_removed(&self, names: &[Name]) {
        let removed: Vec<Pool> = {
            let mut open = self
                .pools
                .open
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            let (stay, go) = std::mem::take(&mut *open)
                .into_iter()
                .partition(|(name, _pool)| names.contains(name));
            *open = stay;
            let go: BTreeMap<Name, Pool> = go;
            go.into_values().collect()
        };
        for pool in removed {
            pool.close(Duration::ZERO).await;
        }
    }
}

/// Passes on what happens in a pool, until it is closed.
async fn hear(shared: Arc<Shared>, pool: Pool) {
    let mut events = pool.events();
    drop(pool);
    loop {
        match events.recv().await {
            Ok(event) => {
                let ends = matches!(event.kind, PoolEventKind::Closed);
                shared.tell(told(&event));
                if ends {
                    return;
                }
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "events of a pool were missed")
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn told(event: &PoolEvent) -> Event {
    let told = Event::new(event.kind.as_str(), event.at).pool(&event.pool);
    match &event.kind {
        PoolEventKind::AccountStopped { user, why } => told.detail(&format!("{user}: {why}")),
        PoolEventKind::CheckFailed { session, why } => told.session(session).detail(why),
        PoolEventKind::LeaseTimedOut { session, .. }
        | PoolEventKind::Refreshed { session }
        | PoolEventKind::Renewed { session }
        | PoolEventKind::Retired { session }
        | PoolEventKind::Validated { session } => told.session(session),
        PoolEventKind::LoginFailed { seat, why } => told.session(seat).detail(why),
        PoolEventKind::Made { session, replaces } => {
            let told = told.session(session);
            match replaces {
                Some(old) => told.detail(&format!("in place of {old}")),
                None => told,
            }
        }
        PoolEventKind::ProxyCools { proxy, .. } => told.detail(proxy),
        PoolEventKind::UseFailed { session, outcome } => {
            told.session(session).detail(&outcome_name(*outcome))
        }
        PoolEventKind::SeatMoved { seat, .. } => told.session(seat),
        _ => told,
    }
}

/// The word that programs know an outcome by.
fn outcome_name(outcome: sessile::pool::Outcome) -> &'static str {
    use sessile::pool::Outcome;
    match outcome {
        Outcome::Blocked => "blocked",
        Outcome::Challenged => "challenged",
        Outcome::Dropped => "dropped",
        Outcome::Expired => "expired",
        Outcome::Failing => "failing",
        Outcome::RateLimited { .. } => "rate-limited",
        Outcome::Unreachable => "unreachable",
        _ => "ok",
    }
}
