//! Those who wait for a session of a pool, as whoever watches the batch is told of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::Lack;

/// Those who wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    targets: u64,
    /// Since when nobody has got one; of no meaning while nobody waits.
    since: Option<Instant>,
    why: Option<Arc<str>>,
}

/// Somebody in the queue, who leaves it when dropped.
pub(super) struct Place<'a>(&'a Queue);

impl Queue {
    /// Takes a place, for this reason.
    pub(super) fn enter(&self, why: &str) -> Place<'_> {
        let mut state = self.state();
        state.targets += 1;
        state.since.get_or_insert_with(Instant::now);
        state.why = Some(why.into());
        drop(state);
        Place(self)
    }

    /// Somebody has got one.
    pub(super) fn moves(&self) {
        let mut state = self.state();
        if state.targets > 0 {
            state.since = Some(Instant::now());
        }
    }

    pub(super) fn lack(&self) -> Option<Lack> {
        let state = self.state();
        let since = state.since.filter(|_| state.targets > 0)?;
        Some(Lack {
            targets: state.targets,
            waited: since.elapsed(),
            why: state.why.clone()?,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// What stands in the way now.
    pub(super) fn stay(&self, why: &str) {
        self.0.state().why = Some(why.into());
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.targets -= 1;
        if state.targets == 0 {
            state.since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_told_is_how_long_nobody_got_one() {
        let queue = Queue::default();
        assert_eq!(queue.lack(), None);
        let first = queue.enter("all are in use");
        advance(Duration::from_secs(3)).await;
        let second = queue.enter("none is alive");
        check(&queue, 2, 3, "none is alive");
        second.stay("logins fail");
        check(&queue, 2, 3, "logins fail");
        queue.moves();
        advance(Duration::from_secs(1)).await;
        drop(first);
        check(&queue, 1, 1, "logins fail");
        drop(second);
        assert_eq!(queue.lack(), None);
        // The next one doesn't inherit the wait.
        advance(Duration::from_secs(9)).await;
        let _third = queue.enter("all are in use");
        check(&queue, 1, 0, "all are in use");
    }

    #[track_caller]
    fn check(queue: &Queue, targets: u64, seconds: u64, why: &str) {
        let expected = Lack {
            targets,
            waited: Duration::from_secs(seconds),
            why: why.into(),
        };
        assert_eq!(queue.lack(), Some(expected));
    }
}
