//! Each rule by itself; all of them together are in `simulation`.

use std::time::Duration;

use sessile_jar::Timestamp;

use super::{
    Action, Assign, Dead, End, Fault, Gone, Granted, LeaseEnded, MemberId, NoSeat, Outcome, Phase,
    Refusal, Restored, Rules, SeatId, State, Target, Task, Ticket, Which, Wish,
};

/// A pool and its clock.
struct Pool {
    state: State,
    now: Timestamp,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

impl Pool {
    /// So many seats, all of whose members are ready.
    fn of(seats: usize, rules: Rules) -> Self {
        let mut pool = Self::empty(rules);
        for _ in 0..seats {
            pool.state.seat(None, pool.now).unwrap();
        }
        pool.work();
        pool
    }

    fn empty(rules: Rules) -> Self {
        Self {
            state: State::new(rules, 7),
            now: Timestamp::from_seconds(1_795_262_400),
        }
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now.plus(span);
    }

    /// Does what is due, and all of it works.
    fn work(&mut self) -> Vec<Task> {
        let mut done = Vec::new();
        while let Some(action) = self.state.due(self.now) {
            self.state.done(action.id, Ok(()), self.now).unwrap();
            self.state.check_invariants();
            done.push(action.task);
        }
        done
    }

    #[track_caller]
    fn due(&mut self, task: Task) -> Action {
        let action = self.state.due(self.now).expect("something is due");
        assert_eq!(action.task, task);
        action
    }

    #[track_caller]
    fn answer(&mut self, action: Action, result: Result<(), Fault>) {
        self.state.done(action.id, result, self.now).unwrap();
        self.state.check_invariants();
    }

    #[track_caller]
    fn lease(&mut self, wish: &Wish) -> Granted {
        self.state.lease(wish, self.now).unwrap()
    }

    fn refused(&mut self, wish: &Wish) -> Refusal {
        self.state.lease(wish, self.now).unwrap_err()
    }

    fn finish(&mut self, granted: Granted, outcome: Outcome) {
        self.state.finish(granted.lease, outcome, self.now).unwrap();
        self.state.check_invariants();
    }

    fn queue(&mut self, wish: Wish) -> Ticket {
        self.state.queue(wish, self.now).unwrap()
    }

    fn served(&mut self) -> Option<Ticket> {
        self.state.serve(self.now).map(|(ticket, _)| ticket)
    }

    /// The places of the members that these leases get, each given back at once.
    fn picks(&mut self, wish: &Wish, count: usize) -> Vec<u32> {
        let mut places = Vec::new();
        for _ in 0..count {
            let granted = self.lease(wish);
            places.push(granted.seat.0.place);
            self.finish(granted, Outcome::Ok);
        }
        places
    }

    #[track_caller]
    fn phase(&self, member: MemberId) -> Phase {
        self.state.member(member).unwrap().phase
    }

    fn seats(&self) -> Vec<SeatId> {
        self.state.seats().map(|seat| seat.id).collect()
    }

