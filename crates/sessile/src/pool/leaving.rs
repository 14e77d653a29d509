//! Members and seats that go: removed, handed to whoever is next, or lost to another process.

use super::state::{Action, MemberId, SeatId, Task};
use super::trouble::Trouble;
use super::{Live, PoolEventKind, Shared, accounts, seat};
use crate::renew::{Kept, Logins};
use crate::store::{Fence, Name};

impl Shared {
    /// Removes a member's record. Its connections go with the last handle: a reply that is still read
    /// ends on its own.
    pub(super) async fn retire(&self, seat: SeatId, kept: &Kept) -> Result<(), Trouble> {
        kept.set_logins(Logins::Closed);
        self.write_seat(seat).await?;
        Ok(self.remove_session(seat, kept.name()).await?)
    }

    /// Hands a seat to whoever is next, with its member.
    pub(super) async fn release(
        &self,
        id: SeatId,
        member: Option<MemberId>,
    ) -> Result<(), Trouble> {
        let kept = {
            let live = self.live();
            let member = member.and_then(|member| live.members.get(&member));
            member.map(|member| member.kept.clone())
        };
        if let Some(kept) = &kept
            && let Err(error) = kept.close().await
        {
            tracing::warn!(session = %kept.name(), %error, "the last cookies could not be stored");
        }
        let is_dissolved = {
            let mut live = self.live();
            let seat = live.seats.get_mut(&id).ok_or_else(Trouble::gone)?;
            if seat.is_dissolved {
                // It is written once more, to see that it is still held.
                seat.written = None;
            }
            seat.is_dissolved
        };
        self.tidy(id).await?;
        match is_dissolved {
            true => self.dissolve(id).await,
            false => Ok(()),
        }
    }

    /// Leaves nothing of a seat; its account is others'.
    async fn dissolve(&self, id: SeatId) -> Result<(), Trouble> {
        let (name, part) = {
            let live = self.live();
            let seat = live.seats.get(&id).ok_or_else(Trouble::gone)?;
            (seat.name.clone(), seat.part.clone())
        };
        let fence = self.holds.fence(&part).ok_or_else(Trouble::gone)?;
        accounts::free(&self.vault, &self.name, &name).await?;
        let removed = seat::remove(&self.vault, &name, fence.clone()).await;
        self.retry_waiting();
        Ok(self.note_fenced((&part, &fence), removed)?)
    }

    /// What seats wait for may be there now.
    fn retry_waiting(&self) {
        let now = self.now();
        let mut live = self.live();
        let waiting = live.seats.iter().filter(|(_, seat)| seat.waits.is_some());
        let waiting: Vec<SeatId> = waiting.map(|(id, _)| *id).collect();
        for seat in waiting {
            // It may be leaving.
            let _gone = live.state.retry(seat, now);
        }
        self.settle(live, now);
    }

    /// Gives a part back once none of its seats is left.
    pub(super) async fn after_release(&self, action: Action, is_done: bool) {
        if action.task != Task::Release || !is_done {
            return;
        }
        let (seat, held) = {
            let mut live = self.live();
            let Some(seat) = live.seats.remove(&action.seat) else {
                return;
            };
            let is_empty = live.seats.of_part(&seat.part) == 0;
            // In one step: nobody puts a seat into a part that isn't held.
            let held = is_empty.then(|| self.holds.take(&seat.part)).flatten();
            (seat.name, held)
        };
        if let Some(held) = held {
            held.release(&self.vault).await;
            self.upkeep_bell.notify_one();
        }
        let is_here = false;
        self.tell(PoolEventKind::SeatMoved { seat, is_here });
    }

    /// A part is another's: its seats are forgotten at once, and what runs for them ends. One that was
    /// taken anew since it was held with this fence stays.
    pub(super) fn lose_part(&self, part: &str, fence: &Fence) {
        let now = self.now();
        let mut live = self.live();
        // In one step: seats are in no part that isn't held.
        if self.holds.take_of(part, fence).is_none() {
            return;
        }
        let lost = live.seats.iter().filter(|(_, seat)| &*seat.part == part);
        let lost: Vec<SeatId> = lost.map(|(id, _)| *id).collect();
        let lost: Vec<Name> = lost
            .into_iter()
            .filter_map(|id| live.lose(id, now))
            .collect();
        self.settle(live, now);
        for seat in lost {
            let is_here = false;
            tracing::warn!(%seat, "the seat is another process's now");
            self.tell(PoolEventKind::SeatMoved { seat, is_here });
        }
        self.upkeep_bell.notify_one();
    }

    /// Of a login whose seat was lost meanwhile nothing stays: whoever has the seat may have looked for
    /// it before it was there.
    pub(super) async fn remove_adrift(&self, seat: SeatId) {
        let Some(session) = self.live().adrift.remove(&seat) else {
            return;
        };
        if let Err(error) = self.vault.remove(&session).await {
            tracing::warn!(%session, %error, "a session that nobody uses could not be removed");
        }
    }
}

impl Live {
    fn lose(&mut self, id: SeatId, now: sessile_jar::Timestamp) -> Option<Name> {
        let members: Vec<MemberId> = self.state.members_of(id).map(|view| view.id).collect();
        for member in members {
            if let Some(member) = self.members.remove(&member) {
                member.kept.set_logins(Logins::Closed);
                member.kept.session().close();
            }
        }
        // It is gone either way.
        let _gone = self.state.lose(id, now);
        let seat = self.seats.remove(&id)?;
        seat.end.cancel();
        // Only what is written as begun here is surely no other owner's.
        let begun = seat.written.and_then(|row| row.making);
        if let Some(begun) = begun.and_then(|name| Name::parse(&name).ok()) {
            self.adrift.insert(id, begun);
        }
        Some(seat.name)
    }
}
