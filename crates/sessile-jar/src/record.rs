//! A stored cookie, compactly: one allocation for all its text.
//!
//! The domain is not here; it belongs to the bucket that the record lies in (see `index`).

use std::cmp::Ordering;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use crate::context::{Ancestors, Partition};
use crate::delta::Stamp;
use crate::{SameSite, Timestamp};

/// One cookie.
pub(crate) struct Record {
    /// Name, value, path and the partition's site, one after the other.
    text: Box<[u8]>,
    /// When it was created.
    pub(crate) created: Timestamp,
    /// When it ends; [`Timestamp::LATEST`] for a session cookie.
    pub(crate) expires: Timestamp,
    /// When it was last sent or set, in milliseconds. Readers share the jar, hence atomic.
    accessed: AtomicI64,
    /// Which change made it what it is.
    pub(crate) stamp: Stamp,
    /// The revision of this jar that the change came in with.
    pub(crate) revision: u64,
    /// Breaks ties between cookies created in the same millisecond.
    pub(crate) order: u32,
    path_len: u32,
    name_len: u16,
    value_len: u16,
    pub(crate) flags: Flags,
}

/// What is yes or no about a cookie, and its `SameSite`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Flags(u8);

/// Everything about a cookie but its domain, with the text borrowed.
#[derive(Clone, Copy)]
pub(crate) struct Draft<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) path: &'a [u8],
    pub(crate) partition: PartitionKey<'a>,
    pub(crate) flags: Flags,
    pub(crate) expires: Timestamp,
}

/// What tells the cookies of one domain apart: 5.7 step 23, and the partition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordKey<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) path: &'a [u8],
    pub(crate) is_host_only: bool,
    pub(crate) partition: PartitionKey<'a>,
}

/// The partition in pieces, so that no string has to be put together to compare one.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(crate) struct PartitionKey<'a> {
    /// `https`, `http`, or empty where `site` holds everything or there is no partition.
    pub(crate) scheme: &'a [u8],
    pub(crate) site: &'a [u8],
    pub(crate) ancestors: Ancestors,
}

impl Flags {
    const HOST_ONLY: u8 = 1;
    const SECURE: u8 = 2;
    const HTTP_ONLY: u8 = 4;
    const CROSS_SITE_ANCESTOR: u8 = 8;
    const SAME_SITE_SHIFT: u8 = 4;

    pub(crate) fn with_host_only(self, yes: bool) -> Self {
        self.with(Self::HOST_ONLY, yes)
    }

    pub(crate) fn with_secure(self, yes: bool) -> Self {
        self.with(Self::SECURE, yes)
    }

    pub(crate) fn with_http_only(self, yes: bool) -> Self {
        self.with(Self::HTTP_ONLY, yes)
    }

    pub(crate) fn with_ancestors(self, ancestors: Ancestors) -> Self {
        self.with(Self::CROSS_SITE_ANCESTOR, ancestors == Ancestors::CrossSite)
    }

    pub(crate) fn with_same_site(self, same_site: SameSite) -> Self {
        let code = match same_site {
            SameSite::Default => 0,
            SameSite::None => 1,
            SameSite::Lax => 2,
            SameSite::Strict => 3,
        };
        Self(self.0 & !(3 << Self::SAME_SITE_SHIFT) | code << Self::SAME_SITE_SHIFT)
    }

    pub(crate) fn is_host_only(self) -> bool {
        self.has(Self::HOST_ONLY)
    }

    pub(crate) fn is_secure(self) -> bool {
        self.has(Self::SECURE)
    }

    pub(crate) fn is_http_only(self) -> bool {
        self.has(Self::HTTP_ONLY)
    }

    pub(crate) fn ancestors(self) -> Ancestors {
        if self.has(Self::CROSS_SITE_ANCESTOR) {
            Ancestors::CrossSite
        } else {
            Ancestors::SameSite
        }
    }

    pub(crate) fn same_site(self) -> SameSite {
        match self.0 >> Self::SAME_SITE_SHIFT & 3 {
            0 => SameSite::Default,
            1 => SameSite::None,
            2 => SameSite::Lax,
            _ => SameSite::Strict,
        }
    }

    /// The flags as one byte of a delta.
    pub(crate) fn to_byte(self) -> u8 {
        self.0
    }

