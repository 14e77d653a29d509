//! A store and the keys to what is in it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use zeroize::Zeroizing;

use super::change::{Decided, moving, open_row, sealing, tampered};
use super::key::RootSource;
use super::key_table::{KeyTable, Root};
use super::presence::Presence;
use super::seal::{Key, KeyRing, Unopened};
use super::{
    Acquired, Change, HolderId, KeyRow, KeySource, Lease, LeaseKey, Name, Next, NextPlain, Opened,
    Room, RowSummary, Source, Store, StoreError, StoreOptions, StoreUrl, Transfer,
};
use crate::clock::Timestamp;

/// Stores records sealed. A clone is another handle on the same vault.
#[derive(Clone, Debug)]
pub struct Vault(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    /// Where the outside key was found, to look there again when it has changed.
    origin: KeySource,
    keys: RwLock<Arc<Keys>>,
    presence: Presence,
}

/// The keys as they were at some revision of the store's key table, and what opened it.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) revision: u64,
    pub(super) source: RootSource,
    pub(super) root: Root,
    pub(super) ring: KeyRing,
}

impl Vault {
    /// Opens the store at `url` with a key, or makes both.
    ///
    /// A key that does not open the store fails with [`StoreError::WrongKey`] before anything is written. With a
    /// passphrase it takes about a quarter of a second of computing.
    pub async fn open(
        url: &StoreUrl,
        source: &KeySource,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        Self::over(super::open(url, options)?, source).await
    }

    /// A vault over a store that is open already.
    pub async fn over(store: Arc<dyn Store>, source: &KeySource) -> Result<Self, StoreError> {
        let keys = match store.load_keys().await? {
            Some(row) => {
                unlock(&row, &RootSource::read(source, false).await?, store.place()).await?
            }
            None => make_keys(&*store, &RootSource::read(source, true).await?).await?,
        };
        let keys = RwLock::new(Arc::new(keys));
        let origin = source.clone();
        Ok(Self(Arc::new(Inner {
            store,
            origin,
            keys,
            presence: Presence::default(),
        })))
    }

    /// A vault in memory with a random key, for tests and one-off runs.
    pub async fn in_memory(options: &StoreOptions) -> Result<Self, StoreError> {
        let key = Key::random()?;
        let source = KeySource::Bytes((*key.bytes()).into());
        Self::open(&StoreUrl::Memory, &source, options).await
    }

    /// The record of that name.
    ///
    /// Fails with [`StoreError::Tampered`] if it is not what was written under this name; others stay readable.
    pub async fn load(&self, name: &Name) -> Result<Option<Opened>, StoreError> {
        name.refuse_note()?;
        self.load_row(name).await
    }

    /// What a note holds.
    pub(crate) async fn load_note(&self, number: u64) -> Result<Option<Opened>, StoreError> {
        self.load_row(&Name::of_note(number)).await
    }

    async fn load_row(&self, name: &Name) -> Result<Option<Opened>, StoreError> {
        let Some(row) = self.store().load(name).await? else {
            return Ok(None);
        };
        match open_row(&self.keys().ring, &row) {
            Ok(opened) => Ok(Some(opened)),
            Err(Unopened::Altered) => Err(tampered(name)),
            Err(Unopened::UnknownKey) => {
                // Another process has begun to change the keys.
                let keys = self.reload_keys().await?;
                let row = self.store().load(name).await?;
                let opened = row.map(|row| open_row(&keys.ring, &row).map_err(|_| tampered(name)));
                opened.transpose()
            }
        }
    }

