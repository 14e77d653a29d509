//! A pool in a world where everything goes wrong, by a clock that runs as fast as it can.
//!
//! The world keeps its own books of who holds which lease, who waits and what runs, and compares them
//! with the state after every call. `SESSILE_POOL_SEEDS=100..400` and `SESSILE_POOL_HOURS=25` go
//! through other seeds.

mod books;
mod world;

use world::World;

/// Together 10,000 hours.
const HOURS: u64 = 25;

#[test]
fn everything_goes_wrong_for_thousands_of_hours() {
    run(0..100);
}

#[test]
fn everything_goes_wrong_for_thousands_of_hours_more() {
    run(100..200);
}

#[test]
fn everything_goes_wrong_for_thousands_of_hours_in_other_ways() {
    run(200..300);
}

#[test]
fn everything_goes_wrong_for_thousands_of_hours_once_again() {
    run(300..400);
}

#[test]
fn the_same_seed_is_the_same_story() {
    let story = |seed| {
        let mut world = World::new(seed);
        world.live(30);
        world.story()
    };
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}

fn run(seeds: std::ops::Range<u64>) {
    let hours = number("SESSILE_POOL_HOURS").unwrap_or(HOURS);
    let asked = asked_seeds();
    for seed in asked.unwrap_or(seeds) {
        let told = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            world.live(hours);
            world.close();
        });
        assert!(told.is_ok(), "seed {seed}, {hours} hours");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "somebody who looks for more seeds says which"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str) -> Option<u64> {
    variable(name)?.parse().ok()
}

fn asked_seeds() -> Option<std::ops::Range<u64>> {
    let text = variable("SESSILE_POOL_SEEDS")?;
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}
