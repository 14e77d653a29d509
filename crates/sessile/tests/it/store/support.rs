//! Short words for the tests of the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sessile::clock::{ManualClock, Timestamp};
use sessile::secret::Secret;
use sessile::store::{
    Acquired, HolderId, KeySource, Lease, LeaseKey, Name, NextPlain, Opened, StoreError,
    StoreOptions, StoreUrl, Vault,
};
use tempfile::TempDir;

#[cfg(feature = "postgres")]
pub(super) use super::postgres::database::Database;

/// A folder with one store in it.
pub(super) struct Place {
    pub(super) folder: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("sessions.db")
    }

    pub(super) async fn open(&self) -> Vault {
        self.try_open(&key(1), &StoreOptions::default())
            .await
            .unwrap()
    }

    pub(super) async fn try_open(
        &self,
        key: &KeySource,
        options: &StoreOptions,
    ) -> Result<Vault, StoreError> {
        Vault::open(&StoreUrl::sqlite(self.path()), key, options).await
    }

    /// Every file in the folder with its content, by name.
    pub(super) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files_in(self.folder.path())
    }
}

pub(super) fn files_in(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

pub(super) fn key(fill: u8) -> KeySource {
    KeySource::Bytes(Secret::new([fill; 32]))
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(super) fn lease_key(text: &str) -> LeaseKey {
    LeaseKey::parse(text).unwrap()
}

pub(super) fn holder(text: &str) -> HolderId {
    HolderId::parse(text).unwrap()
}

pub(super) fn write(content: impl Into<Vec<u8>>) -> NextPlain {
    let plain = content.into().into();
    NextPlain::Write {
        generation: 0,
        plain,
        fence: None,
    }
}

pub(super) fn write_under(content: &str, lease: &Lease) -> NextPlain {
    let plain = content.as_bytes().to_vec().into();
    NextPlain::Write {
        generation: 0,
        plain,
        fence: Some(lease.fence()),
    }
}

/// Stores `content` under `text`.
pub(super) async fn put(vault: &Vault, text: &str, content: &str) -> Result<Opened, StoreError> {
    let next = write(content);
    let stored = vault
        .update(&name(text), |_before| Ok::<_, StoreError>(next))
        .await?;
    Ok(stored.unwrap())
}

/// What is stored under `text`.
pub(super) async fn get(vault: &Vault, text: &str) -> Result<Option<String>, StoreError> {
    let opened = vault.load(&name(text)).await?;
    Ok(opened.map(|opened| String::from_utf8(opened.plain.to_vec()).unwrap()))
}

/// Where a store of some kind is, for tests that every kind has to pass.
pub(crate) trait Ground {
    /// Its URL, as another process is given it.
    fn url(&self) -> String;

    async fn open(&self) -> Vault {
        let url = StoreUrl::parse(&self.url()).unwrap();
        Vault::open(&url, &key(1), &StoreOptions::default())
            .await
            .unwrap()
    }
}

impl Ground for Place {
    fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }
}

pub(super) fn manual() -> (Arc<ManualClock>, StoreOptions) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
    let mut options = StoreOptions::default();
    options.clock = Arc::<ManualClock>::clone(&clock);
    (clock, options)
}

#[track_caller]
pub(super) fn granted(acquired: Result<Acquired, StoreError>) -> Lease {
    match acquired.unwrap() {
        Acquired::Granted(lease) => lease,
        busy @ Acquired::Busy { .. } => panic!("{busy:?}"),
    }
}
