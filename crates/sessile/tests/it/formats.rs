//! Stores as earlier versions wrote them are read; what a later one wrote is left as it is.

use std::fs;
use std::path::{Path, PathBuf};

use sessile::record::WireError;
use sessile::renew::{KeepError, Kept, KeptOptions, Mode, edit};
use sessile::store::{KeySource, Name, NextPlain, StoreError, StoreOptions, StoreUrl, Vault};
use sessile::{Secret, SessionState};
use tempfile::TempDir;

/// The store formats that were ever written.
const STORES: [&str; 1] = ["store-format-1.db"];

/// The record formats that were ever written, and whether they keep a proxy and a token file.
const RECORDS: [(&str, bool, bool); 3] = [
    ("record-1", false, false),
    ("record-2", true, false),
    ("record-3", true, true),
];

#[tokio::test]
async fn every_format_opens_and_goes_on() {
    for store in STORES {
        let place = Place::of(store);
        let vault = place.open().await.unwrap();
        assert_eq!(vault.list().await.unwrap().len(), RECORDS.len(), "{store}");
        for (record, has_proxy, has_file) in RECORDS {
            holds_what_was_written(&vault, record, (has_proxy, has_file)).await;
            // Written anew it is of the format of now, with everything in it.
            edit(&vault, &name(record), |_record| ()).await.unwrap();
            holds_what_was_written(&vault, record, (has_proxy, has_file)).await;
        }
        assert_eq!(vault.check().await.unwrap(), Vec::<String>::new());
    }
}

async fn holds_what_was_written(vault: &Vault, record: &str, has: (bool, bool)) {
    let mut options = KeptOptions::default();
    options.mode = Mode::ReadOnly;
    let kept = Kept::open(vault, &name(record), options).await.unwrap();
    let found = kept.record();
    let mut cookies: Vec<_> = found
        .state
        .jar()
        .iter()
        .map(|cookie| cookie.name_lossy())
        .collect();
    cookies.sort();
    let expected = [
        "five-hidden",
        "five-lasting",
        "five-path",
        "five-session",
        "five-strict",
        "session",
    ];
    assert!(
        expected
            .iter()
            .all(|name| cookies.contains(&(*name).into())),
        "{record}: {cookies:?}"
    );
    let login = found.login.unwrap().credentials;
    assert_eq!(
        (login.user.as_str(), login.password.is_some()),
        ("ada", true),
        "{record}"
    );
    assert!(
        found.check.is_some() && found.last.login.is_some(),
        "{record}"
    );
    assert_eq!(found.state.generation(), 1, "{record}");
    assert_eq!(
        (found.state.proxy().is_some(), found.token_file.is_some()),
        has,
        "{record}"
    );
}

#[tokio::test]
async fn a_torn_store_of_any_format_is_refused_unchanged() {
    for store in STORES {
        let place = Place::of(store);
        let whole = fs::read(&place.path).unwrap();
        for kept in [whole.len() - 4096, whole.len() / 2, 4096, 100] {
            fs::write(&place.path, &whole[..kept]).unwrap();
            let error = place.open().await.unwrap_err();
            let is_said = matches!(
                error,
                StoreError::Corrupt { .. } | StoreError::NotAStore { .. }
            );
            assert!(is_said, "{store} cut to {kept}: {error}");
            assert!(
                fs::read(&place.path).unwrap() == whole[..kept],
                "{store} cut to {kept}"
            );
        }
    }
}

#[tokio::test]
async fn a_record_of_a_later_version_is_left_as_it_is() {
    let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
    let newer = br#"{"version": 99, "something": "else"}"#;
    let (late, options) = (name("late"), KeptOptions::default);
    let written = vault.update(&late, |_| {
        Ok::<_, StoreError>(NextPlain::Write {
            generation: 1,
            plain: newer.to_vec().into(),
            fence: None,
        })
    });
    written.await.unwrap();
    is_newer(Kept::open(&vault, &late, options()).await.map(drop));
    is_newer(
        edit(&vault, &late, |record| {
            record.state.jar_mut().clear(record.created)
        })
        .await,
    );
    let ours = Kept::create(&vault, &late, SessionState::default(), options()).unwrap();
    is_newer(ours.save().await);
    let stored = vault.load(&late).await.unwrap().unwrap();
    assert_eq!(stored.plain.as_slice(), newer);
    // It can still be kept in order: copied with the rest of the store, renamed, removed.
    vault.rename(&late, &name("later")).await.unwrap();
    assert!(vault.remove(&name("later")).await.unwrap());
}

#[track_caller]
fn is_newer(done: Result<(), KeepError>) {
    match done {
        Err(KeepError::Unreadable {
            why: WireError::Newer { found: 99, .. },
            ..
        }) => {}
        other => panic!("{other:?}"),
    }
}

/// A folder with a copy of a stored file.
struct Place {
    path: PathBuf,
    _folder: TempDir,
}

impl Place {
    fn of(file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        fs::copy(data.join(file), &path).unwrap();
        Self {
            path,
            _folder: folder,
        }
    }

    async fn open(&self) -> Result<Vault, StoreError> {
        let key = KeySource::Bytes(Secret::new([7; 32]));
        let mut options = StoreOptions::default();
        options.create = false;
        Vault::open(&StoreUrl::sqlite(&self.path), &key, &options).await
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}
