//! What waits to be done, and what is given out next.
//!
//! An entry of a queue is looked at again when its turn comes: what it was for may be over.

use std::collections::VecDeque;

use sessile_jar::Timestamp;

use super::ids::Key;
use super::member::Member;
use super::seat::Going;
use super::slab::Slab;
use super::{Action, ActionId, MemberId, SeatId, State, Task};

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
    pub(super) fn make(&mut self, seat: Key, urgent: bool) {
        self.logins(urgent).push_back(Login::Make(seat));
    }

    pub(super) fn renew(&mut self, member: Key, urgent: bool) {
        self.logins(urgent).push_back(Login::Renew(member));
    }

    pub(super) fn check(&mut self, member: Key) {
        self.checks.push_back(member);
    }

    pub(super) fn retire(&mut self, member: Key) {
        self.retires.push_back(member);
    }

    pub(super) fn release(&mut self, seat: Key) {
        self.releases.push_back(seat);
    }

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
    /// What would be given out now. Entries that have lost their reason are dropped, which may show
    /// another need.
    pub(super) fn next_task(&mut self, now: Timestamp) -> Option<(Task, Key, Option<Key>)> {
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
                return Some((Task::Retire, member.seat, Some(key)));
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
                    return Some((Task::Renew, seat, Some(key)));
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
                return Some((task, member.seat, Some(key)));
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
    pub(super) fn begin(
        &mut self,
        task: Task,
        seat: Key,
        member: Option<Key>,
        now: Timestamp,
    ) -> Action {
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
        let own = self.seats[seat.place].target.is_some();
        let place = self.join(Member::new(seat, own, now));
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
}
