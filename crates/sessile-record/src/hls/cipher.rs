//! AES-128 in CBC mode over a segment that comes in pieces (RFC 8216, section 4.3.2.4).

use aes::Aes128;
use aes::cipher::array::Array;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use cbc::Decryptor;

/// The length of a block.
const BLOCK: usize = 16;

/// A segment on its way to what it was.
pub(super) struct Cipher {
    mode: Decryptor<Aes128>,
    /// What is not decrypted yet: at the end it is the block with the padding.
    rest: Vec<u8>,
}

impl Cipher {
    pub(super) fn new(key: &[u8; 16], iv: &[u8; 16]) -> Self {
        Self {
            mode: Decryptor::new(&Array::from(*key), &Array::from(*iv)),
            rest: Vec::with_capacity(BLOCK),
        }
    }

    /// Decrypts more bytes into `plain`.
    pub(super) fn decrypt(&mut self, piece: &[u8], plain: &mut Vec<u8>) {
        plain.clear();
        plain.append(&mut self.rest);
        plain.extend_from_slice(piece);
        if plain.is_empty() {
            return;
        }
        let whole = (plain.len() - 1) / BLOCK * BLOCK;
        self.rest.extend_from_slice(&plain[whole..]);
        plain.truncate(whole);
        let (blocks, _none) = Array::slice_as_chunks_mut(plain);
        self.mode.decrypt_blocks(blocks);
    }

    /// The last bytes, without their padding; `None` where they aren't what the key belongs to.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        let mut last: [u8; BLOCK] = self.rest.as_slice().try_into().ok()?;
        let block: &mut Array<u8, _> = (&mut last).into();
        self.mode.decrypt_block(block);
        // RFC 5652, section 6.3: as many bytes as are added, each of that value.
        let added = usize::from(last[BLOCK - 1]);
        let padding = last.get(BLOCK.checked_sub(added)?..)?;
        let is_padding = added > 0 && padding.iter().all(|byte| usize::from(*byte) == added);
        is_padding.then(|| last[..BLOCK - added].to_vec())
    }
}

/// The IV of a segment whose playlist names none: its sequence number.
pub(super) fn iv_of(sequence: u64) -> [u8; 16] {
    u128::from(sequence).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use aes::cipher::BlockModeEncrypt;
    use proptest::prelude::*;

    use super::*;

    fn encrypt(plain: &[u8], key: [u8; 16], iv: [u8; 16]) -> Vec<u8> {
        let added = BLOCK - plain.len() % BLOCK;
        let mut bytes = plain.to_vec();
        bytes.extend(std::iter::repeat_n(added as u8, added));
        let mut mode = cbc::Encryptor::<Aes128>::new(&Array::from(key), &Array::from(iv));
        let (blocks, _none) = Array::slice_as_chunks_mut(&mut bytes);
        mode.encrypt_blocks(blocks);
        bytes
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same(
            plain in prop::collection::vec(any::<u8>(), 0..300),
            cuts in prop::collection::vec(0_usize..70, 1..20),
        ) {
            let sent = encrypt(&plain, [7; 16], iv_of(9));
            let mut cipher = Cipher::new(&[7; 16], &iv_of(9));
            let (mut got, mut buffer, mut rest) = (Vec::new(), Vec::new(), sent.as_slice());
            for cut in cuts.iter().cycle().take(1_000) {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                cipher.decrypt(piece, &mut buffer);
                got.extend_from_slice(&buffer);
                rest = after;
            }
            cipher.decrypt(rest, &mut buffer);
            got.extend_from_slice(&buffer);
            got.extend(cipher.finish().unwrap());
            prop_assert_eq!(got, plain);
        }
    }

    #[test]
    fn what_the_key_is_not_for_is_refused() {
        let sent = encrypt(b"hello", [7; 16], [0; 16]);
        let decrypt = |key, bytes: &[u8]| {
            let mut cipher = Cipher::new(&[key; 16], &[0; 16]);
            cipher.decrypt(bytes, &mut Vec::new());
            cipher.finish()
        };
        assert_eq!(decrypt(7, &sent).as_deref(), Some(b"hello".as_slice()));
        assert_eq!(decrypt(8, &sent), None);
        assert_eq!(decrypt(7, &sent[..15]), None);
        assert_eq!(decrypt(7, &[]), None);
    }
}
