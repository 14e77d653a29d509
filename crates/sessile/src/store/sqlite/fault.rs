//! What the database engine says went wrong, in our own words.

use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use super::Site;
use crate::store::StoreError;

/// An error of the engine, not yet told where it happened.
#[derive(Debug)]
pub(super) struct Fault(rusqlite::Error);

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self(error)
    }
}

impl Fault {
    /// Whether somebody else's lock is the reason.
    pub(super) fn is_busy(&self) -> bool {
        let code = self.0.sqlite_error_code();
        matches!(
            code,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        )
    }

    /// Whether the file is none of the engine's.
    pub(super) fn is_foreign(&self) -> bool {
        self.0.sqlite_error_code() == Some(ErrorCode::NotADatabase)
    }

    pub(super) fn at(self, site: &Site) -> StoreError {
        let place = site.place.clone();
        let detail = self.0.to_string();
        let Some(error) = self.0.sqlite_error() else {
            return StoreError::Corrupt { place, detail };
        };
        match (error.code, error.extended_code) {
            // Memory shared between processes lies in a file, too.
            (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => StoreError::Full { place },
            (_, ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_IOERR_DATA)
            | (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => {
                StoreError::Corrupt { place, detail }
            }
            (ErrorCode::ReadOnly | ErrorCode::PermissionDenied, _) => {
                StoreError::ReadOnly { place }
            }
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => {
                site.locked(std::time::Duration::ZERO)
            }
            (ErrorCode::CannotOpen, _) => StoreError::Io {
                doing: "open",
                place,
                detail,
            },
            _ => StoreError::Io {
                doing: "use",
                place,
                detail,
            },
        }
    }
}

/// Who holds the write lock, as far as the system tells.
pub(super) fn lock_holder(path: &Path) -> String {
    writer_process(path).unwrap_or_else(|| "another writer".to_owned())
}

// In WAL mode the write lock is byte 120 of the -shm file; Linux lists the locks with process and inode.
#[cfg(target_os = "linux")]
fn writer_process(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let mut shared = path.as_os_str().to_owned();
    shared.push("-shm");
    let inode = std::fs::metadata(shared).ok()?.ino().to_string();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let process = locks
        .lines()
        .find_map(|line| write_lock_owner(line, &inode))?;
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    Some(format!("process {process} ({})", name.trim()))
}

#[cfg(not(target_os = "linux"))]
fn writer_process(_path: &Path) -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
fn write_lock_owner(line: &str, inode: &str) -> Option<u32> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, "POSIX", _, "WRITE", process, file, first, last] = fields.as_slice() else {
        return None;
    };
    let covers =
        first.parse::<u64>().ok()? <= 120 && (*last == "EOF" || last.parse::<u64>().ok()? >= 120);
    let is_ours = file.rsplit(':').next() == Some(inode);
    (is_ours && covers).then(|| process.parse().ok()).flatten()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_write_lock_is_found_among_others() {
        check(
            "1: POSIX  ADVISORY  WRITE 4711 fd:01:99 120 120",
            Some(4711),
        );
        check("1: POSIX  ADVISORY  WRITE 4711 fd:01:99 0 EOF", Some(4711));
        check("1: POSIX  ADVISORY  READ 4711 fd:01:99 120 120", None);
        check("1: POSIX  ADVISORY  WRITE 4711 fd:01:99 123 123", None);
        check("1: POSIX  ADVISORY  WRITE 4711 fd:01:98 120 120", None);
        check("1: -> POSIX  ADVISORY  WRITE 4711 fd:01:99 120 120", None);
    }

    #[track_caller]
    fn check(line: &str, expected: Option<u32>) {
        assert_eq!(write_lock_owner(line, "99"), expected, "{line}");
    }
}
