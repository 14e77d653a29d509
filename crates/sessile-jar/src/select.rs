//! Which cookies a request carries, and in which order (RFC 6265bis, section 5.8.3).
//!
//! The buckets are kept in the order of sending, so those of a host and its parents are
//! merged as they are walked: nothing is collected, nothing sorted.

use crate::context::{Api, Context, Navigation, Site};
use crate::cookie::Cookie;
use crate::domain::self_and_parents;
use crate::explain::Omission;
use crate::jar::Jar;
use crate::path::path_matches;
use crate::record::{PartitionKey, Record};
use crate::suffix::{SuffixList, registrable};
use crate::{SameSite, Target, Timestamp};

impl Jar {
    /// The cookies that a request to the target carries, in the order they are sent in.
    ///
    /// They count as used now, which eviction goes by.
    pub fn select<'j: 'q, 'q>(
        &'j self,
        target: &'q Target<'_>,
        context: &'q Context,
        now: Timestamp,
    ) -> impl Iterator<Item = Cookie<'j>> {
        // Step 5: the time of the last access.
        self.matching(target, context, now)
            .inspect(move |cookie| cookie.record.touch(now))
    }

    /// Like [`Jar::select`], but without any trace.
    pub(crate) fn matching<'j: 'q, 'q>(
        &'j self,
        target: &'q Target<'_>,
        context: &'q Context,
        now: Timestamp,
    ) -> Selection<'j, 'q> {
        let asking = Asking::new(self, target, context, now);
        let mut selection = Selection::new(asking);
        // Steps 1 and 2: the host is canonical, or there would be no target.
        for domain in self_and_parents(target.host()) {
            if let Some((domain, bucket)) = self.domains.find(domain) {
                selection.add(Lane {
                    domain,
                    records: asking.within_path(bucket.records()),
                    is_own_host: domain.len() == target.host().len(),
                    is_suffix: bucket.is_suffix,
                    is_ready: false,
                });
            }
        }
        selection
    }
}

/// A request, as the rules of step 3 see it.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    target: &'a Target<'a>,
    context: &'a Context,
    suffixes: &'a dyn SuffixList,
    now: Timestamp,
}

impl<'a> Asking<'a> {
    pub(crate) fn new(
        jar: &'a Jar,
        target: &'a Target<'_>,
        context: &'a Context,
        now: Timestamp,
    ) -> Self {
        Self {
            target,
            context,
            suffixes: &*jar.options.suffixes,
            now,
        }
    }

