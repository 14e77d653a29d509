//! Shares the seats with other processes: says that this one is alive, takes what is its part, gives
//! away what isn't, and keeps the right to what it has.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::roster::{self, Roster};
use super::state::{SeatId, Which};
use super::{PoolError, Serves, Shared};
use crate::store::{Room, StoreError};

/// How often is looked what others want.
const LOOK: Duration = Duration::from_secs(1);

/// How often this process says that it is alive.
pub(super) const ALIVE: Duration = Duration::from_secs(5);

/// How often targets that nobody serves are looked for.
const TARGETS: Duration = Duration::from_secs(60);

/// How often what is known of members is written down.
const FACTS: Duration = Duration::from_secs(10);

/// The right to a seat lasts so long where nobody extends it.
pub(super) const TERM: Duration = Duration::from_secs(30);

/// What the upkeep remembers from one look to the next.
#[derive(Debug)]
pub(super) struct Upkeep {
    roster: Roster,
    last_order: u64,
    alive: Option<Instant>,
    targets: Option<Instant>,
    facts: Instant,
    changes: Option<u64>,
    definition: u64,
}

impl Upkeep {
    pub(super) fn new(roster: Roster) -> Self {
        let last_order = roster.orders.last().map_or(0, |order| order.number);
        Self {
            roster,
            last_order,
            alive: None,
            targets: None,
            facts: Instant::now(),
            changes: None,
            definition: 0,
        }
    }
}

impl Shared {
    /// How long the right to a seat lasts where nobody extends it.
    pub(super) fn term(&self) -> Duration {
        self.options.hold.unwrap_or(TERM)
    }

    /// Goes on until the pool is closed.
    pub(super) async fn look_after(self: Arc<Self>, mut upkeep: Upkeep) {
        while !self.stop.is_cancelled() {
            tokio::select! {
                looked = self.look(&mut upkeep) => if let Err(error) = looked {
                    tracing::warn!(pool = %self.name, %error, "the pool can't be looked after");
                },
                () = self.stop.cancelled() => return,
            }
            let pause = LOOK.min(self.term() / 3);
            // Whoever ends the pool rings too.
            let _rung = timeout(pause, self.upkeep_bell.notified()).await;
        }
    }

    async fn look(self: &Arc<Self>, upkeep: &mut Upkeep) -> Result<(), PoolError> {
        let is_open = self.is_open();
        if is_open
            && upkeep
                .alive
                .is_none_or(|at| at.elapsed() >= ALIVE.min(self.term() / 3))
        {
            upkeep.roster = self.say_alive().await?;
            upkeep.alive = Some(Instant::now());
            self.set_owners(&upkeep.roster);
        }
        let changes = self.vault.changes()?;
        if upkeep.changes != Some(changes) {
            upkeep.roster = roster::look(&self.vault, &self.name).await?;
            self.take_over_definition(&mut upkeep.definition).await?;
            upkeep.changes = Some(changes);
        }
        let roster = upkeep.roster.clone();
        self.follow_orders(&roster, &mut upkeep.last_order).await;
        if is_open && self.options.serves == Serves::Yes {
            self.balance(&roster).await?;
            if upkeep.targets.is_none_or(|at| at.elapsed() >= TARGETS) {
                upkeep.targets = Some(Instant::now());
                self.take_targets().await?;
            }
            self.remove_idle_targets();
            self.looked.store(true, Ordering::Relaxed);
        }
        if upkeep.facts.elapsed() >= FACTS {
            upkeep.facts = Instant::now();
            self.tidy_all().await;
        }
        Ok(())
    }

    async fn say_alive(&self) -> Result<Roster, StoreError> {
        let (roster, _now) = match self.options.serves {
            Serves::No => roster::visit(&self.vault, &self.name).await?,
            Serves::Yes => {
                let term = self.term();
                roster::enter(&self.vault, &self.name, &self.owner, term).await?
            }
        };
        Ok(roster)
    }

    fn set_owners(&self, roster: &Roster) {
        self.live().owners = roster.owners().count();
    }

    /// New accounts, proxies, passwords and rules count from now on; logins that were given up are tried
    /// again.
    async fn take_over_definition(&self, known: &mut u64) -> Result<(), PoolError> {
        let opened = self.vault.load(&self.name.beside(Room::Pool)).await?;
        let Some(opened) = opened.filter(|opened| opened.version != *known) else {
            return Ok(());
        };
        let definition = super::definition::decode(&self.name, &opened.plain)?;
        let rules = definition.rules();
        // It may have changed since the pool was opened.
        let is_first = std::mem::replace(known, opened.version) == 0;
        *self
            .definition
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(definition);
        let now = self.now();
        let mut live = self.live();
        live.state.set_rules(rules, now);
        if is_first {
            self.settle(live, now);
            return Ok(());
        }
        let waits = |id: &SeatId| live.seats.get(id).is_some_and(|seat| seat.waits.is_some());
        let stopped = live.state.seats();
        let stopped = stopped.filter(|seat| seat.stopped || waits(&seat.id));
        let stopped: Vec<SeatId> = stopped.map(|seat| seat.id).collect();
        for seat in stopped {
            // It may be leaving.
            let _gone = live.state.retry(seat, now);
            live.state.rotate(Which::Seat(seat), now);
        }
        self.settle(live, now);
        Ok(())
    }
}
