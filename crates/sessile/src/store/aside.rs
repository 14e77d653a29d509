//! Long work on a thread of its own, so that the caller's thread can do something else meanwhile.

use std::thread;

use tokio::sync::oneshot;

use super::{Answer, StoreError};

/// Does `work` on a thread that ends with it.
pub(super) fn aside<'a, T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Answer<'a, T> {
    let (reply, answer) = oneshot::channel();
    let thread = thread::Builder::new().name("sessile-store-aside".to_owned());
    // Whoever stopped waiting does not hear the reply.
    let spawned = thread.spawn(move || drop(reply.send(work())));
    Box::pin(async move {
        spawned.map_err(|error| failed("start", error.to_string()))?;
        answer
            .await
            .unwrap_or_else(|_gone| Err(failed("finish", "it panicked".to_owned())))
    })
}

fn failed(doing: &'static str, detail: String) -> StoreError {
    let place = "work aside".to_owned();
    StoreError::Io {
        doing,
        place,
        detail,
    }
}
