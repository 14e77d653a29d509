//! The store's own keys, sealed under the key from outside.
//!
//! One table holds one envelope for each outside key that opens it, each with the same keys inside:
//! `magic ‖ format (1) ‖ newest key id (4) ‖ count (1) ‖ envelopes`, and an envelope is
//! `kind (1) ‖ outside key id (4) ‖ [salt (16) ‖ memory ‖ passes ‖ lanes] ‖ length (2) ‖ nonce ‖ sealed keys`.
//! While keys are rotated there are two envelopes, so that whoever has the old key or the new one can go on.

use super::key::{RootSource, Stretch};
use super::seal::{Key, KeyId, KeyRing, joined};
use super::{KEY_LENGTH, StoreError};
use crate::secret::Secret;

/// The key from outside, ready to open an envelope.
#[derive(Clone, Debug)]
pub(super) struct Root {
    key: Key,
    stretch: Option<Stretch>,
}

/// A parsed table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct KeyTable {
    newest: KeyId,
    envelopes: Vec<Envelope>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Envelope {
    root: KeyId,
    stretch: Option<Stretch>,
    sealed: Vec<u8>,
}

const MAGIC: &[u8; 4] = b"SESK";
const FORMAT: u8 = 1;
const PLAIN: u8 = 1;
const STRETCHED: u8 = 2;

impl Root {
    /// A root for a table yet to be made.
    pub(super) fn fresh(source: &RootSource) -> Result<Self, StoreError> {
        Ok(match source {
            RootSource::Key(key) => Self {
                key: key.clone(),
                stretch: None,
            },
            RootSource::Passphrase(passphrase) => {
                let stretch = Stretch::random()?;
                let key = stretch.derive(passphrase)?;
                Self {
                    key,
                    stretch: Some(stretch),
                }
            }
        })
    }

    pub(super) const fn id(&self) -> KeyId {
        self.key.id()
    }
}

impl KeyTable {
    /// Seals the keys of `ring` for each of `roots`.
    pub(super) fn seal(ring: &KeyRing, roots: &[&Root]) -> Result<Self, StoreError> {
        let newest = ring.newest().id();
        let envelopes = roots.iter().map(|root| Envelope::seal(ring, root));
        let envelopes = envelopes.collect::<Result<_, _>>()?;
        Ok(Self { newest, envelopes })
    }

    /// The key that seals new records.
    pub(super) const fn newest(&self) -> KeyId {
        self.newest
    }

    /// Finds the envelope that `source` opens, stretching a passphrase with that envelope's salt.
    pub(super) fn root(&self, source: &RootSource, place: &str) -> Result<Root, StoreError> {
        let mut tried = None;
        for envelope in &self.envelopes {
            let root = match (source, envelope.stretch) {
                (RootSource::Key(key), None) => Root {
                    key: key.clone(),
                    stretch: None,
                },
                (RootSource::Passphrase(passphrase), Some(stretch)) => {
                    let key = stretch.derive(passphrase)?;
                    Root {
                        key,
                        stretch: Some(stretch),
                    }
                }
                (RootSource::Key(key), Some(_)) => {
                    tried.get_or_insert(key.id());
                    continue;
                }
                (RootSource::Passphrase(_), None) => continue,
            };
            if root.id() == envelope.root {
                return Ok(root);
            }
            tried = Some(root.id());
        }
        match tried {
            Some(given) => Err(self.wrong_key(given, place)),
            None => Err(StoreError::NoKey {
                detail: format!(
                    "the store {place} opens with {}, not with a passphrase",
                    self.wanted()
                ),
            }),
        }
    }

    /// Opens the envelope made for `root`.
    pub(super) fn open(&self, root: &Root, place: &str) -> Result<KeyRing, StoreError> {
        let envelope = self
            .envelopes
            .iter()
            .find(|envelope| envelope.root == root.id());
        let envelope = envelope.ok_or_else(|| self.wrong_key(root.id(), place))?;
        let plain = root
            .key
            .decrypt(&envelope.sealed, &envelope.bound_to(self.newest));
        let plain = plain.ok_or_else(|| self.wrong_key(root.id(), place))?;
        let mut keys: Vec<Key> = plain
            .as_chunks::<KEY_LENGTH>()
            .0
            .iter()
            .map(|bytes| Key::new(Secret::new(*bytes)))
            .collect();
        if keys.first().map(Key::id) != Some(self.newest) {
            return Err(damaged(place));
        }
        let newest = keys.remove(0);
        Ok(KeyRing::new(newest, keys))
    }

    fn wrong_key(&self, given: KeyId, place: &str) -> StoreError {
        let place = place.to_owned();
        StoreError::WrongKey {
            place,
            wanted: self.wanted(),
            given,
        }
    }

    fn wanted(&self) -> String {
        let shown = |envelope: &Envelope| match envelope.stretch {
            None => envelope.root.to_string(),
            Some(_) => format!("the passphrase of {}", envelope.root),
        };
        self.envelopes
            .iter()
            .map(shown)
            .collect::<Vec<_>>()
            .join(" or ")
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let count = u8::try_from(self.envelopes.len()).expect("one or two envelopes are made");
        let mut bytes = [&MAGIC[..], &[FORMAT], &self.newest.bytes(), &[count]].concat();
        for envelope in &self.envelopes {
            envelope.write(&mut bytes);
        }
        bytes
    }

