//! What the world knows by itself of leases, queues and actions.

use std::collections::{BTreeMap, HashMap};

use super::super::{
    Action, ActionId, End, Ended, Granted, LeaseId, MemberId, Mode, Phase, Refusal, Rules, SeatId,
    State, Target, Task, Ticket, Wish,
};

/// A lease that some client holds.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) member: MemberId,
    pub(super) seat: SeatId,
    pub(super) mode: Mode,
    pub(super) until: i64,
    pub(super) pinned: bool,
}

/// Somebody who waits.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    pub(super) ticket: Ticket,
    pub(super) lane: Lane,
    pub(super) wish: Wish,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Lane {
    Own(SeatId),
    Shared(Mode),
}

#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) held: HashMap<LeaseId, Held>,
    pub(super) counts: HashMap<MemberId, u32>,
    /// By when they came.
    pub(super) waiting: BTreeMap<u64, Waits>,
    arrivals: u64,
    pub(super) running: HashMap<ActionId, Action>,
    /// When the member was followed, or its seat given up.
    pub(super) followed: HashMap<MemberId, i64>,
    last_lease: u64,
    pub(super) granted: u64,
    pub(super) story: u64,
}

impl Books {
    /// Something happened; two stories that differ end in different numbers.
    pub(super) fn tell(&mut self, what: u64) {
        self.story = (self.story ^ what)
            .wrapping_mul(0x0100_0000_01b3)
            .rotate_left(5);
    }

    pub(super) fn grant(
        &mut self,
        state: &State,
        wish: &Wish,
        own: Option<SeatId>,
        granted: Granted,
        times: (i64, i64),
    ) {
        let (now, until) = times;
        let view = state
            .member(granted.member)
            .expect("a lease is on a member");
        // With its last use it steps down.
        let spent = state.rules().max_uses.is_some_and(|max| view.uses >= max);
        assert!(spent || view.phase == Phase::Leased, "{view:?}");
        assert!(state.rules().max_uses.is_none_or(|max| view.uses <= max));
        assert_eq!(view.seat, granted.seat);
        assert!(
            !self.followed.contains_key(&granted.member),
            "{granted:?} after its successor"
        );
        let seat = state.seat_view(granted.seat).expect("a member has a seat");
        assert!(!seat.suspended && !seat.leaving, "{seat:?}");
        assert!(spent || seat.member == Some(granted.member));
        assert!(
            own.is_none_or(|own| own == granted.seat),
            "another than the target's own seat"
        );
        assert!(
            own.is_some() || seat.target.is_none(),
            "the seat of another target"
        );
        let rules = state.rules();
        let longest = i64::try_from(rules.lease_time_out_longest.as_millis()).unwrap();
        assert!(
            until > now && until <= now + longest,
            "{granted:?} at {now}"
        );
        let others = *self.counts.get(&granted.member).unwrap_or(&0);
        assert!(others < rules.leases_per_member);
        let mut alone = self
            .held
            .values()
            .filter(|held| held.member == granted.member);
        assert!(
            !alone.any(|held| held.mode == Mode::Exclusive),
            "beside an exclusive lease"
        );
        assert!(
            wish.mode == Mode::Counted || others == 0,
            "an exclusive lease beside others"
        );
        let before = self.held.insert(
            granted.lease,
            Held {
                member: granted.member,
                seat: granted.seat,
                mode: wish.mode,
                until,
                pinned: false,
            },
        );
        assert!(before.is_none(), "{:?} twice", granted.lease);
        *self.counts.entry(granted.member).or_default() += 1;
        self.granted += 1;
        self.last_lease = granted.lease.number();
        self.tell(self.last_lease ^ granted.member.number().rotate_left(17));
    }

    pub(super) fn give_back(&mut self, lease: LeaseId) -> Option<Held> {
        let held = self.held.remove(&lease)?;
        let count = self
            .counts
            .get_mut(&held.member)
            .expect("counted when it was granted");
        *count = count.checked_sub(1).expect("never negative");
        if *count == 0 {
            self.counts.remove(&held.member);
        }
        Some(held)
    }

