//! Leases of a pool, taken and given back; and a pool's sessions on disk.
//!
//! `pool-bench state MEMBERS`, `pool-bench whole MEMBERS` and `pool-bench disk MEMBERS` print lines of
//! `what TAB members TAB figure`; `pool-bench instructions WHAT MEMBERS TIMES` does so many and prints
//! nothing.

mod disk;
mod site;
mod state;
mod whole;

use std::time::Duration;

use sessile::pool::Wish;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<usize>().ok());
    match (arguments.first().map(String::as_str), number(1)) {
        (Some("instructions"), _) => state::repeat(&arguments[1], number(2).unwrap_or(1000), number(3).unwrap_or(1000)),
        (Some("disk"), Some(members)) => disk::measure(members),
        (Some("state"), Some(members)) => state::measure(members),
        (Some("whole"), Some(members)) => whole::measure(members),
        _ => eprintln!("pool-bench state|whole|disk MEMBERS"),
    }
}

/// So long a case runs before it counts, and then while it counts.
const WARM: Duration = Duration::from_millis(300);
const COUNTED: Duration = Duration::from_secs(2);

/// How long this thread has been running on a processor.
fn busy_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    let nanoseconds = told.split(' ').next().and_then(|text| text.parse::<f64>().ok());
    nanoseconds.expect("it begins with the time in nanoseconds") / 1e9
}

/// A wish for each target in an order that leads all over the pool. Who asks has his wish at hand, as
/// if it had just been read.
fn in_turn(targets: usize, wish: impl Fn(usize) -> Wish) -> Vec<Wish> {
    let mut order: Vec<usize> = (0..targets).collect();
    // Any order does, the same each time.
    order.sort_unstable_by_key(|at| (*at as u64 ^ 7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (*at as u64) << 17);
    order.into_iter().map(wish).collect()
}
