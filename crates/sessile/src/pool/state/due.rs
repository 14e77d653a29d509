//! What is to be done next.
//!
//! Members and seats have alarms; at an alarm, and after whatever happens to them, they are looked at
//! and what they need is put into a queue. A queue's entry is looked at again before it is given out.

use sessile_jar::Timestamp;

use super::member::{Lease, Member, Stage, after};
use super::seat::Going;
use super::{Action, End, State, Task};

impl State {
    /// What is to be done now; to be called until `None`, after every answer and at
    /// [`State::next_due`].
    pub fn due(&mut self, now: Timestamp) -> Option<Action> {
        let now = self.advance(now);
        let (task, seat, member) = self.next_task(now)?;
        Some(self.begin(task, seat, member, now))
    }

    /// When [`State::due`] or [`State::expire`] may have something next, if nothing is called until
    /// then. In the past only if they have something now.
    pub fn next_due(&mut self, now: Timestamp) -> Option<Timestamp> {
        let at = now;
        let now = self.advance(now);
        if !self.ended.is_empty() || !self.turned_away.is_empty() || self.next_task(now).is_some() {
            return Some(at);
        }
        self.next_change(now).map(|at| self.time.outside(at))
    }

    /// The earliest moment at which anything changes by itself.
    pub(super) fn next_change(&mut self, now: Timestamp) -> Option<Timestamp> {
        let (members, seats, leases) = (&self.members, &self.seats, &self.leases);
        let member = self
            .alarms
            .next(|key, at| members.get(key).is_some_and(|member| member.alarm == at));
        let seat = self
            .seat_alarms
            .next(|key, at| seats.get(key).is_some_and(|seat| seat.alarm == at));
        let lease = self
            .time_outs
            .next(|key, at| Lease::key_counts(leases, key, at));
        let next = [member, seat, lease].into_iter().flatten().min();
        next.map(|at| at.max(now))
    }

    /// Sees the time, and to whatever has come.
    pub(super) fn advance(&mut self, now: Timestamp) -> Timestamp {
        let now = self.time.see(now);
        while let Some((key, at)) = self.alarms.pop(now) {
            if let Some(member) = self
                .members
                .get_mut(key)
                .filter(|member| member.alarm == at)
            {
                member.alarm = Timestamp::LATEST;
                self.consider(key.place, now);
            }
        }
        while let Some((key, at)) = self.seat_alarms.pop(now) {
            if let Some(seat) = self.seats.get_mut(key).filter(|seat| seat.alarm == at) {
                seat.alarm = Timestamp::LATEST;
                self.consider_seat(key.place, now);
            }
        }
        self.time_out_leases(now);
        now
    }

    // ---- members

    /// Looks at a member: what it needs now, and when it is to be looked at again.
    pub(super) fn consider(&mut self, place: u32, now: Timestamp) {
        let seat = self.members[place].seat.place;
        match self.members[place].stage {
            Stage::Making => return,
            Stage::Draining(until) => return self.consider_draining(place, until, now),
            Stage::Retired(at) => return self.consider_retired(place, at, now),
            Stage::Cooling(until) if until <= now => {
                self.members[place].wants.validate = true;
                self.enter(place, Stage::Waking);
            }
            Stage::Cooling(_) | Stage::Serving | Stage::Waking => {}
        }
        if self.members[place].is_spent(&self.rules, now) {
            self.step_down(place, now);
            return self.consider_seat(seat, now);
        }
        let is_late = self.members[place].is_late(&self.rules, now);
        if is_late && !self.seats[seat].rotate {
            self.seats[seat].rotate = true;
            self.consider_seat(seat, now);
        } else if self.is_urgent(seat, now) {
            self.consider_seat(seat, now);
        }
        self.look_after(place, now);
        self.put_to_work(place, now);
        self.set_alarm(place, now);
    }

    /// Notes what has come to be needed.
    fn look_after(&mut self, place: u32, now: Timestamp) {
        let rules = &self.rules;
        let member = &mut self.members[place];
        let (serves, wakes) = (
            member.stage == Stage::Serving,
            member.stage == Stage::Waking,
        );
        member.wants.validate |= (serves || wakes) && member.validate_at <= now;
        member.wants.renew |= serves && member.renew_at <= now;
        if serves && member.refresh_at <= now {
            member.awaits_quiet = !member.may_refresh(rules, now);
            member.wants.refresh |= !member.awaits_quiet;
        }
    }

    fn put_to_work(&mut self, place: u32, now: Timestamp) {
        let member = &self.members[place];
        if member.queued || member.busy.is_some() {
            return;
        }
        let key = self.members.key(place);
        if self.may_renew(place, now) {
            let urgent = member.stage == Stage::Waking;
            self.work.renew(key, urgent);
        } else if self.check_wanted(place, now).is_some() {
            self.work.check(key);
        } else {
            return;
        }
        self.members[place].queued = true;
    }

    pub(super) fn may_renew(&self, place: u32, now: Timestamp) -> bool {
        let member = &self.members[place];
        let seat = &self.seats[member.seat.place];
        let stands = matches!(member.stage, Stage::Serving | Stage::Waking);
        member.wants.renew && stands && member.busy.is_none() && seat.may_log_in(now)
    }

