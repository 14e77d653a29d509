//! The beginning and the end of an open pool, and of a pool as a whole.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use foldhash::{HashMap, HashSet};
use futures_util::future::join_all;
use tokio::sync::{Mutex as AsyncMutex, Notify as Bell, broadcast, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::PoolClock;
use super::definition::{SEPARATOR, unknown};
use super::hold::Holds;
use super::proxies::ProxyHealth;
use super::roster::Roster;
use super::served::{Members, Seats};
use super::state::State;
use super::upkeep::{TERM, Upkeep};
use super::{
    Counts, Handle, Live, Pool, PoolError, PoolEventKind, PoolOptions, Serves, Shared, Stage,
    guard, roster,
};
use crate::renew::Kept;
use crate::store::{HolderId, Name, Room, StoreError, Vault};

/// How many events wait for a listener that is slow; then it misses some.
const EVENTS: usize = 1024;

/// How a pool ended here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Closed {
    /// Leases that were given back in time.
    pub drained: usize,
    /// Leases that were cut off.
    pub cut_off: usize,
}

impl Pool {
    /// Opens a pool: this process takes its part of the seats, makes their sessions or takes over
    /// those that are there, and keeps them until the pool is closed.
    ///
    /// # Errors
    ///
    /// [`PoolError::Unknown`] where there is none of that name, [`PoolError::Store`].
    pub async fn open(vault: &Vault, name: &Name, options: PoolOptions) -> Result<Self, PoolError> {
        let definition = Self::definition(vault, name).await?;
        let owner = owner()?;
        let (roster, store) = match options.serves {
            Serves::No => roster::visit(vault, name).await?,
            Serves::Yes => roster::enter(vault, name, &owner, options.hold.unwrap_or(TERM)).await?,
        };
        let clock = PoolClock::new(store, Instant::now());
        let seed = getrandom::u64().unwrap_or_default();
        let live = Live {
            state: State::new(definition.rules(), seed),
            seats: Seats::default(),
            members: Members::default(),
            waiting: HashMap::default(),
            sleeps_until: store,
            last_trouble: None,
            counts: Counts::default(),
            unopened: HashSet::default(),
            unsure: HashSet::default(),
            adrift: HashMap::default(),
            owners: roster.owners().count(),
            is_left_out: false,
        };
        let shared = Arc::new(Shared {
            name: name.clone(),
            vault: vault.clone(),
            options,
            clock,
            owner,
            definition: RwLock::new(Arc::new(definition)),
            live: Mutex::new(live),
            holds: Holds::default(),
            proxies: Mutex::new(ProxyHealth::default()),
            looked: AtomicBool::new(false),
            targets: Arc::default(),
            target_list: AsyncMutex::default(),
            bell: Bell::new(),
            upkeep_bell: Bell::new(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            stage: watch::Sender::new(Stage::Open),
            events: broadcast::Sender::new(EVENTS),
        });
        shared.begin(Upkeep::new(roster));
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Ends the pool here: no more leases are granted, those that run may go on for at most `limit`.
    /// The sessions stay in the store, for other processes and the next time.
    pub async fn close(&self, limit: Duration) -> Closed {
        let shared = &self.0;
        let was_open = shared.stage.send_if_modified(|stage| {
            let is_open = *stage == Stage::Open;
            if is_open {
                *stage = Stage::Closing;
            }
            is_open
        });
        if !was_open {
            return Closed::default();
        }
        let now = shared.now();
        let leases = {
            let mut live = shared.live();
            let leases = live.state.stats(now).leases;
            live.state.close(now);
            shared.settle(live, now);
            leases
        };
        shared.bell.notify_one();
        let drained = timeout(limit, shared.until_closed()).await.is_ok();
        let cut_off = match drained {
            true => 0,
            false => shared.live().state.stats(shared.now()).leases,
        };
        shared.end().await;
        Closed {
            drained: leases.saturating_sub(cut_off),
            cut_off,
        }
    }

    /// Removes a pool that no process serves, with all its sessions.
    ///
    /// # Errors
    ///
    /// [`PoolError::InUse`] where a process serves it, [`PoolError::Unknown`].
    pub async fn remove(vault: &Vault, name: &Name) -> Result<(), PoolError> {
        let row = name.beside(Room::Pool);
        if vault.load(&row).await?.is_none() {
            return Err(unknown(vault, name));
        }
        let (roster, _now) = roster::visit(vault, name).await?;
        if let Some(owner) = roster.owners().next() {
            return Err(PoolError::InUse {
                pool: name.to_string(),
                owner: owner.to_owned(),
            });
        }
        let start = format!("{name}{SEPARATOR}");
        for session in vault.list().await? {
            if session.name.as_str().starts_with(&start) {
                vault.remove(&session.name).await?;
            }
        }
        for row in vault.list_room(Room::Seat, &start).await? {
            vault.remove(&row.name).await?;
        }
        vault.remove(&row).await?;
        Ok(())
    }
}

impl Shared {
    /// Begins what goes on in the background.
    fn begin(self: &Arc<Self>, upkeep: Upkeep) {
        let (keeper, holder, looker) = (Arc::clone(self), Arc::clone(self), Arc::clone(self));
        self.tasks.spawn(async move {
            guard::go_on(&keeper.tasks, &keeper.stop, || Arc::clone(&keeper).keep()).await;
        });
        self.tasks.spawn(async move {
            guard::go_on(&holder.tasks, &holder.stop, || {
                Arc::clone(&holder).hold_on()
            })
            .await;
            let is_forsaken = *holder.stage.borrow() == Stage::Forsaken;
            if is_forsaken {
                holder.leave().await;
            }
        });
        let mut first = Some(upkeep);
        self.tasks.spawn(async move {
            guard::go_on(&looker.tasks, &looker.stop, || {
                let upkeep = first.take();
                let upkeep = upkeep.unwrap_or_else(|| Upkeep::new(Roster::default()));
                Arc::clone(&looker).look_after(upkeep)
            })
            .await;
        });
    }

    /// Nobody has the pool any more: it ends by itself, unless it was closed.
    pub(super) fn forsake(&self) {
        self.stage.send_if_modified(|stage| {
            let is_open = *stage != Stage::Closed;
            if is_open {
                *stage = Stage::Forsaken;
            }
            is_open
        });
        self.stop_all();
    }

    fn stop_all(&self) {
        self.stop.cancel();
        self.bell.notify_one();
        self.upkeep_bell.notify_one();
        self.tasks.close();
    }

    async fn until_closed(&self) {
        // Every answered action may have been the last one.
        while !self.live().state.is_closed() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops what runs, stores what is new, and gives the seats to others; a store that hangs
    /// doesn't keep it from ending.
    async fn end(&self) {
        self.stage.send_replace(Stage::Closed);
        self.stop_all();
        // First: nothing may go on for a seat that is given back.
        self.within(self.tasks.wait(), "what runs").await;
        self.leave().await;
    }

    async fn leave(&self) {
        self.within(self.tidy_all(), "what is known of sessions")
            .await;
        let members: Vec<_> = self
            .live()
            .members
            .take()
            .into_iter()
            .map(|member| member.kept)
            .collect();
        let closing = join_all(members.iter().map(close_one));
        self.within(closing, "the sessions").await;
        for kept in members {
            // Nothing where it was closed in time.
            kept.session().close();
        }
        self.within(self.give_back(), "the right to the seats")
            .await;
        self.tell(PoolEventKind::Closed);
    }

    async fn give_back(&self) {
        let parts = self.holds.parts();
        let held = parts.iter().filter_map(|part| self.holds.take(part));
        join_all(held.map(|held| held.release(&self.vault))).await;
        if self.options.serves == Serves::Yes
            && let Err(error) = roster::leave(&self.vault, &self.name, &self.owner).await
        {
            tracing::warn!(pool = %self.name, %error, "others learn later that this process is gone");
        }
    }

    async fn within<T>(&self, ending: impl Future<Output = T>, what: &str) {
        if timeout(PATIENCE, ending).await.is_err() {
            tracing::warn!(pool = %self.name, what, "the pool is closed without waiting for this");
        }
    }
}

/// How long each step of the end may take.
const PATIENCE: Duration = Duration::from_secs(3);

async fn close_one(kept: &Kept) {
    if let Err(error) = kept.close().await {
        tracing::warn!(session = %kept.name(), %error, "the last cookies could not be stored");
    }
}

/// A name for this process among those who serve the pool.
fn owner() -> Result<HolderId, StoreError> {
    let random = getrandom::u64().unwrap_or_default();
    HolderId::parse(&format!("{}-{random:016x}", std::process::id()))
}
