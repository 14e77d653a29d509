//! The tokens as a running daemon knows them: looked up for every request, read again when the
//! store has changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessile::store::{Name, StoreError, Vault};
use sessile_jar::Timestamp;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::TaskTracker;

use super::{AccessError, Fingerprint, Grant, Listed, Scope, list, note_use};

/// How long what is known of tokens may be out of date.
const FRESH: Duration = Duration::from_millis(500);

/// How long it serves while the store fails.
const KEPT: Duration = Duration::from_secs(30);

/// How long somebody whose token is known waits for the store.
const SHORT_WAIT: Duration = Duration::from_millis(250);

/// How long anybody waits for the store.
const LONG_WAIT: Duration = Duration::from_secs(5);

/// How far apart the readings are that unknown tokens ask for.
const FOR_UNKNOWN: Duration = Duration::from_millis(100);

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// What its token is called.
    pub(crate) name: Name,
    pub(crate) scope: Scope,
}

/// Every token that there is.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    known: Arc<Mutex<Known>>,
    /// One reads the store at a time.
    reading: Arc<AsyncMutex<()>>,
    /// The reading that goes on.
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct Known {
    grants: Arc<[Grant]>,
    /// Tokens that this version doesn't understand, which has been said.
    unreadable: Vec<Name>,
    /// The store's counter at the last reading.
    changes: Option<u64>,
    /// When the last reading began, whatever came of it.
    looked: Option<Instant>,
    /// When the last one began that worked.
    read: Option<Instant>,
    trouble: Option<Trouble>,
    /// When each token was used last, where the store doesn't have it yet.
    used: HashMap<Name, Timestamp>,
}

/// What is wrong with the store since the last reading that worked.
#[derive(Clone, Debug)]
enum Trouble {
    Failed(AccessError),
    Hangs,
}

/// Whether the store has to be read before a token is looked for.
#[derive(Clone, Copy, Debug)]
enum Need {
    Nothing,
    /// In passing: what is known serves.
    Sometime,
    /// What is known serves where it takes long.
    Soon,
    First,
}