    pub(super) fn check_wanted(&self, place: u32, now: Timestamp) -> Option<Task> {
        let member = &self.members[place];
        if member.busy.is_some() || !self.seats[member.seat.place].is_served() {
            return None;
        }
        let task = member.wants.check()?;
        let fits = match (member.stage, task) {
            (Stage::Serving, Task::Refresh) => member.may_refresh(&self.rules, now),
            (Stage::Cooling(_) | Stage::Serving, Task::Validate) => true,
            (Stage::Waking, Task::Validate) => !member.wants.renew,
            _ => false,
        };
        fits.then_some(task)
    }

    fn set_alarm(&mut self, place: u32, now: Timestamp) {
        let member = &self.members[place];
        let serves = member.stage == Stage::Serving;
        let cools = matches!(member.stage, Stage::Cooling(_));
        let forced = after(member.refreshed, self.rules.cookies.force_after);
        let times = [
            (true, after(member.born, self.rules.max_age)),
            (true, member.rotate_at),
            (!member.wants.validate && !cools, member.validate_at),
            (serves && !member.wants.renew, member.renew_at),
            (serves && !member.wants.refresh, member.refresh_at),
            (
                serves && !member.wants.refresh,
                forced.max(member.refresh_at),
            ),
            (!serves, self.hasty_until(member.seat.place)),
            (true, cools_until(member)),
        ];
        let ahead = times
            .into_iter()
            .filter(|(counts, at)| *counts && *at > now);
        let next = ahead.map(|(_, at)| at).min();
        self.wake_at(place, next.unwrap_or(Timestamp::LATEST));
    }

    fn wake_at(&mut self, place: u32, at: Timestamp) {
        let key = self.members.key(place);
        let member = &mut self.members[place];
        if at < member.alarm {
            member.alarm = at;
            self.alarms.set(key, at);
        }
        let members = &self.members;
        let counts = |key, at| {
            members
                .get(key)
                .is_some_and(|member: &Member| member.alarm == at)
        };
        self.alarms.tidy(members.len(), counts);
    }

    fn consider_draining(&mut self, place: u32, until: Timestamp, now: Timestamp) {
        if until > now {
            return self.wake_at(place, until);
        }
        let mut next = self.members[place].leased.first();
        while let Some(lease) = next {
            next = self.lease_links.after(lease);
            if !self.leases[lease].pinned {
                self.cut_off(lease, End::Drained, now);
            }
        }
    }

    fn consider_retired(&mut self, place: u32, at: Timestamp, now: Timestamp) {
        if at > now {
            return self.wake_at(place, at);
        }
        let member = &mut self.members[place];
        if member.busy.is_none() && !member.queued {
            member.queued = true;
            let key = self.members.key(place);
            self.work.retire(key);
        }
    }

    // ---- seats

    /// Looks at a seat: whether it needs a member, and when it is to be looked at again.
    pub(super) fn consider_seat(&mut self, place: u32, now: Timestamp) {
        if self.seats[place].going != Going::Not {
            return self.consider_parting(place, now);
        }
        let seat = &self.seats[place];
        let (at, member) = (seat.login_after, seat.member);
        if at > now && at < Timestamp::LATEST {
            self.wake_seat_at(place, at);
        }
        if self.wants_make(place, now) && !self.seats[place].queued {
            let urgent = member.is_none() || self.is_urgent(place, now);
            self.seats[place].queued = true;
            let key = self.seats.key(place);
            self.work.make(key, urgent);
        }
        if let Some(member) = member.filter(|member| self.members[*member].wants.renew) {
            self.put_to_work(member, now);
        }
    }

    pub(super) fn wants_make(&self, place: u32, now: Timestamp) -> bool {
        let seat = &self.seats[place];
        let needs = seat.member.is_none() || seat.rotate || self.is_urgent(place, now);
        needs
            && seat.next.is_none()
            && seat.behind < self.rules.generations.max(1)
            && seat.may_log_in(now)
    }

    fn consider_parting(&mut self, place: u32, now: Timestamp) {
        let seat = &self.seats[place];
        if seat.release_after > now {
            return self.wake_seat_at(place, seat.release_after);
        }
        if self.may_release(place) && !self.seats[place].parting {
            self.seats[place].parting = true;
            let key = self.seats.key(place);
            self.work.release(key);
        }
    }

    pub(super) fn may_release(&self, place: u32) -> bool {
        let seat = &self.seats[place];
        let idle = match seat.going {
            Going::Away(Some(member)) => self.members[member].leases == 0,
            Going::Away(None) | Going::Dissolved => true,
            Going::Not => false,
        };
        idle && seat.acting == 0 && seat.next.is_none() && seat.behind == 0
    }

    fn wake_seat_at(&mut self, place: u32, at: Timestamp) {
        let key = self.seats.key(place);
        let seat = &mut self.seats[place];
        if at < seat.alarm {
            seat.alarm = at;
            self.seat_alarms.set(key, at);
        }
    }
}

fn cools_until(member: &Member) -> Timestamp {
    match member.stage {
        Stage::Cooling(until) => until,
        _ => Timestamp::LATEST,
    }
}