    fn member(&self, seat: SeatId) -> Option<MemberId> {
        self.state.seat_view(seat).unwrap().member
    }
}

fn calm() -> Rules {
    Rules {
        max_age: None,
        rotate_every: None,
        validate_every: None,
        cookies: super::CookieRules {
            force_after: None,
            refresh_every: None,
            renew_after: None,
        },
        ..Rules::default()
    }
}

fn wish() -> Wish {
    Wish::default()
}

// ---- picks

#[test]
fn each_has_its_turn() {
    let mut pool = Pool::of(3, calm());
    assert_eq!(pool.picks(&wish(), 6), [0, 1, 2, 0, 1, 2]);
    assert_eq!(pool.picks(&wish().exclusive(), 4), [0, 1, 2, 0]);
}

#[test]
fn the_least_used_has_the_fewest_leases() {
    let mut pool = Pool::of(3, calm());
    let wish = wish().assign(Assign::LeastUsed);
    let held: Vec<_> = (0..4).map(|_| pool.lease(&wish)).collect();
    let places: Vec<_> = held.iter().map(|granted| granted.seat.0.place).collect();
    assert_eq!(places, [0, 1, 2, 0]);
    pool.finish(held[2], Outcome::Ok);
    assert_eq!(pool.picks(&wish, 2), [2, 2]);
}

#[test]
fn chance_leaves_nobody_out() {
    let mut pool = Pool::of(4, calm());
    let mut picks = pool.picks(&wish().assign(Assign::Random), 200);
    picks.sort_unstable();
    let counts = [0, 1, 2, 3].map(|place| picks.iter().filter(|pick| **pick == place).count());
    assert!(
        counts.iter().all(|count| (25..=75).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn a_target_sticks_to_its_session_while_that_lives() {
    let mut pool = Pool::of(
        3,
        Rules {
            leases_per_member: 1,
            ..calm()
        },
    );
    let sticky = |target| wish().assign(Assign::Sticky).target(Target::new(target));
    assert_eq!(pool.picks(&sticky("a"), 3), [0, 0, 0]);
    assert_eq!(pool.picks(&sticky("b"), 2), [1, 1]);
    // Merely busy, another is lent.
    let held = pool.lease(&sticky("a"));
    assert_eq!(pool.picks(&sticky("a"), 1), [2]);
    pool.finish(held, Outcome::Ok);
    assert_eq!(pool.picks(&sticky("a"), 1), [0]);
    // Resting, another takes its place for good.
    let held = pool.lease(&sticky("a"));
    pool.finish(held, Outcome::RateLimited { until: None });
    assert_eq!(pool.picks(&sticky("a"), 1), [1]);
    pool.pass(6 * MINUTE);
    pool.work();
    assert_eq!(pool.picks(&sticky("a"), 2), [1, 1]);
}

#[test]
fn a_target_with_a_seat_of_its_own_has_that_one() {
    let mut pool = Pool::of(2, calm());
    let own = Target::new("own");
    let to_own = || wish().target(own.clone());
    assert_eq!(pool.refused(&to_own()), Refusal::UnknownTarget);
    let seat = pool.state.seat(Some(own.clone()), pool.now).unwrap();
    assert_eq!(
        pool.state.seat(Some(own.clone()), pool.now),
        Err(NoSeat::Taken(seat))
    );
    assert!(matches!(
        pool.refused(&to_own()),
        Refusal::NoneAlive {
            why: Dead::Warming,
            ..
        }
    ));
    pool.work();
    assert_eq!(pool.picks(&to_own(), 3), [2, 2, 2]);
    // Nobody else gets it.
    assert_eq!(pool.picks(&wish(), 4), [0, 1, 0, 1]);
}

// ---- leases and the queue

#[test]
fn counted_leases_have_a_limit_and_exclusive_ones_have_nobody_beside_them() {
    let mut pool = Pool::of(
        1,
        Rules {
            leases_per_member: 2,
            ..calm()
        },
    );
    let (first, second) = (pool.lease(&wish()), pool.lease(&wish()));
    assert!(matches!(
        pool.refused(&wish()),
        Refusal::Busy { next: Some(_) }
    ));
    pool.finish(first, Outcome::Ok);
    assert!(matches!(
        pool.refused(&wish().exclusive()),
        Refusal::Busy { .. }
    ));
    pool.finish(second, Outcome::Ok);
    let alone = pool.lease(&wish().exclusive());
    assert_eq!(pool.phase(alone.member), Phase::Leased);
    assert!(matches!(pool.refused(&wish()), Refusal::Busy { .. }));
    pool.finish(alone, Outcome::Ok);
    assert_eq!(pool.phase(alone.member), Phase::Ready);
    assert_eq!(
        pool.state.finish(alone.lease, Outcome::Ok, pool.now),
        Err(LeaseEnded)
    );
}

#[test]
fn a_lease_ends_by_its_time_out_unless_it_is_extended() {
    let mut pool = Pool::of(1, calm());
    let (forgotten, kept) = (pool.lease(&wish()), pool.lease(&wish()));
    assert_eq!(forgotten.until, pool.now.plus(MINUTE));
    let until = pool.now.plus(90 * SECOND);
    assert_eq!(pool.state.extend(kept.lease, until, pool.now), Ok(until));
    assert_eq!(
        pool.state.extend(kept.lease, pool.now, pool.now),
        Ok(until),
        "never shorter"
    );
    pool.pass(MINUTE);
    let ended = pool.state.expire(pool.now).unwrap();
    assert_eq!((ended.lease, ended.why), (forgotten.lease, End::TimedOut));
    assert_eq!(pool.state.expire(pool.now), None);
    assert_eq!(pool.state.next_due(pool.now), Some(until));
    let far = pool.now.plus(500 * MINUTE);
    assert_eq!(
        pool.state.extend(kept.lease, far, pool.now),
        Ok(pool.now.plus(60 * MINUTE))
    );
}

#[test]
fn first_come_first_served() {
    let mut pool = Pool::of(
        1,
        Rules {
            leases_per_member: 1,
            ..calm()
        },
    );
    let held = pool.lease(&wish());
    let tickets: Vec<_> = (0..3).map(|_| pool.queue(wish())).collect();
    assert_eq!(pool.served(), None);
    assert!(pool.state.give_up(tickets[0]) && !pool.state.give_up(tickets[0]));
    pool.finish(held, Outcome::Ok);
    assert!(
        matches!(pool.refused(&wish()), Refusal::Busy { .. }),
        "nobody overtakes"
    );
    assert_eq!(pool.served(), Some(tickets[1]));
    assert_eq!(pool.served(), None);
}

#[test]
fn who_wants_one_alone_gets_it_in_time_and_stops_nobody() {
    let mut pool = Pool::of(
        2,
        Rules {
            leases_per_member: 2,
            ..calm()
        },
    );
    let held: Vec<_> = (0..2).map(|_| pool.lease(&wish())).collect();
    let alone = pool.queue(wish().exclusive());
    assert_eq!(pool.served(), None);
    // One is kept free for it; the other serves on.
    let other = pool.lease(&wish());
    assert!(matches!(pool.refused(&wish()), Refusal::Busy { .. }));
    let reserved = held
        .iter()
        .find(|granted| granted.member != other.member)
        .unwrap();
    pool.finish(*reserved, Outcome::Ok);
    assert_eq!(pool.served(), Some(alone));
}

#[test]
fn the_queue_has_a_limit_and_ends_with_the_pool() {
    let mut pool = Pool::of(
        1,
        Rules {
            leases_per_member: 1,
            waiting: 1,
            ..calm()
        },
    );
    let held = pool.lease(&wish());
    let ticket = pool.queue(wish());
    assert_eq!(pool.state.queue(wish(), pool.now), Err(Refusal::Full));
    pool.state.close(pool.now);
    assert_eq!(
        pool.state.serve(pool.now),
        Some((ticket, Err(Refusal::Closing)))
    );
    assert_eq!(pool.state.seat(None, pool.now), Err(NoSeat::Closing));
    assert_eq!(pool.work(), []);
    pool.finish(held, Outcome::Ok);
    assert_eq!(pool.work(), [Task::Release]);
    assert!(pool.state.is_closed());
}

// ---- rotation

#[test]
fn the_next_generation_takes_over_when_it_is_there() {
    let mut pool = Pool::of(1, calm());
    let held = pool.lease(&wish());
    assert_eq!(pool.state.rotate(Which::All, pool.now), 1);
    let make = pool.due(Task::Make);
    assert_eq!(
        pool.lease(&wish()).member,
        held.member,
        "the old one serves on"
    );
    pool.answer(make, Ok(()));
    assert!(matches!(pool.phase(held.member), Phase::Draining { .. }));
    assert_eq!(Some(pool.lease(&wish()).member), make.member);
    assert_eq!(pool.work(), [], "it has leases");
    assert_eq!(pool.state.leases_of(held.member).count(), 2);
    let leases: Vec<_> = pool
        .state
        .leases_of(held.member)
        .map(|lease| lease.id)
        .collect();
    for lease in leases {
        pool.state.finish(lease, Outcome::Ok, pool.now).unwrap();
    }
    assert_eq!(pool.work(), [Task::Retire]);
    assert_eq!(pool.state.member(held.member), None);
}

#[test]
fn a_drain_ends_leases_but_those_that_are_pinned() {
    let mut pool = Pool::of(1, calm());
    let long = wish().time_out(60 * MINUTE);
    let (plain, pinned) = (pool.lease(&long), pool.lease(&long));
    pool.state.pin(pinned.lease, pool.now).unwrap();
    pool.state.rotate(Which::All, pool.now);
    pool.work();
    pool.pass(10 * MINUTE);
    let ended = pool.state.expire(pool.now).unwrap();
    assert_eq!((ended.lease, ended.why), (plain.lease, End::Drained));
    assert_eq!(pool.state.expire(pool.now), None);
    pool.finish(pinned, Outcome::Ok);
    assert_eq!(pool.work(), [Task::Retire]);
}

#[test]
fn a_rotation_that_fails_changes_nothing_but_is_tried_again_later_and_later() {
    let mut pool = Pool::of(1, calm());
    let seat = pool.seats()[0];
    let member = pool.member(seat);
    pool.state.rotate(Which::All, pool.now);
    for wait in [5, 10, 20, 40] {
        let make = pool.due(Task::Make);
        pool.answer(make, Err(Fault::Failed));
        assert_eq!(pool.member(seat), member);
        assert_eq!(pool.state.due(pool.now), None);
        assert_eq!(
            pool.state.next_due(pool.now),
            Some(pool.now.plus(wait * SECOND))
        );
        pool.pass(wait * SECOND);
    }
    let make = pool.due(Task::Make);
    pool.answer(make, Err(Fault::Refused));
    pool.pass(1000 * MINUTE);
    assert_eq!(
        pool.state.due(pool.now),
        None,
        "a refused password isn't tried again"
    );
    assert_eq!(pool.state.stats(pool.now).stopped, 1);
    pool.state.retry(seat, pool.now).unwrap();
    assert_eq!(pool.work(), [Task::Make, Task::Retire]);
}

#[test]
fn rotations_are_spread_and_come_before_the_greatest_age() {
    let rules = Rules {
        max_age: Some(20 * MINUTE),
        rotate_every: Some(30 * MINUTE),
        ..calm()
    };
    let pool = Pool::of(10, rules);
    let mut times: Vec<_> = pool
        .state
        .members()
        .filter_map(|member| member.rotates)
        .collect();
    assert!(
        times
            .iter()
            .all(|at| *at >= pool.now.plus(16 * MINUTE) && *at <= pool.now.plus(18 * MINUTE))
    );
    times.sort();
    times.dedup();
    assert!(times.len() > 5, "{times:?}");
}

#[test]
fn a_session_is_used_so_often_and_has_its_successor_before() {
    let mut pool = Pool::of(
        1,
        Rules {
            max_uses: Some(10),
            ..calm()
        },
    );
    pool.picks(&wish(), 8);
    assert_eq!(pool.state.due(pool.now), None);
    pool.picks(&wish(), 1);
    let make = pool.due(Task::Make);
    let old = pool.lease(&wish());
    assert!(
        matches!(pool.phase(old.member), Phase::Draining { .. }),
        "ten are ten"
    );
    assert!(matches!(
        pool.refused(&wish()),
        Refusal::NoneAlive {
            why: Dead::Warming,
            ..
        }
    ));
    pool.answer(make, Ok(()));
    assert_eq!(Some(pool.lease(&wish()).member), make.member);
}

// ---- health

#[test]
fn failures_in_a_row_let_it_rest_longer_each_time() {
    let mut pool = Pool::of(
        1,
        Rules {
            min_ready: 0,
            ..calm()
        },
    );
    let fail = |pool: &mut Pool, outcome| {
        let granted = pool.lease(&wish());
        pool.finish(granted, outcome);
        granted.member
    };
    for outcome in [
        Outcome::Blocked,
        Outcome::Challenged,
        Outcome::Ok,
        Outcome::Unreachable,
        Outcome::Blocked,
    ] {
        let member = fail(&mut pool, outcome);
        assert_eq!(pool.phase(member), Phase::Ready, "{outcome:?}");
    }
    let member = fail(&mut pool, Outcome::Challenged);
    for minutes in [5, 10, 20, 40, 60, 60] {
        let until = pool.now.plus(minutes * MINUTE);
        assert_eq!(pool.phase(member), Phase::Cooling { until });
        let refused = pool.refused(&wish());
        assert_eq!(
            refused,
            Refusal::NoneAlive {
                why: Dead::Cooling,
                next: Some(until)
            }
        );
        pool.now = until;
        let check = pool.due(Task::Validate);
        assert_eq!(pool.phase(member), Phase::Warming);
        pool.answer(check, Err(Fault::Failed));
    }
    pool.pass(60 * MINUTE);
    assert_eq!(pool.work(), [Task::Validate]);
    assert_eq!(pool.phase(member), Phase::Ready);
}

#[test]
fn a_lease_that_is_given_back_unsaid_makes_up_for_no_failure() {
    let mut pool = Pool::of(1, calm());
    for _ in 0..3 {
        let granted = pool.lease(&wish());
        let recorded = pool
            .state
            .record(granted.lease, Outcome::Challenged, pool.now);
        recorded.unwrap();
        pool.finish(granted, Outcome::Dropped);
    }
    assert_eq!(pool.state.stats(pool.now).cooling, 1);
}

#[test]
fn a_page_that_is_forbidden_is_no_reason_to_rest() {
    let mut pool = Pool::of(1, calm());
    let refused = |pool: &mut Pool| {
        for _ in 0..3 {
            assert_eq!(pool.state.due(pool.now), None);
            let granted = pool.lease(&wish());
            pool.finish(granted, Outcome::Blocked);
            assert_eq!(pool.phase(granted.member), Phase::Ready);
        }
        pool.due(Task::Validate)
    };
    let check = refused(&mut pool);
    pool.answer(check, Ok(()));
    let check = refused(&mut pool);
    pool.answer(check, Err(Fault::Failed));
    assert_eq!(pool.state.stats(pool.now).cooling, 1);
}

#[test]
fn nobody_waits_for_what_only_a_person_can_mend() {
    let mut pool = Pool::empty(calm());
    pool.state.seat(None, pool.now).unwrap();
    let make = pool.due(Task::Make);
    let ticket = pool.queue(wish());
    assert_eq!(pool.state.serve(pool.now), None);
    pool.answer(make, Err(Fault::Refused));
    let (why, next) = (Dead::Stopped, None);
    let refusal = Refusal::NoneAlive { why, next };
    assert_eq!(pool.state.serve(pool.now), Some((ticket, Err(refusal))));
}

#[test]
fn a_site_in_trouble_is_nobodys_failure() {
    let mut pool = Pool::of(1, calm());
    for outcome in [Outcome::Failing, Outcome::Dropped].repeat(5) {
        let granted = pool.lease(&wish());
        pool.finish(granted, outcome);
        assert_eq!(pool.phase(granted.member), Phase::Ready);
    }
    pool.state.validate(Which::All, pool.now);
    let check = pool.due(Task::Validate);
    pool.answer(check, Err(Fault::Later { until: None }));
    assert_eq!(pool.phase(check.member.unwrap()), Phase::Ready);
    assert_eq!(
        pool.state.next_due(pool.now),
        Some(pool.now.plus(30 * SECOND))
    );
}

#[test]
fn a_dead_login_is_renewed_before_it_is_used_again() {
    let mut pool = Pool::of(1, calm());
    let (first, second) = (pool.lease(&wish()), pool.lease(&wish()));
    pool.finish(first, Outcome::Expired);
    assert_eq!(pool.phase(first.member), Phase::Warming);
    let renew = pool.due(Task::Renew);
    pool.finish(second, Outcome::Expired);
    assert_eq!(pool.state.due(pool.now), None, "once for all who noticed");
    pool.answer(renew, Ok(()));
    assert_eq!(pool.phase(first.member), Phase::Ready);
    assert_eq!(pool.state.due(pool.now), None);
}

#[test]
fn where_it_cannot_log_in_again_another_is_made() {
    let mut pool = Pool::of(1, calm());
    let held = pool.lease(&wish());
    pool.finish(held, Outcome::Expired);
    let renew = pool.due(Task::Renew);
    pool.answer(renew, Err(Fault::Expired));
    assert_eq!(pool.work(), [Task::Retire, Task::Make]);
    assert_ne!(pool.lease(&wish()).member, held.member);
}

#[test]
fn where_too_few_can_be_used_those_that_rest_are_replaced_but_not_in_haste() {
    let mut pool = Pool::of(2, calm());
    pool.pass(3 * MINUTE);
    let limited = Outcome::RateLimited { until: None };
    for _ in 0..2 {
        let granted = pool.lease(&wish());
        pool.finish(granted, limited);
    }
    assert_eq!(pool.state.due(pool.now), None, "a login was just made");
    pool.pass(2 * MINUTE);
    let make = pool.due(Task::Make);
    let other = pool.due(Task::Make);
    pool.answer(make, Ok(()));
    assert_eq!(Some(pool.lease(&wish()).member), make.member);
    pool.answer(other, Ok(()));
}

#[test]
fn cookies_are_refreshed_in_a_quiet_moment_or_when_it_takes_too_long() {
    let mut rules = calm();
    rules.cookies.refresh_every = Some(30 * MINUTE);
    rules.cookies.force_after = Some(240 * MINUTE);
    let mut pool = Pool::of(1, rules);
    let long = wish().time_out(60 * MINUTE);
    let held = pool.lease(&long);
    pool.pass(31 * MINUTE);
    assert_eq!(pool.state.due(pool.now), None, "somebody uses it");
    pool.finish(held, Outcome::Ok);
    assert_eq!(pool.work(), [Task::Refresh]);
    let held = pool.lease(&long);
    for _ in 0..3 {
        pool.pass(59 * MINUTE);
        assert_eq!(pool.state.due(pool.now), None);
        let until = pool.now.plus(60 * MINUTE);
        pool.state.extend(held.lease, until, pool.now).unwrap();
    }
    pool.pass(59 * MINUTE);
    let until = pool.now.plus(60 * MINUTE);
    pool.state.extend(held.lease, until, pool.now).unwrap();
    pool.pass(5 * MINUTE);
    assert_eq!(pool.work(), [Task::Refresh]);
}

#[test]
fn not_more_runs_at_once_than_may() {
    let mut pool = Pool::empty(calm());
    for _ in 0..5 {
        pool.state.seat(None, pool.now).unwrap();
    }
    let makes = [pool.due(Task::Make), pool.due(Task::Make)];
    assert_eq!(pool.state.due(pool.now), None);
    assert_eq!(pool.state.next_due(pool.now), None, "an answer comes first");
    pool.answer(makes[0], Ok(()));
    pool.due(Task::Make);
    assert_eq!(pool.state.due(pool.now), None);
    assert_eq!(pool.state.done(makes[0].id, Ok(()), pool.now), Err(Gone));
}

// ---- seats that come and go

#[test]
fn what_was_there_before_is_checked_before_it_is_used() {
    let mut pool = Pool::empty(calm());
    let seat = pool.state.seat(None, pool.now).unwrap();
    let facts = Restored {
        born: pool.now,
        uses: 5,
        ..Restored::default()
    };
    pool.pass(10 * MINUTE);
    let member = pool.state.restore(seat, facts, pool.now).unwrap();
    assert_eq!(pool.state.stats(pool.now).oldest, 10 * MINUTE);
    assert_eq!(pool.phase(member), Phase::Warming);
    assert!(matches!(
        pool.refused(&wish()),
        Refusal::NoneAlive {
            why: Dead::Warming,
            ..
        }
    ));
    assert_eq!(pool.work(), [Task::Validate]);
    assert_eq!(pool.lease(&wish()).member, member);
    assert_eq!(pool.state.member(member).unwrap().uses, 6);
    assert_eq!(pool.state.restore(seat, facts, pool.now), Err(Gone));
}

#[test]
fn a_seat_is_given_away_with_its_member_when_its_leases_have_ended() {
    let mut pool = Pool::of(2, calm());
    let held = pool.lease(&wish());
    pool.state.give_away(held.seat, pool.now).unwrap();
    assert_eq!(pool.state.due(pool.now), None);
    let other = pool.lease(&wish());
    assert_ne!(other.seat, held.seat);
    pool.finish(held, Outcome::Ok);
    let release = pool.due(Task::Release);
    assert_eq!(
        (release.seat, release.member),
        (held.seat, Some(held.member))
    );
    pool.answer(release, Err(Fault::Failed));
    assert_eq!(
        pool.state.next_due(pool.now),
        Some(pool.now.plus(10 * SECOND))
    );
    pool.pass(10 * SECOND);
    assert_eq!(pool.work(), [Task::Release]);
    assert_eq!(pool.state.seat_view(held.seat), None);
}

#[test]
fn a_seat_that_is_given_away_in_a_rotation_goes_with_the_new_member() {
    let mut pool = Pool::of(1, calm());
    let held = pool.lease(&wish());
    pool.state.rotate(Which::All, pool.now);
    let make = pool.due(Task::Make);
    pool.state.give_away(held.seat, pool.now).unwrap();
    assert_eq!(pool.member(held.seat), Some(held.member));
    pool.answer(make, Ok(()));
    assert_eq!(pool.member(held.seat), make.member);
    assert_eq!(pool.state.due(pool.now), None, "a lease runs");
    pool.finish(held, Outcome::Ok);
    let retire = pool.due(Task::Retire);
    assert_eq!(retire.member, Some(held.member));
    pool.answer(retire, Ok(()));
    let release = pool.due(Task::Release);
    assert_eq!(release.member, make.member);
    pool.answer(release, Ok(()));
}

#[test]
fn a_seat_that_is_lost_is_forgotten_at_once() {
    let mut pool = Pool::of(1, calm());
    let held = pool.lease(&wish());
    pool.state.rotate(Which::All, pool.now);
    let make = pool.due(Task::Make);
    pool.state.lose(held.seat, pool.now).unwrap();
    let ended = pool.state.expire(pool.now).unwrap();
    assert_eq!((ended.lease, ended.why), (held.lease, End::Lost));
    assert_eq!(pool.state.members().count(), 0);
    pool.answer(make, Ok(()));
    assert_eq!(pool.work(), []);
    assert_eq!(pool.state.lose(held.seat, pool.now), Err(Gone));
    assert!(matches!(
        pool.refused(&wish()),
        Refusal::NoneAlive {
            why: Dead::NoSeat,
            ..
        }
    ));
}

#[test]
fn a_suspended_seat_grants_nothing_and_begins_nothing() {
    let mut pool = Pool::of(1, calm());
    let seat = pool.seats()[0];
    let held = pool.lease(&wish());
    pool.state.suspend(seat, pool.now).unwrap();
    pool.state.rotate(Which::All, pool.now);
    assert!(matches!(
        pool.refused(&wish()),
        Refusal::NoneAlive {
            why: Dead::Suspended,
            ..
        }
    ));
    assert_eq!(pool.work(), []);
    pool.finish(held, Outcome::Ok);
    pool.state.resume(seat, pool.now).unwrap();
    assert_eq!(pool.work(), [Task::Make, Task::Retire]);
    pool.lease(&wish());
}

#[test]
fn there_are_not_more_seats_than_may_be() {
    let mut pool = Pool::of(2, Rules { size: 2, ..calm() });
    assert_eq!(pool.state.seat(None, pool.now), Err(NoSeat::Full));
    let seat = pool.seats()[0];
    pool.state.remove(seat, pool.now).unwrap();
    assert_eq!(pool.work(), [Task::Retire, Task::Release]);
    pool.state.seat(None, pool.now).unwrap();
}

#[test]
fn ages_are_counted_without_looking_at_everybody() {
    let mut pool = Pool::of(2, Rules { size: 3, ..calm() });
    pool.pass(10 * MINUTE);
    pool.state.seat(None, pool.now).unwrap();
    pool.work();
    pool.pass(20 * MINUTE);
    let stats = pool.state.stats(pool.now);
    assert_eq!(stats.average_age, (30 + 30 + 20) * MINUTE / 3);
    assert_eq!(stats.oldest, 30 * MINUTE);
    // The clock is put back: nobody gets younger.
    pool.now = Timestamp::from_seconds(1_000_000_000);
    let stats = pool.state.stats(pool.now);
    assert_eq!((stats.ready, stats.oldest), (3, 30 * MINUTE));
}
