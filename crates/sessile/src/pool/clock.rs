//! The pool's time: the store's, carried on by this machine's steady clock.
//!
//! Two machines whose clocks differ by minutes so mean the same by a time that is stored.

use std::time::Duration;

use sessile_jar::Timestamp;
use tokio::time::Instant;

/// Tells the pool's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolClock {
    store: Timestamp,
    here: Instant,
}

impl PoolClock {
    /// It was this time in the store at this moment.
    pub(super) fn new(store: Timestamp, here: Instant) -> Self {
        Self { store, here }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.store.plus(self.here.elapsed())
    }

    /// The moment of this machine's clock that is a time of the pool's.
    pub(super) fn instant(&self, at: Timestamp) -> Instant {
        self.here + between(self.store, at)
    }
}

/// How long it is from one time to a later one.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    let millis = to.as_millis().saturating_sub(from.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
