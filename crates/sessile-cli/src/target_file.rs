//! The file a body is written to: there whole, or as it was before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::exit::{Exit, Failure};

/// A file that takes its place when it is finished. A device or a pipe has no place to
/// take, and is written as it is.
pub(crate) struct TargetFile {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    Beside(NamedTempFile),
    InPlace(File),
}

impl TargetFile {
    /// Begins to write; what is at `path` stays until [`TargetFile::finish`].
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let kind = open(path).map_err(|error| Self::failure(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            kind,
        })
    }

    /// Whether something is left behind where it isn't finished.
    pub(crate) fn needs_tidying(&self) -> bool {
        matches!(self.kind, Kind::Beside(_))
    }

    /// Puts the file in its place.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.kind {
            Kind::InPlace(_) => Ok(()),
            Kind::Beside(beside) => {
                let target = resolved(&self.path);
                let moved = keep_mode(&target, beside.as_file())
                    .and_then(|()| beside.persist(&target).map_err(|refused| refused.error));
                moved
                    .map(drop)
                    .map_err(|error| Self::failure(&self.path, &error))
            }
        }
    }

    /// Why the file can't be written.
    pub(crate) fn failure(path: &Path, error: &io::Error) -> Failure {
        let message = format!("cannot write `{}`: {error}", path.display());
        Failure::new(Exit::Failed, "outputFile", message)
    }
}

impl Write for TargetFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.kind {
            Kind::Beside(file) => file.write(bytes),
            Kind::InPlace(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<Kind> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => {
            Ok(Kind::InPlace(OpenOptions::new().write(true).open(path)?))
        }
        _ => {
            let target = resolved(path);
            let folder = target
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let mut builder = tempfile::Builder::new();
            let builder = builder.prefix(".sessile-").suffix(".part");
            let beside = as_others(builder).tempfile_in(folder)?;
            Ok(Kind::Beside(beside))
        }
    }
}

/// Where the path leads: a link stays one, and the file it names is replaced.
fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Readable as the user's files are (the umask takes away from this).
#[cfg(unix)]
fn as_others<'a>(
    builder: &'a mut tempfile::Builder<'static, 'static>,
) -> &'a mut tempfile::Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt as _;

    builder.permissions(fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn as_others<'a>(
    builder: &'a mut tempfile::Builder<'static, 'static>,
) -> &'a mut tempfile::Builder<'static, 'static> {
    builder
}

/// A file that is replaced keeps its mode.
fn keep_mode(target: &Path, beside: &File) -> io::Result<()> {
    match fs::metadata(target) {
        Ok(found) => beside.set_permissions(found.permissions()),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();

        let mut given_up = TargetFile::create(&path).unwrap();
        given_up.write_all(b"half").unwrap();
        drop(given_up);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");

        let mut whole = TargetFile::create(&path).unwrap();
        whole.write_all(b"new").unwrap();
        whole.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn a_device_stays_a_device() {
        let mut file = TargetFile::create(Path::new("/dev/null")).unwrap();
        file.write_all(b"x").unwrap();
        file.finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_place_that_isn_t_there_is_named() {
        let failure = TargetFile::create(Path::new("/nowhere/at/all"))
            .err()
            .unwrap();
        assert!(failure.to_string().contains("`/nowhere/at/all`"));
    }
}