    /// Without the records at the front whose paths are longer than the request's.
    fn within_path<'j>(&self, records: &'j [Record]) -> &'j [Record] {
        let most = self.target.path().len().max(1);
        match records.first() {
            Some(first) if first.path_len() > most => {
                let start = records.partition_point(|record| record.path_len() > most);
                records.get(start..).unwrap_or_default()
            }
            _ => records,
        }
    }

    /// Step 3: whether the request carries the record, which lies in a domain that its host
    /// is or is below.
    pub(crate) fn admits(
        &self,
        record: &Record,
        is_own_host: bool,
        is_suffix: bool,
    ) -> Result<(), Omission> {
        let flags = record.flags;
        if flags.is_host_only() {
            if !is_own_host {
                return Err(Omission::HostOnly);
            }
        } else if is_suffix {
            // The list may have changed since the cookie was stored.
            return Err(Omission::PublicSuffix);
        }
        // An expired cookie is as good as gone.
        if record.is_expired(self.now) {
            return Err(Omission::Expired);
        }
        if !self.is_within(record) {
            return Err(Omission::PathMismatch);
        }
        if flags.is_secure() && !self.target.is_secure() {
            return Err(Omission::Secure);
        }
        if flags.is_http_only() && self.context.api == Api::NonHttp {
            return Err(Omission::HttpOnly);
        }
        self.same_site(flags.same_site())?;
        self.partition(record)
    }

    fn is_within(&self, record: &Record) -> bool {
        let path = self.path();
        // One byte can only be the root; the record's text, far away in memory, is not read.
        if record.path_len() == 1 {
            return path.first() == Some(&b'/');
        }
        path_matches(path, record.path())
    }

    /// An empty path is asked for as the root.
    fn path(&self) -> &'a [u8] {
        match self.target.path() {
            [] => b"/",
            path => path,
        }
    }

    /// Step 3, last bullet. The optional "Lax-allowing-unsafe" of 5.6.7.2 is skipped.
    fn same_site(&self, same_site: SameSite) -> Result<(), Omission> {
        if self.context.site == Site::SameSite || same_site == SameSite::None {
            return Ok(());
        }
        match (same_site, self.context.api, self.context.navigation) {
            (SameSite::Strict, _, _) => Err(Omission::SameSiteStrict),
            (_, Api::Http, Navigation::Safe) => Ok(()),
            _ => Err(Omission::SameSiteLax),
        }
    }

    /// CHIPS: a partitioned cookie is seen from its own partition only.
    fn partition(&self, record: &Record) -> Result<(), Omission> {
        if record.site().is_empty() {
            return Ok(());
        }
        let asked = match &self.context.partition {
            Some(partition) => PartitionKey {
                scheme: b"",
                site: partition.site().as_bytes(),
                ancestors: partition.ancestors(),
            },
            None => PartitionKey {
                scheme: self.target.site_scheme().as_bytes(),
                site: registrable(self.suffixes, self.target.host()).as_bytes(),
                ..PartitionKey::NONE
            },
        };
        if record.partition().is(&asked) {
            Ok(())
        } else {
            Err(Omission::Partition)
        }
    }
}

/// The records of one domain that are still to be looked at.
#[derive(Clone, Copy)]
struct Lane<'a> {
    domain: &'a str,
    records: &'a [Record],
    is_own_host: bool,
    is_suffix: bool,
    /// Whether the first record was found to be carried.
    is_ready: bool,
}

impl Lane<'_> {
    const EMPTY: Self = Lane {
        domain: "",
        records: &[],
        is_own_host: false,
        is_suffix: false,
        is_ready: false,
    };
}

/// How many domains fit without an allocation.
const LANES: usize = 6;

/// The cookies of a host and its parents, merged in the order of sending (step 4).
#[derive(Clone)]
pub(crate) struct Selection<'j, 'q> {
    asking: Asking<'q>,
    lanes: [Lane<'j>; LANES],
    count: usize,
    more: Vec<Lane<'j>>,
}

impl<'j, 'q> Selection<'j, 'q> {
    fn new(asking: Asking<'q>) -> Self {
        Self {
            asking,
            lanes: [Lane::EMPTY; LANES],
            count: 0,
            more: Vec::new(),
        }
    }

    fn add(&mut self, lane: Lane<'j>) {
        match self.lanes.get_mut(self.count) {
            Some(place) => *place = lane,
            None => self.more.push(lane),
        }
        self.count += 1;
    }
}

impl<'j> Iterator for Selection<'j, '_> {
    type Item = Cookie<'j>;

    fn next(&mut self) -> Option<Self::Item> {
        let asking = &self.asking;
        let mut best: Option<(&mut Lane<'j>, &'j Record)> = None;
        let lanes = self.lanes.iter_mut().take(self.count);
        for lane in lanes.chain(&mut self.more) {
            while let Some((first, rest)) = lane.records.split_first() {
                if lane.is_ready
                    || asking
                        .admits(first, lane.is_own_host, lane.is_suffix)
                        .is_ok()
                {
                    lane.is_ready = true;
                    break;
                }
                lane.records = rest;
            }
            let Some(first) = lane.records.first() else {
                continue;
            };
            match &best {
                Some((_, other)) if other.sending_order(first).is_le() => {}
                _ => best = Some((lane, first)),
            }
        }
        let (lane, record) = best?;
        lane.records = lane.records.get(1..).unwrap_or_default();
        lane.is_ready = false;
        Some(Cookie::new(lane.domain, record))
    }
}
