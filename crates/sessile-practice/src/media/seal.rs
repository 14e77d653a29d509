//! Segments under AES-128, as RFC 8216 has them: CBC, PKCS#7, a key for each half of a stream.

use aes::Aes128;
use axum::body::Bytes;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt as _, KeyIvInit as _};

use crate::secret::Digest;

/// The key of that number. No secret: it is to be had by who may have the stream.
pub(super) fn key(number: usize) -> [u8; 16] {
    let digest = Digest::of(&format!("key {number}")).hex();
    let mut key = [0; 16];
    key.copy_from_slice(digest.as_bytes().get(..16).unwrap_or_default());
    key
}

/// The vector that a playlist names for the `n`th segment of its first half.
pub(super) fn named_vector(n: usize) -> u128 {
    0x5E55_11E0_0000_0000_0000_0000_0000_0000 | n as u128
}

/// The segment, sealed.
pub(super) fn seal(bytes: &[u8], key: [u8; 16], vector: u128) -> Bytes {
    let cipher = cbc::Encryptor::<Aes128>::new(&key.into(), &vector.to_be_bytes().into());
    cipher.encrypt_padded_vec::<Pkcs7>(bytes).into()
}
