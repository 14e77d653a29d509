//! Requests while the store is away: they go on with what is in memory, and a reply that is there is
//! handed out though its cookies have to wait.
//!
//! Nobody who sees the store can have renewed the login without us noticing it: the site refuses the
//! old one then. Logging in itself waits for the store, or two processes would do it at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::{Inner, KeepError};
use crate::store::Half;

/// How long a request waits for a store that answered before.
const PATIENCE: Duration = Duration::from_secs(2);

impl Inner {
    /// Takes in what others have stored since the last look, where the store is there.
    pub(super) async fn pull_if_there(&self) -> Result<(), KeepError> {
        if !self.vault.presence().may_ask(Instant::now()) {
            return Ok(());
        }
        match timeout(PATIENCE, self.pull()).await {
            Err(_elapsed) => self.note_absence(Half::Reading, &"it does not answer"),
            Ok(Err(error)) if is_absence(&error) => self.note_absence(Half::Reading, &error),
            Ok(Err(error)) => return Err(error),
            Ok(Ok(())) => self.note_presence(Half::Reading),
        }
        Ok(())
    }

    /// Stores new cookies that have waited long enough. Where that takes too long, it goes on by
    /// itself.
    pub(super) async fn save_if_due_and_there(self: &Arc<Self>) -> Result<(), KeepError> {
        if !self.is_due() || self.vault.presence().is_away() {
            return Ok(());
        }
        let (done, outcome) = oneshot::channel();
        let ours = Arc::clone(self);
        self.flusher.spawn(async move {
            // Whoever doesn't wait any more has his reply.
            _ = done.send(ours.save_if_due().await);
        });
        match timeout(PATIENCE, outcome).await {
            Err(_elapsed) => self.note_absence(Half::Writing, &"it does not answer"),
            Ok(Ok(Err(error))) if is_absence(&error) => self.note_absence(Half::Writing, &error),
            // A session that is being closed stores everything once more.
            Ok(saved) => return saved.unwrap_or(Ok(())),
        }
        Ok(())
    }

    pub(super) fn note_absence(&self, half: Half, error: &dyn std::fmt::Display) {
        if self.vault.presence().lose(half, Instant::now()) {
            let store = self.vault.place();
            tracing::warn!(store, %error, "the store is away; sessions go on as they were seen last");
        }
    }

    pub(super) fn note_presence(&self, half: Half) {
        if let Some(away) = self.vault.presence().find(half, Instant::now()) {
            tracing::info!(store = self.vault.place(), ?away, "the store is back");
        }
    }
}

/// Whether the store failed in a way that passes by itself.
pub(super) fn is_absence(error: &KeepError) -> bool {
    matches!(error, KeepError::Store(error) if error.is_passing())
}
