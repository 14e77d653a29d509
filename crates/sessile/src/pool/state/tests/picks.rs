//! Which member is taken.

use super::*;

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
