//! What uses and checks say of a member, and when one has to rest.

use sessile_jar::Timestamp;

use super::member::{Stage, after};
use super::{Outcome, State};

impl State {
    /// Takes in what came of a use.
    pub(super) fn judge(&mut self, place: u32, outcome: Outcome, now: Timestamp) {
        self.tally.outcomes.count(outcome);
        match outcome {
            Outcome::Dropped | Outcome::Failing => {}
            Outcome::Ok => {
                let member = &mut self.members[place];
                if std::mem::take(&mut member.tainted) {
                    member.failures = 0;
                    member.cooled = 0;
                }
            }
            Outcome::Blocked => self.refuse(place, now),
            Outcome::Challenged | Outcome::Unreachable => self.fail(place, now),
            Outcome::Expired => self.log_in_anew(place, now),
            Outcome::RateLimited { until } => {
                let until = until.map(|until| self.time.within(until));
                let longest = now.plus(self.rules.cool_down_longest);
                let until = until.unwrap_or(now.plus(self.rules.cool_down));
                self.rest(place, until.min(longest), now);
            }
        }
    }

    /// A refusal without a reason may be the page's and not the session's: before it rests, a check
    /// is to say so.
    fn refuse(&mut self, place: u32, now: Timestamp) {
        let member = &mut self.members[place];
        if member.stage != Stage::Serving {
            return;
        }
        member.failures = member.failures.saturating_add(1);
        member.tainted = true;
        if member.failures >= self.rules.failures.max(1) && !member.wants.renew {
            member.wants.validate = true;
            self.consider(place, now);
        }
    }

    /// One failure more of a member that serves.
    pub(super) fn fail(&mut self, place: u32, now: Timestamp) {
        let member = &mut self.members[place];
        if member.stage != Stage::Serving {
            return;
        }
        member.failures = member.failures.saturating_add(1);
        member.tainted = true;
        if member.failures >= self.rules.failures.max(1) {
            self.cool(place, now);
        }
    }

    /// Rests for longer each time in a row.
    pub(super) fn cool(&mut self, place: u32, now: Timestamp) {
        let member = &mut self.members[place];
        member.cooled = member.cooled.saturating_add(1);
        member.tainted = true;
        let doubled = 1_u32.checked_shl(member.cooled - 1).unwrap_or(u32::MAX);
        let span = self.rules.cool_down.saturating_mul(doubled);
        let until = now.plus(span.min(self.rules.cool_down_longest));
        self.rest(place, until, now);
    }

    fn rest(&mut self, place: u32, until: Timestamp, now: Timestamp) {
        let until = match self.members[place].stage {
            _ if until <= now => return,
            Stage::Serving | Stage::Waking => until,
            Stage::Cooling(before) => until.max(before),
            Stage::Draining(_) | Stage::Making | Stage::Retired(_) => return,
        };
        self.enter(place, Stage::Cooling(until));
        self.members[place].wants.validate = false;
        self.consider(place, now);
        self.make_up(now);
    }

    /// The login is gone: the member serves again after another one.
    pub(super) fn log_in_anew(&mut self, place: u32, now: Timestamp) {
        let stage = self.members[place].stage;
        if !stage.is_alive() {
            return;
        }
        let wants = &mut self.members[place].wants;
        wants.renew = true;
        wants.validate = false;
        if stage == Stage::Serving {
            self.enter(place, Stage::Waking);
        }
        self.consider(place, now);
        self.make_up(now);
    }

    /// Where too few can be used, members that rest are replaced.
    pub(super) fn make_up(&mut self, now: Timestamp) {
        let short = self.rules.min_ready.saturating_sub(self.tally.usable);
        if short == 0 {
            return;
        }
        let cooling = self.cooling_links.iter(self.cooling);
        let seats = cooling.map(|place| self.members[place].seat.place);
        let urgent = seats.filter(|seat| self.is_urgent(*seat, now) && self.wants_make(*seat, now));
        let urgent: Vec<u32> = urgent.take(short).collect();
        for seat in urgent {
            self.consider_seat(seat, now);
        }
    }

    /// Whether the seat's member rests while too few can be used, and was made long enough ago that
    /// another login isn't hasty.
    pub(super) fn is_urgent(&self, seat: u32, now: Timestamp) -> bool {
        let member = self.seats[seat].member;
        let rests =
            member.is_some_and(|place| matches!(self.members[place].stage, Stage::Cooling(_)));
        rests && self.tally.usable < self.rules.min_ready && self.hasty_until(seat) <= now
    }

    /// Until when another login for the seat would be hasty.
    pub(super) fn hasty_until(&self, seat: u32) -> Timestamp {
        after(self.seats[seat].made_at, Some(self.rules.cool_down))
    }
}
