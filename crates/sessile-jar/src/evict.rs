//! Limits and expiry (RFC 6265bis, the end of section 5.7).

use crate::Timestamp;
use crate::domain::{domain_matches, self_and_parents};
use crate::index::Bucket;
use crate::jar::Jar;
use crate::record::{PartitionKey, Record};

/// What only some jars need, found when it is needed first.
#[derive(Clone, Default)]
pub(crate) struct Helpers {}

impl Helpers {
    pub(crate) fn note_domain(&mut self, _domain: &str) {}
    pub(crate) fn note_record(&mut self, _domain: &str, _record: &Record) {}
}

impl Jar {
    /// The buckets whose domain matches this one, or is matched by it.
    pub(crate) fn related_domains<'a>(
        &'a self,
        domain: &'a str,
    ) -> impl Iterator<Item = &'a Bucket> {
        let above = self_and_parents(domain)
            .skip(1)
            .filter_map(|name| self.domains.get(name));
        let below = self
            .domains
            .iter()
            .filter(move |(name, _)| domain_matches(name, domain))
            .map(|(_, bucket)| bucket);
        above.chain(below)
    }

    pub(crate) fn keep_limits(
        &mut self,
        _domain: &str,
        _partition: &PartitionKey<'_>,
        _now: Timestamp,
    ) {
    }
}
