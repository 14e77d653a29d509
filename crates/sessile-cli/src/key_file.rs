//! The key file and its replacement, in an order that an interruption can't harm.
//!
//! The next key is written beside the file, the store learns to open with it, and only
//! then takes it the file's place. Stopped in between, one of the two opens the store.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sessile::store::{KeySource, StoreError};

/// The file with the key of a store.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
    next: PathBuf,
}

impl KeyFile {
    /// The key file at this path.
    pub(crate) fn new(path: &Path) -> Self {
        let mut next = OsString::from(path);
        next.push(".next");
        Self {
            path: path.to_owned(),
            next: next.into(),
        }
    }

    /// The key, made where there is none.
    pub(crate) fn source(&self) -> KeySource {
        KeySource::File {
            path: self.path.clone(),
            create: true,
        }
    }

    /// The key that is to take its place, made where there is none.
    pub(crate) fn next_source(&self) -> KeySource {
        KeySource::File {
            path: self.next.clone(),
            create: true,
        }
    }

    /// Whether a replacement was begun and not finished.
    pub(crate) fn has_next(&self) -> bool {
        self.next.exists()
    }

    /// The next key takes the file's place, whole or not at all.
    pub(crate) fn replace(&self) -> Result<(), StoreError> {
        match fs::rename(&self.next, &self.path) {
            // Another process that met the interrupted replacement has finished it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StoreError::Io {
                doing: "replace",
                place: self.path.display().to_string(),
                detail: error.to_string(),
            }),
            Ok(()) => {
                self.make_durable();
                Ok(())
            }
        }
    }

    /// The store forgets the old key next: a loss of power must not bring the old file back.
    fn make_durable(&self) {
        let folder = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        let folder = fs::File::open(folder.unwrap_or(Path::new(".")));
        // Where folders can't be synced, they needn't be.
        let _synced = folder.and_then(|folder| folder.sync_all());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_key_takes_the_place_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let file = KeyFile::new(&path);
        fs::write(&path, "old").unwrap();
        assert!(!file.has_next());

        fs::write(directory.path().join("key.next"), "new").unwrap();
        assert!(file.has_next());
        file.replace().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(!file.has_next());
        file.replace().unwrap();
    }
}
