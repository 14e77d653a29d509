//! Where the key of a store comes from.
//!
//! The key from outside never seals a record: it opens the store's own random keys (see `key_table`), so that a
//! passphrase can be changed or a key file replaced.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding as _};
use zeroize::Zeroizing;

use super::aside::aside;
use super::files::failed;
use super::seal::{Key, random_bytes};
use super::{StoreError, keyring};
use crate::secret::Secret;

/// The length of a key in bytes.
pub const KEY_LENGTH: usize = 32;

/// Where the key of a store comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KeySource {
    /// The 32 bytes themselves.
    Bytes(Secret<[u8; KEY_LENGTH]>),
    /// A file that only its owner may read, with the key in hexadecimal or base64, or as 32 bytes.
    File {
        /// The file.
        path: PathBuf,
        /// Whether a file with a random key is made if there is none.
        create: bool,
    },
    /// The desktop's keyring (Secret Service). Only in builds with the feature `keyring`; others answer
    /// [`StoreError::NoKey`].
    Keyring {
        /// Under which name the key lies there, beside others of this program.
        entry: String,
        /// Whether a random key is put there if there is none.
        create: bool,
    },
    /// A passphrase, stretched with Argon2id.
    Passphrase(Secret<String>),
}

impl KeySource {
    /// Reads a key in hexadecimal or base64, as found in an environment variable.
    ///
    /// `origin` says in messages where the text came from. Fails with [`StoreError::KeyMalformed`].
    pub fn from_text(text: &str, origin: &str) -> Result<Self, StoreError> {
        key_from_text(text, origin).map(Self::Bytes)
    }
}

/// The key from outside, as far as it is known before the store's own key table was read.
#[derive(Clone, Debug)]
pub(super) enum RootSource {
    Key(Key),
    Passphrase(Secret<String>),
}

impl RootSource {
    /// Reads the key; with `may_create`, makes the key file that is to be made.
    pub(super) async fn read(source: &KeySource, may_create: bool) -> Result<Self, StoreError> {
        Ok(match source {
            KeySource::Bytes(bytes) => Self::Key(Key::new(bytes.clone())),
            KeySource::File { path, create } => {
                Self::Key(Key::new(key_from_file(path, *create && may_create)?))
            }
            KeySource::Keyring { entry, create } => {
                let (entry, create) = (entry.clone(), *create && may_create);
                // The keyring may ask the user something first.
                Self::Key(Key::new(aside(move || keyring::key(&entry, create)).await?))
            }
            KeySource::Passphrase(passphrase) => Self::Passphrase(passphrase.clone()),
        })
    }
}

impl RootSource {
    /// Does work that a passphrase makes long on a thread of its own.
    pub(super) async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::Key(_) => work(self),
            Self::Passphrase(_) => {
                let source = self.clone();
                aside(move || work(&source)).await
            }
        }
    }
}

/// How a passphrase is stretched; kept beside what it opens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stretch {
    pub(super) salt: [u8; 16],
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl Stretch {
    pub(super) fn random() -> Result<Self, StoreError> {
        let salt = random_bytes()?;
        Ok(Self {
            salt,
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
        })
    }

    /// Whether it is affordable: a hostile file must not take all memory or hours.
    pub(super) const fn is_affordable(&self) -> bool {
        self.memory_kib <= 1024 * 1024 && self.passes <= 16 && self.lanes <= 16
    }

    /// About a quarter of a second of work.
    pub(super) fn derive(&self, passphrase: &Secret<String>) -> Result<Key, StoreError> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_LENGTH))
            .map_err(|error| stretch_failed(&error))?;
        let mut key = [0; KEY_LENGTH];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), &self.salt, &mut key)
            .map_err(|error| stretch_failed(&error))?;
        Ok(Key::new(Secret::new(key)))
    }
}

fn stretch_failed(error: &argon2::Error) -> StoreError {
    StoreError::Io {
        doing: "stretch",
        place: "the passphrase".to_owned(),
        detail: error.to_string(),
    }
}

fn key_from_file(path: &Path, create: bool) -> Result<Secret<[u8; KEY_LENGTH]>, StoreError> {
    let text = match read_private(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if !create {
                return Err(no_key_file(path));
            }
            return make_key_file(path);
        }
        Err(error) => return Err(failed("read the key file", path, &error)),
        Ok(text) => text,
    };
    refuse_wide_permissions(path)?;
    let origin = path.display().to_string();
    if let Ok(raw) = <[u8; KEY_LENGTH]>::try_from(text.as_slice()) {
        return Ok(Secret::new(raw));
    }
    let text = std::str::from_utf8(&text).map_err(|_binary| malformed(&origin))?;
    key_from_text(text, &origin)
}

fn no_key_file(path: &Path) -> StoreError {
    StoreError::NoKey {
        detail: format!(
            "the key file {} does not exist: put the store's key there, or name another source",
            path.display()
        ),
    }
}

// The file is read at most once and never through a buffer that would not be wiped.
fn read_private(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    fs::read(path).map(Zeroizing::new)
}

#[cfg(unix)]
fn refuse_wide_permissions(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(|error| failed("read the key file", path, &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display().to_string();
    Err(StoreError::KeyFilePermissions { path, mode })
}

#[cfg(not(unix))]
fn refuse_wide_permissions(_path: &Path) -> Result<(), StoreError> {
    Ok(())
}

fn make_key_file(path: &Path) -> Result<Secret<[u8; KEY_LENGTH]>, StoreError> {
    let key = Secret::new(random_bytes()?);
    let mut text = Zeroizing::new(Base64::encode_string(key.expose()));
    text.push('\n');
    super::files::make_parent(path)?;
    // Written aside and linked into place, so that no reader sees half a key and the first of two makers wins.
    let draft = draft_path(path)?;
    let written = write_private(&draft, text.as_bytes()).and_then(|()| fs::hard_link(&draft, path));
    let _tidied = fs::remove_file(&draft);
    match written {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => key_from_file(path, false),
        Err(error) => Err(failed("make the key file", path, &error)),
        Ok(()) => Ok(key),
    }
}

fn draft_path(path: &Path) -> Result<PathBuf, StoreError> {
    let unique = u64::from_be_bytes(random_bytes()?);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{unique:016x}"));
    Ok(path.with_file_name(name))
}

fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = super::files::create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

pub(super) fn key_from_text(
    text: &str,
    origin: &str,
) -> Result<Secret<[u8; KEY_LENGTH]>, StoreError> {
    let text = text.trim();
    let decoded = match text.len() {
        64 => from_hex(text),
        44 => decode::<Base64>(text).or_else(|| decode::<Base64Url>(text)),
        43 => decode::<Base64Unpadded>(text).or_else(|| decode::<Base64UrlUnpadded>(text)),
        _ => None,
    };
    let bytes = decoded.ok_or_else(|| malformed(origin))?;
    let bytes =
        <[u8; KEY_LENGTH]>::try_from(bytes.as_slice()).map_err(|_length| malformed(origin))?;
    Ok(Secret::new(bytes))
}

fn decode<E: base64ct::Encoding>(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    E::decode_vec(text).ok().map(Zeroizing::new)
}

fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits: Option<Zeroizing<Vec<u8>>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<Vec<u8>>>()
        .map(Zeroizing::new);
    let digits = digits?;
    Some(Zeroizing::new(
        digits
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    ))
}

fn malformed(origin: &str) -> StoreError {
    StoreError::KeyMalformed {
        origin: origin.to_owned(),
        rule: "a key is 32 bytes, written as 64 hexadecimal digits or in base64",
    }
}
