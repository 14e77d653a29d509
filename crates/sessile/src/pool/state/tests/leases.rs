//! Leases, their ends, and who waits for one.

use super::*;

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
