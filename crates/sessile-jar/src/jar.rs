//! The jar itself, and what is done to it by hand.
//!
//! Storing what servers send is in `storage`, choosing what goes back in `select`, merging in
//! `delta`, limits in `evict`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::cookie::Cookie;
use crate::delta::{Removals, Revision, Stamp};
use crate::domain::domain_matches;
use crate::evict::Victims;
use crate::index::{Bucket, Domains};
use crate::options::Options;
use crate::record::{Draft, Record};
use crate::related::Backwards;
use crate::suffix::is_public_suffix;
use crate::{Context, Target, Timestamp};

/// The cookies of one identity.
///
/// Reading takes `&self` and may go on in many threads at once; it notes the time of use of
/// the cookies it finds. Nothing here reads a clock: `now` says what time it is.
///
/// ```
/// use sessile_jar::{Context, Jar, Target, Timestamp};
///
/// let (mut jar, context) = (Jar::new(), Context::default());
/// let now = Timestamp::from_seconds(1_795_219_200);
/// let target = Target::parse("https://shop.example/cart")?;
/// jar.store(b"id=a3f; Path=/; Secure", &target, &context, now)?;
/// jar.store(b"seen=1", &target, &context, now)?;
/// assert_eq!(jar.cookie_header(&target, &context, now), Some(b"id=a3f; seen=1".to_vec()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Jar {
    pub(crate) options: Arc<Options>,
    pub(crate) domains: Domains,
    /// Removals, for merging.
    pub(crate) removals: Removals,
    /// Found when it is needed, no part of the content.
    pub(crate) victims: Victims,
    /// Found when it is needed, no part of the content.
    pub(crate) backwards: Backwards,
    /// Everything set before this was removed at once.
    pub(crate) cleared: Stamp,
    pub(crate) cleared_revision: u64,
    /// The last stamp given or seen.
    pub(crate) clock: u64,
    pub(crate) revision: u64,
    pub(crate) line_revision: u64,
    /// No cookie here ends before this.
    pub(crate) earliest_expiry: Timestamp,
    pub(crate) len: usize,
    pub(crate) secure_len: usize,
    pub(crate) next_order: u32,
    pub(crate) stores_since_sweep: u32,
}

impl Jar {
    /// An empty jar with the default options.
    pub fn new() -> Self {
        Self::with(Options::shared())
    }

    /// An empty jar with these options, which may be shared.
    pub fn with(options: impl Into<Arc<Options>>) -> Self {
        Self {
            options: options.into(),
            domains: Domains::EMPTY,
            removals: Removals::default(),
            victims: Victims::default(),
            backwards: Backwards::default(),
            stores_since_sweep: 0,
            cleared: Stamp::default(),
            cleared_revision: 0,
            clock: 0,
            revision: 0,
            line_revision: 0,
            earliest_expiry: Timestamp::LATEST,
            len: 0,
            secure_len: 0,
            next_order: 0,
        }
    }

    /// The options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// How many cookies there are, including ones that ended and were not met since.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no cookies.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The state of the content: another number after every change of it.
    ///
    /// See [`Jar::changes_since`].
    pub fn revision(&self) -> Revision {
        Revision(self.revision)
    }

    /// Like [`Jar::revision`], but it stays the same if no `Cookie` line can have changed, as
    /// when a server repeats a cookie or prolongs it.
    ///
    /// A line may be kept and sent again while this stays the same and the line's time is not
    /// over; see [`Line::valid_until`](crate::Line::valid_until).
    pub fn line_revision(&self) -> Revision {
        Revision(self.line_revision)
    }

