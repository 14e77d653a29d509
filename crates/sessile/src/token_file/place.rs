//! Reading a token file and putting another in its place, whole or not at all.
//!
//! Processes of ours take turns by a lock on the folder. Others know of no lock: before a file takes
//! the place of theirs, it is looked at once more.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use sessile_jar::Timestamp;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::TokenTrouble;
use super::content::{Content, Corrupt};

/// Tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    modified: Timestamp,
    length: u64,
    inode: u64,
    fraction: i64,
}

/// What a file was when it was read.
pub(super) struct Found {
    pub(super) content: Content,
    pub(super) modified: Timestamp,
    /// Nothing where there is no file.
    pub(super) stamp: Option<Stamp>,
}

/// The turn to change files of a folder; ends when dropped.
#[derive(Debug)]
pub(crate) struct Turn(Option<File>);

impl Turn {
    /// Waits for those of our processes that are at it. Where the system has no such lock, none
    /// is waited for.
    pub(crate) fn wait(path: &str) -> Result<Self, TokenTrouble> {
        let Ok(folder) = File::open(folder(&resolved(Path::new(path)))) else {
            return Ok(Self(None));
        };
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            match folder.try_lock() {
                Ok(()) => return Ok(Self(Some(folder))),
                Err(TryLockError::Error(_)) => return Ok(Self(None)),
                Err(TryLockError::WouldBlock) => {}
            }
            thread::sleep(NAP);
            waited += NAP;
        }
        let path = path.to_owned();
        Err(TokenTrouble::Busy { path })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // Closing it, which comes next, ends it as well.
            let _ended = folder.unlock();
        }
    }
}

/// What tells whether the file has changed; nothing where there is none.
pub(crate) fn stamp(path: &str) -> Option<Stamp> {
    fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata))
}

/// Reads the file. One that is half written or empty may be whole a moment later; empty says
/// little only if there was nothing in it before.
pub(super) fn read(path: &Path, had_tokens: bool) -> Result<Found, TokenTrouble> {
    let mut left = LOOKS;
    loop {
        left -= 1;
        let (bytes, stamp) = match read_once(path) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::nothing()),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let path = path.display().to_string();
                return Err(TokenTrouble::TooLarge { path });
            }
            Err(error) => return Err(failed("read", path, &error)),
        };
        let is_suspect = had_tokens && bytes.is_empty();
        match Content::parse(&bytes) {
            Ok(content) if !is_suspect || left == 0 => {
                return Ok(Found {
                    content,
                    modified: stamp.modified,
                    stamp: Some(stamp),
                });
            }
            Err(corrupt) if left == 0 => return Err(damaged(path, corrupt)),
            Ok(_) | Err(_) => thread::sleep(NAP),
        }
    }
}

fn read_once(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, Stamp)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.len() > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Zeroizing::new(Vec::new());
    (&mut file).take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok((bytes, Stamp::of(&metadata)))
}

/// Puts `content` in the file's place if it is still as it was; answers what it is then.
pub(super) fn replace(
    path: &Path,
    content: &Content,
    before: Option<Stamp>,
) -> Result<Option<Stamp>, TokenTrouble> {
    // A link stays one, and the file it leads to is replaced.
    let target = resolved(path);
    let written = write_aside(&target, content);
    let draft = written.map_err(|error| failed("write", path, &error))?;
    let is_same = fs::metadata(&target).ok().map(|found| Stamp::of(&found)) == before;
    if !is_same {
        return Ok(None);
    }
    let placed = draft.persist(&target).map_err(|refused| refused.error);
    let file = placed.map_err(|error| failed("write", path, &error))?;
    if let Ok(folder) = File::open(folder(&target)) {
        // Without it the old file may be back after a loss of power, which is no harm.
        let _durable = folder.sync_all();
    }
    let metadata = file
        .metadata()
        .map_err(|error| failed("read", path, &error))?;
    Ok(Some(Stamp::of(&metadata)))
}

/// The content in a file beside the target, with the target's mode and owner, or for its owner
/// only where there is none.
fn write_aside(target: &Path, content: &Content) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let mut draft = builder
        .prefix(".sessile-tokens-")
        .tempfile_in(folder(target))?;
    draft.write_all(&content.to_bytes())?;
    if let Ok(metadata) = fs::metadata(target) {
        keep_owner(draft.as_file(), &metadata);
        draft.as_file().set_permissions(metadata.permissions())?;
    }
    draft.as_file().sync_all()?;
    Ok(draft)
}

#[cfg(unix)]
fn keep_owner(draft: &File, target: &Metadata) {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let is_another = draft
        .metadata()
        .is_ok_and(|own| (own.uid(), own.gid()) != (target.uid(), target.gid()));
    if is_another {
        // Who may not give files away keeps his own.
        let _refused = fchown(draft, Some(target.uid()), Some(target.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_draft: &File, _target: &Metadata) {}

impl Stamp {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            modified: modified(metadata),
            length: metadata.len(),
            inode: metadata.ino(),
            fraction: metadata.mtime_nsec(),
        }
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: modified(metadata),
            length: metadata.len(),
            inode: 0,
            fraction: 0,
        }
    }
}

impl Found {
    fn nothing() -> Self {
        Self {
            content: Content::default(),
            modified: Timestamp::EARLIEST,
            stamp: None,
        }
    }
}

fn modified(metadata: &Metadata) -> Timestamp {
    metadata
        .modified()
        .map_or(Timestamp::EARLIEST, Timestamp::from)
}

fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_missing| path.to_owned())
}

fn folder(path: &Path) -> PathBuf {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

fn damaged(path: &Path, corrupt: Corrupt) -> TokenTrouble {
    TokenTrouble::Corrupt {
        path: path.display().to_string(),
        line: corrupt.line,
        column: corrupt.column,
        what: corrupt.what,
    }
}

fn failed(doing: &'static str, path: &Path, error: &io::Error) -> TokenTrouble {
    TokenTrouble::Io {
        doing,
        path: path.display().to_string(),
        detail: error.to_string(),
    }
}

/// Larger is no small file of tokens.
const LARGEST: u64 = 1 << 20;

/// How often a file that seems half written is looked at.
const LOOKS: usize = 5;

/// How long is waited between two looks.
const NAP: Duration = Duration::from_millis(20);

/// How long is waited for another process's turn.
const PATIENCE: Duration = Duration::from_secs(5);
