//! Changes as bytes, version 1.
//!
//! Numbers are little-endian base-128, signed ones folded (0, -1, 1, -2 …); texts have their
//! length in front. Every sequence of bytes has an answer, and what is read keeps the rules
//! that the jar's own cookies keep, so that no line can be forged through a store.
//!
//! ```text
//! version=1  cleared-clock  cleared-writer  count  entry*
//! entry: kind  identity  clock  writer  [value flags created order accessed [expires]]
//! identity: bits  domain  path  name  [site]
//! ```

use std::fmt;

use super::{Delta, Entry, Stamp};
use crate::Timestamp;
use crate::context::Ancestors;
use crate::domain::canonical;
use crate::parse::{MAX_PAIR, is_control};
use crate::record::{Draft, Flags, PartitionKey, Record, RecordKey};

const VERSION: u8 = 1;

/// Bits of an entry's kind.
const IS_REMOVAL: u8 = 1;
const HAS_EXPIRY: u8 = 2;

/// Bits of an identity.
const IS_HOST_ONLY: u8 = 1;
const HAS_PARTITION: u8 = 2;
const HAS_CROSS_SITE_ANCESTOR: u8 = 4;

/// Why bytes are no changes of a jar.
///
/// ```
/// use sessile_jar::{DecodeError, Delta};
///
/// assert_eq!(Delta::decode(b"\xFF"), Err(DecodeError::UnknownVersion(255)));
/// assert_eq!(Delta::decode(b""), Err(DecodeError::Truncated));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecodeError {
    /// A part holds what no jar can; the part is named.
    Invalid(&'static str),
    /// Something follows the end.
    TrailingBytes,
    /// The end is missing.
    Truncated,
    /// They are of a version that is not known here.
    UnknownVersion(u8),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(part) => write!(f, "cookie changes with an impossible {part}"),
            Self::TrailingBytes => f.write_str("cookie changes with something behind their end"),
            Self::Truncated => f.write_str("cookie changes that are cut off"),
            Self::UnknownVersion(version) => {
                write!(f, "cookie changes of the unknown version {version}")
            }
        }
    }
}

impl std::error::Error for DecodeError {}

pub(super) fn encode(delta: &Delta) -> Vec<u8> {
    let mut out = vec![VERSION];
    push_stamp(&mut out, delta.cleared);
    push_number(&mut out, delta.entries.len() as u64);
    for entry in &delta.entries {
        push_entry(&mut out, entry);
    }
    out
}

pub(super) fn decode(bytes: &[u8]) -> Result<Delta, DecodeError> {
    let mut reader = Reader(bytes);
    match reader.byte()? {
        VERSION => {}
        version => return Err(DecodeError::UnknownVersion(version)),
    }
    let cleared = reader.stamp()?;
    let count = reader.number()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(reader.entry()?);
    }
    reader.end()?;
    Ok(Delta { cleared, entries })
}

/// What tells a cookie from all others, as bytes.
pub(super) fn identity(domain: &str, key: &RecordKey<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + domain.len() + key.path.len() + key.name.len());
    push_identity(&mut out, domain, key);
    out
}

/// The other way.
pub(super) fn read_identity(bytes: &[u8]) -> Result<(&str, RecordKey<'_>), DecodeError> {
    let mut reader = Reader(bytes);
    let identity = reader.identity()?;
    reader.end()?;
    Ok(identity)
}

fn push_entry(out: &mut Vec<u8>, entry: &Entry) {
    let record = &entry.record;
    let mut kind = 0;
    if entry.is_removal {
        kind |= IS_REMOVAL;
    } else if !record.is_session() {
        kind |= HAS_EXPIRY;
    }
    out.push(kind);
    push_identity(out, &entry.domain, &record.key());
    push_stamp(out, record.stamp);
    if entry.is_removal {
        return;
    }
    push_text(out, record.value());
    out.push(record.flags.to_byte());
    push_time(out, record.created);
    push_number(out, record.order.into());
    push_time(out, record.accessed());
    if !record.is_session() {
        push_time(out, record.expires);
    }
}

fn push_identity(out: &mut Vec<u8>, domain: &str, key: &RecordKey<'_>) {
    let mut bits = 0;
    if key.is_host_only {
        bits |= IS_HOST_ONLY;
    }
    if !key.partition.is_none() {
        bits |= HAS_PARTITION;
    }
    if key.partition.ancestors == Ancestors::CrossSite {
        bits |= HAS_CROSS_SITE_ANCESTOR;
    }
    out.push(bits);
    push_text(out, domain.as_bytes());
    push_text(out, key.path);
    push_text(out, key.name);
    if !key.partition.is_none() {
        push_number(out, key.partition.len() as u64);
        key.partition.push_to(out);
    }
}

fn push_stamp(out: &mut Vec<u8>, stamp: Stamp) {
    push_number(out, stamp.clock);
    push_number(out, stamp.writer.into());
}

fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    push_number(out, text.len() as u64);
    out.extend_from_slice(text);
}

