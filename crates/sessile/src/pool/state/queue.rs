//! Who waits for a lease: first come, first served.
//!
//! A target's own seat has one lane. For the shared seats those who want one alone have a lane beside
//! the others'; for the first of them a member is kept free, so that they don't wait for ever while
//! the others need not wait for them.

use sessile_jar::Timestamp;

use super::chain::{Chain, List};
use super::ids::Key;
use super::slab::Slab;
use super::{Dead, Granted, Mode, Refusal, State, Ticket, Wish};

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) waiters: Slab<Waiter>,
    pub(super) links: Chain,
    pub(super) counted: List,
    pub(super) exclusive: List,
    /// The member that is kept free for the first of the exclusive lane, by its place.
    pub(super) reserved: Option<u32>,
    /// Counts who came.
    arrivals: u64,
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) wish: Wish,
    /// The target's own seat, whose lane it is in.
    pub(super) seat: Option<Key>,
    pub(super) arrival: u64,
}

impl Queue {
    /// Whether somebody who doesn't wait may be served without overtaking.
    pub(super) fn lets_by(&self, mode: Mode) -> bool {
        let alone = self.exclusive.is_empty();
        match mode {
            Mode::Counted => self.counted.is_empty() && (alone || self.reserved.is_some()),
            Mode::Exclusive => self.counted.is_empty() && alone,
        }
    }

    /// The first of the exclusive lane, if it came before the first of the other.
    fn exclusive_first(&self) -> Option<u32> {
        let first = self.exclusive.first()?;
        let other = self.counted.first();
        let came = |place: u32| self.waiters[place].arrival;
        other
            .is_none_or(|other| came(first) < came(other))
            .then_some(first)
    }
}

impl State {
    /// Waits in the queue: first come, first served.
    ///
    /// # Errors
    /// [`Refusal::Full`], [`Refusal::Closing`] and [`Refusal::UnknownTarget`].
    pub fn queue(&mut self, wish: Wish, now: Timestamp) -> Result<Ticket, Refusal> {
        self.advance(now);
        if self.closing {
            return Err(Refusal::Closing);
        }
        let own = wish
            .target
            .as_ref()
            .and_then(|target| self.own.get(target).copied());
        if own.is_none() && !self.knows(&wish) {
            return Err(Refusal::UnknownTarget);
        }
        if self.queue.waiters.len() >= self.rules.waiting {
            return Err(Refusal::Full);
        }
        self.queue.arrivals += 1;
        let (mode, arrival) = (wish.mode, self.queue.arrivals);
        let seat = own.map(|place| self.seats.key(place));
        let key = self.queue.waiters.insert(Waiter {
            wish,
            seat,
            arrival,
        });
        let lane = match (own, mode) {
            (Some(seat), _) => &mut self.seats[seat].lane,
            (None, Mode::Counted) => &mut self.queue.counted,
            (None, Mode::Exclusive) => &mut self.queue.exclusive,
        };
        self.queue.links.push(lane, key.place);
        match own {
            Some(seat) => self.call(seat),
            None => self.reserve(),
        }
        Ok(Ticket(key))
    }

    /// Who of the queue is served next, as long as there is somebody: to be called until `None` after
    /// whatever may have made room, which is every call here that isn't a question.
    ///
    /// Who can't be served any more is told why: the pool is being closed, the target's seat is gone,
    /// or nothing but a person helps.
    pub fn serve(&mut self, now: Timestamp) -> Option<(Ticket, Result<Granted, Refusal>)> {
        let now = self.advance(now);
        if let Some((ticket, why)) = self.turned_away.pop_front() {
            return Some((Ticket(ticket), Err(why)));
        }
        let (waiter, place) = self.next_shared().or_else(|| self.next_own())?;
        let (ticket, wish) = self.leave_queue(waiter)?;
        let granted = self.grant(place, &wish, now);
        self.reserve();
        Some((ticket, Ok(granted)))
    }

