//! Background work that goes on although it panics.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// After a panic it begins anew no sooner than this.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs what `begin` begins until it has ended or is to stop; begins it anew where it panics.
pub(super) async fn go_on<F>(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    mut begin: impl FnMut() -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(panic) = tasks.spawn(begin()).await {
        tracing::error!(%panic, "work of a pool failed; it begins anew");
        if timeout(PAUSE, stop.cancelled()).await.is_ok() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_panics_begins_anew() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let runs = Arc::new(AtomicUsize::new(0));
        let begin = || {
            let runs = Arc::clone(&runs);
            async move { assert!(runs.fetch_add(1, Ordering::Relaxed) == 2, "not yet") }
        };
        go_on(&tasks, &stop, begin).await;
        assert_eq!(runs.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_to_stop_does_not_begin_anew() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        stop.cancel();
        go_on(&tasks, &stop, || async { panic!("once") }).await;
    }
}
