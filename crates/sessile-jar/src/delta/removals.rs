//! Removals, remembered so that an older value from elsewhere does not undo them.

use std::collections::HashMap;

use super::{Entry, Stamp, wire};
use crate::Timestamp;
use crate::record::{Draft, Record, RecordKey};
use crate::storage::MAX_AGE;

/// The removals of a jar, by cookie. A cookie that is in the jar has none.
#[derive(Clone, Default)]
pub(crate) struct Removals(Option<Box<Map>>);

/// From a cookie's identity as bytes to when it was removed, and the revision of that.
type Map = HashMap<Box<[u8]>, (Stamp, u64)>;

impl Removals {
    /// Remembers a removal, and forgets the oldest if there are too many.
    pub(crate) fn note(
        &mut self,
        domain: &str,
        key: &RecordKey<'_>,
        change: (Stamp, u64),
        limit: usize,
    ) {
        if limit == 0 {
            return;
        }
        let map = self.0.get_or_insert_default();
        map.insert(wire::identity(domain, key).into(), change);
        if map.len() > limit {
            // A quarter at once, so that it rarely has to be done.
            let mut stamps: Vec<_> = map.values().map(|(stamp, _)| *stamp).collect();
            let (_, oldest_kept, _) = stamps.select_nth_unstable(map.len() - limit + limit / 4);
            let oldest_kept = *oldest_kept;
            map.retain(|_, (stamp, _)| *stamp >= oldest_kept);
        }
    }

    /// Forgets the removal of a cookie that was set again.
    pub(crate) fn forget(&mut self, domain: &str, key: &RecordKey<'_>) {
        if let Some(map) = &mut self.0 {
            map.remove(&*wire::identity(domain, key));
        }
    }

    /// Forgets the removals that hold nothing back any more: what they could is over by itself.
    pub(crate) fn forget_old(&mut self, now: Timestamp) {
        let horizon = Stamp::clock_at(now.plus_seconds(-MAX_AGE));
        self.retain(|stamp| stamp.clock >= horizon);
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(Stamp) -> bool) {
        if let Some(map) = &mut self.0 {
            map.retain(|_, (stamp, _)| keep(*stamp));
            if map.is_empty() {
                self.0 = None;
            }
        }
    }

    pub(super) fn find(&self, domain: &str, key: &RecordKey<'_>) -> Option<Entry> {
        let (stamp, _) = self.0.as_ref()?.get(&*wire::identity(domain, key))?;
        Some(entry(domain, key, *stamp))
    }

    pub(super) fn since(&self, revision: u64) -> impl Iterator<Item = Entry> {
        let all = self.0.iter().flat_map(|map| map.iter());
        all.filter(move |(_, (_, changed))| *changed > revision)
            .filter_map(|(identity, (stamp, _))| {
                let (domain, key) = wire::read_identity(identity).ok()?;
                Some(entry(domain, &key, *stamp))
            })
    }
}

fn entry(domain: &str, key: &RecordKey<'_>, stamp: Stamp) -> Entry {
    let mut record = Record::new(&Draft::removed(key), Timestamp::default());
    record.stamp = stamp;
    Entry {
        domain: domain.into(),
        record,
        is_removal: true,
    }
}
