//! Between a session in memory and its record in the store.
//!
//! Changes go in as deltas and are merged inside the store's transaction, so that two processes
//! keep each other's cookies. A copy that belongs to an older login never changes a newer one.
//! Within a process one merge is done at a time, so that none puts an older copy over a newer.

use crate::session::Headers;
use sessile_jar::{Revision, Timestamp};
use url::Url;

use super::{Held, Inner, KeepError, Mode};
use crate::record::{self, Record, WireError};
use crate::session::{Authorization, Counts, OriginStorage, Scope, SessionState};
use crate::store::{Fence, Name, NextPlain, Opened, StoreError, Vault};
use crate::transport::Proxy;

/// What of a session the store has already.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    jar: Revision,
    counts: Counts,
    settings: Settings,
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
            settings: Settings::of(state),
            at,
            is_stored: version > 0,
        }
    }
}

/// What has no history of its own: each of them changes as a whole.
#[derive(Clone, Debug)]
struct Settings {
    authorization: Option<Authorization>,
    base_url: Option<Url>,
    headers: Headers,
    proxy: Option<Proxy>,
    scope: Option<Scope>,
    storage: Vec<OriginStorage>,
}

impl Settings {
    fn of(state: &SessionState) -> Self {
        Self {
            authorization: state.authorization.clone(),
            base_url: state.base_url.clone(),
            headers: state.headers.clone(),
            proxy: state.proxy.clone(),
            scope: state.scope.clone(),
            storage: state.storage.clone(),
        }
    }

    /// Takes what was changed since `earlier` over into another copy; the rest stays as it is there.
    fn bring_changes(self, earlier: &Self, into: &mut SessionState) {
        if self.authorization != earlier.authorization {
            into.authorization = self.authorization;
        }
        if self.base_url != earlier.base_url {
            into.base_url = self.base_url;
        }
        if self.headers != earlier.headers {
            into.headers = self.headers;
        }
        if self.proxy != earlier.proxy {
            into.proxy = self.proxy;
        }
        if self.scope != earlier.scope {
            into.scope = self.scope;
        }
        if self.storage != earlier.storage {
            into.storage = self.storage;
        }
    }
}

/// Why a process writes to the store.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// To bring what has changed.
    Changes,
    /// A person logged in: that takes the place of whatever is stored.
    Login(Fence),
    /// There is a new access token, in the place of the one with this revision and of no other.
    Refresh(Fence, u64),
    /// The login was renewed: the new one takes the place of this very one, and of no other.
    Renewal(Fence, u64),
}

