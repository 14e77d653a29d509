//! The tokens as a running daemon knows them: looked up for every request, read again when the
//! store has changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessile::store::{Name, Vault};
use sessile_jar::Timestamp;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::{AccessError, Fingerprint, Grant, Scope, list, note_use};

/// How long what is known of tokens may be out of date.
const FRESH: Duration = Duration::from_millis(500);

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// What its token is called.
    pub(crate) name: Name,
    pub(crate) scope: Scope,
}

/// Every token that there is.
#[derive(Debug)]
pub(crate) struct Grants {
    known: Mutex<Known>,
    /// One reads the store at a time.
    reading: AsyncMutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    grants: Arc<[Grant]>,
    /// The store's counter at the last reading.
    changes: Option<u64>,
    looked: Option<Instant>,
    /// When each token was used last, where the store doesn't have it yet.
    used: HashMap<Name, Timestamp>,
}

impl Grants {
    pub(crate) fn new() -> Self {
        Self {
            known: Mutex::default(),
            reading: AsyncMutex::new(()),
        }
    }

    /// Who has this token; `None` where nobody does any more.
    pub(crate) async fn find(
        &self,
        vault: &Vault,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Caller>, AccessError> {
        let print = Fingerprint::of(token);
        self.look_again(vault, FRESH).await?;
        if let Some(caller) = self.known().find(&print, now) {
            return Ok(Some(caller));
        }
        // It may have been made a moment ago.
        self.look_again(vault, Duration::ZERO).await?;
        Ok(self.known().find(&print, now))
    }

    /// How many there are.
    pub(crate) async fn count(&self, vault: &Vault) -> Result<usize, AccessError> {
        self.look_again(vault, FRESH).await?;
        Ok(self.known().grants.len())
    }

    /// Writes down when tokens were used.
    pub(crate) async fn save_uses(&self, vault: &Vault) -> Result<(), AccessError> {
        let used = std::mem::take(&mut self.known().used);
        for (name, at) in used {
            note_use(vault, &name, at).await?;
        }
        Ok(())
    }

    /// Reads the tokens where the store has changed since, but not for every request.
    async fn look_again(&self, vault: &Vault, fresh: Duration) -> Result<(), AccessError> {
        if self.known().is_fresh(fresh) {
            return Ok(());
        }
        let _one_at_a_time = self.reading.lock().await;
        if self.known().is_fresh(fresh) {
            return Ok(());
        }
        let changes = vault.changes()?;
        if self.known().changes != Some(changes) {
            let grants = list(vault).await?;
            let mut known = self.known();
            known.grants = grants.into();
            known.changes = Some(changes);
        }
        self.known().looked = Some(Instant::now());
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn is_fresh(&self, fresh: Duration) -> bool {
        self.looked.is_some_and(|at| at.elapsed() < fresh)
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
