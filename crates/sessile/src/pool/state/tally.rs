//! Counts that are right after every change, and the state as values.

use std::time::Duration;

use sessile_jar::Timestamp;

use super::ids::Key;
use super::member::{Member, Stage};
use super::seat::Going;
use super::{
    Dead, Lease, LeaseId, LeaseView, MemberId, MemberView, Outcome, Outcomes, Phase, SeatId,
    SeatView,
};
use super::{State, Stats, Target};

#[derive(Debug, Default)]
pub(super) struct Tally {
    stages: [usize; 6],
    /// Members that serve and have a lease.
    used: usize,
    /// When the members that hold a seat were born, summed up.
    births: i128,
    /// Members that could be leased if they weren't.
    pub(super) usable: usize,
    pub(super) stopped: usize,
    pub(super) suspended: usize,
    pub(super) granted: u64,
    pub(super) timed_out: u64,
    pub(super) outcomes: Outcomes,
}

impl Tally {
    /// The member is in its stage from now on.
    pub(super) fn enter(&mut self, member: &Member) {
        self.stages[kind(member.stage)] += 1;
        self.used += usize::from(member.stage == Stage::Serving && member.leases > 0);
        if member.stage.is_alive() {
            self.births += i128::from(member.born.as_millis());
        }
    }

    /// The member isn't in its stage any more.
    pub(super) fn leave(&mut self, member: &Member) {
        self.stages[kind(member.stage)] -= 1;
        self.used -= usize::from(member.stage == Stage::Serving && member.leases > 0);
        if member.stage.is_alive() {
            self.births -= i128::from(member.born.as_millis());
        }
    }

    /// A member that serves got its first lease, or has given back its last.
    pub(super) fn used(&mut self, used: bool) {
        match used {
            true => self.used += 1,
            false => self.used -= 1,
        }
    }
}

fn kind(stage: Stage) -> usize {
    match stage {
        Stage::Cooling(_) => 0,
        Stage::Draining(_) => 1,
        Stage::Making => 2,
        Stage::Retired(_) => 3,
        Stage::Serving => 4,
        Stage::Waking => 5,
    }
}

impl State {
    /// Counts over the whole pool, at once at any size.
    pub fn stats(&mut self, now: Timestamp) -> Stats {
        let now = self.advance(now);
        let [cooling, draining, making, retired, serving, waking] = self.tally.stages;
        let members = &self.members;
        let oldest = self.elders.next(|key, born| {
            let member: Option<&Member> = members.get(key);
            member.is_some_and(|member| member.stage.is_alive() && member.born == born)
        });
        let alive = i128::try_from(cooling + serving + waking).unwrap_or(i128::MAX);
        let ages = i128::from(now.as_millis()) * alive - self.tally.births;
        Stats {
            seats: self.seats.len(),
            stopped: self.tally.stopped,
            ready: serving - self.tally.used,
            leased: self.tally.used,
            warming: making + waking,
            cooling,
            draining,
            retired,
            leases: self.leases.len(),
            waiting: self.queue.waiters.len(),
            acting: self.work.running.len(),
            granted: self.tally.granted,
            timed_out: self.tally.timed_out,
            outcomes: self.tally.outcomes,
            average_age: millis(ages / alive.max(1)),
            oldest: oldest.map_or(Duration::ZERO, |born| {
                millis(i128::from(now.as_millis()) - i128::from(born.as_millis()))
            }),
        }
    }

    /// Why nobody of the shared seats can be used.
    pub(super) fn why_all_dead(&self) -> Dead {
        let [cooling, _, making, _, _, waking] = self.tally.stages;
        match () {
            () if self.shared.is_empty() => Dead::NoSeat,
            () if making + waking > 0 => Dead::Warming,
            () if cooling > 0 => Dead::Cooling,
            () if self.tally.suspended >= self.seats.len() => Dead::Suspended,
            () if self.tally.stopped + self.tally.suspended >= self.seats.len() => Dead::Stopped,
            () if self.work.is_begun_for_some() => Dead::Warming,
            () => Dead::LoginsFail,
        }
    }

