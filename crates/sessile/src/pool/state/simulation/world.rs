//! Clients that forget their leases, a site that fails, proxies that die, a person who meddles.

mod clients;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use sessile_jar::Timestamp;

use super::super::steady::Chance;
use super::super::{
    Action, ActionId, Assign, Fault, Granted, LeaseId, MemberId, Outcome, Phase, Refusal, Restored,
    Rules, SeatId, State, Task, Ticket, Which, Wish,
};
use super::books::{Books, Lane, targets};

pub(super) struct World {
    chance: Chance,
    state: State,
    books: Books,
    /// Milliseconds since it began, and what the clock shows beyond that.
    now: i64,
    offset: i64,
    events: BTreeMap<(i64, u64), Event>,
    count: u64,
    seats: HashMap<SeatId, Place>,
    site: Site,
    /// Since when too few could be used although enough could be had.
    short_since: Option<i64>,
    /// What happened in this step can make a member unusable.
    excused: bool,
    /// Whether clients, faults and meddling go on.
    busy: bool,
}

/// What is true of a seat in the world.
#[derive(Clone, Copy, Debug)]
struct Place {
    proxy_back_at: i64,
    refused: bool,
    login_not_before: i64,
    /// Its present login was ended by the site.
    dead: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Site {
    logins_back_at: i64,
    trouble_until: i64,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Answer(ActionId),
    Arrive,
    Finish(LeaseId),
    GiveUp(Ticket),
    Look,
    Meddle,
    Prolong(LeaseId),
    /// The store hung until now.
    StoreBack,
    Trouble,
}

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// What a hanging action is ended after, by whoever carries it out.
const HANG: i64 = 60 * SECOND;

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let rules = rules(&mut chance);
        let mut world = Self {
            state: State::new(rules, chance.number()),
            chance,
            books: Books::default(),
            now: 0,
            offset: 1_795_262_400_000,
            events: BTreeMap::new(),
            count: 0,
            seats: HashMap::new(),
            site: Site::default(),
            short_since: None,
            excused: false,
            busy: true,
        };
        for _ in 0..world.state.rules().size {
            world.take_seat();
        }
        for event in [Event::Arrive, Event::Meddle, Event::Trouble] {
            world.after(SECOND, event);
        }
        world.settle();
        world
    }

    pub(super) fn live(&mut self, hours: u64) {
        let end = i64::try_from(hours).unwrap() * HOUR;
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            assert!(at >= self.now);
            self.now = at;
            self.step(event);
        }
        // A pool of one seat, kept for a target, has little to do.
        let seats: Vec<_> = self.state.seats().collect();
        let granted = self.books.granted;
        assert!(granted > hours / 3, "{granted} leases: {seats:#?}");
    }

    /// Everything ends when it is asked to: leases by their time-outs, at the latest.
    pub(super) fn close(&mut self) {
        self.busy = false;
        self.excused = true;
        for view in self.state.seats() {
            let serves = view.member.into_iter();
            serves.for_each(|member| _ = self.books.followed.insert(member, self.now));
        }
        self.state.close(self.shown());
        self.settle();
        self.live_on(6 * HOUR);
        assert!(
            self.state.is_closed(),
            "{:?}",
            self.state.stats(self.shown())
        );
        assert!(
            self.books.held.is_empty()
                && self.books.waiting.is_empty()
                && self.books.running.is_empty()
        );
        assert_eq!(self.state.members().count(), 0);
        assert_eq!(self.state.next_due(self.shown()), None);
        let refused = self.state.lease(&Wish::default(), self.shown());
        assert_eq!(refused, Err(Refusal::Closing));
    }

    fn live_on(&mut self, span: i64) {
        let end = self.now + span;
        while let Some(((at, _), event)) = self.events.pop_first() {
            if at > end || self.state.is_closed() {
                break;
            }
            self.now = at;
            self.step(event);
        }
    }

    pub(super) fn story(&self) -> u64 {
        self.books.story
    }

    fn step(&mut self, event: Event) {
        let before = self.state.usable();
        self.excused = false;
        self.take_ended();
        match event {
            Event::Answer(action) => self.answer(action),
            Event::Arrive => self.arrive(),
            Event::Finish(lease) => self.finish(lease),
            Event::GiveUp(ticket) => self.give_up(ticket),
            Event::Look => {}
            Event::Meddle => self.meddle(),
            Event::Prolong(lease) => self.prolong(lease),
            Event::StoreBack => self.store_back(),
            Event::Trouble => self.trouble(),
        }
        self.settle();
        self.check(before);
    }

    /// Does what whoever holds a state does after every call.
    fn settle(&mut self) {
        loop {
            let now = self.shown();
            self.take_ended();
            if let Some((ticket, served)) = self.state.serve(now) {
                let waits = self.books.serve(ticket, &served);
                if let Ok(granted) = served {
                    let own = match waits.lane {
                        Lane::Own(seat) => Some(seat),
                        Lane::Shared(_) => None,
                    };
                    self.use_lease(&waits.wish, own, granted);
                }
            } else if let Some(action) = self.state.due(now) {
                self.begin(action);
            } else {
                break;
            }
        }
        match self.state.next_due(self.shown()) {
            Some(at) => {
                let at = at.as_millis() - self.offset;
                assert!(
                    at > self.now,
                    "due at {at}, and at {} there was nothing",
                    self.now
                );
                let looks = self.events.range((at, 0)..(at, u64::MAX));
                if !looks
                    .map(|(_, event)| event)
                    .any(|event| matches!(event, Event::Look))
                {
                    self.at(at, Event::Look);
                }
            }
            None => self.check_idle(),
        }
    }

    fn take_ended(&mut self) {
        while let Some(ended) = self.state.expire(self.shown()) {
            self.books.end(ended, self.state.rules(), self.now);
        }
    }

    // ---- clients

    fn begin(&mut self, action: Action) {
        self.books.begin(action, &self.state);
        if matches!(action.task, Task::Make | Task::Renew) {
            let place = self.seats[&action.seat];
            assert!(!place.refused, "a login after a refusal");
            assert!(
                self.now >= place.login_not_before,
                "a login too soon after a failed one"
            );
        }
        let takes = match self.chance.below(50) {
            0 => HANG,
            1 => 0,
            2..6 => self.between(5 * SECOND, 30 * SECOND),
            _ => self.between(50, 3 * SECOND),
        };
        self.after(takes, Event::Answer(action.id));
    }

    fn answer(&mut self, id: ActionId) {
        let action = self.books.running.remove(&id).expect("answered once");
        let before = self.state.usable();
        let result = self.result(action);
        self.excused = match action.task {
            Task::Make => false,
            Task::Refresh | Task::Renew | Task::Validate => result.is_err(),
            Task::Release | Task::Retire => false,
        };
        let old = self
            .state
            .seat_view(action.seat)
            .and_then(|seat| seat.member);
        self.state.done(id, result, self.shown()).expect("it runs");
        assert!(
            self.state.done(id, Ok(()), self.shown()).is_err(),
            "answered twice"
        );
        self.note_result(action, result, old);
        if action.task == Task::Make && result.is_ok() {
            assert!(self.state.usable() >= before, "a rotation made them fewer");
        }
    }

    fn result(&mut self, action: Action) -> Result<(), Fault> {
        let Some(place) = self.seats.get(&action.seat).copied() else {
            return Err(Fault::Failed);
        };
        // A panic, or a time-out.
        let panics = self.one_in(80);
        match action.task {
            _ if panics => Err(Fault::Failed),
            Task::Release | Task::Retire => Ok(()),
            _ if place.proxy_back_at > self.now => Err(Fault::Failed),
            Task::Make | Task::Renew => self.login(),
            Task::Refresh | Task::Validate if self.site.trouble_until > self.now => {
                let until = self.between(-MINUTE, 10 * MINUTE);
                let until = Timestamp::from_millis(self.shown().as_millis() + until);
                Err(Fault::Later {
                    until: Some(until).filter(|_| until.as_millis() % 2 == 0),
                })
            }
            Task::Refresh | Task::Validate if place.dead => Err(Fault::Expired),
            Task::Refresh | Task::Validate => Ok(()),
        }
    }

    fn login(&mut self) -> Result<(), Fault> {
        if self.site.logins_back_at > self.now {
            return Err(Fault::Failed);
        }
        match self.chance.below(200) {
            0 => Err(Fault::Refused),
            1 => Err(Fault::NeedsPerson),
            2..6 => Err(Fault::Later { until: None }),
            6..10 => Err(Fault::Expired),
            _ => Ok(()),
        }
    }

    fn note_result(&mut self, action: Action, result: Result<(), Fault>, old: Option<MemberId>) {
        self.books
            .tell(u64::from(result.is_ok()) ^ action.id.number());
        if action.task == Task::Release && result.is_ok() {
            self.seats.remove(&action.seat);
        }
        if matches!(action.task, Task::Make | Task::Renew) && result.is_err() {
            // Then logins don't work.
            self.short_since = None;
        }
        let retry = i64::try_from(self.state.rules().login_retry.as_millis()).unwrap();
        let Some(place) = self.seats.get_mut(&action.seat) else {
            return;
        };
        match (action.task, result) {
            (Task::Make | Task::Renew, Ok(())) => {
                place.dead = false;
                place.login_not_before = 0;
                if let Some(old) = old.filter(|_| action.task == Task::Make) {
                    // Of a seat that is given away it drains already.
                    self.books.followed.entry(old).or_insert(self.now);
                }
            }
            // Another one is made at once; this one steps down unless it still serves.
            (Task::Renew, Err(Fault::Expired)) => {
                let member = action.member.expect("one is renewed");
                let view = self.state.member(member);
                let steps_down = |phase| matches!(phase, Phase::Draining { .. } | Phase::Retired);
                if view.is_none_or(|view| steps_down(view.phase)) {
                    self.books.followed.entry(member).or_insert(self.now);
                }
            }
            (Task::Make | Task::Renew, Err(Fault::Refused | Fault::NeedsPerson)) => {
                place.refused = true
            }
            (Task::Make | Task::Renew, Err(_)) => place.login_not_before = self.now + retry,
            _ => {}
        }
    }

    // ---- faults and meddling

    fn trouble(&mut self) {
        if !self.busy {
            return;
        }
        let until = self.now + self.between(SECOND, 40 * MINUTE);
        let seat = self.any_seat();
        match self.chance.below(8) {
            0 => self.site.logins_back_at = until,
            1 => self.site.trouble_until = until,
            2 | 3 => self.with(seat, |place| place.proxy_back_at = until),
            4 => self.seats.values_mut().for_each(|place| place.dead = true),
            5 => self.put_clock_back(),
            _ => self.with(seat, |place| place.dead = true),
        }
        let gap = self.between(MINUTE, 30 * MINUTE);
        self.after(gap, Event::Trouble);
    }

    fn with(&mut self, seat: Option<SeatId>, change: impl Fn(&mut Place)) {
        if let Some(place) = seat.and_then(|seat| self.seats.get_mut(&seat)) {
            change(place);
        }
    }

    fn put_clock_back(&mut self) {
        self.state.stats(self.shown());
        self.offset -= self.between(1, 10 * MINUTE);
        self.state.stats(self.shown());
    }

    fn meddle(&mut self) {
        if !self.busy {
            return;
        }
        let now = self.shown();
        let before = self.state.usable();
        let seat = self.any_seat();
        let which = match seat {
            Some(seat) if self.one_in(2) => Which::Seat(seat),
            _ => Which::All,
        };
        match self.chance.below(16) {
            12 => self.hang_store(),
            13 => self.replace(seat),
            14 => self.change_rules(),
            0 | 1 => {
                self.state.rotate(which, now);
                assert_eq!(self.state.usable(), before);
            }
            2 => _ = self.state.validate(which, now),
            3 => _ = self.state.refresh(which, now),
            4 => self.suspend(seat),
            5 => self.part(seat),
            6 | 7 => self.take_seat(),
            _ => self.help(),
        }
        let gap = self.between(MINUTE, 20 * MINUTE);
        self.after(gap, Event::Meddle);
    }

    /// A person looks after refused logins, and the store is back.
    fn help(&mut self) {
        let now = self.shown();
        for seat in self.all_seats() {
            _ = self.state.retry(seat, now);
            _ = self.state.resume(seat, now);
            self.with(Some(seat), |place| {
                place.refused = false;
                place.login_not_before = 0;
            });
        }
    }

    fn suspend(&mut self, seat: Option<SeatId>) {
        if let Some(seat) = seat {
            self.excused = true;
            self.state.suspend(seat, self.shown()).expect("it is there");
        }
    }

    /// Nobody can say any more whose the seats are.
    fn hang_store(&mut self) {
        for seat in self.all_seats() {
            self.suspend(Some(seat));
        }
        let until = self.between(SECOND, 5 * MINUTE);
        self.after(until, Event::StoreBack);
    }

    /// Some seats were lost meanwhile, whatever was under way for them.
    fn store_back(&mut self) {
        self.excused = true;
        let now = self.shown();
        for seat in self.all_seats() {
            match self.one_in(6) {
                true => self.lose(seat),
                false => _ = self.state.resume(seat, now),
            }
        }
    }

    fn all_seats(&self) -> Vec<SeatId> {
        let mut seats: Vec<SeatId> = self.seats.keys().copied().collect();
        seats.sort();
        seats
    }

    /// What there is isn't what is wanted any more.
    fn replace(&mut self, seat: Option<SeatId>) {
        let Some(seat) = seat else { return };
        self.excused = true;
        let view = self.state.seat_view(seat).expect("it is there");
        let replaced = self.state.replace(seat, self.shown());
        assert_eq!(replaced.is_ok(), !view.leaving);
        if let Some(member) = view.member.filter(|_| replaced.is_ok()) {
            self.books.followed.entry(member).or_insert(self.now);
            let after = self.state.seat_view(seat).expect("it is there");
            assert_eq!(after.member, None);
        }
    }

    /// Other rules count from now on; nobody has more leases than he may.
    fn change_rules(&mut self) {
        self.excused = true;
        let mut rules = rules(&mut self.chance);
        let before = self.state.rules();
        rules.leases_per_member = rules.leases_per_member.max(before.leases_per_member);
        rules.waiting = before.waiting;
        // What runs is as much as it is, and drains as long as it was to.
        rules.makes_at_once = rules.makes_at_once.max(before.makes_at_once);
        rules.checks_at_once = rules.checks_at_once.max(before.checks_at_once);
        rules.drain = before.drain;
        self.state.set_rules(rules.clone(), self.shown());
        assert_eq!(*self.state.rules(), rules);
    }

    fn lose(&mut self, seat: SeatId) {
        let members: Vec<MemberId> = self.state.members_of(seat).map(|view| view.id).collect();
        self.state.lose(seat, self.shown()).expect("it is there");
        self.seats.remove(&seat);
        for member in members {
            self.books.followed.entry(member).or_insert(self.now);
        }
    }

    fn part(&mut self, seat: Option<SeatId>) {
        let Some(seat) = seat else { return };
        self.excused = true;
        let (now, view) = (
            self.shown(),
            self.state.seat_view(seat).expect("it is there"),
        );
        match self.chance.below(3) {
            0 => self.lose(seat),
            1 => self.state.give_away(seat, now).expect("it is there"),
            _ => self.state.remove(seat, now).expect("it is there"),
        }
        if let Some(member) = view.member {
            self.books.followed.entry(member).or_insert(self.now);
        }
    }

    fn take_seat(&mut self) {
        let now = self.shown();
        let target = match self.one_in(4) {
            true => Some(targets()[self.chance.below(3)].clone()),
            false => None,
        };
        let Ok(seat) = self.state.seat(target, now) else {
            return;
        };
        let place = Place {
            proxy_back_at: 0,
            refused: false,
            login_not_before: 0,
            dead: self.one_in(4),
        };
        self.seats.insert(seat, place);
        let staying = self.state.seats().filter(|seat| !seat.leaving);
        assert!(staying.count() <= self.state.rules().size);
        if self.one_in(3) {
            let born = self.between(0, 3 * HOUR);
            let facts = Restored {
                born: Timestamp::from_millis(now.as_millis() - born),
                uses: 3,
                cools_until: self.one_in(3).then(|| now.plus(Duration::from_secs(100))),
                ..Restored::default()
            };
            self.state
                .restore(seat, facts, now)
                .expect("nothing was done for it");
        }
    }

    // ---- laws

    fn check(&mut self, before: usize) {
        self.state.check_invariants();
        if self.count.is_multiple_of(16) {
            self.state.check_lists();
        }
        self.follow_the_spent();
        self.books.compare(&self.state, self.now);
        let (usable, rules) = (self.state.usable(), self.state.rules());
        assert!(
            usable >= before || self.excused,
            "{before} could be used, now {usable}"
        );
        let able = self.state.seats().filter(|seat| {
            let place = self.seats[&seat.id];
            let works = place.proxy_back_at <= self.now && !place.refused;
            works && !seat.suspended && !seat.leaving && seat.behind < rules.generations
        });
        let enough = able.count() >= rules.min_ready && self.site.logins_back_at <= self.now;
        if !enough || usable >= rules.min_ready || self.site.trouble_until > self.now {
            self.short_since = None;
            return;
        }
        let since = *self.short_since.get_or_insert(self.now);
        let settle = settle_time(rules);
        if self.now - since > settle {
            let seats: Vec<_> = self.state.seats().collect();
            panic!("too few since {since}, at {}: {seats:#?}", self.now);
        }
    }

    /// Who reached its age or its uses was followed by nobody, but steps down.
    fn follow_the_spent(&mut self) {
        for view in self.state.members() {
            if matches!(view.phase, Phase::Draining { .. } | Phase::Retired)
                && !self.books.followed.contains_key(&view.id)
            {
                let age = self.shown().as_millis() - view.born.as_millis();
                let rules = self.state.rules();
                let old = rules
                    .max_age
                    .is_some_and(|max| age >= i64::try_from(max.as_millis()).unwrap());
                let worn = rules.max_uses.is_some_and(|max| view.uses >= max);
                let leaves = self
                    .state
                    .seat_view(view.seat)
                    .is_some_and(|seat| seat.leaving);
                assert!(
                    old || worn || leaves,
                    "{view:?} steps down without a reason"
                );
                self.books.followed.insert(view.id, self.now);
                self.excused = true;
            }
        }
    }

    /// Nothing will happen by itself: nothing may have to.
    fn check_idle(&self) {
        assert!(self.books.held.is_empty());
        if !self.books.running.is_empty() {
            return;
        }
        for seat in self.state.seats() {
            let blocked = seat.stopped || seat.suspended;
            assert!(blocked, "{seat:?} is left alone");
        }
    }

    // ---- time and chance

    fn shown(&self) -> Timestamp {
        Timestamp::from_millis(self.now + self.offset)
    }

    fn at(&mut self, at: i64, event: Event) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    fn after(&mut self, span: i64, event: Event) {
        self.at(self.now + span, event);
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        let span = usize::try_from(to - from).unwrap();
        from + i64::try_from(self.chance.below(span)).unwrap()
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.chance.below(many) == 0
    }

    fn any_seat(&mut self) -> Option<SeatId> {
        let mut seats: Vec<SeatId> = self.seats.keys().copied().collect();
        seats.sort();
        (!seats.is_empty()).then(|| seats[self.chance.below(seats.len())])
    }
}

