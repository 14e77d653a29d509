//! What must be true of a state after every call, whatever was called before.

use super::member::{Member, Stage};
use super::seat::Going;
use super::{Mode, State, Task};

impl State {
    /// Panics where the state contradicts itself.
    pub(super) fn check_invariants(&self) {
        let mut leases = 0;
        for (key, member) in self.members.iter() {
            self.check_member(key.place, member);
            leases += member.leases as usize;
        }
        assert_eq!(leases, self.leases.len(), "each lease is on one member");
        for (key, seat) in self.seats.iter() {
            let held = seat.member.map(|place| self.members[place].stage);
            assert!(held.is_none_or(Stage::is_alive), "{held:?} holds a seat");
            let next = seat.next.map(|place| self.members[place].stage);
            assert!(next.is_none_or(|stage| stage == Stage::Making));
            assert!(
                seat.behind <= self.rules.generations.max(1) + 1,
                "{}",
                seat.behind
            );
            assert!(seat.member.is_none() || seat.going == Going::Not);
            let kin = self.kin.iter(seat.kin).count();
            let away = usize::from(matches!(seat.going, Going::Away(Some(_))));
            let own = usize::from(seat.member.is_some()) + usize::from(seat.next.is_some());
            assert_eq!(kin, own + away + seat.behind as usize, "seat {}", key.place);
        }
        self.check_work();
    }

    fn check_member(&self, place: u32, member: &Member) {
        let seat = &self.seats[member.seat.place];
        let exclusive_alone = !member.exclusive || member.leases == 1;
        assert!(exclusive_alone, "{member:?}");
        let holds = seat.member == Some(place);
        assert_eq!(holds, member.stage.is_alive(), "{member:?}");
        let usable = member.stage == Stage::Serving && seat.is_served();
        assert_eq!(member.usable, usable);
        assert!(
            member.tainted || member.failures + member.cooled == 0,
            "{member:?}"
        );
        let drawn = self.drawn.get(member.drawn_at as usize);
        assert_eq!(drawn == Some(&place), usable && !member.own, "{member:?}");
        let has_room =
            usable && !member.exclusive && member.leases < self.rules.leases_per_member.max(1);
        let is_listed = has_room && seat.target.is_none() && !member.reserved;
        assert_eq!(
            self.picker.load_of(place).is_some(),
            is_listed,
            "{member:?}"
        );
        assert_eq!(member.reserved, self.queue.reserved == Some(place));
        match member.stage {
            Stage::Making | Stage::Retired(_) => assert_eq!(member.leases, 0, "{member:?}"),
            Stage::Draining(_) if seat.going != Going::Away(Some(place)) => {
                assert!(member.leases > 0)
            }
            Stage::Waking => self.check_waking(member),
            Stage::Cooling(_) | Stage::Draining(_) | Stage::Serving => {}
        }
    }

    /// One that has to be looked at before it serves is being looked at, or will be.
    fn check_waking(&self, member: &Member) {
        let later = member.validate_at < sessile_jar::Timestamp::LATEST;
        let wants = member.wants.validate || member.wants.renew;
        assert!(wants || later || member.busy.is_some(), "{member:?}");
    }

    fn check_work(&self) {
        let running = |tasks: &[Task]| {
            let tasks = self
                .work
                .running
                .iter()
                .filter(|(_, action)| tasks.contains(&action.task));
            tasks.count()
        };
        assert_eq!(running(&[Task::Make, Task::Renew]), self.work.logins);
        assert_eq!(
            running(&[Task::Refresh, Task::Validate]),
            self.work.checking
        );
        assert!(self.work.logins <= self.rules.makes_at_once.max(1));
        assert!(self.work.checking <= self.rules.checks_at_once.max(1));
    }

    /// Panics where a list differs from what a look at everything says; for now and then.
    pub(super) fn check_lists(&self) {
        let has_room = |key: &super::ids::Key| self.picker.load_of(key.place).is_some();
        let members = || self.members.iter().map(|(key, _)| key);
        let mut open = self.picker.open();
        open.sort_unstable();
        let mut expected: Vec<u32> = members().filter(has_room).map(|key| key.place).collect();
        expected.sort_unstable();
        assert_eq!(open, expected);
        let loads = 0..self.rules.leases_per_member.max(1) as usize;
        let mut by_load = 0;
        for load in loads {
            for place in self.picker.of_load(load) {
                assert_eq!(self.members[place].leases as usize, load);
                by_load += 1;
            }
        }
        assert_eq!(by_load, open.len());
        for (key, member) in self.members.iter() {
            let leases: Vec<u32> = self.lease_links.iter(member.leased).collect();
            assert_eq!(leases.len(), member.leases as usize);
            let mut modes = leases.iter().map(|lease| self.leases[*lease].mode);
            assert_eq!(modes.any(|mode| mode == Mode::Exclusive), member.exclusive);
            assert!(
                leases
                    .iter()
                    .all(|lease| self.leases[*lease].member == key.place)
            );
        }
        let cooling = self.cooling_links.iter(self.cooling).count();
        let cools = |member: &Member| matches!(member.stage, Stage::Cooling(_));
        assert_eq!(
            cooling,
            self.members
                .iter()
                .filter(|(_, member)| cools(member))
                .count()
        );
        let usable = self
            .members
            .iter()
            .filter(|(_, member)| member.usable)
            .count();
        assert_eq!(usable, self.tally.usable);
        assert!(self.time_outs.len() <= 1025 + 2 * self.leases.len().max(1) + 64);
    }

    /// How many members could be leased if they weren't.
    pub(super) fn usable(&self) -> usize {
        self.tally.usable
    }
}
