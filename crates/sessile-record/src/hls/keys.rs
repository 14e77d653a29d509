//! The keys of encrypted segments, each fetched once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sessile::{Secret, ShownUrl};
use tokio::sync::OnceCell;
use url::Url;

use super::cipher::{self, Cipher};
use crate::playlist::Key;
use crate::record::RecordError;
use crate::record::source::{Fault, Source, Wanted};

/// How many keys are remembered.
const MOST: usize = 64;

type Cell = Arc<OnceCell<Secret<[u8; 16]>>>;

/// The keys that were fetched, or are.
#[derive(Default)]
pub(super) struct Keys(Mutex<HashMap<Url, Cell>>);

impl Keys {
    /// What decrypts a segment; `None` where it isn't encrypted.
    pub(super) async fn cipher(
        &self,
        source: &Source<'_>,
        key: Option<&Key>,
        sequence: u64,
    ) -> Result<Option<Cipher>, Fault> {
        let (url, iv) = match key {
            None => return Ok(None),
            Some(Key::Aes128 { url, iv }) => (url, iv),
            Some(Key::Other(name)) => {
                return Err(Fault::Stop(RecordError::Playlist {
                    url: ShownUrl(&source.address().0).to_string(),
                    what: format!(
                        "its segments are encrypted by `{name}`, which needs a licensed player"
                    ),
                }));
            }
        };
        let cell = self.cell(url);
        let key = cell.get_or_try_init(|| fetch(source, url)).await?;
        let iv = iv.unwrap_or_else(|| cipher::iv_of(sequence));
        Ok(Some(Cipher::new(key.expose(), &iv)))
    }

    /// The key may be another one by now.
    pub(super) fn forget(&self, key: Option<&Key>) {
        if let Some(Key::Aes128 { url, .. }) = key {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(url);
        }
    }

    fn cell(&self, url: &Url) -> Cell {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MOST && !keys.contains_key(url) {
            keys.clear();
        }
        Arc::clone(keys.entry(url.clone()).or_default())
    }
}

async fn fetch(source: &Source<'_>, url: &Url) -> Result<Secret<[u8; 16]>, Fault> {
    let mut reply = source.fetch(&Wanted::bytes(url, None)).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = reply.chunk().await.map_err(passing)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > 16 {
            break;
        }
    }
    match bytes.try_into() {
        Ok(key) => Ok(Secret::new(key)),
        Err(_other) => {
            let what = "a key of 16 bytes was expected".to_owned();
            let url = ShownUrl(url).to_string();
            Err(Fault::Passing(RecordError::Wrong { url, what }, None))
        }
    }
}

/// A body that breaks off may come whole the next time.
pub(super) fn passing(error: sessile::Error) -> Fault {
    match &error {
        sessile::Error::Closed => Fault::Stop(error.into()),
        _ => Fault::Passing(error.into(), None),
    }
}
