//! Expiry and limits (RFC 6265bis, the end of section 5.7).
//!
//! Nothing here costs more for one cookie than a glance at its own domain: what has to look
//! at all cookies is done for many at once.

use std::collections::BinaryHeap;

use crate::Timestamp;
use crate::delta::Stamp;
use crate::index::Bucket;
use crate::jar::Jar;
use crate::record::{PartitionKey, Record};
use crate::related::Backwards;

/// Jars up to this size are swept whenever a cookie in them ended.
const SMALL: usize = 4096;

/// The cookies that were used least recently when they were last looked for: the next to be
/// evicted at the end. An entry of a cookie that was used since counts for nothing.
#[derive(Clone, Default)]
pub(crate) struct Victims(Vec<(Age, Box<str>)>);

/// The order of eviction among equals: least recently used first.
type Age = (Timestamp, Timestamp, u32, Stamp);

impl Victims {
    /// Takes note of a cookie that comes in.
    pub(crate) fn note(&mut self, record: &Record) {
        // One from elsewhere may have been used before those that are known here.
        if self
            .0
            .first()
            .is_some_and(|(latest, _)| age(record) < *latest)
        {
            self.0.clear();
        }
    }
}

impl Jar {
    /// Removes the cookies whose time is over; answers how many there were.
    ///
    /// They are never sent in any case; this gives back their memory. A jar does it by itself
    /// now and then while cookies are stored.
    pub fn clear_expired(&mut self, now: Timestamp) -> usize {
        self.removals.forget_old(now);
        self.stores_since_sweep = 0;
        if now < self.earliest_expiry {
            return 0;
        }
        let before = self.len;
        let (mut len, mut secure_len, mut earliest) = (0, 0, Timestamp::LATEST);
        let (removals, limit) = (&mut self.removals, self.options.limits.removals);
        self.domains.retain(|domain, record| {
            if record.is_expired(now) {
                // An older value from elsewhere that lives longer does not come back.
                let change = (record.stamp, record.revision);
                removals.note(domain, &record.key(), change, limit);
                return false;
            }
            len += 1;
            secure_len += usize::from(record.flags.is_secure());
            earliest = earliest.min(record.expires);
            true
        });
        (self.len, self.secure_len, self.earliest_expiry) = (len, secure_len, earliest);
        self.backwards = Backwards::default();
        before - len
    }

    /// Expired cookies have to leave (5.7, after the steps): at once in a small jar, in a large one
    /// when as many stores as an eighth of it have gone by, since all of it is looked at.
    pub(crate) fn sweep_if_due(&mut self, now: Timestamp) {
        self.stores_since_sweep = self.stores_since_sweep.saturating_add(1);
        if now < self.earliest_expiry {
            return;
        }
        if self.len <= SMALL || self.stores_since_sweep as usize > self.len / 8 {
            self.clear_expired(now);
        }
    }

    /// Removes excess cookies after one was put into a domain.
    pub(crate) fn keep_limits(
        &mut self,
        domain: &str,
        partition: &PartitionKey<'_>,
        now: Timestamp,
    ) {
        let limits = self.options.limits;
        let excess = self
            .domains
            .get(domain)
            .filter(|bucket| bucket.records().len() > limits.per_domain)
            .filter(|bucket| bucket.of_partition(partition).count() > limits.per_domain);
        if let Some(place) = excess.and_then(|bucket| first_to_go(bucket, partition, now)) {
            self.evict(domain, place, now);
        }
        while self.len > limits.total {
            // 1. Expired cookies. 2. and 3., cookies of domains with too many: there are none,
            // since every domain is kept within its limit. 4. All cookies.
            self.sweep_if_due(now);
            if self.len <= limits.total || !self.evict_oldest(now) {
                return;
            }
        }
    }

    /// Evicts the cookie that was used least recently.
    fn evict_oldest(&mut self, now: Timestamp) -> bool {
        loop {
            let Some((age, domain)) = self.victims.0.pop() else {
                self.find_victims();
                if self.victims.0.is_empty() {
                    return false;
                }
                continue;
            };
            let place = self.domains.get(&domain).and_then(|bucket| {
                let mut records = bucket.records().iter();
                records.position(|record| self::age(record) == age)
            });
            if let Some(place) = place {
                self.evict(&domain, place, now);
                return true;
            }
        }
    }

    /// Looks through all cookies for those used least recently: one in 32 of them, so that it
    /// has to be done only once in so many evictions.
    fn find_victims(&mut self) {
        let count = self.len / 32 + 1;
        let mut oldest = BinaryHeap::with_capacity(count + 1);
        for (domain, bucket) in self.domains.iter() {
            for record in bucket.records() {
                let candidate = (age(record), domain);
                if oldest.len() < count {
                    oldest.push(candidate);
                } else if oldest.peek().is_some_and(|latest| candidate < *latest) {
                    oldest.pop();
                    oldest.push(candidate);
                }
            }
        }
        let sorted = oldest.into_sorted_vec();
        let latest_first = sorted.into_iter().rev();
        self.victims.0 = latest_first
            .map(|(age, domain)| (age, domain.into()))
            .collect();
    }

    /// Evicts one cookie; to the other copies of the jar that is a removal like any other.
    fn evict(&mut self, domain: &str, place: usize, now: Timestamp) {
        let Some(record) = self.take(domain, place) else {
            return;
        };
        let change = (self.next_stamp(now), self.revision);
        let limit = self.options.limits.removals;
        self.removals.note(domain, &record.key(), change, limit);
        self.line_revision += 1;
    }
}

/// Which record of an over-full domain has to go: an expired one, else one that is not
/// Secure, else any; of several the one used least recently.
fn first_to_go(bucket: &Bucket, partition: &PartitionKey<'_>, now: Timestamp) -> Option<usize> {
    let rank = |record: &Record| {
        let class = if record.is_expired(now) {
            1
        } else if !record.flags.is_secure() {
            2
        } else {
            3
        };
        (class, age(record))
    };
    bucket
        .of_partition(partition)
        .min_by_key(|(_, record)| rank(record))
        .map(|(place, _)| place)
}

fn age(record: &Record) -> Age {
    (
        record.accessed(),
        record.created,
        record.order,
        record.stamp,
    )
}
