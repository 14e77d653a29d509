//! Keeps the right to seats; those whose right is about to end aren't served until it is there again.

use std::time::Duration;

use super::Shared;
use super::hold::Extended;
use super::state::SeatId;

/// Without the right for at least so long, nothing is begun for a seat.
const LAST: Duration = Duration::from_secs(2);

impl Shared {
    /// Keeps the right to all parts that are held here.
    pub(super) async fn extend_holds(&self) {
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
    pub(super) fn suspend_and_resume(&self) {
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
}
