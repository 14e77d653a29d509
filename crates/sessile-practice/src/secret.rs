//! Random secrets, their digests, and comparing without a hint of where two
//! differ.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What the site keeps in place of a secret.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Whether `secret` has this digest, in the same time whatever it is.
    pub(crate) fn matches(&self, secret: &str) -> bool {
        self.0.ct_eq(&Self::of(secret).0).into()
    }

    pub(crate) fn hex(&self) -> String {
        hex(&self.0)
    }
}

/// 32 bytes of the operating system's randomness, in hexadecimal.
pub(crate) fn random() -> String {
    hex(&random_bytes::<32>())
}

/// A number below `limit`; not for secrets, the low ones are a little likelier.
pub(crate) fn random_below(limit: usize) -> usize {
    usize::from_le_bytes(random_bytes()) % limit
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has randomness to give");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}