impl Purpose {
    fn fence(&self) -> Option<Fence> {
        match self {
            Self::Changes => None,
            Self::Login(fence) | Self::Refresh(fence, _) | Self::Renewal(fence, _) => {
                Some(fence.clone())
            }
        }
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

/// Writes the session once more under a name that is free, as a session of its own.
///
/// # Errors
///
/// [`KeepError::Unknown`] where there is none to copy, [`StoreError::NameTaken`] where the name
/// isn't free.
pub async fn copy(vault: &Vault, from: &Name, to: &Name, now: Timestamp) -> Result<(), KeepError> {
    let (original, _version) = load(vault, from).await?;
    // With an id of its own nobody who holds the one takes it for the other.
    let record = Record {
        id: Record::new(SessionState::default(), now).id,
        // Two sessions in step with one file would push each other's tokens out of it.
        token_file: None,
        ..original
    };
    let taken = StoreError::NameTaken {
        name: to.to_string(),
    };
    let written = vault.update(to, move |there| match there {
        Some(_) => Err(KeepError::Store(taken)),
        None => Ok(NextPlain::Write {
            generation: record.state.generation,
            plain: record::encode(&record),
            fence: None,
        }),
    });
    written.await.map(drop)
}

impl Inner {
    /// Takes in what others have stored since the last look.
    pub(super) async fn pull(&self) -> Result<(), KeepError> {
        if self.mode == Mode::Renew {
            self.step_if_file_changed().await?;
        }
        self.pull_stored().await
    }

    /// Brings the token file in step, where there is one, and takes in what came of it.
    pub(super) async fn step_and_pull(&self) -> Result<(), KeepError> {
        if self.held().token_file.is_none() {
            return Ok(());
        }
        self.step().await?;
        self.pull_stored().await
    }

    async fn pull_stored(&self) -> Result<(), KeepError> {
        if !self.is_behind(self.vault.changes()?) {
            return Ok(());
        }
        let _turn = self.syncing.lock().await;
        let changes = self.vault.changes()?;
        if !self.is_behind(changes) {
            return Ok(());
        }
        let (record, version) = load(&self.vault, &self.name).await?;
        let mut held = self.held();
        held.changes = Some(changes);
        if version != held.version {
            self.adopt(&mut held, record, version);
        }
        Ok(())
    }

    fn is_behind(&self, changes: u64) -> bool {
        let held = self.held();
        held.saved.is_stored && held.changes != Some(changes)
    }

    /// Merges a stored record into the session.
    fn adopt(&self, held: &mut Held, stored: Record, version: u64) {
        // Numbers only grow: a lower one, like another id, is another record under the name.
        let is_other = stored.id != held.id || version < held.version;
        (held.id, held.created) = (stored.id, stored.created);
        held.version = version;
        held.login = stored.login;
        held.check = stored.check;
        held.tokens = stored.tokens;
        held.last = stored.last;
        held.token_file = stored.token_file;
        let take_over = |state: &mut SessionState, now| {
            let unsaved = state.counts.since(held.saved.counts);
            if is_other || stored.state.generation > state.generation {
                // A proxy that was chosen here and isn't stored yet stands, whoever has logged in.
                let is_chosen = !is_other && state.proxy != held.saved.settings.proxy;
                let chosen = is_chosen.then(|| state.proxy.take());
                *state = stored.state;
                held.saved.jar = state.jar.revision();
                held.saved.settings = Settings::of(state);
                if let Some(proxy) = chosen {
                    state.proxy = proxy;
                }
            } else if stored.state.generation == state.generation {
                let changes = state.jar.changes_since(held.saved.jar);
                let settings = Settings::of(state);
                let earlier =
                    std::mem::replace(&mut held.saved.settings, Settings::of(&stored.state));
                *state = stored.state;
                held.saved.jar = state.jar.revision();
                state.jar.apply(&changes, now);
                settings.bring_changes(&earlier, state);
            }
            held.saved.counts = state.counts;
            if !is_other {
                state.counts = state.counts.plus(unsaved);
            }
        };
        match is_other {
            true => self.session.become_another(take_over),
            false => self.session.update(take_over),
        }
    }

    /// Brings the session's changes to the store, and the store's to the session.
    pub(super) async fn push(&self) -> Result<(), KeepError> {
        let _turn = self.syncing.lock().await;
        self.bring_changes().await
    }

    /// The same, and brings a token file in step.
    pub(super) async fn push_and_step(&self) -> Result<(), KeepError> {
        self.push().await?;
        self.step_and_pull().await
    }

    /// Puts a login that worked in place of the stored one, then here; answers its generation, or
    /// nothing where the store has moved on and it is of no use. The session changes only after the
    /// store did: a login whose lease was lost leaves no trace.
    pub(super) async fn push_login(
        &self,
        record: Record,
        purpose: Purpose,
    ) -> Result<Option<u64>, KeepError> {
        let _turn = self.syncing.lock().await;
        let counts = self.session.read(SessionState::counts);
        self.bring(record, purpose, counts).await
    }

    /// Brings what has changed; called in turn.
    pub(super) async fn bring_changes(&self) -> Result<(), KeepError> {
        let state = self.session.state();
        let counts = state.counts;
        let record = self.held().record(state);
        self.bring(record, Purpose::Changes, counts).await.map(drop)
    }

    /// Writes a record, merged with what is stored, and adopts what came of it; called in turn.
    /// `counts` is what the session had counted when the record was made.
    async fn bring(
        &self,
        record: Record,
        purpose: Purpose,
        counts: Counts,
    ) -> Result<Option<u64>, KeepError> {
        let (now, fence) = (self.session.now(), purpose.fence());
        let pending = {
            let held = self.held();
            Pending {
                saved: held.saved.clone(),
                version: held.version,
                record,
                purpose,
            }
        };
        let written = write(&self.vault, &self.name, fence, move |opened| {
            let merged = pending.merge(opened, now)?;
            Ok(merged.map(|record| (record.clone(), record)))
        })
        .await?;
        // Without an answer somebody removed the session: it isn't brought back behind his back.
        let Some((merged, version)) = written else {
            return Ok(None);
        };
        let generation = merged.state.generation;
        let mut held = self.held();
        held.saved.is_stored = true;
        held.saved.at = now;
        held.saved.counts = counts;
        // Where another process made the record first, this one is that one from now on.
        held.id.clone_from(&merged.id);
        self.adopt(&mut held, merged, version);
        Ok(Some(generation))
    }

    /// Stores new cookies that have waited long enough.
    pub(super) async fn save_if_due(&self) -> Result<(), KeepError> {
        if !self.is_due() {
            return Ok(());
        }
        {
            let _turn = self.syncing.lock().await;
            // Of many who wait for their turn the first one stores what all of them have.
            if !self.is_due() {
                return Ok(());
            }
            self.bring_changes().await?;
        }
        self.step_and_pull().await
    }

    pub(super) fn is_due(&self) -> bool {
        let at = self.held().saved.at;
        self.is_unsaved() && self.session.now() >= at.plus(self.save_every)
    }

    /// Whether the stored session lacks a cookie that this one has got.
    pub(super) fn is_unsaved(&self) -> bool {
        let held = self.held();
        self.mode == Mode::Renew
            && held.saved.is_stored
            && self.session.read(|state| state.jar.revision()) != held.saved.jar
    }
}

/// What a process has to tell the store.
struct Pending {
    saved: Saved,
    /// The stored version that was merged last.
    version: u64,
    record: Record,
    purpose: Purpose,
}

impl Pending {
    /// The stored record with our changes in it; `None` where it was removed, or where another one
    /// has its name.
    fn merge(
        mut self,
        opened: Option<&Opened>,
        now: Timestamp,
    ) -> Result<Option<Record>, WireError> {
        let is_login = matches!(self.purpose, Purpose::Login(_));
        let Some(opened) = opened else {
            let may_make = is_login || !self.saved.is_stored;
            return Ok(may_make.then_some(self.record));
        };
        let mut stored = record::decode(&opened.plain)?;
        let is_other = stored.id != self.record.id || opened.version < self.version;
        if self.saved.is_stored && is_other && !is_login {
            return Ok(None);
        }
        let (ours, theirs) = (self.record.state, &mut stored.state);
        let counts = theirs.counts.plus(ours.counts.since(self.saved.counts));
        let takes_place = match self.purpose {
            Purpose::Changes => ours.generation > theirs.generation,
            Purpose::Refresh(_, replaced) => {
                let revision = stored.tokens.as_ref().map(|tokens| tokens.revision);
                if revision != Some(replaced) || ours.generation != theirs.generation {
                    return Ok(None);
                }
                stored.tokens = self.record.tokens.take();
                false
            }
            Purpose::Login(_) => true,
            Purpose::Renewal(_, renewed) if renewed == theirs.generation => true,
            Purpose::Renewal(..) => return Ok(None),
        };
        if takes_place {
            let generation = ours.generation.max(theirs.generation + 1);
            *theirs = ours;
            theirs.generation = generation;
            stored.login = self.record.login;
            stored.check = self.record.check;
            stored.tokens = self.record.tokens;
            // A login that works makes up for one that was refused.
            stored.last.refusal = None;
        } else if ours.generation == theirs.generation {
            let delta = ours.jar.changes_since(self.saved.jar);
            theirs.jar.apply(&delta, now);
            Settings::of(&ours).bring_changes(&self.saved.settings, theirs);
        }
        stored.state.counts = counts;
        stored.last.take_newer(self.record.last);
        if !matches!(self.purpose, Purpose::Changes) {
            stored.last.refusal = None;
            stored.last.told.clear();
        }
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
