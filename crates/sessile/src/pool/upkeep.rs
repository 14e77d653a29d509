//! Shares the seats with other processes: says that this one is alive, takes what is its part, gives
//! away what isn't, and keeps the right to what it has.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::hold::Extended;
use super::roster::{self, Roster};
use super::seat::{self, PARTS, TARGET};
use super::state::{SeatId, Which};
use super::{PoolError, Serves, Shared, Stage};
use crate::store::{Name, Room, StoreError};

/// How often is looked what others want.
const LOOK: Duration = Duration::from_secs(1);

/// How often this process says that it is alive.
const ALIVE: Duration = Duration::from_secs(5);

/// How often targets that nobody serves are looked for.
const TARGETS: Duration = Duration::from_secs(60);

/// How often what is known of members is written down.
const FACTS: Duration = Duration::from_secs(10);

/// Without the right for at least so long, nothing is begun for a seat.
const LAST: Duration = Duration::from_secs(2);

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
        while *self.stage.borrow() != Stage::Closed {
            // On a task of its own: a panic in one look is one failed look.
            let looking = Arc::clone(&self);
            let look = self.tasks.spawn(async move {
                let looked = looking.look(&mut upkeep).await;
                (upkeep, looked)
            });
            upkeep = match look.await {
                Ok((upkeep, Ok(()))) => upkeep,
                Ok((upkeep, Err(error))) => {
                    tracing::warn!(pool = %self.name, %error, "the pool can't be looked after");
                    upkeep
                }
                Err(panic) => {
                    tracing::error!(pool = %self.name, %panic, "the upkeep failed");
                    Upkeep::new(Roster::default())
                }
            };
            self.suspend_and_resume();
            let pause = LOOK.min(self.term() / 3);
            // Whoever ends the pool rings too.
            let _rung = timeout(pause, self.upkeep_bell.notified()).await;
        }
    }

    async fn look(self: &Arc<Self>, upkeep: &mut Upkeep) -> Result<(), PoolError> {
        self.extend_holds().await;
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
            self.write_all_facts().await;
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

    /// New accounts, proxies and passwords count from now on; logins that were given up are tried
    /// again.
    async fn take_over_definition(&self, known: &mut u64) -> Result<(), PoolError> {
        let opened = self.vault.load(&self.name.beside(Room::Pool)).await?;
        let Some(opened) = opened.filter(|opened| opened.version != *known) else {
            return Ok(());
        };
        let definition = super::definition::decode(&self.name, &opened.plain)?;
        // It may have changed since the pool was opened.
        let is_first = std::mem::replace(known, opened.version) == 0;
        *self
            .definition
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(definition);
        if is_first {
            return Ok(());
        }
        let now = self.now();
        let mut live = self.live();
        let stopped = live.state.seats().filter(|seat| seat.stopped);
        let stopped: Vec<SeatId> = stopped.map(|seat| seat.id).collect();
        for seat in stopped {
            // It may be leaving.
            let _gone = live.state.retry(seat, now);
            live.state.rotate(Which::Seat(seat), now);
        }
        self.settle(live, now);
        Ok(())
    }

    /// Takes the parts that are this process's, and gives away those that aren't.
    async fn balance(&self, roster: &Roster) -> Result<(), PoolError> {
        let size = self.definition().size();
        let whose = roster.divide(size.min(PARTS));
        for (part, owner) in whose.iter().enumerate() {
            let is_ours = *owner == self.owner.as_str();
            let label: Arc<str> = format!("{part}").into();
            match (is_ours, self.holds.has(&label)) {
                (true, false) => self.take_part(part, &label, size).await?,
                (true, true) => self.fill_part(part, &label, size).await?,
                (false, true) => self.give_part_away(&label),
                (false, false) => {}
            }
        }
        self.dissolve_beyond(size);
        Ok(())
    }

    /// Seats that the pool has no more, because accounts were removed, are dissolved.
    fn dissolve_beyond(&self, size: usize) {
        let now = self.now();
        let mut live = self.live();
        let beyond = live.seats.iter().filter(|(_, seat)| {
            let number = seat::number(&seat.name);
            !seat.is_dissolved && number.is_some_and(|number| number >= size)
        });
        let beyond: Vec<SeatId> = beyond.map(|(id, _)| *id).collect();
        for id in beyond {
            // It may be leaving already.
            let _gone = live.state.remove(id, now);
            if let Some(seat) = live.seats.get_mut(&id) {
                seat.is_dissolved = true;
            }
        }
        self.settle(live, now);
    }

    async fn take_part(&self, part: usize, label: &Arc<str>, size: usize) -> Result<(), PoolError> {
        let key = (&self.name, label);
        let owner = (&self.owner, self.term());
        if self.holds.acquire(&self.vault, key, owner).await?.is_err() {
            return Ok(());
        }
        self.fill_part(part, label, size).await
    }

    /// Opens the seats of a part that aren't open.
    async fn fill_part(&self, part: usize, label: &Arc<str>, size: usize) -> Result<(), PoolError> {
        let wanted = (part..size).step_by(PARTS);
        let names: HashSet<Name> = {
            let live = self.live();
            let of_part = live.seats.values().filter(|seat| seat.part == *label);
            of_part.map(|seat| seat.name.clone()).collect()
        };
        if names.len() >= wanted.len() {
            return Ok(());
        }
        for number in wanted {
            let name = seat::numbered(&self.name, number)?;
            if !names.contains(&name) && self.is_open() {
                self.open_seat(name, label, None).await?;
            }
        }
        Ok(())
    }

    fn give_part_away(&self, label: &str) {
        let now = self.now();
        let mut live = self.live();
        let seats = live.seats.iter().filter(|(_, seat)| &*seat.part == label);
        let seats: Vec<SeatId> = seats.map(|(id, _)| *id).collect();
        for seat in seats {
            // It may be leaving already.
            let _gone = live.state.give_away(seat, now);
        }
        self.settle(live, now);
    }

    /// Takes seats of targets that nobody serves.
    async fn take_targets(&self) -> Result<(), PoolError> {
        let start = Name::parse(&format!(
            "{}{}{TARGET}",
            self.name,
            super::definition::SEPARATOR
        ))?;
        let rows = self.vault.list_room(Room::Seat, start.as_str()).await?;
        for row in rows {
            let Some((_, name)) = row.name.room() else {
                continue;
            };
            let part: Arc<str> = seat::part_of_target(&name).into();
            if self.holds.has(&part) || !self.is_open() {
                continue;
            }
            let _turn = self.targets.lock().await;
            let key = (&self.name, &part);
            let owner = (&self.owner, self.term());
            if self.holds.acquire(&self.vault, key, owner).await?.is_ok() {
                self.open_seat(name, &part, None).await?;
            }
        }
        Ok(())
    }

    /// Keeps the right to all parts that are held here.
    async fn extend_holds(&self) {
        for part in self.holds.parts() {
            if self.holds.left(&part) > self.term() * 2 / 3 {
                continue;
            }
            match self.holds.extend(&self.vault, &part, self.term()).await {
                Extended::Held => {}
                Extended::Lost => self.lose_part(&part),
                Extended::Failed(error) => {
                    tracing::warn!(pool = %self.name, %part, %error, "seats may be lost");
                }
            }
        }
    }

    /// Seats whose right is about to end take no lease and begin nothing until it is there again.
    fn suspend_and_resume(&self) {
        let now = self.now();
        let mut live = self.live();
        let views: Vec<(SeatId, bool)> = live
            .state
            .seats()
            .map(|seat| (seat.id, seat.suspended))
            .collect();
        for (seat, is_suspended) in views {
            let left = live
                .seats
                .get(&seat)
                .map(|seat| self.holds.left(&seat.part));
            let is_held = left.is_some_and(|left| left > LAST.min(self.term() / 4));
            // It may be leaving.
            let _gone = match (is_held, is_suspended) {
                (false, false) => live.state.suspend(seat, now),
                (true, true) => live.state.resume(seat, now),
                _ => continue,
            };
        }
        self.settle(live, now);
    }

    pub(super) async fn write_all_facts(&self) {
        let seats: Vec<SeatId> = self.live().seats.keys().copied().collect();
        for seat in seats {
            self.write_facts(seat).await;
        }
    }
}
