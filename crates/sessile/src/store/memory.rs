//! A store in this process, for tests and one-off runs.

use std::collections::BTreeMap;
use std::future::ready;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::change::decide;
use super::lease::{KEPT_LEASES, PURGE_EVERY};
use super::{
    Acquired, Answer, Change, Current, Draft, Fence, HolderId, KeyRow, Lease, LeaseKey, Name, Next,
    Row, RowSummary, Source, Store, StoreError, Transfer,
};
use crate::clock::{Clock, Timestamp};

/// Rows and leases in maps behind one lock.
#[derive(Debug)]
pub(super) struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<Name, Row>,
    leases: BTreeMap<LeaseKey, Held>,
    keys: Option<KeyRow>,
    last: u64,
    changes: u64,
    closed: bool,
}

#[derive(Debug)]
struct Held {
    number: u64,
    holder: Option<HolderId>,
    until: Timestamp,
}

const PLACE: &str = "memory:";

impl MemoryStore {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::default();
        Self { clock, state }
    }

    fn lock(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            let place = PLACE.to_owned();
            return Err(StoreError::Closed { place });
        }
        Ok(state)
    }

    fn answer<'a, T: Send + 'a>(
        &self,
        work: impl FnOnce(&mut State, Timestamp) -> Result<T, StoreError>,
    ) -> Answer<'a, T> {
        let now = self.clock.now();
        let outcome = self.lock().and_then(|mut state| work(&mut state, now));
        Box::pin(ready(outcome))
    }
}

impl Store for MemoryStore {
    fn load<'a>(&'a self, name: &'a Name) -> Answer<'a, Option<Row>> {
        self.answer(|state, _now| Ok(state.rows.get(name).cloned()))
    }

    fn update<'a>(&'a self, name: &'a Name, change: Change) -> Answer<'a, Option<RowSummary>> {
        self.answer(|state, now| {
            let row = state.rows.get(name).cloned();
            let next = state.decide(name, row, change, now)?;
            state.apply(name, next, now)
        })
    }

    fn transfer<'a>(&'a self, transfer: &'a Transfer, change: Change) -> Answer<'a, RowSummary> {
        self.answer(|state, now| state.transfer(transfer, change, now))
    }

    fn list<'a>(&'a self, after: Option<&'a Name>, limit: usize) -> Answer<'a, Vec<RowSummary>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.answer(|state, _now| {
            let rows = state.rows.range::<Name, _>((start, Bound::Unbounded));
            Ok(rows
                .take(limit)
                .map(|(_name, row)| row.summary.clone())
                .collect())
        })
    }

    fn acquire<'a>(
        &'a self,
        key: &'a LeaseKey,
        holder: &'a HolderId,
        ttl: Duration,
    ) -> Answer<'a, Acquired> {
        self.answer(|state, now| Ok(state.acquire(key, holder, now, now.plus(ttl))))
    }

    fn extend<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Answer<'a, Lease> {
        self.answer(|state, now| {
            let until = now.plus(ttl);
            match state.held(lease) {
                Some(held) => held.until = until,
                None => return Err(lease.fence().lost()),
            }
            state.changes += 1;
            Ok(Lease {
                until,
                ..lease.clone()
            })
        })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()> {
        self.answer(|state, _now| {
            if let Some(held) = state.held(lease) {
                held.holder = None;
                state.changes += 1;
            }
            Ok(())
        })
    }

    fn changes(&self) -> Result<u64, StoreError> {
        self.lock().map(|state| state.changes)
    }

    fn load_keys(&self) -> Answer<'_, Option<KeyRow>> {
        self.answer(|state, _now| Ok(state.keys.clone()))
    }

    fn save_keys(&self, expected: u64, sealed: Vec<u8>) -> Answer<'_, KeyRow> {
        self.answer(|state, _now| {
            let row = match state.keys.take() {
                Some(row) if row.revision != expected => row,
                _ => KeyRow {
                    revision: expected + 1,
                    sealed,
                },
            };
            state.changes += 1;
            Ok(state.keys.insert(row).clone())
        })
    }

    fn backup<'a>(&'a self, _target: &'a Path) -> Answer<'a, ()> {
        unsupported("be backed up to a file")
    }

    fn restore<'a>(&'a self, _source: &'a Path) -> Answer<'a, ()> {
        unsupported("be restored from a file")
    }

    fn check(&self) -> Answer<'_, Vec<String>> {
        self.answer(|_state, _now| Ok(Vec::new()))
    }

    fn compact(&self) -> Answer<'_, ()> {
        self.answer(|_state, _now| Ok(()))
    }

    fn close(&self) -> Answer<'_, ()> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        Box::pin(ready(Ok(())))
    }

    fn place(&self) -> &str {
        PLACE
    }
}

