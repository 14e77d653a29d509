//! Removals, remembered so that an older value from elsewhere does not undo them.

use std::collections::HashMap;

use super::{Entry, Stamp, wire};
use crate::Timestamp;
use crate::record::{Draft, Record, RecordKey};
use crate::storage::MAX_AGE;

/// The removals of a jar, by cookie. A cookie that is in the jar has none.
#[derive(Clone, Default)]
pub(crate) struct Removals(Option<Box<Known>>);

#[derive(Clone, Default)]
struct Known {
    /// From a cookie's identity as bytes to when it was removed, and the revision of that.
    by_cookie: HashMap<Box<[u8]>, (Stamp, u64)>,
    /// There were too many, and those before this were forgotten.
    oldest: Stamp,
}

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
        let known = self.0.get_or_insert_default();
        if change.0 < known.oldest {
            return;
        }
        let identity = wire::identity(domain, key).into();
        known.by_cookie.insert(identity, change);
        if known.by_cookie.len() > limit {
            known.forget_oldest(limit);
        }
    }

    /// Forgets the removal of a cookie that was set again.
    pub(crate) fn forget(&mut self, domain: &str, key: &RecordKey<'_>) {
        if let Some(known) = &mut self.0 {
            known.by_cookie.remove(&*wire::identity(domain, key));
        }
    }

    /// Forgets the removals that hold nothing back any more: what they could is over by itself.
    pub(crate) fn forget_old(&mut self, now: Timestamp) {
        let horizon = Stamp::clock_at(now.plus_seconds(-MAX_AGE));
        self.retain(|stamp| stamp.clock >= horizon);
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(Stamp) -> bool) {
        if let Some(known) = &mut self.0 {
            known.by_cookie.retain(|_, (stamp, _)| keep(*stamp));
            if known.by_cookie.is_empty() {
                self.0 = None;
            }
        }
    }

    pub(super) fn find(&self, domain: &str, key: &RecordKey<'_>) -> Option<Entry> {
        let known = self.0.as_ref()?;
        let (stamp, _) = known.by_cookie.get(&*wire::identity(domain, key))?;
        Some(entry(domain, key, *stamp))
    }

    pub(super) fn since(&self, revision: u64) -> impl Iterator<Item = Entry> {
        let all = self.0.iter().flat_map(|known| known.by_cookie.iter());
        all.filter(move |(_, (_, changed))| *changed > revision)
            .filter_map(|(identity, (stamp, _))| {
                let (domain, key) = wire::read_identity(identity).ok()?;
                Some(entry(domain, &key, *stamp))
            })
    }
}

impl Known {
    /// Forgets so many that a quarter of the limit is free again: it rarely has to be done.
    fn forget_oldest(&mut self, limit: usize) {
        let mut stamps: Vec<_> = self.by_cookie.values().map(|(stamp, _)| *stamp).collect();
        let excess = stamps.len() - limit + limit / 4;
        let (_, oldest, _) = stamps.select_nth_unstable(excess);
        self.oldest = *oldest;
        self.by_cookie.retain(|_, (stamp, _)| *stamp >= self.oldest);
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
