//! What is to be done next.
//!
//! Members and seats have alarms; at an alarm, and after whatever happens to them, they are looked at
//! and what they need is put into a queue. A queue's entry is looked at again before it is given out.

use std::collections::VecDeque;
use std::time::Duration;

use sessile_jar::Timestamp;

use super::ids::Key;
use super::member::{Member, Stage, after};
use super::seat::Going;
use super::slab::Slab;
use super::{Action, ActionId, End, MemberId, SeatId, State, Task, Which};

/// What waits to be done and what runs.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Logins without which a seat serves nobody, and all others; taken in turns.
    urgent: VecDeque<Login>,
    planned: VecDeque<Login>,
    planned_next: bool,
    checks: VecDeque<Key>,
    retires: VecDeque<Key>,
    releases: VecDeque<Key>,
    /// Counts entries that came to nothing.
    dropped: u64,
    pub(super) running: Slab<Running>,
    pub(super) logins: usize,
    pub(super) checking: usize,
    pub(super) tidying: usize,
}

#[derive(Clone, Copy, Debug)]
enum Login {
    Make(Key),
    Renew(Key),
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) task: Task,
    pub(super) seat: Key,
    pub(super) member: Option<Key>,
}

/// How many members and seats are done away with at the same time.
const TIDIED_AT_ONCE: usize = 8;

impl Work {
    /// Whether a login waits or runs.
    pub(super) fn is_begun_for_some(&self) -> bool {
        self.logins > 0 || !self.urgent.is_empty() || !self.planned.is_empty()
    }

    fn logins(&mut self, urgent: bool) -> &mut VecDeque<Login> {
        match urgent {
            true => &mut self.urgent,
            false => &mut self.planned,
        }
    }

