//! What is known of one seat.

use sessile_jar::Timestamp;

use super::chain::List;
use super::{MemberId, MemberView, SeatId, State, Target};

/// In this order, so that a lease of a target's own seat touches the first bytes alone, as with
/// [`Member`](super::member::Member).
#[derive(Debug)]
#[repr(C)]
pub(super) struct Seat {
    /// The place of the member that holds it.
    pub(super) member: Option<u32>,
    /// Who waits for its member.
    pub(super) lane: List,
    pub(super) target: Option<Target>,
    /// The place of the member that is being made.
    pub(super) next: Option<u32>,
    /// How many members that held it before are still about.
    pub(super) behind: u32,
    /// All of its members.
    pub(super) kin: List,
    /// How many actions run for it.
    pub(super) acting: u32,
    pub(super) going: Going,
    pub(super) suspended: bool,
    /// No login until a person acts.
    pub(super) stopped: bool,
    pub(super) login_failures: u32,
    pub(super) login_after: Timestamp,
    /// A login for it runs: one at a time.
    pub(super) logging_in: bool,
    /// When its last member was begun.
    pub(super) made_at: Timestamp,
    /// To be followed by the next generation.
    pub(super) rotate: bool,
    /// In a queue of work.
    pub(super) queued: bool,
    /// In the queue of seats that are to be handed over.
    pub(super) parting: bool,
    /// Before this it isn't handed over.
    pub(super) release_after: Timestamp,
    /// In the queue of lanes that may be served.
    pub(super) called: bool,
    /// Where it is in the list of shared seats.
    pub(super) at: u32,
    /// When it is looked at next.
    pub(super) alarm: Timestamp,
}

/// Whether a seat is to stay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Going {
    /// Another owner is to have it, with this member.
    Away(Option<u32>),
    /// It is dissolved.
    Dissolved,
    Not,
}

impl Seat {
    pub(super) fn new(target: Option<Target>) -> Self {
        Self {
            member: None,
            lane: List::default(),
            target,
            next: None,
            behind: 0,
            kin: List::default(),
            acting: 0,
            going: Going::Not,
            suspended: false,
            stopped: false,
            login_failures: 0,
            login_after: Timestamp::EARLIEST,
            logging_in: false,
            made_at: Timestamp::EARLIEST,
            rotate: false,
            queued: false,
            parting: false,
            release_after: Timestamp::EARLIEST,
            called: false,
            at: u32::MAX,
            alarm: Timestamp::LATEST,
        }
    }

    /// Whether something may be begun for it.
    pub(super) fn is_served(&self) -> bool {
        self.going == Going::Not && !self.suspended
    }

    /// Whether a login may begin now.
    pub(super) fn may_log_in(&self, now: Timestamp) -> bool {
        self.is_served() && !self.stopped && !self.logging_in && self.login_after <= now
    }
}

impl State {
    /// The members of a seat: the one that serves, the one that is being made, and earlier ones.
    pub fn members_of(&self, seat: SeatId) -> impl Iterator<Item = MemberView> + '_ {
        let kin = self.seats.get(seat.0).map(|seat| seat.kin);
        let places = self.kin.iter(kin.unwrap_or_default());
        places.filter_map(|place| self.member(MemberId(self.members.key(place))))
    }
}