impl State {
    fn decide(
        &self,
        name: &Name,
        row: Option<Row>,
        change: Change,
        now: Timestamp,
    ) -> Result<Next, StoreError> {
        let current = Current {
            row,
            next_version: self.last + 1,
            key_revision: self.keys.as_ref().map_or(0, |keys| keys.revision),
            now,
        };
        decide(name, change, current)
    }

    fn apply(
        &mut self,
        name: &Name,
        next: Next,
        now: Timestamp,
    ) -> Result<Option<RowSummary>, StoreError> {
        match next {
            Next::Keep => {}
            Next::Remove(fence) => {
                self.check_fence(fence.as_ref())?;
                self.rows.remove(name);
                self.changes += 1;
            }
            Next::Reseal(sealed) => {
                if let Some(row) = self.rows.get_mut(name) {
                    row.sealed = sealed;
                    self.changes += 1;
                }
            }
            Next::Write(draft) => self.write(name, draft, now)?,
        }
        Ok(self.rows.get(name).map(|row| row.summary.clone()))
    }

    fn write(&mut self, name: &Name, draft: Draft, now: Timestamp) -> Result<(), StoreError> {
        self.check_fence(draft.fence.as_ref())?;
        self.last += 1;
        self.changes += 1;
        let created = self.rows.get(name).map_or(now, |row| row.summary.created);
        let summary = RowSummary {
            name: name.clone(),
            version: self.last,
            generation: draft.generation,
            created,
            updated: now,
        };
        let sealed = draft.sealed;
        self.rows.insert(name.clone(), Row { summary, sealed });
        Ok(())
    }

    fn transfer(
        &mut self,
        transfer: &Transfer,
        change: Change,
        now: Timestamp,
    ) -> Result<RowSummary, StoreError> {
        let Transfer { from, to, source } = transfer;
        let unknown = || StoreError::UnknownName {
            name: from.to_string(),
        };
        let row = self.rows.get(from).cloned().ok_or_else(unknown)?;
        if self.rows.contains_key(to) {
            let name = to.to_string();
            return Err(StoreError::NameTaken { name });
        }
        let created = row.summary.created;
        let next = self.decide(from, Some(row), change, now)?;
        let Some(mut summary) = self.apply(to, next, now)? else {
            return Err(unknown());
        };
        if *source == Source::Remove {
            self.rows.remove(from);
            summary.created = created;
            if let Some(row) = self.rows.get_mut(to) {
                row.summary.created = created;
            }
        }
        Ok(summary)
    }

    fn acquire(
        &mut self,
        key: &LeaseKey,
        holder: &HolderId,
        now: Timestamp,
        until: Timestamp,
    ) -> Acquired {
        if let Some(Held {
            holder: Some(other),
            until,
            ..
        }) = self.leases.get(key)
            && other != holder
            && *until > now
        {
            let (holder, until) = (other.clone(), *until);
            return Acquired::Busy { holder, until };
        }
        self.last += 1;
        self.changes += 1;
        let number = self.last;
        if number.is_multiple_of(PURGE_EVERY) {
            let ended = now.as_millis().saturating_sub(KEPT_LEASES);
            self.leases
                .retain(|_, held| held.until.as_millis() >= ended);
        }
        let held = Held {
            number,
            holder: Some(holder.clone()),
            until,
        };
        self.leases.insert(key.clone(), held);
        Acquired::Granted(Lease::new(key.clone(), holder.clone(), number, until))
    }

    fn held(&mut self, lease: &Lease) -> Option<&mut Held> {
        let held = self.leases.get_mut(&lease.key)?;
        (held.number == lease.number && held.holder.is_some()).then_some(held)
    }

    fn check_fence(&self, fence: Option<&Fence>) -> Result<(), StoreError> {
        let Some(fence) = fence else {
            return Ok(());
        };
        match self.leases.get(&fence.key) {
            Some(held) if held.number == fence.number => Ok(()),
            _ => Err(fence.lost()),
        }
    }
}

fn unsupported<'a, T: Send + 'a>(doing: &'static str) -> Answer<'a, T> {
    let place = PLACE.to_owned();
    Box::pin(ready(Err(StoreError::Unsupported { place, doing })))
}
