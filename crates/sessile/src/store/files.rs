//! Files and folders that only their owner may enter.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

use super::StoreError;

/// Makes the folder of `path` and those above it, as far as they are missing, for the owner only.
pub(super) fn make_parent(path: &Path) -> Result<(), StoreError> {
    let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    else {
        return Ok(());
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    owner_only_folder(&mut builder);
    builder
        .create(parent)
        .map_err(|error| failed("make the folder", parent, &error))
}

/// Makes an empty file, for the owner only; fails if there is one.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    owner_only(&mut options);
    options.open(path)
}

/// Takes away what others may do with a file, and says so in the log.
#[cfg(unix)]
pub(super) fn tighten(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(metadata) = fs::metadata(path) else {
        return;
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return;
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700)) {
        Ok(()) => {
            tracing::warn!(path = %path.display(), "others could read the store: its mode was {mode:o}, now it is for its owner only")
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "others may read the store: its mode is {mode:o}")
        }
    }
}

#[cfg(not(unix))]
pub(super) fn tighten(_path: &Path) {}

#[cfg(unix)]
fn owner_only_folder(builder: &mut DirBuilder) {
    use std::os::unix::fs::DirBuilderExt as _;
    builder.mode(0o700);
}

#[cfg(not(unix))]
fn owner_only_folder(_builder: &mut DirBuilder) {}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn owner_only(_options: &mut OpenOptions) {}

/// An error of the system, with the file it was about.
pub(super) fn failed(doing: &'static str, path: &Path, error: &io::Error) -> StoreError {
    let place = path.display().to_string();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { place },
        io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { place },
        _ => {
            let detail = error.to_string();
            StoreError::Io {
                doing,
                place,
                detail,
            }
        }
    }
}
