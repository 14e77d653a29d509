//! Files that are damaged, foreign, locked, full or not ours to write.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use sessile::store::{StoreError, StoreOptions, StoreUrl, Vault};

use super::processes::{Role, as_nobody};
use super::support::*;

#[tokio::test]
async fn a_wrong_key_changes_nothing() {
    let place = Place::new();
    fill(&place, 3).await;
    let before = place.files();
    let error = place
        .try_open(&key(2), &StoreOptions::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "wrong key for the store {}: it wants key e9123e99, key 3fd80c3f was given; nothing was changed. Give \
             the key the store was made with, or restore it together with its key",
            place.path().display()
        )
    );
    assert_eq!(place.files(), before);
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_as_it_is() {
    let place = Place::new();
    fill(&place, 3).await;
    raw(&place).pragma_update(None, "user_version", 7).unwrap();
    refused_unchanged(&place, |error| {
        matches!(
            error,
            StoreError::NewerVersion {
                found: 7,
                known: 1,
                ..
            }
        )
    })
    .await;
}

#[tokio::test]
async fn a_newer_format_with_an_open_journal_is_left_as_it_is() {
    let place = Place::new();
    fill(&place, 3).await;
    let other = raw(&place);
    other
        .execute_batch("PRAGMA user_version = 7; CREATE TABLE later (x)")
        .unwrap();
    let saved = tempfile::tempdir().unwrap();
    for (path, content) in place.files() {
        fs::write(saved.path().join(path.file_name().unwrap()), content).unwrap();
    }
    drop(other);
    let crashed = Place { folder: saved };
    assert!(
        crashed
            .files()
            .iter()
            .any(|(path, content)| { path.ends_with("sessions.db-wal") && !content.is_empty() })
    );
    let stored = |place: &Place| {
        let files = place.files().into_iter();
        files
            .filter(|(path, _)| !path.ends_with("sessions.db-shm"))
            .collect::<Vec<_>>()
    };
    let before = stored(&crashed);
    let error = crashed
        .try_open(&key(1), &StoreOptions::default())
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::NewerVersion { found: 7, .. }),
        "{error}"
    );
    assert_eq!(stored(&crashed), before);
}

