//! Storing what nobody asks to be stored: new cookies of a session that has gone quiet.
//!
//! A task waits only while there is something to store, and belongs to the session: closing it stops
//! the task and waits for it. The last handle that goes brings what is left to the store, whose own
//! writer finishes that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Inner;
use super::away::is_absence;
use crate::store::Half;

/// The owner of the task that waits.
#[derive(Debug, Default)]
pub(super) struct Flusher(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    tasks: JoinSet<()>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Stage {
    Closed,
    #[default]
    Idle,
    Waiting,
}

/// Sees to it that what is new is stored when its time has come, whether or not somebody asks
/// something of the session until then.
pub(super) fn schedule(inner: &Arc<Inner>) {
    schedule_after(inner, inner.save_every);
}

fn schedule_after(inner: &Arc<Inner>, pause: Duration) {
    if !inner.is_unsaved() {
        return;
    }
    let mut state = inner.flusher.lock();
    if state.stage != Stage::Idle {
        return;
    }
    state.reap();
    state.stage = Stage::Waiting;
    state.tasks.spawn(flush_after(Arc::downgrade(inner), pause));
}

async fn flush_after(session: Weak<Inner>, pause: Duration) {
    sleep(pause).await;
    let Some(inner) = session.upgrade() else {
        return;
    };
    // What changes from here on waits for a time of its own.
    inner.flusher.enter(Stage::Waiting, Stage::Idle);
    if !inner.is_unsaved() {
        return;
    }
    let Err(error) = inner.push_and_step().await else {
        inner.note_presence(Half::Writing);
        return;
    };
    if is_absence(&error) {
        inner.note_absence(Half::Writing, &error);
    } else {
        tracing::warn!(session = %inner.name, %error, "new cookies could not be stored; they wait on");
    }
    schedule_after(&inner, inner.save_every.max(AFTER_FAILURE));
}

/// How long what could not be stored waits at least: a store may fail at once, each time.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

impl State {
    /// Those that are done leave nothing behind.
    fn reap(&mut self) {
        while self.tasks.try_join_next().is_some() {}
    }
}

impl Flusher {
    /// Starts nothing more, and stops what waits.
    pub(super) async fn close(&self) {
        let mut tasks = {
            let mut state = self.lock();
            state.stage = Stage::Closed;
            std::mem::take(&mut state.tasks)
        };
        tasks.shutdown().await;
    }

    /// Starts work that ends with the session, unless that is closed.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.lock();
        if state.stage != Stage::Closed {
            state.reap();
            state.tasks.spawn(work);
        }
    }

    fn enter(&self, from: Stage, to: Stage) {
        let mut state = self.lock();
        if state.stage == from {
            state.stage = to;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A store may need the runtime to finish what it was given.
        if self.is_unsaved() && Handle::try_current().is_ok() {
            // Asked once: the store's writer has it from then on, and nobody is left to hear of it.
            let _under_way = self.bring_changes().now_or_never();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::renew::{Kept, KeptOptions, edit};
    use crate::session::{Request, Session};
    use crate::store::{Name, StoreOptions, Vault};
    use crate::transport::{ScriptedReply, ScriptedTransport};

    const EVERY: Duration = Duration::from_secs(30);

    /// A stored session whose site sets one cookie.
    async fn kept(vault: &Vault) -> Kept {
        let script = ScriptedTransport::new();
        let reply = ScriptedReply::ok("hello").header("set-cookie", "id=1");
        script.on("GET http://a.test/", reply);
        let options = KeptOptions {
            save_every: EVERY,
            builder: Session::builder().transport(script),
            ..KeptOptions::default()
        };
        let kept = Kept::create(vault, &name(), <_>::default(), options).unwrap();
        kept.save().await.unwrap();
        let answer = kept.send(Request::get("http://a.test/")).await.unwrap();
        drop(answer);
        kept
    }

    fn name() -> Name {
        "a".parse().unwrap()
    }

    async fn vault() -> Vault {
        Vault::in_memory(&StoreOptions::default()).await.unwrap()
    }

    async fn stored_cookies(vault: &Vault) -> usize {
        edit(vault, &name(), |record| record.state.jar().len())
            .await
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_session_is_stored_when_its_time_has_come() {
        let vault = vault().await;
        let kept = kept(&vault).await;
        sleep(EVERY - Duration::from_millis(1)).await;
        assert_eq!(stored_cookies(&vault).await, 0);
        sleep(Duration::from_millis(2)).await;
        assert_eq!(stored_cookies(&vault).await, 1);
        assert_eq!(kept.0.flusher.lock().stage, Stage::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn closing_stores_and_leaves_nothing_waiting() {
        let vault = vault().await;
        let kept = kept(&vault).await;
        kept.close().await.unwrap();
        assert_eq!(stored_cookies(&vault).await, 1);
        assert_eq!(kept.0.flusher.lock().tasks.len(), 0);
        assert!(kept.send(Request::get("http://a.test/")).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_handle_brings_what_is_left_to_the_store() {
        let vault = vault().await;
        let kept = kept(&vault).await;
        drop(kept.clone());
        assert_eq!(stored_cookies(&vault).await, 0);
        drop(kept);
        assert_eq!(stored_cookies(&vault).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_was_removed_is_not_brought_back() {
        let vault = vault().await;
        let kept = kept(&vault).await;
        vault.remove(&name()).await.unwrap();
        sleep(EVERY * 2).await;
        // Who removed the session has the last word.
        assert!(vault.load(&name()).await.unwrap().is_none());
        drop(kept);
        assert!(vault.load(&name()).await.unwrap().is_none());
    }
}
