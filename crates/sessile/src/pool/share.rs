//! This process's share of the seats: parts that are taken, filled and given away.

use std::collections::HashSet;
use std::sync::Arc;

use super::roster::Roster;
use super::seat::{self, PARTS};
use super::state::SeatId;
use super::{PoolError, PoolEventKind, Shared};
use crate::store::Name;

impl Shared {
    /// Takes the parts that are this process's, and gives away those that aren't.
    pub(super) async fn balance(&self, roster: &Roster) -> Result<(), PoolError> {
        let size = self.definition().size();
        let whose = roster.divide(size.min(PARTS));
        self.live().is_left_out = !whose.is_empty() && !whose.contains(&self.owner.as_str());
        for (part, owner) in whose.iter().enumerate() {
            let is_ours = *owner == self.owner.as_str();
            let label: Arc<str> = format!("{part}").into();
            match (is_ours, self.holds.has(&label)) {
                (true, false) => self.take_part(part, &label, size).await?,
                (true, true) => self.fill_part(part, &label, size).await?,
                (false, true) => self.give_part_away(&label).await,
                (false, false) => {}
            }
        }
        self.dissolve_beyond(size);
        for part in self.holds.parts() {
            let number = part.parse::<usize>();
            if number.is_ok_and(|number| number >= whose.len()) {
                self.give_part_back(&part).await;
            }
        }
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
            if live.seats.of_part(label) >= wanted.len() {
                return Ok(());
            }
            let of_part = live.seats.values().filter(|seat| seat.part == *label);
            of_part.map(|seat| seat.name.clone()).collect()
        };
        for number in wanted {
            let name = seat::numbered(&self.name, number)?;
            if !names.contains(&name) && self.is_open() {
                match self.open_seat(name.clone(), label, None).await {
                    Ok(_seat) => _ = self.live().unopened.remove(&name),
                    Err(PoolError::Store(error)) => return Err(error.into()),
                    Err(error) => self.note_unopened(name, &error),
                }
            }
        }
        Ok(())
    }

    /// One seat that can't be opened doesn't keep the others from being looked after. It is tried again
    /// with each look, and told once.
    pub(super) fn note_unopened(&self, seat: Name, error: &PoolError) {
        if self.live().unopened.insert(seat.clone()) {
            let why = error.to_string();
            tracing::warn!(%seat, %why, "the seat can't be served");
            self.tell(PoolEventKind::SeatWaits { seat, why });
        }
    }

    async fn give_part_away(&self, label: &str) {
        self.give_seats_away(label);
        // Else it is given back with the last of its seats.
        self.give_part_back(label).await;
    }

    fn give_seats_away(&self, label: &str) {
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

    /// Holds a part no more that nothing was opened in.
    pub(super) async fn give_part_back(&self, part: &str) {
        let held = {
            let live = self.live();
            // In one step: nobody puts a seat into a part that isn't held.
            let is_empty = live.seats.of_part(part) == 0;
            is_empty.then(|| self.holds.take(part)).flatten()
        };
        if let Some(held) = held {
            held.release(&self.vault).await;
        }
    }
}