#[tokio::test]
async fn other_files_are_refused_and_left_as_they_are() {
    let place = Place::new();
    fs::write(
        place.path(),
        "not a database, but long enough to have been one".repeat(100),
    )
    .unwrap();
    refused_unchanged(&place, |error| {
        matches!(error, StoreError::NotAStore { .. })
    })
    .await;

    let place = Place::new();
    raw(&place)
        .execute_batch("CREATE TABLE cookies (x)")
        .unwrap();
    refused_unchanged(&place, |error| {
        matches!(error, StoreError::NotAStore { .. })
    })
    .await;

    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    let error = place
        .try_open(&key(1), &StoreOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
}

#[tokio::test]
async fn nothing_is_made_unless_asked() {
    let place = Place::new();
    let mut options = StoreOptions::default();
    options.create = false;
    let error = place.try_open(&key(1), &options).await.unwrap_err();
    assert!(matches!(error, StoreError::NoStore { .. }), "{error}");
    assert_eq!(place.files(), []);
}

#[tokio::test]
async fn a_truncated_file_is_reported() {
    let place = Place::new();
    fill(&place, 200).await;
    let whole = fs::read(place.path()).unwrap();
    for kept in [whole.len() / 2, 4096, 100] {
        fs::write(place.path(), &whole[..kept]).unwrap();
        refused_unchanged(&place, |error| {
            matches!(
                error,
                StoreError::Corrupt { .. } | StoreError::NotAStore { .. }
            )
        })
        .await;
    }
}

#[tokio::test]
async fn a_damaged_page_never_reads_as_something_else() {
    let place = Place::new();
    fill(&place, 40).await;
    let whole = fs::read(place.path()).unwrap();
    let mut damaged_somewhere = 0;
    for page in 1..whole.len() / 4096 {
        let mut damaged = whole.clone();
        damaged[page * 4096..][..512].fill(0xa5);
        fs::write(place.path(), damaged).unwrap();
        let Ok(vault) = place.try_open(&key(1), &StoreOptions::default()).await else {
            damaged_somewhere += 1;
            continue;
        };
        for number in 0..40 {
            match get(&vault, &format!("row {number}")).await {
                Ok(content) => assert!(content.is_none() || content == Some(content_of(number))),
                Err(StoreError::Corrupt { .. } | StoreError::Tampered { .. }) => {
                    damaged_somewhere += 1
                }
                Err(other) => panic!("page {page}: {other}"),
            }
        }
    }
    assert!(damaged_somewhere > 40, "{damaged_somewhere}");
}

#[tokio::test]
async fn one_altered_record_leaves_the_others_readable() {
    let place = Place::new();
    fill(&place, 20).await;
    let sealed: Vec<u8> = raw(&place)
        .query_row(
            "SELECT sealed FROM record WHERE name = 'row 7'",
            (),
            |row| row.get(0),
        )
        .unwrap();
    let mut file = fs::read(place.path()).unwrap();
    let at = file
        .windows(40)
        .position(|bytes| *bytes == sealed[9..49])
        .unwrap();
    file[at] ^= 1;
    fs::write(place.path(), file).unwrap();
    let vault = place.open().await;
    let tampered = StoreError::Tampered {
        name: "row 7".to_owned(),
    };
    assert_eq!(get(&vault, "row 7").await, Err(tampered.clone()));
    assert_eq!(put(&vault, "row 7", "x").await, Err(tampered.clone()));
    assert_eq!(get(&vault, "row 8").await.unwrap(), Some(content_of(8)));
    assert_eq!(vault.check().await.unwrap(), [tampered.to_string()]);
    assert_eq!(vault.remove(&name("row 7")).await, Ok(true));
    put(&vault, "row 7", "again").await.unwrap();
}

#[tokio::test]
async fn a_lock_held_by_another_is_reported_with_its_holder() {
    let place = Place::new();
    fill(&place, 1).await;
    let mut options = StoreOptions::default();
    options.lock_timeout = Duration::from_millis(500);
    let vault = place.try_open(&key(1), &options).await.unwrap();
    let other = raw(&place);
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    match put(&vault, "late", "x").await {
        Err(StoreError::Locked { waited, .. }) => assert!(waited >= Duration::from_millis(500)),
        other => panic!("{other:?}"),
    }
    // Readers go on meanwhile, and so do writers once the lock is gone.
    assert_eq!(get(&vault, "row 0").await.unwrap(), Some(content_of(0)));
    other.execute_batch("ROLLBACK").unwrap();
    put(&vault, "late", "x").await.unwrap();
}

#[tokio::test]
async fn a_full_store_loses_nothing() {
    let place = Place::new();
    let mut options = StoreOptions::default();
    options.max_bytes = Some(200_000);
    let vault = place.try_open(&key(1), &options).await.unwrap();
    let mut stored = 0;
    let error = loop {
        match put(&vault, &format!("row {stored}"), &content_of(stored)).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    let path = place.path().display().to_string();
    assert_eq!(error, StoreError::Full { place: path });
    assert!(stored > 20, "{stored}");
    for number in 0..stored {
        let content = get(&vault, &format!("row {number}")).await.unwrap();
        assert_eq!(content, Some(content_of(number)));
    }
    // What is removed makes room.
    for number in 0..3 {
        vault.remove(&name(&format!("row {number}"))).await.unwrap();
    }
    put(&vault, "small", "x").await.unwrap();
    assert_eq!(vault.check().await.unwrap(), Vec::<String>::new());
}

#[cfg(unix)]
#[tokio::test]
async fn a_store_that_may_only_be_read_says_so() {
    let place = Place::new();
    fill(&place, 1).await;
    set_mode(&place.path(), 0o444);
    set_mode(place.folder.path(), 0o777);
    assert_eq!(as_nobody(&place, Role::ReadOnlyFile), ["read", "read-only"]);
    drop(place);

    let place = Place::new();
    fill(&place, 1).await;
    set_mode(&place.path(), 0o444);
    set_mode(place.folder.path(), 0o555);
    assert_eq!(as_nobody(&place, Role::ReadOnlyFile), ["read-only"]);
    set_mode(place.folder.path(), 0o755);
}

#[tokio::test]
async fn a_backup_restores_what_was() {
    let place = Place::new();
    let vault = fill(&place, 50).await;
    let saved = place.folder.path().join("backup/sessions.backup");
    vault.backup(&saved).await.unwrap();
    let again = vault.backup(&saved).await.unwrap_err();
    assert!(matches!(again, StoreError::FileTaken { .. }), "{again}");
    let newest = put(&vault, "row 1", "changed").await.unwrap();
    put(&vault, "extra", "x").await.unwrap();
    vault.remove(&name("row 2")).await.unwrap();
    let seen = vault.changes().unwrap();
    vault.restore(&saved).await.unwrap();
    assert_ne!(vault.changes().unwrap(), seen);
    assert_eq!(vault.list().await.unwrap().len(), 50);
    for number in 0..50 {
        let content = get(&vault, &format!("row {number}")).await.unwrap();
        assert_eq!(content, Some(content_of(number)));
    }
    assert!(put(&vault, "row 1", "later").await.unwrap().version > newest.version);
    let url = StoreUrl::sqlite(&saved);
    let elsewhere = Vault::open(&url, &key(1), &StoreOptions::default())
        .await
        .unwrap();
    assert_eq!(elsewhere.list().await.unwrap().len(), 50);
}

#[tokio::test]
async fn a_backup_under_another_key_is_refused() {
    let other = Place::new();
    let backup = other.folder.path().join("backup");
    let foreign = other
        .try_open(&key(2), &StoreOptions::default())
        .await
        .unwrap();
    foreign.backup(&backup).await.unwrap();
    let place = Place::new();
    let vault = fill(&place, 1).await;
    let error = vault.restore(&backup).await.unwrap_err();
    assert!(matches!(error, StoreError::WrongKey { .. }), "{error}");
    assert_eq!(get(&vault, "row 0").await.unwrap(), Some(content_of(0)));
}

async fn fill(place: &Place, rows: usize) -> Vault {
    let vault = place.open().await;
    for number in 0..rows {
        put(&vault, &format!("row {number}"), &content_of(number))
            .await
            .unwrap();
    }
    vault
}

fn content_of(number: usize) -> String {
    format!("content {number} ").repeat(200)
}

fn raw(place: &Place) -> Connection {
    Connection::open(place.path()).unwrap()
}

async fn refused_unchanged(place: &Place, expected: impl Fn(&StoreError) -> bool) {
    let before = place.files();
    let error = place
        .try_open(&key(1), &StoreOptions::default())
        .await
        .unwrap_err();
    assert!(expected(&error), "{error}");
    assert_eq!(place.files(), before);
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