fn push_time(out: &mut Vec<u8>, time: Timestamp) {
    let millis = time.as_millis();
    push_number(out, (millis << 1 ^ millis >> 63).cast_unsigned());
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut rest = number;
    loop {
        let [low, ..] = (rest & 0x7F).to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// The bytes that are still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn entry(&mut self) -> Result<Entry, DecodeError> {
        let kind = self.byte()?;
        if kind > HAS_EXPIRY {
            return Err(DecodeError::Invalid("kind"));
        }
        let (domain, key) = self.identity()?;
        let stamp = self.stamp()?;
        let mut record = if kind == IS_REMOVAL {
            Record::new(&Draft::removed(&key), Timestamp::default())
        } else {
            self.record(&key, kind == HAS_EXPIRY)?
        };
        record.stamp = stamp;
        Ok(Entry {
            domain: domain.into(),
            record,
            is_removal: kind == IS_REMOVAL,
        })
    }

    fn record(&mut self, key: &RecordKey<'_>, has_expiry: bool) -> Result<Record, DecodeError> {
        let value = self.text()?;
        if key.name.len() + value.len() > MAX_PAIR || !is_clean(value) {
            return Err(DecodeError::Invalid("value"));
        }
        let flags = Flags::from_byte(self.byte()?)
            .filter(|flags| flags.is_host_only() == key.is_host_only)
            .filter(|flags| flags.ancestors() == key.partition.ancestors)
            .ok_or(DecodeError::Invalid("flags"))?;
        let created = self.time()?;
        let order = u32::try_from(self.number()?).map_err(|_| DecodeError::Invalid("order"))?;
        let accessed = self.time()?;
        let expires = if has_expiry {
            self.time()?
        } else {
            Timestamp::LATEST
        };
        if has_expiry && expires == Timestamp::LATEST {
            return Err(DecodeError::Invalid("expiry"));
        }
        let draft = Draft {
            value,
            flags,
            expires,
            ..Draft::removed(key)
        };
        let mut record = Record::new(&draft, accessed);
        (record.created, record.order) = (created, order);
        Ok(record)
    }

    fn identity(&mut self) -> Result<(&'a str, RecordKey<'a>), DecodeError> {
        let bits = self.byte()?;
        let has_partition = bits & HAS_PARTITION != 0;
        let is_cross_site = bits & HAS_CROSS_SITE_ANCESTOR != 0;
        if bits > 7 || (is_cross_site && !has_partition) {
            return Err(DecodeError::Invalid("identity"));
        }
        let domain = std::str::from_utf8(self.text()?)
            .ok()
            .filter(|domain| canonical(domain).as_deref() == Some(*domain))
            .ok_or(DecodeError::Invalid("domain"))?;
        let (path, name) = (self.text()?, self.text()?);
        if path.first() != Some(&b'/') || !is_clean(path) || u32::try_from(path.len()).is_err() {
            return Err(DecodeError::Invalid("path"));
        }
        if name.len() > MAX_PAIR || !is_clean(name) {
            return Err(DecodeError::Invalid("name"));
        }
        let mut partition = PartitionKey::NONE;
        if has_partition {
            partition.site = self.text()?;
            if partition.site.is_empty() || !is_clean(partition.site) {
                return Err(DecodeError::Invalid("partition"));
            }
        }
        if is_cross_site {
            partition.ancestors = Ancestors::CrossSite;
        }
        let is_host_only = bits & IS_HOST_ONLY != 0;
        let key = RecordKey {
            name,
            path,
            is_host_only,
            partition,
        };
        Ok((domain, key))
    }

    fn stamp(&mut self) -> Result<Stamp, DecodeError> {
        let clock = self.number()?;
        // No clock that goes right comes near; one that did would stop all clocks it meets.
        if clock > Stamp::MAX_CLOCK {
            return Err(DecodeError::Invalid("stamp"));
        }
        Ok(Stamp {
            clock,
            writer: u32::try_from(self.number()?).map_err(|_| DecodeError::Invalid("writer"))?,
        })
    }

    fn time(&mut self) -> Result<Timestamp, DecodeError> {
        let folded = self.number()?;
        let millis = (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed();
        Ok(Timestamp::from_millis(millis))
    }

    fn text(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.number()?).map_err(|_| DecodeError::Truncated)?;
        let (text, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(text)
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = u64::from(self.byte()?);
            let bits = byte & 0x7F;
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(DecodeError::Invalid("number"))
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (byte, rest) = self.0.split_first().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn end(&self) -> Result<(), DecodeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::TrailingBytes)
        }
    }
}

/// Whether the text can stand in a header.
fn is_clean(text: &[u8]) -> bool {
    !text.iter().any(|byte| is_control(*byte) || *byte == b';')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(Reader(&out).number(), Ok(number));
        }
        let too_large = [0xFF; 10];
        assert_eq!(
            Reader(&too_large).number(),
            Err(DecodeError::Invalid("number"))
        );
    }

    #[test]
    fn times_come_back() {
        for millis in [0, 1, -1, 1_795_219_200_000, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            push_time(&mut out, Timestamp::from_millis(millis));
            let time = Reader(&out).time().unwrap();
            assert_eq!(time.as_millis(), millis);
        }
    }

    #[test]
    fn what_is_no_delta_is_refused_with_the_reason() {
        check(b"", DecodeError::Truncated);
        check(b"\x02\0\0\0", DecodeError::UnknownVersion(2));
        check(b"\x01\0\0\0\0", DecodeError::TrailingBytes);
        check(b"\x01\0\0\x01", DecodeError::Truncated);
        check(b"\x01\0\0\x01\x04", DecodeError::Invalid("kind"));
        check(
            b"\x01\0\0\x01\0\x01\x03A.b\x01/\0",
            DecodeError::Invalid("domain"),
        );
        check(
            b"\x01\0\0\x01\0\x01\x01a\x01x\0",
            DecodeError::Invalid("path"),
        );
        check(
            b"\x01\0\0\x01\0\x01\x01a\x01/\x01\n",
            DecodeError::Invalid("name"),
        );
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: DecodeError) {
        assert_eq!(Delta::decode(bytes), Err(expected));
    }
}
