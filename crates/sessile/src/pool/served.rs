//! The seats and sessions that are served here, so that neither is searched.

use std::ops::Deref;
use std::sync::Arc;

use foldhash::HashMap;

use super::seat::Seat;
use super::state::{MemberId, SeatId};
use crate::renew::Kept;

/// The seats, and how many there are of each part.
#[derive(Debug, Default)]
pub(super) struct Seats {
    by_id: HashMap<SeatId, Seat>,
    of_parts: HashMap<Arc<str>, usize>,
}

impl Seats {
    pub(super) fn get_mut(&mut self, id: &SeatId) -> Option<&mut Seat> {
        self.by_id.get_mut(id)
    }

    /// Puts a seat in, under an id that is its own.
    pub(super) fn insert(&mut self, id: SeatId, seat: Seat) {
        *self.of_parts.entry(Arc::clone(&seat.part)).or_default() += 1;
        self.by_id.insert(id, seat);
    }

    pub(super) fn remove(&mut self, id: &SeatId) -> Option<Seat> {
        let seat = self.by_id.remove(id)?;
        if let Some(count) = self.of_parts.get_mut(&seat.part) {
            *count -= 1;
            if *count == 0 {
                self.of_parts.remove(&seat.part);
            }
        }
        Some(seat)
    }

    /// How many there are of a part.
    pub(super) fn of_part(&self, part: &str) -> usize {
        self.of_parts.get(part).copied().unwrap_or_default()
    }
}

impl Deref for Seats {
    type Target = HashMap<SeatId, Seat>;

    fn deref(&self) -> &Self::Target {
        &self.by_id
    }
}

/// A member's session.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) kept: Kept,
    /// What of its seat a lease needs: under which hold it is, and whether it is a target's.
    pub(super) part: Arc<str>,
    pub(super) is_targets: bool,
}

impl Member {
    pub(super) fn of(seat: &Seat, kept: Kept) -> Self {
        Self {
            kept,
            part: Arc::clone(&seat.part),
            is_targets: seat.row.target.is_some(),
        }
    }
}

/// The members' sessions by the places of their ids: members that take turns lie side by side.
#[derive(Default)]
pub(super) struct Members(Vec<Option<(MemberId, Member)>>);

impl Members {
    pub(super) fn get(&self, id: &MemberId) -> Option<&Member> {
        let (known, member) = self.0.get(id.place())?.as_ref()?;
        (known == id).then_some(member)
    }

    /// Puts in the session of a member that is in the state: whoever had the place is gone.
    pub(super) fn insert(&mut self, id: MemberId, member: Member) {
        let place = id.place();
        if place >= self.0.len() {
            self.0.resize_with(place + 1, || None);
        }
        self.0[place] = Some((id, member));
    }

    pub(super) fn remove(&mut self, id: &MemberId) -> Option<Member> {
        self.get(id)?;
        let (_, member) = self.0[id.place()].take()?;
        Some(member)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.0.iter().flatten().map(|(_, member)| member)
    }

    /// Takes all of them out.
    pub(super) fn take(&mut self) -> Vec<Member> {
        let all = std::mem::take(&mut self.0).into_iter();
        all.flatten().map(|(_, member)| member).collect()
    }
}
