//! Rules that change while members are there.

use sessile_jar::Timestamp;

use super::member::Stage;
use super::pick::Picker;
use super::{Rules, State};

impl State {
    /// Other rules count from now on: members are planned anew from when they were made, checked and
    /// refreshed; leases and rests that have begun last as long as they were to. Where there may be
    /// fewer seats, none more come; those there are stay until they are removed.
    pub fn set_rules(&mut self, rules: Rules, now: Timestamp) {
        let now = self.advance(now);
        if rules == self.rules {
            return;
        }
        if rules.leases_per_member != self.rules.leases_per_member {
            // Its lists are as many as a member may have leases.
            self.picker = Picker::new(rules.leases_per_member);
        }
        self.rules = rules;
        let members: Vec<u32> = self.members.iter().map(|(key, _)| key.place).collect();
        for place in members {
            self.plan_anew(place);
            self.list(place);
            self.consider(place, now);
        }
        let seats: Vec<u32> = self.seats.iter().map(|(key, _)| key.place).collect();
        for place in seats {
            self.consider_seat(place, now);
        }
        self.make_up(now);
    }

    fn plan_anew(&mut self, place: u32) {
        let member = &mut self.members[place];
        if !member.stage.is_alive() {
            return;
        }
        let (renew_at, retry_at) = (member.renew_at, member.validate_at);
        member.plan(&self.rules, &mut self.chance);
        if renew_at == Timestamp::LATEST {
            // It can't log in again.
            member.renew_at = renew_at;
        }
        if member.stage == Stage::Waking {
            // It serves no sooner than it is checked.
            member.validate_at = member.validate_at.min(retry_at);
        }
    }
}
