//! Changes that come out of one copy of a jar and go into another.
//!
//! Every change has a stamp, and stamps are in one order for all writers. For every cookie
//! the change with the latest stamp counts, be it a value or a removal; so it does not matter
//! in which order changes arrive, or how often. `wire` has their bytes, `removals` remembers
//! what is gone.

mod removals;
mod wire;

use std::cmp::Ordering;
use std::fmt;

use crate::Timestamp;
use crate::jar::Jar;
use crate::record::{Record, RecordKey};
use crate::related::Backwards;

pub(crate) use removals::Removals;
pub use wire::DecodeError;

/// A state of a jar's content; see [`Jar::revision`].
///
/// It means something for the one jar it came from, in the process it came from.
///
/// ```
/// use sessile_jar::{Jar, NewCookie, Timestamp};
///
/// let mut jar = Jar::new();
/// let before = jar.revision();
/// jar.insert(&NewCookie::new("id", "1").for_host("a.example"), Timestamp::from_seconds(0))?;
/// assert_eq!(jar.changes_since(before).len(), 1);
/// assert!(jar.changes_since(jar.revision()).is_empty());
/// # Ok::<(), sessile_jar::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Revision(pub(crate) u64);

/// Changes of a jar.
///
/// ```
/// use sessile_jar::{Context, Delta, Jar, Target, Timestamp};
///
/// let now = Timestamp::from_seconds(1_795_219_200);
/// let target = Target::parse("https://shop.example/")?;
/// let (mut here, mut there) = (Jar::new(), Jar::new());
/// let before = here.revision();
/// here.store(b"id=a3f", &target, &Context::default(), now)?;
/// let bytes = here.changes_since(before).encode();
///
/// there.apply(&Delta::decode(&bytes)?, now);
/// assert_eq!(there.get("id", &target, now).map(|cookie| cookie.value()), Some(&b"a3f"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Delta {
    /// Everything set before this is gone.
    cleared: Stamp,
    entries: Vec<Entry>,
}

impl Delta {
    /// Whether nothing is changed by it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.cleared == Stamp::default()
    }

    /// How many cookies it sets or removes by name.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The changes as bytes, which [`Delta::decode`] reads.
    ///
    /// Values are in them in clear text; whoever keeps them has to seal them.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads what [`Delta::encode`] wrote.
    ///
    /// # Errors
    /// Fails if the bytes are of another version, cut off, or hold what no jar can.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        wire::decode(bytes)
    }
}

/// Shows how much there is, not what: cookies are secrets.
impl fmt::Debug for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delta")
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// When a change was made and by whom: unique, and in one order for all writers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Stamp {
    /// Milliseconds and a counter below them, never less than one seen before.
    pub(crate) clock: u64,
    pub(crate) writer: u32,
}

impl Stamp {
    /// How many bits the counter below the milliseconds has.
    const COUNTER: u32 = 16;
    /// The latest reading that is believed: in the year 6429.
    const MAX_CLOCK: u64 = u64::MAX >> 1;

    /// The first stamp that is after `last` and not before `now`.
    pub(crate) fn after(last: u64, now: Timestamp, writer: u32) -> Self {
        Self {
            clock: Self::clock_at(now).max(last.saturating_add(1)),
            writer,
        }
    }

    /// When it was made; a writer whose clock was behind took the latest it had seen.
    pub(crate) fn time(self) -> Timestamp {
        Timestamp::from_millis((self.clock >> Self::COUNTER).cast_signed())
    }

    /// The first reading of the clock at a time.
    fn clock_at(now: Timestamp) -> u64 {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        millis.min(u64::MAX >> (Self::COUNTER + 1)) << Self::COUNTER
    }
}

/// One cookie's latest change.
#[derive(Clone)]
struct Entry {
    domain: Box<str>,
    /// With an empty value if the change is a removal.
    record: Record,
    is_removal: bool,
}

impl Entry {
    /// The order of two changes of one cookie: the later stamp, and something fixed where two
    /// writers were given the same number.
    fn age(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }

    /// The place among the entries of a delta: by time, and fixed where the times are equal.
    fn place(&self) -> (Stamp, &str, &[u8], &[u8], &[u8], u8) {
        let record = &self.record;
        let flags = record.flags.to_byte();
        let (name, path, site) = (record.name(), record.path(), record.site());
        (record.stamp, &self.domain, path, name, site, flags)
    }

    fn rank(&self) -> (Stamp, bool, &[u8], u8, Timestamp, Timestamp, u32) {
        let Record {
            stamp,
            flags,
            expires,
            created,
            order,
            ..
        } = self.record;
        let value = self.record.value();
        let flags = flags.to_byte();
        (
            stamp,
            self.is_removal,
            value,
            flags,
            expires,
            created,
            order,
        )
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.domain == other.domain
            && self.record.key() == other.record.key()
            && self.rank() == other.rank()
            && self.record.accessed() == other.record.accessed()
    }
}

