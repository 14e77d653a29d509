//! Changing the keys while others read and write.
//!
//! First the store gets a new key of its own, in a table that both outside keys open; from then on everybody writes
//! with it, since a write under an older table is sent back. Then every row is sealed anew. Last, the old keys are
//! dropped. Stopped in the middle, both outside keys go on opening everything, and it can be started again.

use std::time::Duration;

use super::change::{open_row, tampered};
use super::key::RootSource;
use super::key_table::{KeyTable, Root};
use super::seal::{Key, KeyRing, Slot, key_id, random_bytes};
use super::vault::{Keys, PAGE};
use super::{Acquired, Change, HolderId, KeySource, LeaseKey, Name, Next, StoreError, Vault};

/// How far a change of keys has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Records looked at.
    pub done: u64,
    /// Records that do not open and were left as they are.
    pub unreadable: u64,
}

/// How long others wait after the process that changes the keys was killed. A page of rows that takes
/// longer loses the lease only if somebody else wants it.
const LEASE: Duration = Duration::from_secs(15);

impl Vault {
    /// Gives the store a new key of its own, opened by `source` from now on, and seals every record with it.
    ///
    /// Others go on reading and writing; a process that was opened with the old key and asked nothing of the store
    /// meanwhile must be opened anew. Records that do not open are left as they are, counted and lost with the old
    /// key. Fails with [`StoreError::Locked`] while somebody else does the same.
    ///
    /// `put_in_place` is called while the old and the new key both open the store: whoever looks a key up in a file
    /// finds the new one there before the old one stops working. If it fails, both go on opening the store.
    pub async fn rotate_key(
        &self,
        source: &KeySource,
        mut progress: impl FnMut(Progress) + Send,
        put_in_place: impl FnOnce() -> Result<(), StoreError> + Send,
    ) -> Result<Progress, StoreError> {
        let key = LeaseKey::parse("key rotation")?;
        let random = u64::from_be_bytes(random_bytes()?);
        let holder = HolderId::parse(&format!("{}-{random:016x}", std::process::id()))?;
        let mut lease = match self.acquire(&key, &holder, LEASE).await? {
            Acquired::Granted(lease) => lease,
            Acquired::Busy { holder, .. } => return Err(self.keys_are_changed_by(&holder)),
        };
        let source = RootSource::read(source, true).await?;
        let root = self.add_key(&source).await?;
        let mut reached = Progress {
            done: 0,
            unreadable: 0,
        };
        let mut after = None;
        while let Some(page) = self.reseal_page(after.as_ref(), &mut reached).await? {
            progress(reached);
            after = Some(page);
            lease = self.extend(&lease, LEASE).await?;
        }
        // Somebody who took over while this process stood still has put other keys there.
        self.extend(&lease, LEASE).await?;
        put_in_place()?;
        self.drop_old_keys(source, root).await?;
        self.store().compact().await?;
        self.release(&lease).await?;
        Ok(reached)
    }

    fn keys_are_changed_by(&self, holder: &HolderId) -> StoreError {
        let process = holder.as_str().split('-').next().unwrap_or_default();
        StoreError::Locked {
            place: self.place().to_owned(),
            holder: format!(
                "process {process}, which changes its keys (if it was killed, others may {} s after \
                 that)",
                LEASE.as_secs()
            ),
            waited: Duration::ZERO,
        }
    }

    async fn add_key(&self, source: &RootSource) -> Result<Root, StoreError> {
        let root = source.compute(Root::fresh).await?;
        let before = self.reload_keys().await?;
        let older = before.ring.keys().cloned().collect();
        let ring = KeyRing::new(Key::random()?, older);
        let roots = [&before.root, &root];
        self.replace_keys(
            Keys {
                ring,
                ..Keys::clone(&before)
            },
            &roots,
        )
        .await?;
        Ok(root)
    }

    async fn drop_old_keys(&self, source: RootSource, root: Root) -> Result<(), StoreError> {
        let before = self.keys();
        let ring = KeyRing::new(before.ring.newest().clone(), Vec::new());
        let revision = before.revision;
        let keys = Keys {
            revision,
            source,
            root: root.clone(),
            ring,
        };
        self.replace_keys(keys, &[&root]).await
    }

    /// Puts `keys`, for whoever has one of `roots`, in place of those of the same revision.
    async fn replace_keys(&self, keys: Keys, roots: &[&Root]) -> Result<(), StoreError> {
        let sealed = KeyTable::seal(&keys.ring, roots)?.to_bytes();
        let row = self
            .store()
            .save_keys(keys.revision, sealed.clone())
            .await?;
        if row.sealed != sealed {
            return Err(self.keys_keep_moving());
        }
        let revision = row.revision;
        self.set_keys(Keys { revision, ..keys });
        Ok(())
    }

    /// Seals the rows behind `after`; answers the last one's name, or nothing if there was none.
    async fn reseal_page(
        &self,
        after: Option<&Name>,
        reached: &mut Progress,
    ) -> Result<Option<Name>, StoreError> {
        let page = self.store().list(after, PAGE).await?;
        let keys = self.keys();
        // All are started before the first is waited for, so that they share transactions.
        let started: Vec<_> = page
            .iter()
            .map(|row| {
                let resealing = resealing(KeyRing::clone(&keys.ring));
                (row, self.store().update(&row.name, resealing))
            })
            .collect();
        for (row, outcome) in started {
            // Notes are sealed as records are, and are none.
            let records = u64::from(!row.name.is_note());
            reached.done += records;
            match outcome.await {
                Err(StoreError::Tampered { .. }) => reached.unreadable += records,
                outcome => drop(outcome?),
            }
        }
        Ok(page.last().map(|row| row.name.clone()))
    }
}

fn resealing(ring: KeyRing) -> Change {
    Box::new(move |current| {
        let Some(row) = current.row else {
            return Ok(Next::Keep);
        };
        if key_id(&row.sealed) == Some(ring.newest().id()) {
            return Ok(Next::Keep);
        }
        let name = &row.summary.name;
        let opened = open_row(&ring, &row).map_err(|_| tampered(name))?;
        let (version, generation) = (opened.version, opened.generation);
        let sealed = ring.seal(
            &opened.plain,
            Slot {
                name,
                version,
                generation,
            },
        )?;
        Ok(Next::Reseal(sealed))
    })
}
