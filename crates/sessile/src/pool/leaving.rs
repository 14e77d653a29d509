//! Members and seats that go: removed, handed to whoever is next, or lost to another process.

use std::sync::Arc;

use super::seat::MemberRow;
use super::state::{Action, MemberId, SeatId, Task};
use super::trouble::Trouble;
use super::{PoolEventKind, Shared, accounts};
use crate::renew::{Kept, Logins};
use crate::store::{Name, Room};

impl Shared {
    /// Removes a member's record. Its connections go with the last handle: a reply that is still read
    /// ends on its own.
    pub(super) async fn retire(&self, seat: SeatId, kept: &Kept) -> Result<(), Trouble> {
        kept.set_logins(Logins::Closed);
        self.vault.remove(kept.name()).await?;
        let part = {
            let mut live = self.live();
            let Some(seat) = live.seats.get_mut(&seat) else {
                return Ok(());
            };
            seat.row.leaving.retain(|name| name != kept.name().as_str());
            if seat
                .row
                .member
                .as_ref()
                .is_some_and(|row| row.session == kept.name().as_str())
            {
                seat.row.member = None;
            }
            Arc::clone(&seat.part)
        };
        self.write_seat(seat, &part).await
    }

    /// Hands a seat to whoever is next, with its member.
    pub(super) async fn release(
        &self,
        id: SeatId,
        member: Option<MemberId>,
    ) -> Result<(), Trouble> {
        let (kept, part, name, is_dissolved) = {
            let mut live = self.live();
            let view = member.and_then(|member| live.state.member(member));
            let kept = member.and_then(|member| live.members.get(&member));
            let kept = kept.map(|member| member.kept.clone());
            let Some(seat) = live.seats.get_mut(&id) else {
                return Ok(());
            };
            if let (Some(view), Some(kept)) = (view, &kept) {
                seat.row.member = Some(MemberRow::new(kept.name(), &view));
            }
            (
                kept,
                Arc::clone(&seat.part),
                seat.name.clone(),
                seat.is_dissolved,
            )
        };
        if let Some(kept) = &kept
            && let Err(error) = kept.close().await
        {
            tracing::warn!(session = %kept.name(), %error, "the last cookies could not be stored");
        }
        if is_dissolved {
            self.vault.remove(&name.beside(Room::Seat)).await?;
            accounts::free(&self.vault, &self.name, &name).await?;
            return Ok(());
        }
        self.write_seat(id, &part).await
    }

    /// Gives a part back once none of its seats is left.
    pub(super) async fn after_release(&self, action: Action, is_done: bool) {
        if action.task != Task::Release || !is_done {
            return;
        }
        let part = {
            let mut live = self.live();
            live.seats
                .remove(&action.seat)
                .map(|seat| (seat.part, seat.name))
        };
        let Some((part, seat)) = part else {
            return;
        };
        let is_here = false;
        self.tell(PoolEventKind::SeatMoved { seat, is_here });
        let is_empty = self.live().seats.values().all(|seat| seat.part != part);
        if is_empty {
            self.holds.release(&self.vault, &part).await;
            self.upkeep_bell.notify_one();
        }
    }

    /// A part is another's: its seats are forgotten at once.
    pub(super) fn lose_part(&self, part: &str) {
        self.holds.forget(part);
        let now = self.now();
        let mut live = self.live();
        let lost = live.seats.iter().filter(|(_, seat)| &*seat.part == part);
        let lost: Vec<(SeatId, Name)> = lost.map(|(id, seat)| (*id, seat.name.clone())).collect();
        for (id, _name) in &lost {
            let members = live.state.members().filter(|member| member.seat == *id);
            let members: Vec<MemberId> = members.map(|member| member.id).collect();
            for member in members {
                if let Some(member) = live.members.remove(&member) {
                    member.kept.set_logins(Logins::Closed);
                    member.kept.session().close();
                }
            }
            // It is gone either way.
            let _gone = live.state.lose(*id, now);
            live.seats.remove(id);
        }
        self.settle(live, now);
        for (_id, seat) in lost {
            let is_here = false;
            tracing::warn!(%seat, "the seat is another process's now");
            self.tell(PoolEventKind::SeatMoved { seat, is_here });
        }
        self.upkeep_bell.notify_one();
    }
}
