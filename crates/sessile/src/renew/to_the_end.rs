//! A renewal that has begun is brought to its end, though whoever asked for it may stop waiting.
//!
//! Given up halfway it would have used up a refresh token that nobody has stored the next one of, and
//! others would wait for its lease.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::refresh::Seen;
use super::{Inner, KeepError, NoRenewal, Renewal};
use crate::session::Sign;
use crate::spans;

/// The owner of the renewals under way.
#[derive(Debug, Default)]
pub(super) struct Renewals(Mutex<JoinSet<()>>);

impl Inner {
    /// Renews the login or its token, as [`Inner::renew`] does, on a task of its own.
    pub(super) async fn renew_to_the_end(
        self: &Arc<Self>,
        seen: Seen,
        sign: &Sign,
    ) -> Result<Option<Renewal>, KeepError> {
        let (answer, answered) = oneshot::channel();
        let (inner, why) = (Arc::clone(self), sign.clone());
        let span = spans::renewal(&self.name);
        self.renewals.spawn(async move {
            let renewing = inner.renew(seen, &why).instrument(span.clone());
            let renewed = renewing.await;
            spans::ended(&span, &renewed);
            drop(span);
            // Whoever asked may have stopped waiting.
            let _unheard = answer.send(renewed);
        });
        let interrupted = |_gone| Err(self.logged_out(sign, NoRenewal::Interrupted));
        answered.await.unwrap_or_else(interrupted)
    }
}

impl Renewals {
    /// Waits for what is under way.
    pub(super) async fn close(&self) {
        let running = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        running.join_all().await;
    }

    fn spawn(&self, renewal: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that are done leave nothing behind.
        while running.try_join_next().is_some() {}
        running.spawn(renewal);
    }
}
