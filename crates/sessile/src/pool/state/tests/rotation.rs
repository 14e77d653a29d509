//! One generation follows another.

use super::*;

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