    /// A lease ended by itself, and there was a reason.
    pub(super) fn end(&mut self, ended: Ended, rules: &Rules, now: i64) {
        let held = self
            .give_back(ended.lease)
            .expect("only what was held ends");
        assert_eq!((held.member, held.seat), (ended.member, ended.seat));
        match ended.why {
            End::Drained => {
                let drain = i64::try_from(rules.drain.as_millis()).unwrap();
                let since = self.followed.get(&held.member).copied();
                let since = since.expect("only who was followed drains");
                assert!(!held.pinned && now - since >= drain, "{ended:?} too early");
            }
            End::Lost => assert!(self.followed.contains_key(&held.member)),
            End::TimedOut => assert!(held.until <= now, "{held:?} at {now}"),
        }
        self.tell(ended.lease.number() ^ 0xe0de);
    }

    pub(super) fn queue(&mut self, ticket: Ticket, wish: Wish, own: Option<SeatId>) {
        self.arrivals += 1;
        let lane = own.map_or(Lane::Shared(wish.mode), Lane::Own);
        self.waiting
            .insert(self.arrivals, Waits { ticket, lane, wish });
    }

    /// Somebody is served, and nobody of the same lane came before.
    pub(super) fn serve(&mut self, ticket: Ticket, served: &Result<Granted, Refusal>) -> Waits {
        let found = self
            .waiting
            .iter()
            .find(|(_, waits)| waits.ticket == ticket);
        let (arrival, lane) = found
            .map(|(arrival, waits)| (*arrival, waits.lane.clone()))
            .expect("only who waits");
        if served.is_ok() {
            let mut before = self.waiting.range(..arrival);
            assert!(
                !before.any(|(_, waits)| waits.lane == lane),
                "somebody came before"
            );
        }
        self.waiting.remove(&arrival).expect("found above")
    }

    /// Nobody waits whom this lease overtook.
    pub(super) fn check_not_overtaken(&self, wish: &Wish, own: Option<SeatId>) {
        let lane = own.map_or(Lane::Shared(wish.mode), Lane::Own);
        assert!(
            !self.waiting.values().any(|waits| waits.lane == lane),
            "overtaken"
        );
    }

    pub(super) fn begin(&mut self, action: Action, state: &State) {
        let rules = state.rules();
        let is_login = |task| matches!(task, Task::Make | Task::Renew);
        let running = self.running.values();
        for other in running {
            let same = other.member.is_some() && other.member == action.member;
            assert!(!same, "{action:?} beside {other:?}");
            let both = is_login(other.task) && is_login(action.task);
            assert!(
                !(both && other.seat == action.seat),
                "two logins for a seat"
            );
        }
        if matches!(action.task, Task::Retire | Task::Release) {
            let used = action
                .member
                .is_some_and(|member| self.counts.contains_key(&member));
            assert!(!used, "{action:?} while it is leased");
        }
        let before = self.running.insert(action.id, action);
        assert!(before.is_none(), "{action:?} given out twice");
        let logins = self
            .running
            .values()
            .filter(|action| is_login(action.task))
            .count();
        assert!(logins <= rules.makes_at_once);
        self.tell(action.id.number() ^ 0xac7);
    }

    /// The books and the state agree.
    pub(super) fn compare(&self, state: &State, now: i64) {
        let mut leased = 0;
        for view in state.members() {
            let count = self.counts.get(&view.id).copied().unwrap_or(0);
            assert_eq!(view.leases, count, "{view:?}");
            leased += count as usize;
            let holds = matches!(view.phase, Phase::Leased);
            let may = matches!(
                view.phase,
                Phase::Cooling { .. } | Phase::Draining { .. } | Phase::Warming
            );
            assert!(count == 0 || holds || may, "{view:?}");
        }
        assert_eq!(leased, self.held.len());
        for held in self.held.values() {
            assert!(held.until > now, "{held:?} goes on at {now}");
        }
    }
}

/// Targets that have seats of their own now and then.
pub(super) fn targets() -> [Target; 3] {
    ["alpha", "beta", "gamma"].map(Target::new)
}
