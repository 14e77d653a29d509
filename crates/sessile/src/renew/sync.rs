//! Between a session in memory and its record in the store.
//!
//! Changes go in as deltas and are merged inside the store's transaction, so that two processes
//! keep each other's cookies. A copy that belongs to an older login never changes a newer one.

use sessile_jar::{Revision, Timestamp};

use super::{Held, Inner, KeepError, Mode};
use crate::record::{self, Record, WireError};
use crate::session::{Counts, SessionState};
use crate::store::{Fence, Name, NextPlain, Opened, Vault};
use crate::transport::Proxy;

/// What of a session the store has already.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    jar: Revision,
    counts: Counts,
    proxy: Option<Proxy>,
    /// When it was brought there.
    at: Timestamp,
    /// Whether the store has the record at all.
    is_stored: bool,
}

impl Saved {
    /// The state as it came from, or went to, the store.
    pub(super) fn of(state: &SessionState, version: u64, at: Timestamp) -> Self {
        Self {
            jar: state.jar.revision(),
            counts: state.counts,
            proxy: state.proxy.clone(),
            at,
            is_stored: version > 0,
        }
    }

    pub(super) fn is_stored(&self) -> bool {
        self.is_stored
    }
}

/// The record of that name and its version.
pub(super) async fn load(vault: &Vault, name: &Name) -> Result<(Record, u64), KeepError> {
    let opened = vault.load(name).await?;
    let opened = opened.ok_or_else(|| unknown(vault, name))?;
    let record = record::decode(&opened.plain).map_err(|why| unreadable(name, why))?;
    Ok((record, opened.version))
}

/// Changes a stored record in one transaction. What `change` does to the jar reaches everybody who
/// holds the session.
///
/// # Errors
///
/// [`KeepError::Unknown`] where there is none of that name.
pub async fn edit<T: Send + 'static>(
    vault: &Vault,
    name: &Name,
    change: impl FnOnce(&mut Record) -> T + Send + 'static,
) -> Result<T, KeepError> {
    let written = write(vault, name, None, move |opened| {
        let Some(opened) = opened else {
            return Ok(None);
        };
        let mut record = record::decode(&opened.plain)?;
        let answer = change(&mut record);
        Ok(Some((record, answer)))
    })
    .await?;
    written
        .map(|(answer, _version)| answer)
        .ok_or_else(|| unknown(vault, name))
}

impl Inner {
    /// Takes in what others have stored since the last look.
    pub(super) async fn pull(&self) -> Result<(), KeepError> {
        let changes = self.vault.changes()?;
        {
            let held = self.held();
            if !held.saved.is_stored || held.changes == Some(changes) {
                return Ok(());
            }
        }
        let (record, version) = load(&self.vault, &self.name).await?;
        let mut held = self.held();
        held.changes = Some(changes);
        if version > held.version {
            self.adopt(&mut held, record, version);
        }
        Ok(())
    }

    /// Merges a stored record into the session.
    fn adopt(&self, held: &mut Held, stored: Record, version: u64) {
        held.version = version;
        held.login = stored.login;
        held.check = stored.check;
        held.last = stored.last;
        self.session.update(|state, now| {
            let unsaved = state.counts.since(held.saved.counts);
            // A proxy that was chosen here and isn't stored yet stands, whatever others have done.
            let stored_proxy = stored.state.proxy.clone();
            let proxy = match state.proxy == held.saved.proxy {
                true => stored_proxy.clone(),
                false => state.proxy.take(),
            };
            if stored.state.generation == state.generation {
                let changes = state.jar.changes_since(held.saved.jar);
                *state = stored.state;
                held.saved.jar = state.jar.revision();
                state.jar.apply(&changes, now);
            } else if stored.state.generation > state.generation {
                *state = stored.state;
                held.saved.jar = state.jar.revision();
            }
            state.proxy = proxy;
            held.saved.proxy = stored_proxy;
            held.saved.counts = state.counts;
            state.counts = state.counts.plus(unsaved);
        });
    }

