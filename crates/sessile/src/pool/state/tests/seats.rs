//! Seats that come and go.

use super::*;

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

#[test]
fn one_that_is_not_wanted_any_more_is_followed_before_the_seat_is_used_again() {
    let mut pool = Pool::of(1, Rules::default());
    let before = pool.state.lease(&Wish::default(), pool.now).unwrap();
    let seat = before.seat;
    pool.state.replace(seat, pool.now).unwrap();
    let refused = pool.state.lease(&Wish::default(), pool.now);
    assert!(
        matches!(refused, Err(Refusal::NoneAlive { .. })),
        "{refused:?}"
    );
    assert_eq!(pool.work(), [Task::Make]);
    let after = pool.state.lease(&Wish::default(), pool.now).unwrap();
    assert_ne!(after.member, before.member);
    // Whoever uses the other one may go on.
    assert!(pool.state.leased(before.lease).is_some());
    pool.state.give_away(seat, pool.now).unwrap();
    assert_eq!(pool.state.replace(seat, pool.now), Err(Gone));
}

#[test]
fn rules_change_while_members_are_there() {
    let few = Rules {
        leases_per_member: 1,
        ..Rules::default()
    };
    let mut pool = Pool::of(1, few.clone());
    let one = pool.state.lease(&Wish::default(), pool.now).unwrap();
    assert!(pool.state.lease(&Wish::default(), pool.now).is_err());
    let more = Rules {
        leases_per_member: 2,
        size: 1,
        rotate_every: Some(MINUTE),
        ..Rules::default()
    };
    pool.state.set_rules(more, pool.now);
    pool.state.check_invariants();
    pool.state.check_lists();
    let two = pool.state.lease(&Wish::default(), pool.now).unwrap();
    // Among those with leases none is idle.
    let alone = pool.state.lease(&Wish::default().exclusive(), pool.now);
    assert!(alone.is_err(), "{alone:?}");
    assert_eq!(pool.state.seat(None, pool.now), Err(NoSeat::Full));
    pool.pass(MINUTE);
    // Its leases have ended by then.
    assert_eq!(pool.work(), [Task::Make, Task::Retire]);
    pool.state.set_rules(few, pool.now);
    for lease in [one.lease, two.lease] {
        assert!(pool.state.leased(lease).is_none());
    }
    pool.state.lease(&Wish::default(), pool.now).unwrap();
    assert!(pool.state.lease(&Wish::default(), pool.now).is_err());
}
