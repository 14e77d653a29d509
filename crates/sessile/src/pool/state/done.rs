//! What became of actions.

use std::time::Duration;

use sessile_jar::Timestamp;

use super::ids::Key;
use super::member::Stage;
use super::seat::Going;
use super::work::Running;
use super::{ActionId, Fault, Gone, State, Task};

impl State {
    /// What became of an action.
    ///
    /// # Errors
    /// It was answered before.
    pub fn done(
        &mut self,
        action: ActionId,
        result: Result<(), Fault>,
        now: Timestamp,
    ) -> Result<(), Gone> {
        let now = self.advance(now);
        self.work.running.get(action.0).ok_or(Gone)?;
        let Some(running) = self.work.running.remove(action.0.place) else {
            return Err(Gone);
        };
        *self.work.count(running.task) -= 1;
        if !self.seats.has(running.seat) {
            return Ok(());
        }
        self.note_ended(&running);
        self.settle(&running, result, now);
        if let Some(member) = running.member.filter(|key| self.members.has(*key)) {
            self.consider(member.place, now);
        }
        if self.seats.has(running.seat) {
            self.consider_seat(running.seat.place, now);
        }
        if result.is_err() {
            if self.seats.has(running.seat) {
                self.turn_away_where_stopped(running.seat.place);
            }
            self.make_up(now);
        }
        Ok(())
    }

    fn note_ended(&mut self, running: &Running) {
        let seat = &mut self.seats[running.seat.place];
        seat.acting -= 1;
        if matches!(running.task, Task::Make | Task::Renew) {
            seat.logging_in = false;
        }
        if let Some(member) = running.member.and_then(|key| self.members.get_mut(key)) {
            member.busy = None;
        }
    }

    fn settle(&mut self, running: &Running, result: Result<(), Fault>, now: Timestamp) {
        let seat = running.seat.place;
        let Some(member) = running.member.filter(|key| self.members.has(*key)) else {
            return match running.task {
                Task::Release => self.released(seat, None, result, now),
                Task::Make | Task::Refresh | Task::Renew | Task::Retire | Task::Validate => {}
            };
        };
        let place = member.place;
        match (running.task, result) {
            (Task::Make, Ok(())) => self.take_over(seat, place, now),
            (Task::Make, Err(fault)) => {
                self.seats[seat].next = None;
                self.forget(place);
                self.login_failed(seat, fault, now);
            }
            (Task::Release, result) => self.released(seat, Some(member), result, now),
            (Task::Renew, Ok(())) => self.renewed(seat, place, now),
            (Task::Renew, Err(Fault::Expired)) => self.unseat(seat, place, now),
            (Task::Renew, Err(fault)) => self.login_failed(seat, fault, now),
            (Task::Retire, Ok(())) => self.forget(place),
            (Task::Retire, Err(_)) => self.enter(place, Stage::Retired(now.plus(TIDY_RETRY))),
            (Task::Refresh, Ok(())) => self.refreshed(place, now),
            (Task::Validate, Ok(())) => self.validated(place, now),
            (task @ (Task::Refresh | Task::Validate), Err(fault)) => {
                self.check_failed(seat, place, task, fault, now);
            }
        }
    }

    /// The next generation is there: it takes the seat over, and who had it drains.
    fn take_over(&mut self, place: u32, next: u32, now: Timestamp) {
        let seat = &mut self.seats[place];
        seat.next = None;
        seat.rotate = false;
        self.log_in_worked(place);
        let member = &mut self.members[next];
        member.born = now;
        member.validated = Some(now);
        member.refreshed = now;
        member.plan(&self.rules, &mut self.chance);
        let seat = &mut self.seats[place];
        match seat.going {
            Going::Not => {
                let before = seat.member.replace(next);
                self.enter(next, Stage::Serving);
                if let Some(before) = before {
                    self.step_down(before, now);
                }
            }
            // It would be a pity to throw away what the next owner can use.
            Going::Away(None) => {
                seat.going = Going::Away(Some(next));
                self.enter(next, Stage::Draining(now));
            }
            // On a site that allows one session per user the old one's login has ended by now.
            Going::Away(Some(before)) => {
                seat.going = Going::Away(Some(next));
                seat.behind += 1;
                self.enter(next, Stage::Draining(now));
                if self.members[before].leases == 0 {
                    self.drained(before, now);
                }
            }
            Going::Dissolved => {
                seat.behind += 1;
                self.enter(next, Stage::Retired(now));
            }
        }
    }

    fn log_in_worked(&mut self, place: u32) {
        let seat = &mut self.seats[place];
        self.tally.stopped -= usize::from(seat.stopped);
        seat.stopped = false;
        seat.login_failures = 0;
        seat.login_after = Timestamp::EARLIEST;
    }

