//! Times of one operation, done often.

use std::time::{Duration, Instant};

/// The times, in order once they are told.
#[derive(Default)]
pub(crate) struct Spread(Vec<Duration>);

impl Spread {
    pub(crate) fn add(&mut self, since: Instant) {
        self.0.push(since.elapsed());
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Half, nearly all, and the worst, in microseconds.
    pub(crate) fn tell(mut self, name: &str) {
        self.0.sort();
        let last = self.0.len() - 1;
        for (part, at) in [("p50", last / 2), ("p99", last * 99 / 100), ("worst", last)] {
            println!("{name}.{part} {:.1}", self.0[at].as_secs_f64() * 1e6);
        }
    }
}

/// Names in an order that no cache has seen.
pub(crate) struct Names {
    state: u64,
    sessions: usize,
}

impl Names {
    pub(crate) fn new(sessions: usize) -> Self {
        let state = u64::from(std::process::id()) << 32 | 12345;
        Self { state, sessions }
    }

    pub(crate) fn any(&mut self) -> String {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        name((self.state >> 33) as usize % self.sessions)
    }
}

pub(crate) fn name(number: usize) -> String {
    format!("session-{number:08}")
}

/// How long a stretch of continuous writing is.
pub(crate) const STRETCH: Duration = Duration::from_secs(3);
