//! The stored sessions that the daemon has open outside pools: opened at the first request, shared
//! by all requests, closed when nobody has used them for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessile::renew::{KeepError, Kept};
use sessile::store::Name;
use sessile_jar::Timestamp;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::fetch::VerdictName;

/// Every open session, by name.
#[derive(Debug, Default)]
pub(crate) struct OpenSessions(Mutex<HashMap<Name, Arc<Entry>>>);

#[derive(Debug)]
struct Entry {
    kept: OnceCell<Kept>,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    running: usize,
    used: Instant,
    /// When it was logged in last or, never logged in, made.
    since: Timestamp,
    verdict: Option<VerdictName>,
}

/// A session in use: it isn't closed before this is dropped.
#[derive(Debug)]
pub(crate) struct InUse(Arc<Entry>);

/// What is known of an open session without asking it.
#[derive(Clone, Debug)]
pub(crate) struct Glance {
    pub(crate) name: Name,
    pub(crate) is_active: bool,
    /// How many use it.
    pub(crate) running: u32,
    /// Whether nothing has spoken against it.
    pub(crate) is_valid: bool,
    pub(crate) since: Timestamp,
}

impl OpenSessions {
    /// A session of this name, opened where it isn't.
    pub(crate) async fn take(
        &self,
        name: &Name,
        now: Timestamp,
        open: impl Future<Output = Result<Kept, KeepError>>,
    ) -> Result<InUse, KeepError> {
        let session = self.enter(name, now);
        let opening = async {
            let kept = open.await?;
            let record = kept.record();
            session.note_since(record.last.login.unwrap_or(record.created));
            Ok(kept)
        };
        let opened = session.0.kept.get_or_try_init(|| opening).await;
        let Err(error) = opened.map(drop) else {
            return Ok(session);
        };
        drop(session);
        self.forget_unopened(name);
        Err(error)
    }

    fn enter(&self, name: &Name, now: Timestamp) -> InUse {
        let mut all = self.all();
        let entry = match all.get(name) {
            Some(entry) => Arc::clone(entry),
            None => {
                let entry = Arc::new(Entry::new(now));
                all.insert(name.clone(), Arc::clone(&entry));
                entry
            }
        };
        let mut seen = entry.seen();
        seen.running += 1;
        drop(seen);
        InUse(entry)
    }

    fn forget_unopened(&self, name: &Name) {
        let mut all = self.all();
        if all
            .get(name)
            .is_some_and(|entry| entry.is_idle() && !entry.kept.initialized())
        {
            all.remove(name);
        }
    }

    /// Lets go of a session that is no longer stored, or is another one now.
    pub(crate) fn forget(&self, name: &Name) -> Option<Kept> {
        let entry = self.all().remove(name)?;
        entry.kept.get().cloned()
    }

    /// Notes that a session, where it is open, was logged in just now.
    pub(crate) fn note_login(&self, name: &Name, now: Timestamp) {
        let entry = self.all().get(name).cloned();
        if let Some(entry) = entry {
            let mut seen = entry.seen();
            seen.since = now;
            seen.verdict = Some(VerdictName::Valid);
        }
    }

    /// Takes out those that nobody has used for so long.
    pub(crate) fn take_idle(&self, longer_than: Duration) -> Vec<Kept> {
        let mut idle = Vec::new();
        self.all().retain(|_name, entry| {
            let is_due = entry.is_idle() && entry.seen().used.elapsed() >= longer_than;
            if is_due {
                idle.extend(entry.kept.get().cloned());
            }
            !is_due
        });
        idle
    }

    /// Those that are open, as they are known.
    pub(crate) fn glances(&self) -> Vec<Glance> {
        let all = self.all();
        let open = all.iter().filter(|(_name, entry)| entry.kept.initialized());
        open.map(|(name, entry)| {
            let seen = entry.seen();
            Glance {
                name: name.clone(),
                is_active: seen.running > 0,
                running: u32::try_from(seen.running).unwrap_or(u32::MAX),
                is_valid: seen.verdict.is_none_or(VerdictName::is_for_session),
                since: seen.since,
            }
        })
        .collect()
    }

    /// One of each that is open.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        let all = self.all();
        all.values()
            .filter_map(|entry| entry.kept.get().cloned())
            .collect()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Name, Arc<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(now: Timestamp) -> Self {
        Self {
            kept: OnceCell::new(),
            seen: Mutex::new(Seen {
                running: 0,
                used: Instant::now(),
                since: now,
                verdict: None,
            }),
        }
    }

    fn is_idle(&self) -> bool {
        self.seen().running == 0
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InUse {
    pub(crate) fn kept(&self) -> &Kept {
        self.0.kept.get().expect("it was opened when it was taken")
    }

    /// What the last reply or check said of it.
    pub(crate) fn verdict(&self) -> Option<VerdictName> {
        self.0.seen().verdict
    }

    /// Notes what a reply says of it.
    pub(crate) fn note(&self, verdict: VerdictName) {
        self.0.seen().verdict = Some(verdict);
    }

    /// Notes what a failure says of it.
    pub(crate) fn note_failure(&self, error: &KeepError) {
        if matches!(error, KeepError::LoggedOut { .. }) {
            self.note(VerdictName::Expired);
        }
    }

    /// Notes when it was logged in last or, never logged in, made.
    pub(crate) fn note_since(&self, since: Timestamp) {
        self.0.seen().since = since;
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut seen = self.0.seen();
        seen.running -= 1;
        seen.used = Instant::now();
    }
}