    /// Leaves the queue; whether it was still in it.
    pub fn give_up(&mut self, ticket: Ticket) -> bool {
        let still = self.queue.waiters.has(ticket.0);
        if still {
            self.leave_queue(ticket.0.place);
            self.reserve();
        }
        still
    }

    fn next_shared(&mut self) -> Option<(u32, u32)> {
        if let Some(waiter) = self.queue.exclusive_first() {
            if let Some(place) = self.reserved_and_idle().or_else(|| self.pick_for(waiter)) {
                return Some((waiter, place));
            }
            self.reserve();
        }
        let waiter = self.queue.counted.first()?;
        let place = self.pick_for(waiter)?;
        Some((waiter, place))
    }

    fn reserved_and_idle(&self) -> Option<u32> {
        let place = self.queue.reserved?;
        (self.room(place) == Some(0)).then_some(place)
    }

    fn pick_for(&mut self, waiter: u32) -> Option<u32> {
        let wish = self.queue.waiters[waiter].wish.clone();
        self.pick(&wish)
    }

    fn next_own(&mut self) -> Option<(u32, u32)> {
        while let Some(key) = self.called.front().copied() {
            if let Some(seat) = self.seats.get(key) {
                let waiter = seat.lane.first();
                let mode = waiter.map(|waiter| self.queue.waiters[waiter].wish.mode);
                let place = mode.and_then(|mode| self.in_seat(key.place, mode));
                if let (Some(waiter), Some(place)) = (waiter, place) {
                    return Some((waiter, place));
                }
                self.seats[key.place].called = false;
            }
            self.called.pop_front();
        }
        None
    }

    /// Somebody waits for this seat, and it may have room.
    pub(super) fn call(&mut self, place: u32) {
        if !self.seats[place].called {
            self.seats[place].called = true;
            self.called.push_back(self.seats.key(place));
        }
    }

    pub(super) fn leave_queue(&mut self, place: u32) -> Option<(Ticket, Wish)> {
        let key = self.queue.waiters.key(place);
        let waiter = self.queue.waiters.remove(place)?;
        let own = waiter.seat.and_then(|seat| self.seats.get_mut(seat));
        let lane = match (own, waiter.wish.mode) {
            (Some(seat), _) => &mut seat.lane,
            (None, Mode::Counted) => &mut self.queue.counted,
            (None, Mode::Exclusive) => &mut self.queue.exclusive,
        };
        self.queue.links.remove(lane, place);
        Some((Ticket(key), waiter.wish))
    }

    /// Nobody of this lane can be served any more.
    pub(super) fn turn_away(&mut self, lane: List, why: Refusal) {
        let mut next = lane.first();
        while let Some(place) = next {
            next = self.queue.links.after(place);
            if let Some((ticket, _)) = self.leave_queue(place) {
                self.turned_away.push_back((ticket.0, why));
            }
        }
    }

    /// Where logins were given up, nobody waits until a person has acted.
    pub(super) fn turn_away_where_stopped(&mut self, seat: u32) {
        let (why, next) = (Dead::Stopped, None);
        let refusal = Refusal::NoneAlive { why, next };
        let stopped = &self.seats[seat];
        if stopped.target.is_some() {
            if stopped.stopped && stopped.member.is_none() {
                self.turn_away(stopped.lane, refusal);
            }
        } else if self.drawn.is_empty() && self.why_all_dead() == Dead::Stopped {
            self.turn_away(self.queue.counted, refusal);
            self.turn_away(self.queue.exclusive, refusal);
            self.reserve();
        }
    }

    /// Keeps a member free for the first who wants one alone, and none if there is nobody.
    pub(super) fn reserve(&mut self) {
        let wanted = self.queue.exclusive_first().is_some();
        let kept = self.queue.reserved;
        if wanted == kept.is_some() {
            return;
        }
        if let Some(place) = kept {
            self.queue.reserved = None;
            self.members[place].reserved = false;
            return self.list(place);
        }
        if let Some(place) = self.picker.least(Mode::Counted) {
            self.queue.reserved = Some(place);
            self.members[place].reserved = true;
            self.list(place);
        }
    }
}
