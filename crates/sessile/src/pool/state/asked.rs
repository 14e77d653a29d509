//! What a person asks for.

use sessile_jar::Timestamp;

use super::member::{Member, Stage};
use super::seat::Going;
use super::{Gone, SeatId, State, Which};

impl State {
    /// Followed by the next generation, at a person's wish; how many seats will be. Failed logins are
    /// still given their time.
    pub fn rotate(&mut self, which: Which, now: Timestamp) -> usize {
        self.each_seat(which, now, |state, place, now| {
            let has_member = state.seats[place].member.is_some();
            state.seats[place].rotate |= has_member;
            state.consider_seat(place, now);
            has_member
        })
    }

    /// Followed by the next generation, and until then nobody is led to the one there is: it is not what
    /// is wanted any more.
    ///
    /// # Errors
    /// The seat is gone or leaves.
    pub fn replace(&mut self, seat: SeatId, now: Timestamp) -> Result<(), Gone> {
        let now = self.advance(now);
        let known = self.seats.get(seat.0).ok_or(Gone)?;
        if known.going != Going::Not {
            return Err(Gone);
        }
        if let Some(member) = known.member {
            self.step_down(member, now);
        }
        self.consider_seat(seat.0.place, now);
        Ok(())
    }

    /// Checked now, at a person's wish; how many members will be.
    pub fn validate(&mut self, which: Which, now: Timestamp) -> usize {
        self.each_member(which, now, |member| {
            member.wants.validate = !member.wants.renew;
        })
    }

    /// Refreshed now, at a person's wish; how many members will be.
    pub fn refresh(&mut self, which: Which, now: Timestamp) -> usize {
        self.each_member(which, now, |member| {
            let serves = member.stage == Stage::Serving;
            member.wants.refresh |= serves;
            member.wants.refresh_asked |= serves;
        })
    }

    fn each_member(&mut self, which: Which, now: Timestamp, ask: impl Fn(&mut Member)) -> usize {
        self.each_seat(which, now, |state, place, now| {
            let Some(member) = state.seats[place].member else {
                return false;
            };
            ask(&mut state.members[member]);
            state.consider(member, now);
            true
        })
    }

    fn each_seat(
        &mut self,
        which: Which,
        now: Timestamp,
        mut ask: impl FnMut(&mut Self, u32, Timestamp) -> bool,
    ) -> usize {
        let now = self.advance(now);
        let seats: Vec<u32> = match which {
            Which::All => self.seats.iter().map(|(key, _)| key.place).collect(),
            Which::Seat(seat) => self
                .seats
                .get(seat.0)
                .map(|_| seat.0.place)
                .into_iter()
                .collect(),
        };
        let staying = |state: &Self, place: u32| state.seats[place].going == Going::Not;
        let mut asked = 0;
        for place in seats {
            asked += usize::from(staying(self, place) && ask(self, place, now));
        }
        asked
    }
}
