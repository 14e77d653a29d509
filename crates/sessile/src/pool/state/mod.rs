//! A pool as a value: who may be used by whom until when, and what is to be done next.
//!
//! Pure: nothing here waits, sends, reads a clock or draws a number but from the seed. Whoever holds
//! a [`State`] tells it the time, carries out what [`State::due`] says, and answers with what became
//! of it. Taking a lease and giving it back cost the same at ten members and at a million.

mod action;
mod alarms;
mod asked;
#[cfg(test)]
mod calls;
mod chain;
mod change;
mod done;
mod due;
mod grant;
mod health;
mod ids;
#[cfg(test)]
mod laws;
mod lease;
mod life;
mod member;
mod pick;
mod queue;
mod rules;
mod seat;
#[cfg(test)]
mod simulation;
mod slab;
mod steady;
mod tally;
#[cfg(test)]
mod tests;
mod view;
mod work;

use std::collections::VecDeque;
use std::fmt;

use foldhash::HashMap;

use alarms::Alarms;
use chain::{Chain, List};
use ids::Key;
use member::{Lease, Member};
use pick::{Habits, Picker};
use queue::Queue;
use seat::Seat;
use slab::Slab;
use steady::{Chance, Steady};
use tally::Tally;
use work::Work;

pub use action::{Action, Fault, Task, Which};
pub use ids::{ActionId, LeaseId, MemberId, SeatId, Ticket};
pub use lease::{Dead, End, Ended, Granted, LeaseEnded, Mode, Outcome, Refusal, Target, Wish};
pub use rules::{Assign, CookieRules, Rules};
pub use view::{LeaseView, MemberView, Outcomes, Phase, Restored, SeatView, Stats};

/// The seats, members and leases of one pool in this process.
///
/// A clock that is put back does no harm: from then on time goes on from where it was.
///
/// ```
/// use sessile::clock::Timestamp;
/// use sessile::pool::state::{Outcome, Refusal, Rules, State, Task, Wish};
///
/// let now = Timestamp::from_seconds(1_795_262_400);
/// let mut state = State::new(Rules::default(), 7);
/// state.seat(None, now).unwrap();
/// assert!(matches!(state.lease(&Wish::default(), now), Err(Refusal::NoneAlive { .. })));
///
/// // Somebody logs in, and says that it worked.
/// let action = state.due(now).unwrap();
/// assert_eq!(action.task, Task::Make);
/// state.done(action.id, Ok(()), now).unwrap();
///
/// let granted = state.lease(&Wish::default(), now).unwrap();
/// assert_eq!(Some(granted.member), action.member);
/// state.finish(granted.lease, Outcome::Ok, now).unwrap();
/// ```
#[derive(Debug)]
pub struct State {
    rules: Rules,
    closing: bool,
    time: Steady,
    chance: Chance,
    seats: Slab<Seat>,
    /// The places of the seats that anybody may use, and of those that are kept for a target.
    shared: Vec<u32>,
    own: HashMap<Target, u32>,
    members: Slab<Member>,
    /// The members of each seat.
    kin: Chain,
    /// The members that rest.
    cooling: List,
    cooling_links: Chain,
    picker: Picker,
    /// The members of shared seats that could be leased if they weren't.
    drawn: Vec<u32>,
    habits: Habits,
    leases: Slab<Lease>,
    /// The leases of each member.
    lease_links: Chain,
    time_outs: Alarms,
    /// Leases that ended without being given back and weren't told of yet.
    ended: VecDeque<Ended>,
    queue: Queue,
    /// Seats of targets for which somebody waits, which may have room.
    called: VecDeque<Key>,
    /// Who waits and can't be served any more.
    turned_away: VecDeque<(Key, Refusal)>,
    alarms: Alarms,
    seat_alarms: Alarms,
    /// When each member was born.
    elders: Alarms,
    work: Work,
    tally: Tally,
}

/// Why a seat wasn't added.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NoSeat {
    /// The pool is being closed.
    Closing,
    /// There are as many as the rules allow.
    Full,
    /// The target has one.
    Taken(SeatId),
}

/// What was meant is no more there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "there is no more to say")]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is no more there")
    }
}

impl std::error::Error for Gone {}

impl State {
    /// An empty pool. The seed decides what is left to chance.
    pub fn new(rules: Rules, seed: u64) -> Self {
        Self {
            picker: Picker::new(rules.leases_per_member),
            chance: Chance::new(seed),
            rules,
            closing: false,
            time: Steady::default(),
            seats: Slab::default(),
            shared: Vec::new(),
            own: HashMap::default(),
            members: Slab::default(),
            kin: Chain::default(),
            cooling: List::default(),
            cooling_links: Chain::default(),
            drawn: Vec::new(),
            habits: Habits::default(),
            leases: Slab::default(),
            lease_links: Chain::default(),
            time_outs: Alarms::default(),
            ended: VecDeque::new(),
            queue: Queue::default(),
            called: VecDeque::new(),
            turned_away: VecDeque::new(),
            alarms: Alarms::default(),
            seat_alarms: Alarms::default(),
            elders: Alarms::default(),
            work: Work::default(),
            tally: Tally::default(),
        }
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }
}