    /// The flags of such a byte; `None` if it has bits that mean nothing.
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        (byte < 1 << (Self::SAME_SITE_SHIFT + 2)).then_some(Self(byte))
    }

    fn with(self, bit: u8, yes: bool) -> Self {
        Self(if yes { self.0 | bit } else { self.0 & !bit })
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

impl<'a> PartitionKey<'a> {
    /// No partition.
    pub(crate) const NONE: Self = Self {
        scheme: b"",
        site: b"",
        ancestors: Ancestors::SameSite,
    };

    pub(crate) fn is_none(&self) -> bool {
        self.site.is_empty()
    }

    /// The partition as others see it.
    pub(crate) fn to_partition(self) -> Option<Partition> {
        let mut site = Vec::with_capacity(self.len());
        self.push_to(&mut site);
        let site = String::from_utf8_lossy(&site);
        (!self.is_none()).then(|| Partition::new(&site, self.ancestors))
    }

    pub(crate) fn len(&self) -> usize {
        if self.scheme.is_empty() {
            self.site.len()
        } else {
            self.scheme.len() + 3 + self.site.len()
        }
    }

    pub(crate) fn push_to(&self, text: &mut Vec<u8>) {
        if !self.scheme.is_empty() {
            text.extend_from_slice(self.scheme);
            text.extend_from_slice(b"://");
        }
        text.extend_from_slice(self.site);
    }

    /// Whether both stand for the same partition, however they are cut into pieces.
    pub(crate) fn is(&self, other: &PartitionKey<'_>) -> bool {
        let bytes = |key: &PartitionKey<'a>| {
            let between: &[u8] = if key.scheme.is_empty() { b"" } else { b"://" };
            [key.scheme, between, key.site].into_iter().flatten()
        };
        let others = {
            let between: &[u8] = if other.scheme.is_empty() { b"" } else { b"://" };
            [other.scheme, between, other.site].into_iter().flatten()
        };
        self.ancestors == other.ancestors
            && self.len() == other.len()
            && (self.is_none() || bytes(self).eq(others))
    }
}

impl<'a> Draft<'a> {
    /// The key alone, of a cookie that is gone.
    pub(crate) fn removed(key: &RecordKey<'a>) -> Self {
        Self {
            name: key.name,
            value: b"",
            path: key.path,
            partition: key.partition,
            flags: Flags::default().with_host_only(key.is_host_only),
            expires: Timestamp::LATEST,
        }
    }

    pub(crate) fn key(&self) -> RecordKey<'a> {
        RecordKey {
            name: self.name,
            path: self.path,
            is_host_only: self.flags.is_host_only(),
            partition: self.partition,
        }
    }
}

impl Record {
    /// A record of the draft, created and accessed now; stamp and revision are the caller's.
    pub(crate) fn new(draft: &Draft<'_>, now: Timestamp) -> Self {
        Self {
            text: joined(draft),
            created: now,
            expires: draft.expires,
            accessed: AtomicI64::new(now.as_millis()),
            stamp: Stamp::default(),
            revision: 0,
            order: 0,
            path_len: u32::try_from(draft.path.len()).unwrap_or(u32::MAX),
            name_len: u16::try_from(draft.name.len()).unwrap_or(u16::MAX),
            value_len: u16::try_from(draft.value.len()).unwrap_or(u16::MAX),
            flags: draft.flags.with_ancestors(draft.partition.ancestors),
        }
    }

    /// Takes on value, flags and expiry of a draft with the same key.
    pub(crate) fn update(&mut self, draft: &Draft<'_>) {
        let start = usize::from(self.name_len);
        let same_size = usize::from(self.value_len) == draft.value.len();
        match self.text.get_mut(start..start + draft.value.len()) {
            Some(place) if same_size => place.copy_from_slice(draft.value),
            _ => self.text = joined(draft),
        }
        self.value_len = u16::try_from(draft.value.len()).unwrap_or(u16::MAX);
        self.flags = draft.flags.with_ancestors(draft.partition.ancestors);
        self.expires = draft.expires;
    }

    /// Whether value and flags are those of a draft with the same key.
    pub(crate) fn is_same(&self, draft: &Draft<'_>) -> bool {
        self.flags == draft.flags.with_ancestors(draft.partition.ancestors)
            && self.value() == draft.value
    }