    /// All cookies, in no order that means anything.
    ///
    /// Cookies that ended may be among them until [`Jar::clear_expired`] or a change meets them.
    pub fn iter(&self) -> impl Iterator<Item = Cookie<'_>> {
        self.domains.iter().flat_map(|(domain, bucket)| {
            let records = bucket.records().iter();
            records.map(move |record| Cookie::new(domain, record))
        })
    }

    /// The cookie of that name that a program's own request to the target carries first.
    pub fn get(
        &self,
        name: impl AsRef<[u8]>,
        target: &Target<'_>,
        now: Timestamp,
    ) -> Option<Cookie<'_>> {
        let context = Context::default();
        self.matching(target, &context, now)
            .find(|cookie| cookie.name() == name.as_ref())
    }

    /// Names and values of all cookies; of several with one name, the one created last.
    pub fn to_map(&self, now: Timestamp) -> BTreeMap<&[u8], &[u8]> {
        let mut cookies: Vec<_> = self
            .iter()
            .filter(|cookie| !cookie.is_expired(now))
            .collect();
        cookies.sort_by_key(|cookie| {
            (
                cookie.record.created,
                cookie.record.order,
                cookie.record.stamp,
            )
        });
        cookies
            .into_iter()
            .map(|cookie| (cookie.name(), cookie.value()))
            .collect()
    }

    /// Keeps the cookies that the closure wants; answers how many went.
    pub fn retain(&mut self, now: Timestamp, mut keep: impl FnMut(Cookie<'_>) -> bool) -> usize {
        let stamp = self.next_stamp(now);
        let revision = self.revision + 1;
        let (before, limit) = (self.len, self.options.limits.removals);
        let (mut len, mut secure_len) = (0, 0);
        let removals = &mut self.removals;
        self.domains.retain(|domain, record| {
            let stays = keep(Cookie::new(domain, record));
            if stays {
                len += 1;
                secure_len += usize::from(record.flags.is_secure());
            } else {
                removals.note(domain, &record.key(), (stamp, revision), limit);
            }
            stays
        });
        (self.len, self.secure_len) = (len, secure_len);
        if before != len {
            self.backwards = Backwards::default();
            self.revision = revision;
            self.line_revision += 1;
        }
        before - len
    }

    /// Removes all cookies of that name; answers how many there were.
    pub fn remove(&mut self, name: impl AsRef<[u8]>, now: Timestamp) -> usize {
        self.retain(now, |cookie| cookie.name() != name.as_ref())
    }

    /// Removes the cookies of that name, domain and path; answers how many there were: a domain
    /// and a host of the same name may both have one, and so may each partition.
    pub fn remove_at(
        &mut self,
        domain: &str,
        path: impl AsRef<[u8]>,
        name: impl AsRef<[u8]>,
        now: Timestamp,
    ) -> usize {
        let domain = domain.strip_prefix('.').unwrap_or(domain);
        self.retain(now, |cookie| {
            cookie.domain() != domain
                || cookie.path() != path.as_ref()
                || cookie.name() != name.as_ref()
        })
    }

    /// Removes everything, also what other copies of the jar set before now.
    pub fn clear(&mut self, now: Timestamp) {
        self.cleared = self.next_stamp(now);
        self.domains = Domains::EMPTY;
        self.removals = Removals::default();
        self.victims = Victims::default();
        self.backwards = Backwards::default();
        (self.len, self.secure_len) = (0, 0);
        self.earliest_expiry = Timestamp::LATEST;
        self.revision += 1;
        self.cleared_revision = self.revision;
        self.line_revision += 1;
    }

    /// Removes the cookies of a domain and of all names below it; answers how many there were.
    pub fn clear_domain(&mut self, domain: &str, now: Timestamp) -> usize {
        let domain = domain.strip_prefix('.').unwrap_or(domain);
        self.retain(now, |cookie| !domain_matches(cookie.domain(), domain))
    }

    /// Removes the session cookies, as at the end of a session; answers how many there were.
    pub fn clear_session(&mut self, now: Timestamp) -> usize {
        self.retain(now, |cookie| !cookie.is_session())
    }

    /// The stamp of a change made now: later than every stamp given or seen before.
    pub(crate) fn next_stamp(&mut self, now: Timestamp) -> Stamp {
        let stamp = Stamp::after(self.clock, now, self.options.writer);
        self.clock = stamp.clock;
        stamp
    }

    /// The bucket of a domain, made if there is none.
    pub(crate) fn bucket(&mut self, domain: &str) -> &mut Bucket {
        if self.domains.get(domain).is_none() {
            let mut bucket = Bucket::default();
            bucket.is_suffix = is_public_suffix(&*self.options.suffixes, domain);
            self.domains.add(domain, bucket);
            self.backwards.add(domain);
        }
        self.domains
            .get_mut(domain)
            .expect("added above if it was not there")
    }

    /// Puts in a record that no other has the key of, and counts it.
    pub(crate) fn add(&mut self, domain: &str, record: Record) {
        self.len += 1;
        self.secure_len += usize::from(record.flags.is_secure());
        self.earliest_expiry = self.earliest_expiry.min(record.expires);
        self.victims.note(&record);
        self.bucket(domain).insert(record);
    }

    /// Takes out a record and counts that, too.
    pub(crate) fn take(&mut self, domain: &str, place: usize) -> Option<Record> {
        let bucket = self.domains.get_mut(domain)?;
        let record = bucket.remove(place);
        if bucket.records().is_empty() {
            self.domains.remove(domain);
            self.backwards.remove(domain);
        }
        self.len -= 1;
        self.secure_len -= usize::from(record.flags.is_secure());
        Some(record)
    }

    /// A record with the next place among those created in the same millisecond.
    pub(crate) fn fresh(&mut self, draft: &Draft<'_>, now: Timestamp) -> Record {
        let mut record = Record::new(draft, now);
        record.order = self.next_order;
        self.next_order = self.next_order.wrapping_add(1);
        record
    }
}

impl Default for Jar {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows how much there is, not what: cookies are secrets.
impl fmt::Debug for Jar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jar")
            .field("cookies", &self.len)
            .field("domains", &self.domains.len())
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}
