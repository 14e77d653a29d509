//! What is known of seats and their members, brought to their rows.
//!
//! A row says what a seat leaves behind before anything of that is removed: whoever has the seat by
//! then knows as much.

use std::sync::Arc;

use super::seat::{self, MemberRow, SeatRow};
use super::state::SeatId;
use super::{Live, PoolError, Shared};
use crate::store::{Fence, Name, StoreError};

/// A row that differs from what is written of it.
struct Unwritten {
    seat: Name,
    part: Arc<str>,
    row: SeatRow,
    fence: Fence,
}

impl Shared {
    /// Writes what is new of all seats; as far as it comes where the store fails.
    pub(super) async fn tidy_all(&self) {
        let seats: Vec<SeatId> = self.live().seats.keys().copied().collect();
        for seat in seats {
            if let Err(PoolError::Store(error)) = self.tidy(seat).await {
                tracing::warn!(pool = %self.name, %error, "what is known of sessions is written later");
                return;
            }
        }
    }

    /// Writes what is new of a seat, and removes what its sessions left behind.
    pub(super) async fn tidy(&self, id: SeatId) -> Result<(), PoolError> {
        self.write_seat(id).await?;
        let left = self.live().left_behind(id);
        for session in &left {
            self.remove_session(id, session).await?;
        }
        match left.is_empty() {
            true => Ok(()),
            false => self.write_seat(id).await,
        }
    }

    /// Removes a session that the seat's row counts among those that leave.
    pub(super) async fn remove_session(&self, id: SeatId, session: &Name) -> Result<(), PoolError> {
        self.vault.remove(session).await?;
        if let Some(seat) = self.live().seats.get_mut(&id) {
            seat.row.leaving.retain(|name| name != session.as_str());
        }
        Ok(())
    }

    /// Writes a seat's row as it is now, where that isn't written: under the fence of its hold.
    pub(super) async fn write_seat(&self, id: SeatId) -> Result<(), PoolError> {
        let writing = {
            let live = self.live();
            let seat = live.seats.get(&id).ok_or(PoolError::LeaseEnded)?;
            Arc::clone(&seat.writing)
        };
        let _turn = writing.lock().await;
        let Some(new) = self.unwritten(id)? else {
            return Ok(());
        };
        let written = seat::store(&self.vault, &new.seat, &new.row, new.fence.clone()).await;
        if let Some(seat) = self.live().seats.get_mut(&id) {
            seat.written = written.is_ok().then_some(new.row);
        }
        self.note_fenced((&new.part, &new.fence), written)
    }

    /// A part whose fence is passed is another process's, unless it was taken anew meanwhile.
    pub(super) fn note_fenced(
        &self,
        (part, fence): (&str, &Fence),
        written: Result<(), StoreError>,
    ) -> Result<(), PoolError> {
        let is_passed = matches!(written, Err(StoreError::Fenced { .. }));
        if is_passed {
            self.lose_part(part, fence);
        }
        Ok(written?)
    }

    fn unwritten(&self, id: SeatId) -> Result<Option<Unwritten>, PoolError> {
        let mut live = self.live();
        live.note_members(id);
        let seat = live.seats.get(&id).ok_or(PoolError::LeaseEnded)?;
        if seat.written.as_ref() == Some(&seat.row) {
            return Ok(None);
        }
        Ok(Some(Unwritten {
            seat: seat.name.clone(),
            part: Arc::clone(&seat.part),
            row: seat.row.clone(),
            fence: self.holds.fence(&seat.part).ok_or(PoolError::LeaseEnded)?,
        }))
    }
}

impl Live {
    /// Brings to a seat's row who serves it and who doesn't any more.
    fn note_members(&mut self, id: SeatId) {
        let serving = self.state.seat_view(id).and_then(|view| view.member);
        let Some(seat) = self.seats.get_mut(&id) else {
            return;
        };
        seat.row.member = None;
        for view in self.state.members_of(id) {
            let Some(member) = self.members.get(&view.id) else {
                continue;
            };
            match Some(view.id) == serving {
                true => seat.row.member = Some(MemberRow::new(member.kept.name(), &view)),
                false => seat.row.part_with(member.kept.name().as_str()),
            }
        }
    }

    /// The sessions of a seat that are to be removed and that nobody uses.
    fn left_behind(&self, id: SeatId) -> Vec<Name> {
        let Some(seat) = self.seats.get(&id) else {
            return Vec::new();
        };
        let members = self.state.members_of(id);
        let used: Vec<&Name> = members
            .filter_map(|view| Some(self.members.get(&view.id)?.kept.name()))
            .collect();
        let leaving = seat.row.leaving.iter();
        let names = leaving.filter_map(|name| Name::parse(name).ok());
        names.filter(|name| !used.contains(&name)).collect()
    }
}
