//! Leases: granted, extended, given back, ended.

use std::time::Duration;

use sessile_jar::Timestamp;

use super::member::{Lease, Stage};
use super::{
    Dead, End, Ended, Granted, LeaseEnded, LeaseId, MemberId, Mode, Outcome, Refusal, SeatId,
    State, Wish,
};

impl State {
    /// Grants a lease at once, or says why not. Never before those who wait in the queue.
    pub fn lease(&mut self, wish: &Wish, now: Timestamp) -> Result<Granted, Refusal> {
        let now = self.advance(now);
        if self.closing {
            return Err(Refusal::Closing);
        }
        let own = wish
            .target
            .as_ref()
            .and_then(|target| self.own.get(target).copied());
        let found = match own {
            Some(seat) => self.seats[seat]
                .lane
                .is_empty()
                .then(|| self.in_seat(seat, wish.mode)),
            None if !self.knows(wish) => return Err(Refusal::UnknownTarget),
            None => self.queue.lets_by(wish.mode).then(|| self.pick(wish)),
        };
        match found.flatten() {
            Some(place) => Ok(self.grant(place, wish, now)),
            None => Err(self.refusal(own, now)),
        }
    }

    /// The member of a target's own seat, if it has room.
    pub(super) fn in_seat(&self, seat: u32, mode: Mode) -> Option<u32> {
        let place = self.seats[seat].member?;
        let load = self.room(place)?;
        (mode == Mode::Counted || load == 0).then_some(place)
    }

    /// Whether a wish without a seat of its own may have any.
    pub(super) fn knows(&self, wish: &Wish) -> bool {
        let assign = wish.assign.unwrap_or(self.rules.assign);
        wish.target.is_none() || assign == super::Assign::Sticky
    }

    pub(super) fn grant(&mut self, place: u32, wish: &Wish, now: Timestamp) -> Granted {
        let until = now.plus(self.time_out(wish.time_out));
        let key = self.leases.insert(Lease {
            member: place,
            until,
            alarm: until,
            mode: wish.mode,
            pinned: false,
        });
        self.time_outs.set(key, until);
        let live = self.leases.len();
        let leases = &self.leases;
        self.time_outs
            .tidy(live, |key, at| Lease::key_counts(leases, key, at));
        let member = &mut self.members[place];
        self.lease_links.push(&mut member.leased, key.place);
        if member.leases == 0 {
            self.tally.used(true);
        }
        member.leases += 1;
        member.exclusive = wish.mode == Mode::Exclusive;
        if std::mem::take(&mut member.reserved) {
            self.queue.reserved = None;
        }
        member.uses = member.uses.saturating_add(1);
        member.used = now;
        let seat = member.seat;
        let is_counted = self.rules.max_uses.is_some();
        self.tally.granted += 1;
        self.list(place);
        if is_counted {
            self.consider(place, now);
        }
        Granted {
            lease: LeaseId(key),
            member: MemberId(self.members.key(place)),
            seat: SeatId(seat),
            until: self.time.outside(until),
        }
    }

    fn time_out(&self, wished: Option<Duration>) -> Duration {
        let time_out = wished.unwrap_or(self.rules.lease_time_out);
        let longest = self.rules.lease_time_out_longest;
        time_out.min(longest).max(Duration::from_millis(1))
    }