    /// Brings the session's changes to the store, and the store's to the session.
    pub(super) async fn push(&self, fence: Option<Fence>) -> Result<(), KeepError> {
        let pending = self.pending();
        let pushed = pending.record.state.counts;
        let now = self.session.now();
        let written = write(&self.vault, &self.name, fence, move |opened| {
            let merged = pending.merge(opened, now)?;
            Ok(merged.map(|record| (record.clone(), record)))
        })
        .await?;
        // Without an answer somebody removed the session: it isn't brought back behind his back.
        let Some((merged, version)) = written else {
            return Ok(());
        };
        let mut held = self.held();
        held.saved.is_stored = true;
        held.saved.at = now;
        held.saved.counts = pushed;
        self.adopt(&mut held, merged, version);
        Ok(())
    }

    /// Stores new cookies that have waited long enough.
    pub(super) async fn save_if_due(&self) -> Result<(), KeepError> {
        let saved = self.held().saved.clone();
        let is_new = self.session.read(|state| state.jar.revision()) != saved.jar;
        let is_due = self.session.now() >= saved.at.plus(self.save_every);
        if self.mode == Mode::ReadOnly || !saved.is_stored || !is_new || !is_due {
            return Ok(());
        }
        self.push(None).await
    }

    fn pending(&self) -> Pending {
        let held = self.held();
        let state = self.session.state();
        Pending {
            saved: held.saved.clone(),
            record: held.record(state),
        }
    }
}

/// What a process has to tell the store.
struct Pending {
    saved: Saved,
    record: Record,
}

impl Pending {
    /// The stored record with our changes in it; `None` where it was removed.
    fn merge(self, opened: Option<&Opened>, now: Timestamp) -> Result<Option<Record>, WireError> {
        let Some(opened) = opened else {
            return Ok((!self.saved.is_stored).then_some(self.record));
        };
        let mut stored = record::decode(&opened.plain)?;
        let (ours, theirs) = (self.record.state, &mut stored.state);
        theirs.counts = theirs.counts.plus(ours.counts.since(self.saved.counts));
        let proxy = match ours.proxy == self.saved.proxy {
            true => theirs.proxy.clone(),
            false => ours.proxy.clone(),
        };
        if ours.generation > theirs.generation {
            let counts = theirs.counts;
            *theirs = ours;
            theirs.counts = counts;
            stored.login = self.record.login;
            stored.check = self.record.check;
        } else if ours.generation == theirs.generation {
            let delta = ours.jar.changes_since(self.saved.jar);
            theirs.jar.apply(&delta, now);
            theirs.headers = ours.headers;
            theirs.authorization = ours.authorization;
            theirs.base_url = ours.base_url;
            theirs.scope = ours.scope;
        }
        stored.state.proxy = proxy;
        stored.last.take_newer(self.record.last);
        Ok(Some(stored))
    }
}

/// Runs a change of a record inside the store's transaction; answers with its version.
async fn write<T: Send + 'static>(
    vault: &Vault,
    name: &Name,
    fence: Option<Fence>,
    change: impl FnOnce(Option<&Opened>) -> Result<Option<(Record, T)>, WireError> + Send + 'static,
) -> Result<Option<(T, u64)>, KeepError> {
    let (sender, mut receiver) = tokio::sync::oneshot::channel();
    let changed = name.clone();
    let stored = vault
        .update(name, move |opened| {
            let decided = change(opened).map_err(|why| unreadable(&changed, why))?;
            let Some((record, answer)) = decided else {
                return Ok(NextPlain::Keep);
            };
            let plain = record::encode(&record);
            let generation = record.state.generation;
            // Nobody waits for the answer of an update that was given up.
            let _given_up = sender.send(answer);
            Ok::<_, KeepError>(NextPlain::Write {
                generation,
                plain,
                fence,
            })
        })
        .await?;
    let version = stored.map_or(0, |opened| opened.version);
    Ok(receiver.try_recv().ok().map(|answer| (answer, version)))
}

fn unknown(vault: &Vault, name: &Name) -> KeepError {
    KeepError::Unknown {
        name: name.to_string(),
        place: vault.place().to_owned(),
    }
}

fn unreadable(name: &Name, why: WireError) -> KeepError {
    KeepError::Unreadable {
        name: name.to_string(),
        why,
    }
}
