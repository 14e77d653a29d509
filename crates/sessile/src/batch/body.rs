//! What becomes of the replies' bodies.

use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding as _};
use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest as _};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use super::error::BatchError;
use super::line::Body;
use crate::error::Error;
use crate::session::{Content, Reply};

/// What becomes of the bodies.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Bodies {
    /// Each goes into a file of its own in this directory, whatever its length.
    Files(PathBuf),
    /// They go into the lines, of each at most so many bytes.
    Inline(u64),
    /// They aren't kept.
    Leave,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::Inline(1024 * 1024)
    }
}

/// Why there is no body.
#[derive(Debug)]
pub(super) enum BodyFault {
    /// It can't be kept, and neither could the next one.
    Kept(BatchError),
    /// The reply broke off.
    Reply(Error),
}

impl From<Error> for BodyFault {
    fn from(error: Error) -> Self {
        Self::Reply(error)
    }
}

/// Up to here a body that nobody wants is read, so that its connection can be used again.
const LITTLE: u64 = 64 * 1024;

impl Bodies {
    /// Takes in a body; `None` where it isn't kept.
    pub(super) async fn receive(
        &self,
        reply: Reply,
        target: &str,
    ) -> Result<Option<Body>, BodyFault> {
        match self {
            Self::Files(folder) => into_file(reply, folder, target).await.map(Some),
            Self::Inline(limit) => Ok(Some(inline(reply, *limit).await?)),
            Self::Leave => {
                reply.beginning(LITTLE).await?;
                Ok(None)
            }
        }
    }
}

async fn inline(reply: Reply, limit: u64) -> Result<Body, Error> {
    let (content, is_whole) = reply.beginning(limit).await?;
    let (body, body_base64) = match content {
        Content::Bytes(bytes) => (None, Some(Base64::encode_string(&bytes))),
        Content::Text(text) => (Some(text), None),
    };
    Ok(Body {
        body,
        body_base64,
        body_file: None,
        body_truncated: !is_whole,
    })
}

/// The file is there whole, and on the disk, before a line names it.
async fn into_file(mut reply: Reply, folder: &Path, target: &str) -> Result<Body, BodyFault> {
    let name = file_name(target);
    let path = folder.join(&name);
    let failed = |cause| {
        let path = path.display().to_string();
        BodyFault::Kept(BatchError::output("write", &path, cause))
    };
    let draft = NamedTempFile::with_prefix_in(".sessile-", folder).map_err(failed)?;
    let file = draft.reopen().map_err(failed)?;
    let mut file = tokio::fs::File::from_std(file);
    while let Some(piece) = reply.chunk().await? {
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    file.sync_all().await.map_err(failed)?;
    draft.persist(&path).map_err(|why| failed(why.error))?;
    Ok(Body {
        body: None,
        body_base64: None,
        body_file: Some(name),
        body_truncated: false,
    })
}

/// A name that says the target as far as a file's name can, and is no other target's.
fn file_name(target: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let words: String = target
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .take(80)
        .collect();
    let words = words.trim_start_matches(['.', '-']);
    let hash: [u8; 8] = Blake2b::<U8>::digest(target.as_bytes()).into();
    format!("{words}-{:016x}", u64::from_be_bytes(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_stay_in_their_folder() {
        for (target, start) in [
            ("../../etc/passwd", "_.._etc_passwd-"),
            ("http://h/a?b", "http___h_a_b-"),
            ("-rf", "rf-"),
            ("é", "_-"),
        ] {
            let name = file_name(target);
            assert!(name.starts_with(start), "{name}");
            assert!(!name.contains('/') && name.len() < 100, "{name}");
        }
        assert_ne!(file_name("a/b"), file_name("a_b"));
    }
}
