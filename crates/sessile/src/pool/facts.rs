//! What is known of seats and their members, brought to their rows.

use std::sync::Arc;

use super::Shared;
use super::seat::{self, MemberRow};
use super::state::SeatId;
use super::trouble::Trouble;
use crate::store::StoreError;

impl Shared {
    pub(super) async fn write_all_facts(&self) {
        let seats: Vec<SeatId> = self.live().seats.keys().copied().collect();
        for seat in seats {
            self.write_facts(seat).await;
        }
    }

    /// Brings what is known of a seat's member to its row.
    pub(super) async fn write_facts(&self, id: SeatId) {
        let part = {
            let mut live = self.live();
            let serving = live.state.seat_view(id).and_then(|view| view.member);
            let view = serving.and_then(|member| live.state.member(member));
            let kept = serving.and_then(|member| live.members.get(&member));
            let row = kept
                .zip(view)
                .map(|(member, view)| MemberRow::new(member.kept.name(), &view));
            let Some(seat) = live.seats.get_mut(&id) else {
                return;
            };
            if seat.is_dissolved || (seat.row.member == row && !seat.is_dirty) {
                return;
            }
            seat.row.member = row;
            Arc::clone(&seat.part)
        };
        if let Err(error) = self.write_seat(id, &part).await {
            tracing::debug!(?error, "a seat's row is written later");
        }
    }

    /// Writes a seat's row as it is now.
    pub(super) async fn write_seat(&self, id: SeatId, part: &str) -> Result<(), Trouble> {
        let fence = self.holds.fence(part).ok_or_else(Trouble::gone)?;
        let (name, row) = {
            let mut live = self.live();
            let seat = live.seats.get_mut(&id).ok_or_else(Trouble::gone)?;
            seat.is_dirty = false;
            (seat.name.clone(), seat.row.clone())
        };
        let written = seat::store(&self.vault, &name, &row, fence).await;
        if let Err(StoreError::Fenced { .. }) = written {
            self.lose_part(part);
        } else if written.is_err()
            && let Some(seat) = self.live().seats.get_mut(&id)
        {
            seat.is_dirty = true;
        }
        Ok(written?)
    }
}
