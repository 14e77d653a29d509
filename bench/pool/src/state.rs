//! The state as a value: who is leased, and nothing else.

use std::hint::black_box;
use std::sync::Mutex;
use std::time::Instant;

use sessile::clock::{Clock, SystemClock, Timestamp};
use sessile::pool::state::{Assign, Outcome, Rules, State, Wish};

use crate::site::target;
use crate::{COUNTED, WARM, busy_seconds, in_turn};

pub fn measure(members: usize) {
    CASES.iter().for_each(|what| measure_one(what, members));
}

/// For a tool that counts instructions.
pub fn repeat(what: &str, members: usize, times: usize) {
    let mut case = case(what, members);
    (0..times).for_each(|_| case());
}

const CASES: [&str; 8] = [
    "round-robin",
    "random",
    "least-used",
    "sticky, 1,000 targets",
    "own seat of a target",
    "exclusive",
    "16 held, round-robin",
    "behind a lock, with the clock",
];

/// By the processor's time, which what else the machine does leaves alone, caches aside.
fn measure_one(what: &str, members: usize) {
    let mut case = case(what, members);
    let begun = Instant::now();
    while begun.elapsed() < WARM {
        (0..256).for_each(|_| case());
    }
    let (begun, busy, mut done) = (Instant::now(), busy_seconds(), 0_u32);
    while begun.elapsed() < COUNTED {
        (0..256).for_each(|_| case());
        done += 256;
    }
    let rate = f64::from(done) / (busy_seconds() - busy);
    println!("{what}\t{members}\t{rate:.0}");
}

/// One lease taken and one given back, as often as it is called.
fn case(what: &str, members: usize) -> Box<dyn FnMut()> {
    let wish = Wish::default();
    match what {
        "random" => plain(pool(members, 0), wish.assign(Assign::Random)),
        "least-used" => plain(pool(members, 0), wish.assign(Assign::LeastUsed)),
        "sticky, 1,000 targets" => targeted(pool(members, 0), wish.assign(Assign::Sticky), 1000.min(members)),
        "own seat of a target" => targeted(pool(members, members), wish, members),
        "exclusive" => plain(pool(members, 0), wish.exclusive()),
        "16 held, round-robin" => held(pool(members, 0), wish),
        "behind a lock, with the clock" => locked(pool(members, 0), wish),
        _ => plain(pool(members, 0), wish),
    }
}

fn plain(mut state: State, wish: Wish) -> Box<dyn FnMut()> {
    let mut now = START;
    Box::new(move || {
        now = tick(now);
        let granted = state.lease(&wish, now).expect("there is room");
        state.finish(black_box(granted).lease, Outcome::Ok, now).expect("it goes on");
    })
}

fn targeted(mut state: State, wish: Wish, targets: usize) -> Box<dyn FnMut()> {
    let wishes = in_turn(targets, |at| wish.clone().target(target(at)));
    let (mut now, mut at) = (START, 0);
    Box::new(move || {
        now = tick(now);
        at = (at + 1) % wishes.len();
        let granted = state.lease(&wishes[at], now).expect("there is room");
        state.finish(black_box(granted).lease, Outcome::Ok, now).expect("it goes on");
    })
}

fn held(mut state: State, wish: Wish) -> Box<dyn FnMut()> {
    let mut now = START;
    let mut held: Vec<_> = (0..16).map(|_| state.lease(&wish, now).expect("there is room").lease).collect();
    let mut at = 0;
    Box::new(move || {
        now = tick(now);
        at = (at + 1) % held.len();
        state.finish(held[at], Outcome::Ok, now).expect("it goes on");
        held[at] = state.lease(&wish, now).expect("there is room").lease;
    })
}

/// As somebody holds it whom many threads ask.
fn locked(state: State, wish: Wish) -> Box<dyn FnMut()> {
    let state = Mutex::new(state);
    let last = Mutex::new(START);
    Box::new(move || {
        // The clock shows a time long after the members were made; only its cost is wanted.
        black_box(SystemClock.now());
        let now = {
            let mut last = last.lock().expect("nobody panics");
            *last = tick(*last);
            *last
        };
        let granted = state.lock().expect("nobody panics").lease(&wish, now).expect("there is room");
        let mut state = state.lock().expect("nobody panics");
        state.finish(black_box(granted).lease, Outcome::Ok, now).expect("it goes on");
    })
}

const START: Timestamp = Timestamp::from_seconds(1_795_262_400);

/// A millisecond has three thousand leases.
fn tick(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis() + i64::from(black_box(now.as_millis() % 3000 == 2999)))
}

/// So many members that are ready, of which nothing is due.
fn pool(members: usize, own: usize) -> State {
    let mut rules = Rules::default();
    rules.size = members;
    rules.makes_at_once = usize::MAX;
    let mut state = State::new(rules, 7);
    for at in 0..members {
        let target = (at < own).then(|| target(at));
        state.seat(target, START).expect("there is room");
    }
    while let Some(action) = state.due(START) {
        state.done(action.id, Ok(()), START).expect("it was just begun");
    }
    assert_eq!(state.stats(START).ready, members);
    state
}
