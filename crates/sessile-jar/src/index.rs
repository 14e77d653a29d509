//! Where the records lie: by domain, each bucket in the order of sending.
//!
//! A jar of a few domains is a short list; one of many is a hash map. Either way a request
//! looks up its host and that host's parents, and no other domain is visited.

use std::collections::HashMap;

use crate::record::{PartitionKey, Record, RecordKey};

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

/// The cookies of one domain.
#[derive(Clone, Default)]
pub(crate) struct Bucket {
    /// In the order of sending.
    records: Vec<Record>,
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
            bucket.records.retain_mut(|record| keep(name, record));
            !bucket.records.is_empty()
        };
        match self {
            Self::Few(list) => list.retain_mut(|(name, bucket)| keep_some(name, bucket)),
            Self::Many(map) => map.retain(|name, bucket| keep_some(name, bucket)),
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
        self.records.iter().position(|record| record.is(key))
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
        self.records.insert(place, record);
    }

    pub(crate) fn remove(&mut self, place: usize) -> Record {
        self.records.remove(place)
    }
}