/// How long too few may be usable although logins work: until the longest wait after failures is
/// over, a login isn't hasty any more, and all seats had their turn, hanging as long as they can.
fn settle_time(rules: &Rules) -> i64 {
    let waits = rules.login_retry_longest + rules.cool_down;
    let turns = i64::try_from(2 * rules.size + 4).unwrap();
    i64::try_from(waits.as_millis()).unwrap() + turns * HANG
}

fn rules(chance: &mut Chance) -> Rules {
    let minutes = |many: usize| Duration::from_secs(60 * many as u64);
    let defaults = Rules::default();
    let mut rules = Rules {
        size: 1 + chance.below(8),
        leases_per_member: [1, 2, 4, 16][chance.below(4)],
        rotate_every: [Some(minutes(30)), Some(minutes(10)), None][chance.below(3)],
        max_age: [Some(minutes(120)), Some(minutes(20)), None][chance.below(3)],
        max_uses: [None, None, Some(20), Some(1)][chance.below(4)],
        validate_every: [Some(minutes(15)), Some(minutes(45))][chance.below(2)],
        drain: minutes([10, 1][chance.below(2)]),
        makes_at_once: 1 + chance.below(3),
        checks_at_once: 1 + chance.below(4),
        waiting: [10_000, 20][chance.below(2)],
        assign: [Assign::RoundRobin, Assign::Sticky, Assign::LeastUsed][chance.below(3)],
        ..defaults
    };
    rules.min_ready = 1 + chance.below(rules.size.min(3));
    rules
}
