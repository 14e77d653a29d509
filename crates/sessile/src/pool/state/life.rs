//! Seats that come and go, and members that step down.

use sessile_jar::Timestamp;

use super::member::{Member, Stage};
use super::seat::{Going, Seat};
use super::{
    End, Ended, Gone, LeaseId, MemberId, NoSeat, Refusal, Restored, SeatId, State, Target,
};

impl State {
    /// A seat is served by this process from now on; with a target it is kept for that one.
    ///
    /// # Errors
    /// There are as many as may be, the target has one, or the pool is being closed.
    pub fn seat(&mut self, target: Option<Target>, now: Timestamp) -> Result<SeatId, NoSeat> {
        let now = self.advance(now);
        if self.closing {
            return Err(NoSeat::Closing);
        }
        let own = target.as_ref().and_then(|target| self.own.get(target));
        if let Some(place) = own {
            return Err(NoSeat::Taken(SeatId(self.seats.key(*place))));
        }
        if self.is_full() {
            return Err(NoSeat::Full);
        }
        let key = self.seats.insert(Seat::new(target.clone()));
        match target {
            Some(target) => _ = self.own.insert(target, key.place),
            None => {
                let at = u32::try_from(self.shared.len()).expect("fewer than four billion");
                self.seats[key.place].at = at;
                self.shared.push(key.place);
            }
        }
        self.consider_seat(key.place, now);
        Ok(SeatId(key))
    }

    /// Whether there are as many seats as may be, leaving ones aside.
    pub fn is_full(&self) -> bool {
        self.shared.len() + self.own.len() >= self.rules.size
    }

    /// The seat has a member already, which is checked before it is used.
    ///
    /// # Errors
    /// The seat is gone, or something was done for it already.
    pub fn restore(
        &mut self,
        seat: SeatId,
        facts: Restored,
        now: Timestamp,
    ) -> Result<MemberId, Gone> {
        let now = self.advance(now);
        let known = self.seats.get(seat.0).ok_or(Gone)?;
        if known.member.is_some() || known.next.is_some() || known.going != Going::Not {
            return Err(Gone);
        }
        let within = |time| self.time.within(time).min(now);
        let cools_until = facts.cools_until.map(|until| self.time.within(until));
        let facts = Restored {
            born: within(facts.born),
            validated: facts.validated.map(within),
            refreshed: facts.refreshed.map(within),
            ..facts
        };
        let own = known.target.is_some();
        let mut member = Member::restored(seat.0, own, &facts);
        member.plan(&self.rules, &mut self.chance);
        member.wants.validate = true;
        let place = self.join(member);
        self.seats[seat.0.place].member = Some(place);
        let latest = now.plus(self.rules.cool_down_longest);
        let stage = match cools_until.filter(|until| *until > now) {
            Some(until) => Stage::Cooling(until.min(latest)),
            None => Stage::Waking,
        };
        let id = MemberId(self.members.key(place));
        self.enter(place, stage);
        self.consider(place, now);
        Ok(id)
    }

    /// The seat goes to another owner with its member: it drains, then
    /// [`Task::Release`](super::Task::Release) is due.
    ///
    /// # Errors
    /// The seat is gone.
    pub fn give_away(&mut self, seat: SeatId, now: Timestamp) -> Result<(), Gone> {
        let now = self.advance(now);
        self.seats.get(seat.0).ok_or(Gone)?;
        self.part_with(seat.0.place, now);
        Ok(())
    }

    pub(super) fn part_with(&mut self, place: u32, now: Timestamp) {
        if self.seats[place].going != Going::Not {
            return;
        }
        self.unlist_seat(place);
        let member = self.seats[place].member.take();
        self.seats[place].going = Going::Away(member);
        if let Some(member) = member {
            self.enter(member, Stage::Draining(now.plus(self.rules.drain)));
            self.consider(member, now);
        }
        self.consider_seat(place, now);
    }

    /// The seat is dissolved: it drains, its member is retired, then
    /// [`Task::Release`](super::Task::Release) is due.
    ///
    /// # Errors
    /// The seat is gone.
    pub fn remove(&mut self, seat: SeatId, now: Timestamp) -> Result<(), Gone> {
        let now = self.advance(now);
        self.seats.get(seat.0).ok_or(Gone)?;
        let place = seat.0.place;
        self.part_with(place, now);
        let going = std::mem::replace(&mut self.seats[place].going, Going::Dissolved);
        if let Going::Away(Some(member)) = going {
            self.seats[place].behind += 1;
            if self.members[member].leases == 0 {
                self.drained(member, now);
            }
        }
        self.consider_seat(place, now);
        Ok(())
    }

    /// The seat is another's already: it is forgotten at once with its members, its leases end, and
    /// answers to what was under way for it are taken and ignored.
    ///
    /// # Errors
    /// The seat is gone.
    pub fn lose(&mut self, seat: SeatId, now: Timestamp) -> Result<(), Gone> {
        self.advance(now);
        let kin = self.seats.get(seat.0).ok_or(Gone)?.kin;
        let members: Vec<u32> = self.kin.iter(kin).collect();
        let place = seat.0.place;
        if self.seats[place].going == Going::Not {
            self.unlist_seat(place);
        }
        self.seats[place].going = Going::Dissolved;
        for member in members {
            self.enter(member, Stage::Retired(Timestamp::LATEST));
            self.lose_leases(member, seat);
            self.forget(member);
        }
        self.forget_seat(place);
        Ok(())
    }

    fn lose_leases(&mut self, member: u32, seat: SeatId) {
        let leases: Vec<u32> = self.lease_links.iter(self.members[member].leased).collect();
        for lease in leases {
            self.ended.push_back(Ended {
                lease: LeaseId(self.leases.key(lease)),
                member: MemberId(self.members.key(member)),
                seat,
                why: End::Lost,
            });
            self.leases.remove(lease);
        }
    }

