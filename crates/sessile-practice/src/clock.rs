//! The site's clock: the system's, or one that only tests and demos move.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// What time it is on the site. Clones show and move the same clock.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Start,
    skipped: Arc<Mutex<Duration>>,
}

#[derive(Clone, Copy, Debug)]
enum Start {
    At(SystemTime),
    System,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Start::System)
    }

    /// A clock that stands at `time` until it is moved.
    #[must_use]
    pub fn standing_at(time: SystemTime) -> Self {
        Self::new(Start::At(time))
    }

    /// Moves the clock forward, as if `time` had gone by.
    pub fn advance(&self, time: Duration) {
        *self.skipped.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }

    /// The time this clock shows.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        let start = match self.start {
            Start::At(time) => time,
            Start::System => system_now(),
        };
        start + *self.skipped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new(start: Start) -> Self {
        Self {
            start,
            skipped: Arc::default(),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the time"
)]
fn system_now() -> SystemTime {
    SystemTime::now()
}
