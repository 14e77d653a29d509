//! Sealing: XChaCha20-Poly1305 with a random nonce, bound to where the bytes belong.
//!
//! A sealed record is `magic ‖ format (1) ‖ key id (4) ‖ nonce (24) ‖ ciphertext and tag`. The associated data
//! binds it to its key, name, version and generation, so that a record moved to another name or put under another
//! version does not open. Putting back a whole old row, version and all, is *not* seen.

use std::fmt;

use blake2::{Blake2b256, Digest as _};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::{KEY_LENGTH, Name, StoreError};
use crate::secret::Secret;

/// A short, harmless fingerprint of a key.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId([u8; 4]);

/// A key that seals and opens.
#[derive(Clone, Debug)]
pub(super) struct Key {
    id: KeyId,
    bytes: Secret<[u8; KEY_LENGTH]>,
}

/// The keys of a store: the newest seals, all of them open.
#[derive(Clone, Debug)]
pub(super) struct KeyRing {
    newest: Key,
    older: Vec<Key>,
}

/// Where a sealed record belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    pub(super) name: &'a Name,
    pub(super) version: u64,
    pub(super) generation: u64,
}

const MAGIC: &[u8; 4] = b"SESL";
const FORMAT: u8 = 1;
const NONCE_LENGTH: usize = 24;
const HEADER_LENGTH: usize = MAGIC.len() + 1 + 4;

impl Key {
    pub(super) fn new(bytes: Secret<[u8; KEY_LENGTH]>) -> Self {
        let mut hash = Blake2b256::new();
        hash.update(b"sessile key id");
        hash.update(bytes.expose());
        let digest = hash.finalize();
        let id = KeyId([digest[0], digest[1], digest[2], digest[3]]);
        Self { id, bytes }
    }

    pub(super) fn random() -> Result<Self, StoreError> {
        random_bytes().map(|bytes| Self::new(Secret::new(bytes)))
    }

    pub(super) const fn id(&self) -> KeyId {
        self.id
    }

    pub(super) const fn bytes(&self) -> &[u8; KEY_LENGTH] {
        self.bytes.expose()
    }

    /// `nonce ‖ ciphertext and tag`.
    pub(super) fn encrypt(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, StoreError> {
        let nonce: [u8; NONCE_LENGTH] = random_bytes()?;
        let payload = Payload {
            msg: plain,
            aad: bound_to,
        };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_too_long| too_long())?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// The reverse of [`Key::encrypt`], or nothing if a bit of it is not as it was.
    pub(super) fn decrypt(&self, sealed: &[u8], bound_to: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, msg) = sealed.split_first_chunk::<NONCE_LENGTH>()?;
        let payload = Payload { msg, aad: bound_to };
        let plain = self.cipher().decrypt(&XNonce::from(*nonce), payload);
        plain.ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.bytes.expose().into())
    }
}

impl KeyRing {
    pub(super) const fn new(newest: Key, older: Vec<Key>) -> Self {
        Self { newest, older }
    }

    pub(super) const fn newest(&self) -> &Key {
        &self.newest
    }

    /// Newest first.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    pub(super) fn key(&self, id: KeyId) -> Option<&Key> {
        self.keys().find(|key| key.id == id)
    }

    pub(super) fn seal(&self, plain: &[u8], slot: Slot<'_>) -> Result<Vec<u8>, StoreError> {
        let key = &self.newest;
        let body = key.encrypt(plain, &slot.bound_to(key.id))?;
        Ok([&MAGIC[..], &[FORMAT], &key.id.0, &body].concat())
    }

    /// Opens a record, or tells why it does not open.
    pub(super) fn open(
        &self,
        sealed: &[u8],
        slot: Slot<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let id = key_id(sealed).ok_or(Unopened::Altered)?;
        let key = self.key(id).ok_or(Unopened::UnknownKey)?;
        let body = sealed.get(HEADER_LENGTH..).ok_or(Unopened::Altered)?;
        key.decrypt(body, &slot.bound_to(id))
            .ok_or(Unopened::Altered)
    }
}

/// Why a record does not open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unopened {
    /// It is not what was sealed here.
    Altered,
    /// It says it was sealed with a key that is not on the ring.
    UnknownKey,
}

/// The key that a record says it was sealed with.
pub(super) fn key_id(sealed: &[u8]) -> Option<KeyId> {
    let rest = sealed.strip_prefix(MAGIC)?.strip_prefix(&[FORMAT])?;
    rest.first_chunk().map(|id| KeyId(*id))
}

pub(super) fn random_bytes<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(StoreError::Io {
            doing: "draw",
            place: "random bytes from the system".to_owned(),
            detail: error.to_string(),
        }),
    }
}

/// Joins parts so that no other parts make the same bytes.
pub(super) fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(*part);
    }
    bytes
}

impl Slot<'_> {
    fn bound_to(self, key: KeyId) -> Vec<u8> {
        joined(&[
            b"record",
            &[FORMAT],
            &key.0,
            self.name.as_str().as_bytes(),
            &self.version.to_be_bytes(),
            &self.generation.to_be_bytes(),
        ])
    }
}

fn too_long() -> StoreError {
    StoreError::Io {
        doing: "seal",
        place: "a record".to_owned(),
        detail: "it is longer than the cipher takes".to_owned(),
    }
}

impl KeyId {
    pub(super) const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(self) -> [u8; 4] {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_opens_only_where_it_belongs() {
        let ring = ring(1);
        let [shop, other] = ["shop", "other"].map(|name| Name::parse(name).unwrap());
        let home = Slot {
            name: &shop,
            version: 7,
            generation: 2,
        };
        let sealed = ring.seal(b"cookies", home).unwrap();
        assert_eq!(ring.open(&sealed, home).unwrap().as_slice(), b"cookies");
        for elsewhere in [
            Slot {
                name: &other,
                ..home
            },
            Slot { version: 8, ..home },
            Slot {
                generation: 3,
                ..home
            },
        ] {
            assert_eq!(
                ring.open(&sealed, elsewhere),
                Err(Unopened::Altered),
                "{elsewhere:?}"
            );
        }
    }

    #[test]
    fn every_altered_bit_is_noticed() {
        let ring = ring(1);
        let name = Name::parse("shop").unwrap();
        let home = Slot {
            name: &name,
            version: 1,
            generation: 0,
        };
        let sealed = ring.seal(b"cookies", home).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(ring.open(&altered, home).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(
                ring.open(&sealed[..length], home).is_err(),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn an_older_key_opens_and_a_strange_one_does_not() {
        let name = Name::parse("shop").unwrap();
        let home = Slot {
            name: &name,
            version: 1,
            generation: 0,
        };
        let sealed = ring(1).seal(b"cookies", home).unwrap();
        let both = KeyRing::new(key(2), vec![key(1)]);
        assert_eq!(both.open(&sealed, home).unwrap().as_slice(), b"cookies");
        assert_eq!(ring(2).open(&sealed, home), Err(Unopened::UnknownKey));
    }

    #[test]
    fn joined_parts_are_unambiguous() {
        assert_ne!(joined(&[b"a", b"bc"]), joined(&[b"ab", b"c"]));
        assert_ne!(joined(&[b"", b"a"]), joined(&[b"a", b""]));
    }

    #[test]
    fn a_key_does_not_show_itself() {
        let shown = format!("{:?}", ring(0xab));
        assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
    }

    fn ring(fill: u8) -> KeyRing {
        KeyRing::new(key(fill), Vec::new())
    }

    fn key(fill: u8) -> Key {
        Key::new(Secret::new([fill; KEY_LENGTH]))
    }
}
