//! The output as a journal: what has a line is done, whoever ended the run in between.
//!
//! Beside the output lies a small file of the same name with `.sessile` at its end: it says what
//! the output was begun with, and its lock keeps a second batch out. A run that was ended in the
//! middle of a line leaves a torn one, which is cut off.

mod pen;
mod scan;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::done::Done;
use super::error::BatchError;
use scan::Scan;

pub(super) use pen::{Order, Pen};

/// Where the lines go.
#[derive(Debug)]
pub struct Output {
    pub(super) place: Place,
    pub(super) done: Done,
    found: Found,
}

pub(super) enum Place {
    File(OpenFile),
    Stream(Box<dyn io::Write + Send>),
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => f.debug_tuple("File").field(&file.path).finish(),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// An output that is a file.
pub(super) struct OpenFile {
    pub(super) path: String,
    pub(super) file: File,
    /// How long it is without a torn line.
    pub(super) length: u64,
    /// Held for as long as somebody may write.
    pub(super) _lock: File,
}

/// What an output had in it already.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// How many targets have a line that stays.
    pub done: u64,
    /// How many of these are failures.
    pub failed: u64,
    /// How many failures were taken out, to be done again.
    pub taken_out: u64,
    /// How many lines couldn't be read and were taken out.
    pub unreadable: u64,
    /// Whether a torn line was cut off.
    pub was_torn: bool,
    /// The other list of targets that the output was begun with.
    pub other_targets: Option<String>,
}

/// What an output is for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Origin {
    /// The list of targets, as people know it.
    pub targets: String,
    /// What becomes of failures that are there already. Defaults to leaving them.
    pub failures: Failures,
}

/// What becomes of the failures of an earlier run.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Failures {
    /// They stay as they are.
    #[default]
    Leave,
    /// They are taken out and done again.
    Retry,
}

impl Origin {
    /// A list of targets by its name.
    pub fn new(targets: impl Into<String>) -> Self {
        Self {
            targets: targets.into(),
            failures: Failures::Leave,
        }
    }
}

/// What the request of a batch is, as the file beside the output keeps it.
#[derive(Clone, Debug)]
pub(super) struct RequestMark {
    /// A hash of all that makes it.
    pub(super) hash: String,
    /// For people, without secrets.
    pub(super) shown: String,
}

#[derive(Debug, Deserialize, Serialize)]
struct Beside {
    version: u32,
    targets: String,
    request: String,
    shown: String,
}

impl Output {
    /// A stream, as standard output: it remembers nothing, so that nothing can be gone on with.
    pub fn stream(writer: Box<dyn io::Write + Send>) -> Self {
        Self {
            place: Place::Stream(writer),
            done: Done::default(),
            found: Found::default(),
        }
    }

    /// What was there already.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Opens a file, or makes it. What an earlier run has done is known afterwards.
    pub(super) fn open(
        path: &Path,
        origin: &Origin,
        request: &RequestMark,
    ) -> Result<Self, BatchError> {
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Self::in_place(path);
        }
        let shown = path.display().to_string();
        let failed = |doing, cause| BatchError::output(doing, &shown, cause);
        let beside_path = beside(path);
        let is_fresh = !beside_path.exists();
        let mut lock = lock(&beside_path, &shown)?;
        let begun = read_beside(&mut lock).map_err(|cause| failed("read", cause))?;
        let mut found = Found::default();
        if let Some(begun) = &begun {
            if begun.request != request.hash {
                return Err(BatchError::OtherRequest {
                    path: shown,
                    begun: begun.shown.clone(),
                });
            }
            found.other_targets = (begun.targets != origin.targets).then(|| begun.targets.clone());
        }
        let scanned = Scan::of(path, origin.failures).map_err(|cause| failed("read", cause))?;
        if let Some(line) = scanned.first_unreadable
            && (begun.is_none() || scanned.is_foreign())
        {
            if is_fresh {
                // Whose file it is, nobody asked for one of ours beside it.
                let _left_behind = fs::remove_file(&beside_path);
            }
            return Err(BatchError::NotOurs { path: shown, line });
        }
        if begun.is_none() {
            write_beside(&mut lock, origin, request).map_err(|cause| failed("write", cause))?;
        }
        scanned.tell(&mut found);
        let length = match scanned.has_to_go() {
            true => scan::rewrite(path, origin.failures).map_err(|cause| failed("write", cause))?,
            false => scanned.length,
        };
        let file = append(path, length).map_err(|cause| failed("write", cause))?;
        Ok(Self {
            place: Place::File(OpenFile {
                path: shown,
                file,
                length,
                _lock: lock,
            }),
            done: scanned.done,
            found,
        })
    }
}

impl Output {
    /// A device or a pipe: nothing can lie beside it, and nothing is remembered.
    fn in_place(path: &Path) -> Result<Self, BatchError> {
        let opened = OpenOptions::new().write(true).open(path);
        let shown = path.display().to_string();
        let file = opened.map_err(|cause| BatchError::output("write", &shown, cause))?;
        Ok(Self::stream(Box::new(file)))
    }
}

/// The file beside the output.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sessile");
    name.into()
}

fn lock(path: &Path, shown: &str) -> Result<File, BatchError> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false);
    let file = opened
        .open(path)
        .map_err(|cause| BatchError::output("write beside", shown, cause))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BatchError::Busy {
            path: shown.to_owned(),
        }),
        Err(TryLockError::Error(cause)) => Err(BatchError::output("lock", shown, cause)),
    }
}

/// What the output was begun with. A run that was ended while it wrote this had no output yet.
fn read_beside(file: &mut File) -> io::Result<Option<Beside>> {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => Ok(serde_json::from_str(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_beside(file: &mut File, origin: &Origin, request: &RequestMark) -> io::Result<()> {
    let beside = Beside {
        version: 1,
        targets: origin.targets.clone(),
        request: request.hash.clone(),
        shown: request.shown.clone(),
    };
    let mut text = serde_json::to_vec(&beside)?;
    text.push(b'\n');
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&text)?;
    file.sync_all()
}

/// The file, cut to the lines that are whole, to be appended to.
fn append(path: &Path, length: u64) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    if file.metadata()?.is_file() && file.metadata()?.len() != length {
        file.set_len(length)?;
    }
    Ok(file)
}