    fn renewed(&mut self, seat: u32, place: u32, now: Timestamp) {
        self.log_in_worked(seat);
        let member = &mut self.members[place];
        member.wants.renew = false;
        member.failures = 0;
        member.refreshed = now;
        self.refreshed(place, now);
        let member = &mut self.members[place];
        member.renew_at = super::member::after(now, self.rules.cookies.renew_after);
        self.validated(place, now);
    }

    /// The member can't log in any more, but the seat may: another member follows it, at once where
    /// its login is gone.
    fn unseat(&mut self, seat: u32, place: u32, now: Timestamp) {
        let member = &mut self.members[place];
        member.wants.renew = false;
        member.renew_at = Timestamp::LATEST;
        match member.stage {
            Stage::Serving => self.seats[seat].rotate = true,
            stage if stage.is_alive() => self.step_down(place, now),
            _ => {}
        }
    }

    fn validated(&mut self, place: u32, now: Timestamp) {
        let member = &mut self.members[place];
        member.wants.validate = false;
        member.validated = Some(now);
        member.plan_check(&self.rules, &mut self.chance);
        if member.failures >= self.rules.failures.max(1) {
            member.failures = 0;
        }
        if matches!(member.stage, Stage::Cooling(_) | Stage::Waking) && !member.wants.renew {
            member.failures = 0;
            self.enter(place, Stage::Serving);
        }
    }

    fn refreshed(&mut self, place: u32, now: Timestamp) {
        let member = &mut self.members[place];
        member.wants.refresh = false;
        member.wants.refresh_asked = false;
        member.refreshed = now;
        member.plan_refresh(&self.rules, &mut self.chance);
    }

    fn check_failed(&mut self, seat: u32, place: u32, task: Task, fault: Fault, now: Timestamp) {
        let member = &mut self.members[place];
        let again = match fault {
            Fault::Later { until: Some(until) } => self.time.within(until),
            Fault::Expired
            | Fault::Failed
            | Fault::Later { until: None }
            | Fault::NeedsPerson
            | Fault::Refused => now.plus(CHECK_RETRY),
        };
        let again = again.clamp(now.plus(SOONEST), now.plus(LONGEST_WAIT));
        match task {
            Task::Refresh => {
                member.wants.refresh = false;
                member.wants.refresh_asked = false;
                member.refresh_at = again;
            }
            _ => {
                member.wants.validate = false;
                member.validate_at = again;
            }
        }
        match fault {
            Fault::Expired => self.log_in_anew(place, now),
            Fault::Failed if member.stage == Stage::Serving => self.fail(place, now),
            Fault::Failed => self.cool(place, now),
            Fault::Later { .. } => {}
            // The renewal doesn't ask the site again, and knows whether there is another account.
            Fault::Refused => self.log_in_anew(place, now),
            Fault::NeedsPerson => {
                self.login_failed(seat, fault, now);
                self.log_in_anew(place, now);
            }
        }
    }

    /// No hammering: each failure in a row is followed by a longer wait, and a refusal by none.
    fn login_failed(&mut self, place: u32, fault: Fault, now: Timestamp) {
        let seat = &mut self.seats[place];
        let retry = self.rules.login_retry.max(SOONEST);
        let until = match fault {
            Fault::NeedsPerson | Fault::Refused => {
                self.tally.stopped += usize::from(!seat.stopped);
                seat.stopped = true;
                return;
            }
            Fault::Expired | Fault::Failed => {
                let doubled = 1_u32.checked_shl(seat.login_failures).unwrap_or(u32::MAX);
                seat.login_failures = seat.login_failures.saturating_add(1);
                let longest = self.rules.login_retry_longest.max(retry);
                now.plus(retry.saturating_mul(doubled).min(longest))
            }
            Fault::Later { until: None } => now.plus(retry),
            Fault::Later { until: Some(until) } => self.time.within(until),
        };
        seat.login_after = until.clamp(now.plus(SOONEST), now.plus(LONGEST_WAIT));
    }

    fn released(
        &mut self,
        place: u32,
        member: Option<Key>,
        result: Result<(), Fault>,
        now: Timestamp,
    ) {
        self.seats[place].parting = false;
        if result.is_err() {
            self.seats[place].release_after = now.plus(TIDY_RETRY);
            return;
        }
        if let Some(member) = member {
            self.forget(member.place);
        }
        self.forget_seat(place);
    }
}

/// The soonest that anything is tried again.
const SOONEST: Duration = Duration::from_secs(1);

/// When a check that could say nothing is tried again.
const CHECK_RETRY: Duration = Duration::from_secs(30);

/// When removing or handing over is tried again.
const TIDY_RETRY: Duration = Duration::from_secs(10);

/// Nothing is put off for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