    /// Reads a record, lets `change` decide, and writes, in one transaction; answers what is stored then.
    ///
    /// It is on disk when this returns. `change` may run on the store's thread, where everybody's writes pass, so it
    /// must not wait for anything. If it fails or panics nothing is changed. Dropping the future does not take the
    /// change back.
    pub async fn update<E, F>(&self, name: &Name, change: F) -> Result<Option<Opened>, E>
    where
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Option<&Opened>) -> Result<NextPlain, E> + Send + 'static,
    {
        name.refuse_note()?;
        self.update_at(name, |before, _now| change(before)).await
    }

    /// Changes a note, a small row beside the records: `change` gets what it holds and the store's
    /// time, and answers what it holds from then on, where that is something else.
    pub(crate) async fn note(
        &self,
        number: u64,
        change: impl FnOnce(Option<&[u8]>, Timestamp) -> Option<Vec<u8>> + Send + 'static,
    ) -> Result<(), StoreError> {
        let change = |before: Option<&Opened>, now| {
            let after = change(before.map(|opened| &**opened.plain), now);
            Ok(after.map_or(NextPlain::Keep, |plain| NextPlain::Write {
                generation: 0,
                plain: Zeroizing::new(plain),
                fence: None,
            }))
        };
        let name = Name::of_note(number);
        let written = self.update_at::<StoreError, _>(&name, change);
        written.await.map(drop)
    }

    /// The same, where the change also gets the store's time.
    pub(crate) async fn update_at<E, F>(&self, name: &Name, change: F) -> Result<Option<Opened>, E>
    where
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Option<&Opened>, Timestamp) -> Result<NextPlain, E> + Send + 'static,
    {
        let change = Arc::new(Mutex::new(Some(change)));
        // A second round is needed only when another process has changed the keys in between.
        for _round in 0..3 {
            let outcome = Arc::new(Mutex::new(None));
            let sealed_change = sealing(self.keys(), name.clone(), &change, &outcome);
            let stored = self.store().update(name, sealed_change).await?;
            let outcome = outcome
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            match outcome {
                Some(Decided::Failed(error)) => return Err(error),
                Some(Decided::Done(opened)) => return Ok(stored.and(opened)),
                Some(Decided::KeysMoved) | None => drop(self.reload_keys().await?),
            }
        }
        Err(self.keys_keep_moving().into())
    }

    /// The sessions' rows in the order of their names, without opening them.
    pub async fn list(&self) -> Result<Vec<RowSummary>, StoreError> {
        let mut rows = self.rows().await?;
        rows.retain(|row| !row.name.is_aside());
        Ok(rows)
    }

    /// The rows of a room whose names there begin with `start` and go on after it, in the order of
    /// their names, without opening them.
    pub async fn list_room(&self, room: Room, start: &str) -> Result<Vec<RowSummary>, StoreError> {
        let start = format!("{}{start}", room.prefix());
        let mut rows: Vec<RowSummary> = Vec::new();
        let mut after = Some(Name::place(&start));
        loop {
            let mut page = self.store().list(after.as_ref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            let of_room = page.partition_point(|row| row.name.as_str().starts_with(&start));
            let leaves_room = of_room < page.len();
            page.truncate(of_room);
            rows.extend(page);
            if is_last || leaves_room {
                return Ok(rows);
            }
            after = rows.last().map(|row| row.name.clone());
        }
    }

    async fn rows(&self) -> Result<Vec<RowSummary>, StoreError> {
        let mut rows: Vec<RowSummary> = Vec::new();
        loop {
            let after = rows.last().map(|row| row.name.clone());
            let page = self.store().list(after.as_ref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            rows.extend(page);
            if is_last {
                rows.retain(|row| !row.name.is_note());
                return Ok(rows);
            }
        }
    }

    /// Gives a record another name, which must be free.
    pub async fn rename(&self, from: &Name, to: &Name) -> Result<RowSummary, StoreError> {
        self.transfer(from, to, Source::Remove).await
    }

    /// Writes the same record under another name, which must be free.
    pub async fn copy(&self, from: &Name, to: &Name) -> Result<RowSummary, StoreError> {
        self.transfer(from, to, Source::Keep).await
    }

    /// Removes a record, even one that does not open; answers whether there was one.
    pub async fn remove(&self, name: &Name) -> Result<bool, StoreError> {
        let existed = Arc::new(Mutex::new(false));
        let seen = Arc::clone(&existed);
        let change: Change = Box::new(move |current| {
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = current.row.is_some();
            Ok(match current.row {
                Some(_) => Next::Remove(None),
                None => Next::Keep,
            })
        });
        self.store().update(name, change).await?;
        let existed = *existed.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(existed)
    }

    /// Takes a lease that is free, expired or already `holder`'s. Every lease gets a higher number than all before.
    pub async fn acquire(
        &self,
        key: &LeaseKey,
        holder: &HolderId,
        ttl: Duration,
    ) -> Result<Acquired, StoreError> {
        self.store().acquire(key, holder, ttl).await
    }

    /// Holds a lease for `ttl` from now; fails with [`StoreError::Fenced`] if it was lost or released.
    pub async fn extend(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        self.store().extend(lease, ttl).await
    }

    /// Gives a lease back; a lease already lost is left alone.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.store().release(lease).await
    }

    /// A number that differs from the last one when anybody, in any process, changed the store in between.
    ///
    /// It is cheap enough to ask before every use of a record.
    pub fn changes(&self) -> Result<u64, StoreError> {
        self.store().changes()
    }

    /// Whether it answers.
    pub(crate) fn presence(&self) -> &Presence {
        &self.0.presence
    }

    /// Writes everything, sealed as it is, into one new file that only its owner may read.
    pub async fn backup(&self, target: &Path) -> Result<(), StoreError> {
        self.store().backup(target).await
    }

    /// Replaces all records by those of a backup, which this vault's key must open.
    ///
    /// A backup is itself a store: one with another key can be opened with that.
    pub async fn restore(&self, source: &Path) -> Result<(), StoreError> {
        let options = StoreOptions {
            create: false,
            ..StoreOptions::default()
        };
        let backup = super::open(&StoreUrl::sqlite(source), &options)?;
        let Some(row) = backup.load_keys().await? else {
            let place = backup.place().to_owned();
            let detail = "it has no key table".to_owned();
            return Err(StoreError::NotAStore { place, detail });
        };
        unlock(&row, &self.keys().source, backup.place()).await?;
        drop(backup);
        self.store().restore(source).await?;
        self.reload_keys().await.map(drop)
    }

    /// What a check of the whole store finds wrong: damage to the file, and records that do not open.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut findings = self.store().check().await?;
        for row in self.rows().await? {
            if let Err(error) = self.load(&row.name).await {
                findings.push(error.to_string());
            }
        }
        Ok(findings)
    }

    /// Finishes what was started. Later calls on any clone fail with [`StoreError::Closed`].
    pub async fn close(&self) -> Result<(), StoreError> {
        self.store().close().await
    }

    /// Where the store is, for messages.
    pub fn place(&self) -> &str {
        self.store().place()
    }

    async fn transfer(
        &self,
        from: &Name,
        to: &Name,
        source: Source,
    ) -> Result<RowSummary, StoreError> {
        from.refuse_note()?;
        to.refuse_note()?;
        let transfer = Transfer {
            from: from.clone(),
            to: to.clone(),
            source,
        };
        for _round in 0..3 {
            let keys = self.keys();
            let known = keys.revision;
            let moved = Arc::new(Mutex::new(false));
            let change = moving(keys, to.clone(), Arc::clone(&moved));
            let outcome = self.store().transfer(&transfer, change).await;
            if !*moved.lock().unwrap_or_else(PoisonError::into_inner) {
                return outcome;
            }
            tracing::debug!(known, "the keys were changed elsewhere");
            self.reload_keys().await?;
        }
        Err(self.keys_keep_moving())
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    pub(super) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.0.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_keys(&self, keys: Keys) -> Arc<Keys> {
        let keys = Arc::new(keys);
        *self.0.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&keys);
        keys
    }

    pub(super) async fn reload_keys(&self) -> Result<Arc<Keys>, StoreError> {
        let place = self.place();
        let Some(row) = self.store().load_keys().await? else {
            let detail = "its key table is gone".to_owned();
            return Err(StoreError::Corrupt {
                place: place.to_owned(),
                detail,
            });
        };
        let known = self.keys();
        let table = KeyTable::parse(&row.sealed, place)?;
        let keys = match table.open(&known.root, place) {
            Ok(ring) => Keys {
                revision: row.revision,
                ring,
                ..Keys::clone(&known)
            },
            // Our outside key was retired, but the keys it gave us are still the store's.
            Err(_) if known.ring.newest().id() == table.newest() => Keys {
                revision: row.revision,
                ..Keys::clone(&known)
            },
            Err(_) => match unlock(&row, &known.source, place).await {
                // A key file has the new key by now.
                Err(StoreError::WrongKey { .. }) => {
                    let source = RootSource::read(&self.0.origin, false).await?;
                    unlock(&row, &source, place).await?
                }
                opened => opened?,
            },
        };
        Ok(self.set_keys(keys))
    }

    pub(super) fn keys_keep_moving(&self) -> StoreError {
        StoreError::Locked {
            place: self.place().to_owned(),
            holder: "somebody who changes its keys".to_owned(),
            waited: Duration::ZERO,
        }
    }
}

/// How many rows are listed at a time, so that no read takes long.
pub(super) const PAGE: usize = 500;

async fn make_keys(store: &dyn Store, source: &RootSource) -> Result<Keys, StoreError> {
    let root = source.compute(Root::fresh).await?;
    let ring = KeyRing::new(Key::random()?, Vec::new());
    let table = KeyTable::seal(&ring, &[&root])?.to_bytes();
    let row = store.save_keys(0, table.clone()).await?;
    if row.sealed != table {
        // Another process made them first.
        return unlock(&row, source, store.place()).await;
    }
    let (revision, source) = (row.revision, source.clone());
    Ok(Keys {
        revision,
        source,
        root,
        ring,
    })
}

async fn unlock(row: &KeyRow, source: &RootSource, place: &str) -> Result<Keys, StoreError> {
    let table = KeyTable::parse(&row.sealed, place)?;
    let (here, revision) = (place.to_owned(), row.revision);
    let open = move |source: &RootSource| {
        let root = table.root(source, &here)?;
        let ring = table.open(&root, &here)?;
        let source = source.clone();
        Ok(Keys {
            revision,
            source,
            root,
            ring,
        })
    };
    source.compute(open).await
}