    /// How many of a kind of task run.
    pub(super) fn count(&mut self, task: Task) -> &mut usize {
        match task {
            Task::Make | Task::Renew => &mut self.logins,
            Task::Refresh | Task::Validate => &mut self.checking,
            Task::Release | Task::Retire => &mut self.tidying,
        }
    }
}

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
            .next(|key, at| super::member::Lease::key_counts(leases, key, at));
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
        let seat = self.members[place].seat;
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
        member.wants.refresh |=
            serves && member.refresh_at <= now && member.may_refresh(rules, now);
    }

    fn put_to_work(&mut self, place: u32, now: Timestamp) {
        let member = &self.members[place];
        if member.queued || member.busy.is_some() {
            return;
        }
        let key = self.members.key(place);
        if self.may_renew(place, now) {
            let urgent = member.stage == Stage::Waking;
            self.work.logins(urgent).push_back(Login::Renew(key));
        } else if self.check_wanted(place, now).is_some() {
            self.work.checks.push_back(key);
        } else {
            return;
        }
        self.members[place].queued = true;
    }

    fn may_renew(&self, place: u32, now: Timestamp) -> bool {
        let member = &self.members[place];
        let seat = &self.seats[member.seat];
        let stands = matches!(member.stage, Stage::Serving | Stage::Waking);
        member.wants.renew && stands && member.busy.is_none() && seat.may_log_in(now)
    }

    fn check_wanted(&self, place: u32, now: Timestamp) -> Option<Task> {
        let member = &self.members[place];
        if member.busy.is_some() || !self.seats[member.seat].is_served() {
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
        let forced = after(member.refreshed, self.rules.cookies.force_after);
        let times = [
            (true, after(member.born, self.rules.max_age)),
            (true, member.rotate_at),
            (!member.wants.validate, member.validate_at),
            (serves && !member.wants.renew, member.renew_at),
            (serves && !member.wants.refresh, member.refresh_at),
            (
                serves && !member.wants.refresh,
                forced.max(member.refresh_at),
            ),
            (!serves, self.hasty_until(member.seat)),
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
            self.work.retires.push_back(self.members.key(place));
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
            self.work.logins(urgent).push_back(Login::Make(key));
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
            self.work.releases.push_back(self.seats.key(place));
        }
    }

    fn may_release(&self, place: u32) -> bool {
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

    // ---- giving out

    /// What would be given out now. Entries that have lost their reason are dropped, which may show
    /// another need.
    fn next_task(&mut self, now: Timestamp) -> Option<(Task, Key, Option<Key>)> {
        loop {
            let dropped = self.work.dropped;
            let found = self.look_through(now);
            if found.is_some() || self.work.dropped == dropped {
                return found;
            }
        }
    }

    fn look_through(&mut self, now: Timestamp) -> Option<(Task, Key, Option<Key>)> {
        let tidy = match self.work.tidying < TIDIED_AT_ONCE {
            true => self.next_retire().or_else(|| self.next_release()),
            false => None,
        };
        if tidy.is_some() {
            return tidy;
        }
        if self.work.logins < self.rules.makes_at_once.max(1)
            && let Some(login) = self.next_login(now)
        {
            return Some(login);
        }
        (self.work.checking < self.rules.checks_at_once.max(1)).then(|| self.next_check(now))?
    }

    fn next_retire(&mut self) -> Option<(Task, Key, Option<Key>)> {
        while let Some(key) = self.work.retires.front().copied() {
            if let Some(member) = self.members.get(key) {
                return Some((Task::Retire, self.seats.key(member.seat), Some(key)));
            }
            self.work.retires.pop_front();
        }
        None
    }

    fn next_release(&mut self) -> Option<(Task, Key, Option<Key>)> {
        while let Some(key) = self.work.releases.front().copied() {
            if self.seats.has(key) && self.may_release(key.place) {
                let member = match self.seats[key.place].going {
                    Going::Away(member) => member.map(|place| self.members.key(place)),
                    Going::Dissolved | Going::Not => None,
                };
                return Some((Task::Release, key, member));
            }
            self.work.releases.pop_front();
            if let Some(seat) = self.seats.get_mut(key) {
                seat.parting = false;
            }
        }
        None
    }

    /// The two queues in turns, so that logins that fail again and again don't keep members from
    /// being followed.
    fn next_login(&mut self, now: Timestamp) -> Option<(Task, Key, Option<Key>)> {
        let planned = self.work.planned_next;
        let first = self.next_login_of(!planned, now);
        first.or_else(|| self.next_login_of(planned, now))
    }

    fn next_login_of(&mut self, urgent: bool, now: Timestamp) -> Option<(Task, Key, Option<Key>)> {
        while let Some(login) = self.work.logins(urgent).front().copied() {
            match login {
                Login::Make(key) if self.seats.has(key) && self.wants_make(key.place, now) => {
                    return Some((Task::Make, key, None));
                }
                Login::Renew(key) if self.members.has(key) && self.may_renew(key.place, now) => {
                    let seat = self.members[key.place].seat;
                    return Some((Task::Renew, self.seats.key(seat), Some(key)));
                }
                Login::Make(key) => self.drop_make(key, urgent, now),
                Login::Renew(key) => {
                    self.work.logins(urgent).pop_front();
                    self.dequeue(key, now);
                }
            }
        }
        None
    }

    fn next_check(&mut self, now: Timestamp) -> Option<(Task, Key, Option<Key>)> {
        while let Some(key) = self.work.checks.front().copied() {
            if let Some(member) = self.members.get(key)
                && let Some(task) = self.check_wanted(key.place, now)
            {
                return Some((task, self.seats.key(member.seat), Some(key)));
            }
            self.work.checks.pop_front();
            self.dequeue(key, now);
        }
        None
    }

    fn drop_make(&mut self, key: Key, urgent: bool, now: Timestamp) {
        self.work.logins(urgent).pop_front();
        self.work.dropped += 1;
        if let Some(seat) = self.seats.get_mut(key) {
            seat.queued = false;
            self.consider_seat(key.place, now);
        }
    }

    /// What the member was in a queue for has come to nothing; it may need something else.
    fn dequeue(&mut self, key: Key, now: Timestamp) {
        self.work.dropped += 1;
        if let Some(member) = self.members.get_mut(key) {
            member.queued = false;
            self.consider(key.place, now);
        }
    }

    /// Takes what [`State::next_task`] said from its queue.
    fn begin(&mut self, task: Task, seat: Key, member: Option<Key>, now: Timestamp) -> Action {
        match task {
            Task::Make | Task::Renew => {
                let urgent = !self.work.planned_next;
                let taken = self.work.logins(urgent).pop_front();
                if taken.is_none() {
                    self.work.logins(!urgent).pop_front();
                }
                self.work.planned_next = urgent;
            }
            Task::Refresh | Task::Validate => _ = self.work.checks.pop_front(),
            Task::Release => _ = self.work.releases.pop_front(),
            Task::Retire => _ = self.work.retires.pop_front(),
        }
        let member = match task {
            Task::Make => Some(self.begin_make(seat, now)),
            Task::Refresh | Task::Release | Task::Renew | Task::Retire | Task::Validate => member,
        };
        self.note_begun(task, seat, member);
        *self.work.count(task) += 1;
        let id = self.work.running.insert(Running { task, seat, member });
        Action {
            id: ActionId(id),
            task,
            seat: SeatId(seat),
            member: member.map(MemberId),
        }
    }

    fn begin_make(&mut self, seat: Key, now: Timestamp) -> Key {
        let place = self.join(Member::new(seat.place, now));
        let seat = &mut self.seats[seat.place];
        seat.queued = false;
        seat.next = Some(place);
        self.members.key(place)
    }

    fn note_begun(&mut self, task: Task, seat: Key, member: Option<Key>) {
        let made_at = self.time.last();
        let seat = &mut self.seats[seat.place];
        seat.acting += 1;
        if matches!(task, Task::Make | Task::Renew) {
            seat.logging_in = true;
            seat.made_at = made_at;
        }
        if let Some(member) = member {
            let member = &mut self.members[member.place];
            member.queued = false;
            member.busy = Some(task);
        }
    }

    // ---- asked for by a person

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

fn cools_until(member: &Member) -> Timestamp {
    match member.stage {
        Stage::Cooling(until) => until,
        _ => Timestamp::LATEST,
    }
}

/// The soonest that anything is tried again.
pub(super) const SOONEST: Duration = Duration::from_secs(1);
