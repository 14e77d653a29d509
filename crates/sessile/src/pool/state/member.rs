//! What is known of one member.

use std::time::Duration;

use sessile_jar::Timestamp;

use super::chain::List;
use super::ids::Key;
use super::rules::Rules;
use super::steady::Chance;
use super::{Restored, Task};

/// In this order, so that a lease that is taken and given back touches the first 56 bytes alone:
/// among a million members most are in no cache.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Member {
    pub(super) leases: u32,
    pub(super) uses: u32,
    pub(super) exclusive: bool,
    /// Kept free of further leases for an exclusive one.
    pub(super) reserved: bool,
    /// Counted among those that could be leased.
    pub(super) usable: bool,
    /// Of a seat that is kept for a target.
    pub(super) own: bool,
    /// There may be failures that a success makes up for.
    pub(super) tainted: bool,
    /// Something is due as soon as no lease runs.
    pub(super) awaits_quiet: bool,
    pub(super) leased: List,
    pub(super) seat: Key,
    /// When it was last leased, if ever.
    pub(super) used: Timestamp,
    pub(super) stage: Stage,
    pub(super) failures: u32,
    pub(super) cooled: u32,
    pub(super) refresh_at: Timestamp,
    /// What it needs as soon as it may be.
    pub(super) wants: Wants,
    /// In a queue of work.
    pub(super) queued: bool,
    /// What runs on it.
    pub(super) busy: Option<Task>,
    /// Where it is in the list that random picks are drawn from.
    pub(super) drawn_at: u32,
    pub(super) born: Timestamp,
    pub(super) validated: Option<Timestamp>,
    pub(super) refreshed: Timestamp,
    pub(super) rotate_at: Timestamp,
    pub(super) validate_at: Timestamp,
    pub(super) renew_at: Timestamp,
    /// When it is looked at next.
    pub(super) alarm: Timestamp,
}

/// Where a member is in its life. Only one that serves takes leases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    Cooling(Timestamp),
    Draining(Timestamp),
    Making,
    /// Not removed before this.
    Retired(Timestamp),
    Serving,
    /// To be checked or renewed before it serves.
    Waking,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Wants {
    pub(super) refresh: bool,
    /// Whoever uses it: a person wants it.
    pub(super) refresh_asked: bool,
    pub(super) renew: bool,
    pub(super) validate: bool,
}

impl Stage {
    /// Whether its member holds the seat.
    pub(super) fn is_alive(self) -> bool {
        match self {
            Self::Cooling(_) | Self::Serving | Self::Waking => true,
            Self::Draining(_) | Self::Making | Self::Retired(_) => false,
        }
    }
}

impl Wants {
    pub(super) fn check(self) -> Option<Task> {
        match self {
            Self { validate: true, .. } => Some(Task::Validate),
            Self { refresh: true, .. } => Some(Task::Refresh),
            _ => None,
        }
    }
}

impl Member {
    /// One that is being made.
    pub(super) fn new(seat: Key, own: bool, now: Timestamp) -> Self {
        let never = Timestamp::LATEST;
        Self {
            leases: 0,
            uses: 0,
            exclusive: false,
            reserved: false,
            usable: false,
            own,
            tainted: false,
            awaits_quiet: false,
            leased: List::default(),
            seat,
            failures: 0,
            cooled: 0,
            used: Timestamp::EARLIEST,
            refresh_at: never,
            stage: Stage::Making,
            wants: Wants::default(),
            queued: false,
            busy: None,
            drawn_at: 0,
            born: now,
            validated: None,
            refreshed: now,
            rotate_at: never,
            validate_at: never,
            renew_at: never,
            alarm: never,
        }
    }

    /// One that was there before; the times are as they are counted here.
    pub(super) fn restored(seat: Key, own: bool, facts: &Restored) -> Self {
        Self {
            stage: Stage::Waking,
            uses: u32::try_from(facts.uses).unwrap_or(u32::MAX),
            failures: facts.failures,
            cooled: facts.cooled,
            tainted: facts.failures > 0 || facts.cooled > 0,
            validated: facts.validated,
            refreshed: facts.refreshed.unwrap_or(facts.born),
            ..Self::new(seat, own, facts.born)
        }
    }

    /// Sets the times by which it lives, from when it was made, checked and refreshed.
    pub(super) fn plan(&mut self, rules: &Rules, chance: &mut Chance) {
        let life = rules.max_age.map(|age| age / 10 * 9);
        let rotate = [rules.rotate_every, life].into_iter().flatten().min();
        self.rotate_at = after(self.born, rotate.map(|span| chance.about(span)));
        self.renew_at = after(self.born, rules.cookies.renew_after);
        self.plan_check(rules, chance);
        self.plan_refresh(rules, chance);
    }

    pub(super) fn plan_check(&mut self, rules: &Rules, chance: &mut Chance) {
        let last = self.validated.unwrap_or(self.born);
        self.validate_at = after(last, rules.validate_every.map(|span| chance.about(span)));
    }

    pub(super) fn plan_refresh(&mut self, rules: &Rules, chance: &mut Chance) {
        let every = rules.cookies.refresh_every.map(|span| chance.about(span));
        self.refresh_at = after(self.refreshed, every);
    }

    /// Past its age or its uses.
    pub(super) fn is_spent(&self, rules: &Rules, now: Timestamp) -> bool {
        after(self.born, rules.max_age) <= now
            || rules
                .max_uses
                .is_some_and(|max| u64::from(self.uses) >= max)
    }

    /// A successor should be about to be made.
    pub(super) fn is_late(&self, rules: &Rules, now: Timestamp) -> bool {
        let nearly = |max: u64| u64::from(self.uses) >= max - max / 10;
        self.rotate_at <= now || rules.max_uses.is_some_and(nearly)
    }

    /// Whether a refresh that is due may run: in a quiet moment, or when it was put off for too long.
    pub(super) fn may_refresh(&self, rules: &Rules, now: Timestamp) -> bool {
        let wanted = self.leases == 0 || self.wants.refresh_asked;
        wanted || after(self.refreshed, rules.cookies.force_after) <= now
    }
}

/// A moment so long after another; never where there is no span.
pub(super) fn after(time: Timestamp, span: Option<Duration>) -> Timestamp {
    span.map_or(Timestamp::LATEST, |span| time.plus(span))
}

/// What is known of one lease.
#[derive(Debug)]
pub(super) struct Lease {
    /// The place of its member.
    pub(super) member: u32,
    pub(super) until: Timestamp,
    /// When its time-out is looked at next.
    pub(super) alarm: Timestamp,
    pub(super) mode: super::Mode,
    pub(super) pinned: bool,
}

impl Lease {
    pub(super) fn key_counts(leases: &super::slab::Slab<Self>, key: Key, at: Timestamp) -> bool {
        leases.get(key).is_some_and(|lease| lease.alarm == at)
    }
}