    pub(crate) fn name(&self) -> &[u8] {
        self.part(0, self.name_len.into())
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.part(self.name_len.into(), self.value_len.into())
    }

    pub(crate) fn path(&self) -> &[u8] {
        let start = usize::from(self.name_len) + usize::from(self.value_len);
        self.part(start, self.path_len())
    }

    pub(crate) fn path_len(&self) -> usize {
        self.path_len as usize
    }

    /// The site of the partition, empty if there is none.
    pub(crate) fn site(&self) -> &[u8] {
        let start = usize::from(self.name_len) + usize::from(self.value_len) + self.path_len();
        self.text.get(start..).unwrap_or_default()
    }

    pub(crate) fn partition(&self) -> PartitionKey<'_> {
        PartitionKey {
            scheme: b"",
            site: self.site(),
            ancestors: self.flags.ancestors(),
        }
    }

    pub(crate) fn key(&self) -> RecordKey<'_> {
        RecordKey {
            name: self.name(),
            path: self.path(),
            is_host_only: self.flags.is_host_only(),
            partition: self.partition(),
        }
    }

    pub(crate) fn is_session(&self) -> bool {
        self.expires == Timestamp::LATEST
    }

    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires <= now
    }

    pub(crate) fn accessed(&self) -> Timestamp {
        Timestamp::from_millis(self.accessed.load(Relaxed))
    }

    /// Notes a use of the cookie; an older one than is known changes nothing.
    pub(crate) fn touch(&self, now: Timestamp) {
        if self.accessed.load(Relaxed) < now.as_millis() {
            self.accessed.store(now.as_millis(), Relaxed);
        }
    }

    /// Whether the record has this key.
    pub(crate) fn is(&self, key: &RecordKey<'_>) -> bool {
        usize::from(self.name_len) == key.name.len()
            && self.path_len() == key.path.len()
            && self.flags.is_host_only() == key.is_host_only
            && self.name() == key.name
            && self.path() == key.path
            && self.partition().is(&key.partition)
    }

    /// The order in a `Cookie` header (5.8.3 step 4): longer paths first, then older cookies.
    pub(crate) fn sending_order(&self, other: &Self) -> Ordering {
        let newest_first = (self.path_len, other.created, other.order, other.stamp);
        let oldest_first = (other.path_len, self.created, self.order, self.stamp);
        oldest_first.cmp(&newest_first)
    }

    fn part(&self, start: usize, length: usize) -> &[u8] {
        self.text.get(start..start + length).unwrap_or_default()
    }
}

impl Clone for Record {
    fn clone(&self) -> Self {
        Self {
            text: self.text.clone(),
            accessed: AtomicI64::new(self.accessed.load(Relaxed)),
            ..*self
        }
    }
}

fn joined(draft: &Draft<'_>) -> Box<[u8]> {
    let parts = [draft.name, draft.value, draft.path];
    let length = parts.iter().map(|part| part.len()).sum::<usize>() + draft.partition.len();
    let mut text = Vec::with_capacity(length);
    for part in parts {
        text.extend_from_slice(part);
    }
    draft.partition.push_to(&mut text);
    text.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stays_small() {
        assert_eq!(size_of::<Record>(), 80);
    }

    #[test]
    fn flags_keep_apart() {
        let flags = Flags::default()
            .with_same_site(SameSite::Strict)
            .with_secure(true)
            .with_same_site(SameSite::Lax);
        assert!(flags.is_secure() && !flags.is_http_only() && !flags.is_host_only());
        assert_eq!(flags.same_site(), SameSite::Lax);
        assert_eq!(Flags::from_byte(flags.to_byte()), Some(flags));
        assert_eq!(Flags::from_byte(0x40), None);
    }

    #[test]
    fn partitions_are_equal_in_one_piece_or_two() {
        let whole = PartitionKey {
            site: b"https://a.example",
            ..PartitionKey::NONE
        };
        let cut = PartitionKey {
            scheme: b"https",
            site: b"a.example",
            ..PartitionKey::NONE
        };
        assert!(whole.is(&cut) && cut.is(&whole));
        assert!(!whole.is(&PartitionKey::NONE));
    }
}
