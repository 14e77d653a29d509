//! Where the records lie: by domain, each bucket in the order of sending.
//!
//! A jar of a few domains is a short list; one of many is a hash map. Either way a request
//! looks up its host and that host's parents, and no other domain is visited.

use std::collections::HashMap;

use crate::record::{PartitionKey, Record, RecordKey};

/// More records than this in one bucket have tags.
const SHORT: usize = 64;

/// So many tags are compared at once.
const BLOCK: usize = 64;

/// More domains than this go into a hash map.
const FEW: usize = 8;

/// The buckets of all domains.
#[derive(Clone)]
pub(crate) enum Domains {
    Few(Vec<(Box<str>, Bucket)>),
    /// Boxed, so that a jar of few domains stays small.
    Many(Box<Map>),
}

type Map = HashMap<Box<str>, Bucket>;
type Tags = Vec<u32>;

/// The cookies of one domain.
#[derive(Clone, Default)]
pub(crate) struct Bucket {
    /// In the order of sending.
    records: Vec<Record>,
    /// In a long bucket a tag for each record, so that a search passes over most of them.
    tags: Option<Box<Tags>>,
    /// No record here has a later revision.
    pub(crate) revision: u64,
    /// Whether the domain is a public suffix, so that only host-only cookies count.
    pub(crate) is_suffix: bool,
}

impl Domains {
    pub(crate) const EMPTY: Self = Self::Few(Vec::new());

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(map) => map.len(),
        }
    }

    pub(crate) fn get(&self, domain: &str) -> Option<&Bucket> {
        self.find(domain).map(|(_, bucket)| bucket)
    }

    /// The bucket with the domain as it is kept here.
    pub(crate) fn find(&self, domain: &str) -> Option<(&str, &Bucket)> {
        match self {
            Self::Few(list) => list
                .iter()
                .find(|(name, _)| **name == *domain)
                .map(|(name, bucket)| (&**name, bucket)),
            Self::Many(map) => map
                .get_key_value(domain)
                .map(|(name, bucket)| (&**name, bucket)),
        }
    }

    pub(crate) fn get_mut(&mut self, domain: &str) -> Option<&mut Bucket> {
        match self {
            Self::Few(list) => list
                .iter_mut()
                .find(|(name, _)| **name == *domain)
                .map(|(_, bucket)| bucket),
            Self::Many(map) => map.get_mut(domain),
        }
    }

    /// Puts in a bucket for a domain that has none.
    pub(crate) fn add(&mut self, domain: &str, bucket: Bucket) {
        match self {
            Self::Few(list) if list.len() < FEW => {
                list.reserve_exact(1);
                list.push((domain.into(), bucket));
            }
            Self::Few(list) => {
                let mut map: Map = std::mem::take(list).into_iter().collect();
                map.insert(domain.into(), bucket);
                *self = Self::Many(Box::new(map));
            }
            Self::Many(map) => {
                map.insert(domain.into(), bucket);
            }
        }
    }

    pub(crate) fn remove(&mut self, domain: &str) {
        match self {
            Self::Few(list) => list.retain(|(name, _)| **name != *domain),
            Self::Many(map) => {
                map.remove(domain);
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Bucket)> {
        let (few, many) = match self {
            Self::Few(list) => (Some(list), None),
            Self::Many(map) => (None, Some(map)),
        };
        let few = few
            .into_iter()
            .flatten()
            .map(|(name, bucket)| (&**name, bucket));
        let many = many
            .into_iter()
            .flat_map(|map| map.iter())
            .map(|(name, bucket)| (&**name, bucket));
        few.chain(many)
    }

    /// Keeps the records that the closure wants, and the buckets that have any left.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, &mut Record) -> bool) {
        let mut keep_some = |name: &str, bucket: &mut Bucket| {
            bucket.retain(|record| keep(name, record));
            !bucket.records.is_empty()
        };
        match self {
            Self::Few(list) => list.retain_mut(|(name, bucket)| keep_some(name, bucket)),
            Self::Many(map) => {
                map.retain(|name, bucket| keep_some(name, bucket));
                // Much room that was left is given back.
                if map.capacity() / 4 > map.len() {
                    map.shrink_to_fit();
                }
            }
        }
    }
}

impl Bucket {
    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(crate) fn record_mut(&mut self, place: usize) -> Option<&mut Record> {
        self.records.get_mut(place)
    }

    /// The records of a partition, or of none, with their places.
    pub(crate) fn of_partition(
        &self,
        partition: &PartitionKey<'_>,
    ) -> impl Iterator<Item = (usize, &Record)> {
        let all = self.records.iter().enumerate();
        all.filter(|(_, record)| record.partition().is(partition))
    }

    pub(crate) fn position(&self, key: &RecordKey<'_>) -> Option<usize> {
        let Some(tags) = &self.tags else {
            return self.records.iter().position(|record| record.is(key));
        };
        let wanted = tag(key.name);
        // Whole blocks are compared without a branch for each tag.
        for (block, tags) in tags.chunks(BLOCK).enumerate() {
            if !tags.iter().fold(false, |hit, tag| hit | (*tag == wanted)) {
                continue;
            }
            let start = block * BLOCK;
            let mut records = self.records.iter().skip(start).take(tags.len());
            if let Some(place) = records.position(|record| record.is(key)) {
                return Some(start + place);
            }
        }
        None
    }

    /// Puts a record in its place in the order of sending.
    pub(crate) fn insert(&mut self, record: Record) {
        // Short lists grow by one, long ones by a quarter: most domains keep few cookies.
        if self.records.len() == self.records.capacity() {
            self.records.reserve_exact(1 + self.records.len() / 4);
        }
        let place = self
            .records
            .partition_point(|other| other.sending_order(&record).is_lt());
        self.revision = self.revision.max(record.revision);
        if let Some(tags) = &mut self.tags {
            tags.insert(place, tag(record.name()));
        }
        self.records.insert(place, record);
        if self.tags.is_none() && self.records.len() > SHORT {
            self.renew_tags();
        }
    }

    pub(crate) fn remove(&mut self, place: usize) -> Record {
        if let Some(tags) = &mut self.tags {
            tags.remove(place);
        }
        self.records.remove(place)
    }

    fn retain(&mut self, keep: impl FnMut(&mut Record) -> bool) {
        let before = self.records.len();
        self.records.retain_mut(keep);
        if self.records.len() < before {
            self.records.shrink_to(self.records.len() * 2);
            self.renew_tags();
        }
    }

    fn renew_tags(&mut self) {
        let tags = || {
            self.records
                .iter()
                .map(|record| tag(record.name()))
                .collect()
        };
        self.tags = (self.records.len() > SHORT).then(|| Box::new(tags()));
    }
}

/// A number that most names have for themselves.
fn tag(name: &[u8]) -> u32 {
    name.iter().fold(0x811C_9DC5, |tag, byte| {
        (tag ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
