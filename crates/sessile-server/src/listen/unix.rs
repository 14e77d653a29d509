//! A socket in the file system, which from its first moment only its owner may connect to.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use super::ListenError;

/// The file of a socket; removed when dropped, unless another took its place.
pub(super) struct Socket {
    path: PathBuf,
    inode: u64,
}

impl Socket {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| found.ino() == self.inode) {
            _ = fs::remove_file(&self.path);
        }
    }
}

pub(super) fn bind(path: &Path) -> Result<(UnixListener, Socket), ListenError> {
    refuse_taken(path)?;
    let failed = |why| ListenError::Bind {
        place: path.display().to_string(),
        why,
    };
    let (listener, inode) = place(path).map_err(failed)?;
    let socket = Socket {
        path: path.to_owned(),
        inode,
    };
    Ok((listener, socket))
}

/// Bound in a folder that nobody else can enter, and moved to its place when its mode is right.
fn place(path: &Path) -> io::Result<(UnixListener, u64)> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    // Short, since a socket's path has to fit into some hundred bytes.
    let folder = tempfile::Builder::new()
        .prefix(".s")
        .rand_bytes(4)
        .tempdir_in(parent)?;
    let inside = folder.path().join("s");
    let listener = UnixListener::bind(&inside)?;
    fs::set_permissions(&inside, Permissions::from_mode(0o600))?;
    let inode = fs::symlink_metadata(&inside)?.ino();
    fs::rename(&inside, path)?;
    Ok((listener, inode))
}

fn refuse_taken(path: &Path) -> Result<(), ListenError> {
    let taken = |what| ListenError::Taken {
        path: path.to_owned(),
        what,
    };
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(found) if !found.file_type().is_socket() => {
            Err(taken("is there already and isn't a socket"))
        }
        // Who doesn't answer is gone: a killed process can't remove its socket.
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => Err(taken("is a socket that somebody listens at")),
            Err(_) => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_its_owner_s_and_goes_when_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessile.sock");
        let (listener, socket) = bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let refused = bind(&path).err().unwrap();
        assert!(matches!(refused, ListenError::Taken { .. }), "{refused}");
        drop(listener);
        // As a killed process leaves it.
        let (_listener, replaced) = bind(&path).unwrap();
        drop(socket);
        assert!(path.exists());
        drop(replaced);
        assert!(!path.exists());
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert!(names.is_empty(), "{names:?}");
    }

    #[tokio::test]
    async fn another_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        fs::write(&path, "mine").unwrap();
        assert!(bind(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