    /// No lease is granted on this seat and nothing is begun for it until [`State::resume`].
    ///
    /// # Errors
    /// The seat is gone.
    pub fn suspend(&mut self, seat: SeatId, now: Timestamp) -> Result<(), Gone> {
        self.set_suspended(seat, true, now)
    }

    /// The seat is served again.
    ///
    /// # Errors
    /// The seat is gone.
    pub fn resume(&mut self, seat: SeatId, now: Timestamp) -> Result<(), Gone> {
        self.set_suspended(seat, false, now)
    }

    fn set_suspended(&mut self, id: SeatId, suspended: bool, now: Timestamp) -> Result<(), Gone> {
        let now = self.advance(now);
        let seat = self.seats.get_mut(id.0).ok_or(Gone)?;
        if seat.suspended == suspended {
            return Ok(());
        }
        seat.suspended = suspended;
        match suspended {
            true => self.tally.suspended += 1,
            false => self.tally.suspended -= 1,
        }
        if let Some(place) = seat.member {
            self.count_usable(place);
            self.list(place);
            self.consider(place, now);
        }
        self.consider_seat(id.0.place, now);
        Ok(())
    }

    /// Logins that were given up or put off are tried again at once.
    ///
    /// # Errors
    /// The seat is gone.
    pub fn retry(&mut self, id: SeatId, now: Timestamp) -> Result<(), Gone> {
        let now = self.advance(now);
        let seat = self.seats.get_mut(id.0).ok_or(Gone)?;
        self.tally.stopped -= usize::from(seat.stopped);
        seat.stopped = false;
        seat.login_failures = 0;
        seat.login_after = Timestamp::EARLIEST;
        self.consider_seat(id.0.place, now);
        Ok(())
    }

    /// Gives all seats away and grants no more lease.
    pub fn close(&mut self, now: Timestamp) {
        let now = self.advance(now);
        self.closing = true;
        self.turn_away(self.queue.counted, Refusal::Closing);
        self.turn_away(self.queue.exclusive, Refusal::Closing);
        self.reserve();
        let seats: Vec<u32> = self.seats.iter().map(|(key, _)| key.place).collect();
        for seat in seats {
            self.part_with(seat, now);
        }
    }

    /// Whether the pool was closed and nothing of it is left to do.
    pub fn is_closed(&self) -> bool {
        self.closing && self.seats.len() == 0
    }

    /// Nobody is led to the seat any more.
    fn unlist_seat(&mut self, place: u32) {
        let why = match self.closing {
            true => Refusal::Closing,
            false => Refusal::UnknownTarget,
        };
        self.turn_away(self.seats[place].lane, why);
        let seat = &self.seats[place];
        match &seat.target {
            Some(target) => _ = self.own.remove(target),
            None => {
                let at = seat.at;
                self.shared.swap_remove(at as usize);
                if let Some(moved) = self.shared.get(at as usize) {
                    self.seats[*moved].at = at;
                }
            }
        }
    }

    /// A member comes to its seat; how it is called here.
    pub(super) fn join(&mut self, member: Member) -> u32 {
        let seat = member.seat.place;
        self.tally.enter(&member);
        let (is_alive, born) = (member.stage.is_alive(), member.born);
        let key = self.members.insert(member);
        let place = key.place;
        if is_alive {
            self.elders.set(key, born);
        }
        self.kin.push(&mut self.seats[seat].kin, place);
        place
    }

    /// The member goes on as this.
    pub(super) fn enter(&mut self, place: u32, stage: Stage) {
        let member = &mut self.members[place];
        let before = member.stage;
        self.tally.leave(member);
        member.stage = stage;
        self.tally.enter(member);
        let born = member.born;
        if stage.is_alive() && !before.is_alive() {
            self.elders.set(self.members.key(place), born);
        }
        let cools = |stage| matches!(stage, Stage::Cooling(_));
        match (cools(before), cools(stage)) {
            (false, true) => self.cooling_links.push(&mut self.cooling, place),
            (true, false) => self.cooling_links.remove(&mut self.cooling, place),
            _ => {}
        }
        self.count_usable(place);
        self.list(place);
    }

    /// The member that held a seat takes no more lease.
    pub(super) fn step_down(&mut self, place: u32, now: Timestamp) {
        let seat = self.members[place].seat.place;
        self.seats[seat].behind += 1;
        if self.seats[seat].member == Some(place) {
            self.seats[seat].member = None;
        }
        self.enter(place, Stage::Draining(now.plus(self.rules.drain)));
        match self.members[place].leases {
            0 => self.drained(place, now),
            _ => self.consider(place, now),
        }
    }

    /// A member that was draining has no lease any more.
    pub(super) fn drained(&mut self, place: u32, now: Timestamp) {
        let seat = self.members[place].seat.place;
        if self.seats[seat].going == Going::Away(Some(place)) {
            return self.consider_seat(seat, now);
        }
        self.enter(place, Stage::Retired(now));
        self.consider(place, now);
    }

    /// The member is no more.
    pub(super) fn forget(&mut self, place: u32) {
        let Some(member) = self.members.remove(place) else {
            return;
        };
        self.tally.leave(&member);
        let seat = &mut self.seats[member.seat.place];
        self.kin.remove(&mut seat.kin, place);
        if matches!(member.stage, Stage::Retired(_)) {
            seat.behind = seat.behind.saturating_sub(1);
        }
    }

    /// The seat is no more.
    pub(super) fn forget_seat(&mut self, place: u32) {
        if let Some(seat) = self.seats.remove(place) {
            self.tally.stopped -= usize::from(seat.stopped);
            self.tally.suspended -= usize::from(seat.suspended);
        }
    }
}
