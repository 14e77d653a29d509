//! A handle that ends a recording.

use tokio_util::sync::CancellationToken;

/// Ends a recording so that a playable file is left. Clones end the same one.
#[derive(Clone, Debug, Default)]
pub struct Stop(CancellationToken);

impl Stop {
    /// A handle that nobody has used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the recording: what is fetched is written, nothing more is begun.
    pub fn stop(&self) {
        self.0.cancel();
    }

    /// Whether it was told to end.
    pub fn is_stopped(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until it is told to end.
    pub(crate) async fn stopped(&self) {
        self.0.cancelled().await;
    }
}