    /// The lease ends at `until`, at most the longest time-out from now, and never earlier than
    /// before; when it does end.
    ///
    /// # Errors
    /// The lease has ended.
    pub fn extend(
        &mut self,
        lease: LeaseId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Timestamp, LeaseEnded> {
        let now = self.advance(now);
        let until = self.time.within(until);
        let latest = now.plus(self.rules.lease_time_out_longest);
        let lease = self.leases.get_mut(lease.0).ok_or(LeaseEnded)?;
        lease.until = lease.until.max(until.min(latest));
        Ok(self.time.outside(lease.until))
    }

    /// The lease isn't ended by its member's drain, only by its time-out.
    ///
    /// # Errors
    /// The lease has ended.
    pub fn pin(&mut self, lease: LeaseId, now: Timestamp) -> Result<(), LeaseEnded> {
        self.advance(now);
        let lease = self.leases.get_mut(lease.0).ok_or(LeaseEnded)?;
        lease.pinned = true;
        Ok(())
    }

    /// Notes what came of one use; the lease goes on.
    ///
    /// # Errors
    /// The lease has ended.
    pub fn record(
        &mut self,
        lease: LeaseId,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<(), LeaseEnded> {
        let now = self.advance(now);
        let place = self.leases.get(lease.0).ok_or(LeaseEnded)?.member;
        self.judge(place, outcome, now);
        Ok(())
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// The lease has ended.
    pub fn finish(
        &mut self,
        lease: LeaseId,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<(), LeaseEnded> {
        let now = self.advance(now);
        let place = self.leases.get(lease.0).ok_or(LeaseEnded)?.member;
        self.judge(place, outcome, now);
        self.end(lease.0.place, now);
        Ok(())
    }

    /// One lease that has ended without being given back; to be called until `None`.
    pub fn expire(&mut self, now: Timestamp) -> Option<Ended> {
        self.advance(now);
        self.ended.pop_front()
    }

    /// Ends the leases whose time has come.
    pub(super) fn time_out_leases(&mut self, now: Timestamp) {
        while let Some((key, at)) = self.time_outs.pop(now) {
            let Some(lease) = self.leases.get_mut(key).filter(|lease| lease.alarm == at) else {
                continue;
            };
            if lease.until > now {
                lease.alarm = lease.until;
                self.time_outs.set(key, lease.until);
                continue;
            }
            self.tally.timed_out += 1;
            self.cut_off(key.place, End::TimedOut, now);
        }
    }

    /// Ends a lease that nobody gave back.
    pub(super) fn cut_off(&mut self, lease: u32, why: End, now: Timestamp) {
        let place = self.leases[lease].member;
        self.ended.push_back(Ended {
            lease: LeaseId(self.leases.key(lease)),
            member: MemberId(self.members.key(place)),
            seat: SeatId(self.members[place].seat),
            why,
        });
        self.end(lease, now);
    }

    fn end(&mut self, lease: u32, now: Timestamp) {
        let Some(ended) = self.leases.remove(lease) else {
            return;
        };
        let member = &mut self.members[ended.member];
        self.lease_links.remove(&mut member.leased, lease);
        member.leases -= 1;
        member.exclusive = false;
        if member.leases > 0 {
            return self.list(ended.member);
        }
        if member.stage == Stage::Serving {
            self.tally.used(false);
        }
        self.list(ended.member);
        self.come_to_rest(ended.member, now);
    }

    /// The last lease of the member has ended.
    fn come_to_rest(&mut self, place: u32, now: Timestamp) {
        let member = &self.members[place];
        match member.stage {
            Stage::Draining(_) => self.drained(place, now),
            Stage::Serving if member.awaits_quiet => {
                self.members[place].awaits_quiet = false;
                self.consider(place, now);
            }
            Stage::Cooling(_)
            | Stage::Making
            | Stage::Retired(_)
            | Stage::Serving
            | Stage::Waking => {}
        }
    }

    fn refusal(&mut self, own: Option<u32>, now: Timestamp) -> Refusal {
        let next = self.next_change(now).map(|at| self.time.outside(at));
        let serves = match own {
            Some(seat) => self.seats[seat]
                .member
                .is_some_and(|place| self.members[place].usable),
            None => !self.drawn.is_empty(),
        };
        if serves {
            return Refusal::Busy { next };
        }
        let why = match own {
            Some(seat) => self.why_dead(seat, now),
            None => self.why_all_dead(),
        };
        Refusal::NoneAlive { why, next }
    }

    fn why_dead(&self, place: u32, now: Timestamp) -> Dead {
        let seat = &self.seats[place];
        let stage = seat.member.map(|member| self.members[member].stage);
        if seat.suspended {
            return Dead::Suspended;
        }
        match stage {
            _ if seat.next.is_some() => Dead::Warming,
            Some(Stage::Cooling(_)) => Dead::Cooling,
            _ if seat.stopped => Dead::Stopped,
            _ if seat.login_after > now => Dead::LoginsFail,
            _ => Dead::Warming,
        }
    }
}