    pub(super) fn parse(bytes: &[u8], place: &str) -> Result<Self, StoreError> {
        parse(bytes).ok_or_else(|| damaged(place))
    }
}

impl Envelope {
    fn seal(ring: &KeyRing, root: &Root) -> Result<Self, StoreError> {
        let mut envelope = Self {
            root: root.id(),
            stretch: root.stretch,
            sealed: Vec::new(),
        };
        let mut plain =
            zeroize::Zeroizing::new(Vec::with_capacity(ring.keys().count() * KEY_LENGTH));
        for key in ring.keys() {
            plain.extend_from_slice(key.bytes());
        }
        envelope.sealed = root
            .key
            .encrypt(&plain, &envelope.bound_to(ring.newest().id()))?;
        Ok(envelope)
    }

    fn bound_to(&self, newest: KeyId) -> Vec<u8> {
        let mut header = Vec::new();
        self.write_header(&mut header);
        joined(&[b"keys", &[FORMAT], &newest.bytes(), &header])
    }

    fn write_header(&self, bytes: &mut Vec<u8>) {
        bytes.push(if self.stretch.is_some() {
            STRETCHED
        } else {
            PLAIN
        });
        bytes.extend(self.root.bytes());
        if let Some(stretch) = &self.stretch {
            bytes.extend(stretch.salt);
            for number in [stretch.memory_kib, stretch.passes, stretch.lanes] {
                bytes.extend(number.to_be_bytes());
            }
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        self.write_header(bytes);
        let length = u16::try_from(self.sealed.len()).expect("a ring has few keys");
        bytes.extend(length.to_be_bytes());
        bytes.extend(&self.sealed);
    }
}

fn parse(bytes: &[u8]) -> Option<KeyTable> {
    let mut rest = bytes.strip_prefix(MAGIC)?.strip_prefix(&[FORMAT])?;
    let newest = KeyId::from_bytes(take(&mut rest)?);
    let [count] = take(&mut rest)?;
    let envelopes = (0..count)
        .map(|_| envelope(&mut rest))
        .collect::<Option<_>>()?;
    rest.is_empty().then_some(KeyTable { newest, envelopes })
}

fn envelope(rest: &mut &[u8]) -> Option<Envelope> {
    let [kind] = take(rest)?;
    let root = KeyId::from_bytes(take(rest)?);
    let stretch = match kind {
        PLAIN => None,
        STRETCHED => Some(stretch(rest)?),
        _ => return None,
    };
    let length = usize::from(u16::from_be_bytes(take(rest)?));
    let (sealed, after) = rest.split_at_checked(length)?;
    *rest = after;
    let sealed = sealed.to_vec();
    Some(Envelope {
        root,
        stretch,
        sealed,
    })
}

fn stretch(rest: &mut &[u8]) -> Option<Stretch> {
    let stretch = Stretch {
        salt: take(rest)?,
        memory_kib: u32::from_be_bytes(take(rest)?),
        passes: u32::from_be_bytes(take(rest)?),
        lanes: u32::from_be_bytes(take(rest)?),
    };
    stretch.is_affordable().then_some(stretch)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

fn damaged(place: &str) -> StoreError {
    StoreError::Corrupt {
        place: place.to_owned(),
        detail: "its key table does not read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_reads_back() {
        let [root, other] = [root(1), root(2)];
        let ring = KeyRing::new(key(8), vec![key(7)]);
        let table = KeyTable::seal(&ring, &[&root, &other]).unwrap();
        let read = KeyTable::parse(&table.to_bytes(), "here").unwrap();
        assert_eq!(read, table);
        for root in [&root, &other] {
            let ids: Vec<KeyId> = read
                .open(root, "here")
                .unwrap()
                .keys()
                .map(Key::id)
                .collect();
            assert_eq!(ids, [key(8).id(), key(7).id()]);
        }
    }

    #[test]
    fn a_wrong_key_is_told_from_the_right_one() {
        let table = KeyTable::seal(&KeyRing::new(key(8), vec![]), &[&root(1)]).unwrap();
        let error = table.root(&RootSource::Key(key(2)), "here").unwrap_err();
        let expected = StoreError::WrongKey {
            place: "here".to_owned(),
            wanted: key(1).id().to_string(),
            given: key(2).id(),
        };
        assert_eq!(error, expected);
    }

    #[test]
    fn every_prefix_and_bit_is_refused_without_a_panic() {
        let root = root(1);
        let table = KeyTable::seal(&KeyRing::new(key(8), vec![]), &[&root]).unwrap();
        let bytes = table.to_bytes();
        for length in 0..bytes.len() {
            assert!(KeyTable::parse(&bytes[..length], "here").is_err());
        }
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let opened =
                KeyTable::parse(&altered, "here").and_then(|table| table.open(&root, "here"));
            assert!(opened.is_err(), "bit {bit}");
        }
    }

    fn root(fill: u8) -> Root {
        Root {
            key: key(fill),
            stretch: None,
        }
    }

    fn key(fill: u8) -> Key {
        Key::new(Secret::new([fill; KEY_LENGTH]))
    }
}
