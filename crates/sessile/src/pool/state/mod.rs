//! A pool as a value: who may be used by whom until when, and what is to be done next.
//!
//! Pure: nothing here waits, sends, reads a clock or draws a number but from the seed. Whoever holds
//! a [`State`] tells it the time, carries out what [`State::due`] says, and answers with what became
//! of it. Taking a lease and giving it back cost the same at ten members and at a million.

mod action;
mod ids;
mod lease;
mod rules;
mod view;

use std::fmt;

use sessile_jar::Timestamp;

pub use action::{Action, Fault, Task, Which};
pub use ids::{ActionId, LeaseId, MemberId, SeatId, Ticket};
pub use lease::{Dead, End, Ended, Granted, LeaseEnded, Mode, Outcome, Refusal, Target, Wish};
pub use rules::{Assign, CookieRules, Rules};
pub use view::{LeaseView, MemberView, Phase, Restored, SeatView, Stats};

/// The seats, members and leases of one pool in this process.
///
/// A clock that is put back does no harm: from then on time goes on from where it was.
#[derive(Debug)]
pub struct State {
    rules: Rules,
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

#[expect(
    unused_variables,
    clippy::needless_pass_by_value,
    reason = "the signatures come first"
)]
impl State {
    /// An empty pool. The seed decides what is left to chance.
    pub fn new(rules: Rules, seed: u64) -> Self {
        Self { rules }
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    // ---- seats

    /// A seat is served by this process from now on; with a target it is kept for that one.
    pub fn seat(&mut self, target: Option<Target>, now: Timestamp) -> Result<SeatId, NoSeat> {
        Err(NoSeat::Full)
    }

    /// The seat has a member already, which is checked before it is used. To be called before anything
    /// was done for the seat; else it fails with [`Gone`].
    pub fn restore(
        &mut self,
        seat: SeatId,
        facts: Restored,
        now: Timestamp,
    ) -> Result<MemberId, Gone> {
        Err(Gone)
    }

    /// The seat goes to another owner with its member: it drains, then [`Task::Release`] is due.
    pub fn give_away(&mut self, seat: SeatId, now: Timestamp) -> Result<(), Gone> {
        Err(Gone)
    }

    /// The seat is dissolved: it drains, its member is retired, then [`Task::Release`] is due.
    pub fn remove(&mut self, seat: SeatId, now: Timestamp) -> Result<(), Gone> {
        Err(Gone)
    }

    /// The seat is another's already: it is forgotten at once with its members, its leases end, and
    /// answers to what was under way for it are taken and ignored.
    pub fn lose(&mut self, seat: SeatId, now: Timestamp) -> Result<(), Gone> {
        Err(Gone)
    }

    /// No lease is granted on this seat and nothing is begun for it until [`State::resume`].
    pub fn suspend(&mut self, seat: SeatId, now: Timestamp) -> Result<(), Gone> {
        Err(Gone)
    }

    /// The seat is served again; logins that were given up are tried again, at once.
    pub fn resume(&mut self, seat: SeatId, now: Timestamp) -> Result<(), Gone> {
        Err(Gone)
    }

    /// Gives all seats away and grants no more lease.
    pub fn close(&mut self, now: Timestamp) {}

    // ---- leases

    /// Grants a lease at once, or says why not. Never before those who wait in the queue.
    pub fn lease(&mut self, wish: &Wish, now: Timestamp) -> Result<Granted, Refusal> {
        Err(Refusal::Closing)
    }

    /// Waits in the queue: first come, first served. Fails with [`Refusal::Full`],
    /// [`Refusal::Closing`] and [`Refusal::UnknownTarget`].
    pub fn queue(&mut self, wish: Wish, now: Timestamp) -> Result<Ticket, Refusal> {
        Err(Refusal::Closing)
    }

    /// Who of the queue is served next, as long as there is somebody: to be called until `None` after
    /// whatever may have made room, which is every call here that isn't a question.
    pub fn serve(&mut self, now: Timestamp) -> Option<(Ticket, Result<Granted, Refusal>)> {
        None
    }

    /// Leaves the queue; whether it was still in it.
    pub fn give_up(&mut self, ticket: Ticket) -> bool {
        false
    }

    /// The lease ends at `until`, at most the longest time-out from now, and never earlier than before.
    pub fn extend(
        &mut self,
        lease: LeaseId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Timestamp, LeaseEnded> {
        Err(LeaseEnded)
    }

    /// The lease isn't ended by its member's drain, only by its time-out.
    pub fn pin(&mut self, lease: LeaseId, now: Timestamp) -> Result<(), LeaseEnded> {
        Err(LeaseEnded)
    }

    /// Notes what came of one use; the lease goes on.
    pub fn record(
        &mut self,
        lease: LeaseId,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<(), LeaseEnded> {
        Err(LeaseEnded)
    }

    /// Gives the lease back.
    pub fn finish(
        &mut self,
        lease: LeaseId,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<(), LeaseEnded> {
        Err(LeaseEnded)
    }

    /// One lease that has ended without being given back; to be called until `None`.
    pub fn expire(&mut self, now: Timestamp) -> Option<Ended> {
        None
    }

    // ---- what is to be done

    /// What is to be done now; to be called until `None`, after every answer and at [`State::next_due`].
    pub fn due(&mut self, now: Timestamp) -> Option<Action> {
        None
    }

    /// When [`State::due`], [`State::expire`] or [`State::serve`] may have something next, if nothing
    /// is called until then. In the past only if they have something now.
    pub fn next_due(&mut self, now: Timestamp) -> Option<Timestamp> {
        None
    }

    /// What became of an action. Fails with [`Gone`] if it was answered before.
    pub fn done(
        &mut self,
        action: ActionId,
        result: Result<(), Fault>,
        now: Timestamp,
    ) -> Result<(), Gone> {
        Err(Gone)
    }

    /// Followed by the next generation, at a person's wish; how many seats will be.
    pub fn rotate(&mut self, which: Which, now: Timestamp) -> usize {
        0
    }

    /// Checked now, at a person's wish; how many members will be.
    pub fn validate(&mut self, which: Which, now: Timestamp) -> usize {
        0
    }

    /// Refreshed now, at a person's wish; how many members will be.
    pub fn refresh(&mut self, which: Which, now: Timestamp) -> usize {
        0
    }

    // ---- questions

    /// Counts over the whole pool, at once at any size.
    pub fn stats(&mut self, now: Timestamp) -> Stats {
        Stats::default()
    }

    /// All members.
    pub fn members(&self) -> impl Iterator<Item = MemberView> + '_ {
        std::iter::empty()
    }

    /// One member.
    pub fn member(&self, member: MemberId) -> Option<MemberView> {
        None
    }

    /// All seats.
    pub fn seats(&self) -> impl Iterator<Item = SeatView> + '_ {
        std::iter::empty()
    }

    /// One seat.
    pub fn seat_view(&self, seat: SeatId) -> Option<SeatView> {
        None
    }

    /// The seat that is kept for a target.
    pub fn seat_of(&self, target: &Target) -> Option<SeatId> {
        None
    }

    /// One running lease.
    pub fn leased(&self, lease: LeaseId) -> Option<LeaseView> {
        None
    }

    /// The running leases of a member.
    pub fn leases_of(&self, member: MemberId) -> impl Iterator<Item = LeaseView> + '_ {
        std::iter::empty()
    }

    /// Whether the pool was closed and nothing of it is left to do.
    pub fn is_closed(&self) -> bool {
        false
    }
}
