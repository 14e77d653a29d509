//! The pools that the daemon serves: all that the store has, opened as they are defined.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use sessile::pool::{Pool, PoolError, PoolEvent, PoolEventKind, PoolOptions};
use sessile::store::Name;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use crate::daemon::Shared;
use crate::events::Event;
use crate::leases::Leases;
use crate::problem::{Kind, Problem};

/// The pools that are open, and the leases that were handed out of them.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    open: RwLock<BTreeMap<Name, Pool>>,
    pub(crate) leases: Leases,
    looked: AsyncMutex<Looked>,
}

/// What was found when the store was last looked through.
#[derive(Debug, Default)]
struct Looked {
    changes: Option<u64>,
    /// Those that could not be opened.
    failed: BTreeMap<Name, Retry>,
}

/// When to try again, and how long was waited before.
#[derive(Clone, Copy, Debug)]
struct Retry {
    at: Instant,
    wait: Duration,
}

impl Looked {
    fn is_due(&self, name: &Name) -> bool {
        let retry = self.failed.get(name);
        retry.is_none_or(|retry| retry.at <= Instant::now())
    }

    /// Each time it is waited twice as long.
    fn note_failure(&mut self, name: &Name) {
        let before = self.failed.get(name).map(|retry| retry.wait);
        let wait = before.map_or(FIRST_RETRY, |wait| (wait * 2).min(LONGEST_RETRY));
        let at = Instant::now() + wait;
        self.failed.insert(name.clone(), Retry { at, wait });
    }
}

/// How long it takes until a pool that could not be opened is tried again.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

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

    async fn try_open_pools(self: &Arc<Self>) -> Result<(), PoolError> {
        let mut looked = self.pools.looked.lock().await;
        let changes = self.vault.changes()?;
        let is_retry_due = looked.failed.keys().any(|name| looked.is_due(name));
        if looked.changes == Some(changes) && !is_retry_due {
            return Ok(());
        }
        let names = Pool::names(&self.vault).await?;
        looked.failed.retain(|name, _retry| names.contains(name));
        for name in &names {
            if self.pools.named(name.as_str()).is_ok() || !looked.is_due(name) {
                continue;
            }
            if self.closing.is_cancelled() {
                return Ok(());
            }
            match self.open_pool(name).await {
                Ok(()) => _ = looked.failed.remove(name),
                Err(error) => {
                    tracing::error!(pool = %name, %error, "the pool can't be opened");
                    looked.note_failure(name);
                }
            }
        }
        self.close_removed(&names).await;
        looked.changes = Some(changes);
        Ok(())
    }

    /// One that can't be opened doesn't keep the others from being served.
    async fn open_pool(self: &Arc<Self>, name: &Name) -> Result<(), PoolError> {
        let mut options = PoolOptions::default();
        options.code_wait = Some(self.options.code_wait);
        options.notify = Some(self.notify());
        let pool = Pool::open(&self.vault, name, options).await?;
        tracing::info!(pool = %name, "serving");
        self.tasks.spawn(hear(Arc::clone(self), pool.clone()));
        let mut open = self
            .pools
            .open
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        open.insert(name.clone(), pool);
        Ok(())
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
        PoolEventKind::LoginFailed { seat, why } | PoolEventKind::SeatWaits { seat, why } => {
            told.session(seat).detail(why)
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pool_that_could_not_be_opened_is_tried_again_and_ever_more_seldom() {
        let (mut looked, name) = (Looked::default(), "shop".parse().unwrap());
        for wait in [2, 4, 8, 16, 32, 60, 60] {
            assert!(looked.is_due(&name));
            looked.note_failure(&name);
            tokio::time::advance(Duration::from_secs(wait) - Duration::from_millis(1)).await;
            assert!(!looked.is_due(&name));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    }
}