impl Grants {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Who has this token; `None` where nobody does any more.
    pub(crate) async fn find(
        &self,
        vault: &Vault,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Caller>, AccessError> {
        let (print, asked) = (Fingerprint::of(token), Instant::now());
        self.bring_up_to_date(vault, asked).await?;
        if let Some(caller) = self.known().find(&print, now) {
            return Ok(Some(caller));
        }
        // It may have been made a moment ago.
        let next = self.known().looked.map(|at| at + FOR_UNKNOWN);
        if let Some(next) = next.filter(|_| !self.known().is_read_since(asked)) {
            sleep_until(next).await;
        }
        self.look_again(vault, asked, LONG_WAIT).await?;
        Ok(self.known().find(&print, now))
    }

    /// How many there are.
    pub(crate) async fn count(&self, vault: &Vault) -> Result<usize, AccessError> {
        self.bring_up_to_date(vault, Instant::now()).await?;
        Ok(self.known().grants.len())
    }

    /// Waits for a reading that goes on.
    pub(crate) async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Writes down when tokens were used.
    pub(crate) async fn save_uses(&self, vault: &Vault) -> Result<(), AccessError> {
        let used = std::mem::take(&mut self.known().used);
        for (name, at) in used {
            note_use(vault, &name, at).await?;
        }
        Ok(())
    }

    /// Reads the tokens where what is known may be out of date. A store that fails or hangs keeps
    /// nobody waiting whose token was known a moment ago.
    async fn bring_up_to_date(&self, vault: &Vault, asked: Instant) -> Result<(), AccessError> {
        let need = self.known().need();
        match need {
            Need::Nothing => {}
            Need::Sometime => {
                // Another reading that is under way will do.
                if let Ok(turn) = Arc::clone(&self.reading).try_lock_owned() {
                    self.tasks
                        .spawn(read(Arc::clone(&self.known), vault.clone(), turn));
                }
            }
            // What is known is looked through all the same.
            Need::Soon => _ = self.look_again(vault, asked, SHORT_WAIT).await,
            Need::First => self.look_again(vault, asked, LONG_WAIT).await?,
        }
        Ok(())
    }

    /// Reads the tokens, unless somebody else has begun to since `asked`.
    async fn look_again(
        &self,
        vault: &Vault,
        asked: Instant,
        wait: Duration,
    ) -> Result<(), AccessError> {
        let looking = async {
            let turn = Arc::clone(&self.reading).lock_owned().await;
            if !self.known().is_read_since(asked) {
                // It goes on where nobody waits for it any more.
                let reading = self
                    .tasks
                    .spawn(read(Arc::clone(&self.known), vault.clone(), turn));
                _ = reading.await;
            }
        };
        let is_late = timeout(wait, looking).await.is_err();
        let mut known = self.known();
        if is_late && known.trouble.is_none() {
            known.trouble = Some(Trouble::Hangs);
        }
        match &known.trouble {
            None => Ok(()),
            Some(Trouble::Failed(error)) => Err(error.clone()),
            Some(Trouble::Hangs) => Err(slow(vault)),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        locked(&self.known)
    }
}

/// Reads the tokens where the store has changed since.
async fn read(known: Arc<Mutex<Known>>, vault: Vault, _turn: tokio::sync::OwnedMutexGuard<()>) {
    let began = Instant::now();
    let before = {
        let mut known = locked(&known);
        known.looked = Some(began);
        known.changes
    };
    let found = async {
        let changes = vault.changes()?;
        let listed = match before == Some(changes) {
            true => None,
            false => Some(list(&vault).await?),
        };
        Ok::<_, AccessError>((changes, listed))
    };
    let found = found.await;
    let mut known = locked(&known);
    match found {
        Ok((changes, listed)) => {
            if let Some(listed) = listed {
                known.take_over(listed);
            }
            known.changes = Some(changes);
            known.read = Some(began);
            known.trouble = None;
        }
        Err(error) => {
            if !matches!(known.trouble, Some(Trouble::Failed(_))) {
                tracing::warn!(%error, "the tokens can't be read; they are taken to be as they were");
            }
            known.trouble = Some(Trouble::Failed(error));
        }
    }
}

fn slow(vault: &Vault) -> AccessError {
    let error = StoreError::Unreachable {
        place: vault.place().to_owned(),
        detail: "it doesn't answer in time".to_owned(),
    };
    error.into()
}

fn locked(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    fn need(&self) -> Need {
        let is_within = |at: Option<Instant>, time| at.is_some_and(|at| at.elapsed() < time);
        if !is_within(self.read, KEPT) {
            return Need::First;
        }
        if is_within(self.looked, FRESH) {
            return Need::Nothing;
        }
        match self.trouble {
            Some(_) => Need::Sometime,
            None => Need::Soon,
        }
    }

    fn take_over(&mut self, listed: Listed) {
        for name in &listed.unreadable {
            if !self.unreadable.contains(name) {
                tracing::warn!(token = %name, "this version doesn't understand the token");
            }
        }
        self.unreadable = listed.unreadable;
        self.grants = listed.grants.into();
    }

    fn is_read_since(&self, asked: Instant) -> bool {
        self.looked.is_some_and(|at| at >= asked)
    }

    fn find(&mut self, print: &Fingerprint, now: Timestamp) -> Option<Caller> {
        // Every one is compared, so that the time tells nothing of which it was.
        let mut found = None;
        for grant in &*self.grants {
            if grant.fingerprint.is(print) {
                found = Some(grant.clone());
            }
        }
        let grant = found.filter(|grant| grant.expires.is_none_or(|end| now < end))?;
        if self.is_use_news(&grant, now) {
            self.used.insert(grant.name.clone(), now);
        }
        Some(Caller {
            name: grant.name,
            scope: grant.scope,
        })
    }

    /// Whether a use is a minute later than the last that is known.
    fn is_use_news(&self, grant: &Grant, now: Timestamp) -> bool {
        let last = self.used.get(&grant.name).copied().max(grant.last_used);
        last.is_none_or(|last| now.as_millis() - last.as_millis() >= 60_000)
    }
}

#[cfg(test)]
mod tests {
    use sessile::store::StoreOptions;

    use super::*;
    use crate::access::{NewGrant, add};

    const NOW: Timestamp = Timestamp::from_seconds(5);

    async fn vault() -> (Vault, String) {
        let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
        let token = make(&vault, "robot").await;
        (vault, token)
    }

    async fn make(vault: &Vault, name: &str) -> String {
        let new = NewGrant {
            name: name.parse().unwrap(),
            scope: Scope::Use,
            expires: None,
        };
        add(vault, new, NOW).await.unwrap().expose().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_known_is_served_for_a_while_without_the_store() {
        let (vault, token) = vault().await;
        let grants = Grants::new();
        assert!(grants.find(&vault, &token, NOW).await.unwrap().is_some());
        vault.close().await.unwrap();
        for _second in 0..28 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(grants.find(&vault, &token, NOW).await.unwrap().is_some());
        }
        grants.find(&vault, "another", NOW).await.unwrap_err();
        tokio::time::advance(Duration::from_secs(3)).await;
        grants.find(&vault, &token, NOW).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_keeps_nobody_waiting_who_was_known() {
        let (vault, token) = vault().await;
        let grants = Grants::new();
        grants.count(&vault).await.unwrap();
        let began = Instant::now();
        let hangs = grants.reading.lock().await;
        for _request in 0..100 {
            tokio::time::advance(FRESH / 10).await;
            assert!(grants.find(&vault, &token, NOW).await.unwrap().is_some());
        }
        // Only the first one waited for it.
        assert!(
            began.elapsed() <= FRESH * 10 + SHORT_WAIT,
            "{:?}",
            began.elapsed()
        );
        drop(hangs);
        assert!(grants.find(&vault, "another", NOW).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_tokens_share_a_reading_and_a_new_one_is_found_at_once() {
        let (vault, token) = vault().await;
        let grants = Grants::new();
        assert!(grants.find(&vault, &token, NOW).await.unwrap().is_some());
        let first = grants.known().looked.unwrap();
        tokio::time::advance(FOR_UNKNOWN / 2).await;
        let strangers = (0..100).map(|_| grants.find(&vault, "another", NOW));
        for found in futures_util::future::join_all(strangers).await {
            assert!(found.unwrap().is_none());
        }
        let second = grants.known().looked.unwrap();
        assert!((FOR_UNKNOWN..FOR_UNKNOWN * 2).contains(&(second - first)));
        tokio::time::advance(FOR_UNKNOWN / 2).await;
        let later = make(&vault, "later").await;
        assert!(grants.find(&vault, &later, NOW).await.unwrap().is_some());
    }
}