impl Jar {
    /// The changes made since the jar was in that state, by itself or by [`Jar::apply`].
    ///
    /// To keep a copy in step with a stored jar: hand in the changes since the last time, have
    /// them applied there, apply what came of it here, and remember the revision then.
    pub fn changes_since(&self, revision: Revision) -> Delta {
        let since = revision.0;
        let mut delta = Delta::default();
        if since >= self.revision {
            return delta;
        }
        if self.cleared_revision > since {
            delta.cleared = self.cleared;
        }
        let changed = self
            .domains
            .iter()
            .filter(|(_, bucket)| bucket.revision > since);
        for (domain, bucket) in changed {
            let records = bucket.records().iter();
            delta.entries.extend(
                records
                    .filter(|record| record.revision > since)
                    .map(|record| Entry {
                        domain: domain.into(),
                        record: record.clone(),
                        is_removal: false,
                    }),
            );
        }
        delta.entries.extend(self.removals.since(since));
        delta
            .entries
            .sort_by(|one, other| one.place().cmp(&other.place()));
        delta
    }

    /// Everything: what makes an empty jar into a copy of this one.
    pub fn snapshot(&self) -> Delta {
        let mut delta = self.changes_since(Revision(0));
        delta.cleared = self.cleared;
        delta
    }

    /// Takes in changes made elsewhere; answers whether anything is different now.
    ///
    /// For every cookie the later change wins, here or there; nothing else is touched. Applying
    /// the same changes again does nothing.
    pub fn apply(&mut self, delta: &Delta, now: Timestamp) -> bool {
        let last = delta
            .entries
            .iter()
            .map(|entry| entry.record.stamp.clock)
            .max();
        self.clock = self.clock.max(delta.cleared.clock).max(last.unwrap_or(0));
        let before = self.revision;
        self.revision += 1;
        let mut is_changed = self.clear_before(delta.cleared);
        for entry in &delta.entries {
            if entry.record.stamp > self.cleared {
                is_changed |= self.merge(entry, now);
            }
        }
        if is_changed {
            self.line_revision += 1;
        } else {
            self.revision = before;
        }
        is_changed
    }

    /// Makes the content that of another jar, as one change: whatever was here before, or was
    /// set before in another copy, is gone.
    pub fn replace_content(&mut self, other: &Self, now: Timestamp) {
        self.clear(now);
        self.next_order = self.next_order.max(other.next_order);
        for cookie in other.iter().filter(|cookie| !cookie.is_expired(now)) {
            let mut record = cookie.record.clone();
            record.stamp = self.next_stamp(now);
            record.revision = self.revision;
            self.add(cookie.domain(), record);
            self.keep_limits(cookie.domain(), &cookie.record.partition(), now);
        }
    }

    /// Drops everything set up to a stamp.
    fn clear_before(&mut self, cleared: Stamp) -> bool {
        if cleared <= self.cleared {
            return false;
        }
        (self.cleared, self.cleared_revision) = (cleared, self.revision);
        self.removals.retain(|stamp| stamp > cleared);
        let (mut len, mut secure_len) = (0, 0);
        self.domains.retain(|_, record| {
            let stays = record.stamp > cleared;
            len += usize::from(stays);
            secure_len += usize::from(stays && record.flags.is_secure());
            stays
        });
        (self.len, self.secure_len) = (len, secure_len);
        self.backwards = Backwards::default();
        true
    }

    fn merge(&mut self, entry: &Entry, now: Timestamp) -> bool {
        let domain = &*entry.domain;
        let key = entry.record.key();
        let place = self
            .domains
            .get(domain)
            .and_then(|bucket| bucket.position(&key));
        if let Some(known) = self.known(domain, place, &key) {
            match known.age(entry) {
                Ordering::Less => {}
                Ordering::Equal => {
                    self.touch(domain, place, entry.record.accessed());
                    return false;
                }
                Ordering::Greater => return false,
            }
        }
        if let Some(place) = place {
            self.take(domain, place);
        }
        let (revision, limit) = (self.revision, self.options.limits.removals);
        if entry.is_removal || entry.record.is_expired(now) {
            let stamp = entry.record.stamp;
            self.removals.note(domain, &key, (stamp, revision), limit);
            return true;
        }
        let mut record = entry.record.clone();
        record.revision = revision;
        self.next_order = self.next_order.max(record.order.wrapping_add(1));
        self.removals.forget(domain, &key);
        self.add(domain, record);
        self.keep_limits(domain, &key.partition, now);
        true
    }

    /// What this jar has of a cookie: its record, or its removal.
    fn known(&self, domain: &str, place: Option<usize>, key: &RecordKey<'_>) -> Option<Entry> {
        let Some(place) = place else {
            return self.removals.find(domain, key);
        };
        let record = self.domains.get(domain)?.records().get(place)?;
        Some(Entry {
            domain: domain.into(),
            record: record.clone(),
            is_removal: false,
        })
    }

    fn touch(&self, domain: &str, place: Option<usize>, accessed: Timestamp) {
        let record = self
            .domains
            .get(domain)
            .and_then(|bucket| bucket.records().get(place?));
        if let Some(record) = record {
            record.touch(accessed);
        }
    }
}