    /// All members.
    pub fn members(&self) -> impl Iterator<Item = MemberView> + '_ {
        self.members
            .iter()
            .map(|(key, member)| self.view(key, member))
    }

    /// One member.
    pub fn member(&self, member: MemberId) -> Option<MemberView> {
        let known = self.members.get(member.0)?;
        Some(self.view(member.0, known))
    }

    fn view(&self, key: Key, member: &Member) -> MemberView {
        let shown = |time| self.time.outside(time);
        MemberView {
            id: MemberId(key),
            seat: SeatId(member.seat),
            phase: self.phase(member),
            born: shown(member.born),
            validated: member.validated.map(shown),
            refreshed: shown(member.refreshed),
            used: Some(member.used)
                .filter(|at| *at > Timestamp::EARLIEST)
                .map(shown),
            rotates: Some(member.rotate_at)
                .filter(|at| member.stage.is_alive() && *at < Timestamp::LATEST)
                .map(shown),
            leases: member.leases,
            uses: member.uses.into(),
            failures: member.failures,
            cooled: member.cooled,
        }
    }

    fn phase(&self, member: &Member) -> Phase {
        match member.stage {
            Stage::Cooling(until) => Phase::Cooling {
                until: self.time.outside(until),
            },
            Stage::Draining(until) => Phase::Draining {
                until: self.time.outside(until),
            },
            Stage::Making | Stage::Waking => Phase::Warming,
            Stage::Retired(_) => Phase::Retired,
            Stage::Serving if member.leases > 0 => Phase::Leased,
            Stage::Serving => Phase::Ready,
        }
    }

    /// All seats.
    pub fn seats(&self) -> impl Iterator<Item = SeatView> + '_ {
        let ids = self.seats.iter().map(|(key, _)| SeatId(key));
        ids.filter_map(|id| self.seat_view(id))
    }

    /// One seat.
    pub fn seat_view(&self, id: SeatId) -> Option<SeatView> {
        let seat = self.seats.get(id.0)?;
        let member = |place| MemberId(self.members.key(place));
        let serving = match seat.going {
            Going::Away(away) => away,
            Going::Dissolved | Going::Not => seat.member,
        };
        let after = Some(seat.login_after).filter(|at| *at > self.time.last());
        Some(SeatView {
            id,
            target: seat.target.clone(),
            member: serving.map(member),
            next: seat.next.map(member),
            behind: seat.behind,
            login_failures: seat.login_failures,
            login_after: after.map(|at| self.time.outside(at)),
            stopped: seat.stopped,
            suspended: seat.suspended,
            leaving: seat.going != Going::Not,
        })
    }

    /// The seat that is kept for a target.
    pub fn seat_of(&self, target: &Target) -> Option<SeatId> {
        let place = self.own.get(target)?;
        Some(SeatId(self.seats.key(*place)))
    }

    /// One running lease.
    pub fn leased(&self, id: LeaseId) -> Option<LeaseView> {
        let lease = self.leases.get(id.0)?;
        Some(self.lease_view(id, lease))
    }

    /// The running leases of a member.
    pub fn leases_of(&self, member: MemberId) -> impl Iterator<Item = LeaseView> + '_ {
        let leased = self.members.get(member.0).map(|member| member.leased);
        let places = self.lease_links.iter(leased.unwrap_or_default());
        places.map(|place| self.lease_view(LeaseId(self.leases.key(place)), &self.leases[place]))
    }

    fn lease_view(&self, id: LeaseId, lease: &Lease) -> LeaseView {
        LeaseView {
            id,
            member: MemberId(self.members.key(lease.member)),
            seat: SeatId(self.members[lease.member].seat),
            mode: lease.mode,
            until: self.time.outside(lease.until),
            pinned: lease.pinned,
        }
    }
}

impl Outcomes {
    pub(super) fn count(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Blocked => &mut self.blocked,
            Outcome::Challenged => &mut self.challenged,
            Outcome::Dropped => &mut self.dropped,
            Outcome::Expired => &mut self.expired,
            Outcome::Failing => &mut self.failing,
            Outcome::Ok => &mut self.ok,
            Outcome::RateLimited { .. } => &mut self.rate_limited,
            Outcome::Unreachable => &mut self.unreachable,
        };
        *count += 1;
    }
}

fn millis(span: i128) -> Duration {
    Duration::from_millis(u64::try_from(span.max(0)).unwrap_or(u64::MAX))
}
