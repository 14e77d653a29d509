//! What the files give away, and what becomes of bytes put where they do not belong.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, params};
use sessile::store::StoreError;

use super::support::*;

#[tokio::test]
async fn no_file_holds_plaintext() {
    let place = Place::new();
    let vault = place.open().await;
    let needle = "needle-in-the-haystack";
    for number in 0..50 {
        put(&vault, &format!("row {number}"), &needle.repeat(number + 1))
            .await
            .unwrap();
    }
    vault.remove(&name("row 3")).await.unwrap();
    vault
        .backup(&place.folder.path().join("backup"))
        .await
        .unwrap();
    assert_no_needle(&place, needle);
    drop(vault);
    assert_no_needle(&place, needle);
    let shown = format!("{:?}", place.open().await.load(&name("row 1")).await);
    assert!(
        shown.contains("version") && !shown.contains("110, 101"),
        "{shown}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_only() {
    let place = Place::new();
    let path = place.folder.path().join("a/b/sessions.db");
    let vault = open_at(&path).await;
    put(&vault, "shop", "content").await.unwrap();
    vault
        .backup(&place.folder.path().join("c/backup"))
        .await
        .unwrap();
    for (file, expected) in [
        ("a", 0o700),
        ("a/b", 0o700),
        ("a/b/sessions.db", 0o600),
        ("a/b/sessions.db-wal", 0o600),
        ("a/b/sessions.db-shm", 0o600),
        ("c", 0o700),
        ("c/backup", 0o600),
    ] {
        assert_eq!(mode(&place.folder.path().join(file)), expected, "{file}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_store_open_to_others_is_closed_to_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    drop(place.open().await);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let vault = place.open().await;
    put(&vault, "shop", "content").await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let file = place.folder.path().join(format!("sessions.db{suffix}"));
        assert_eq!(mode(&file), 0o600, "{suffix}");
    }
}

#[tokio::test]
async fn a_record_moved_to_another_name_does_not_open() {
    let place = Place::new();
    let vault = place.open().await;
    put(&vault, "mine", "content").await.unwrap();
    put(&vault, "yours", "content").await.unwrap();
    let raw = Connection::open(place.path()).unwrap();
    let swap = "UPDATE record SET (version, generation, sealed) =
                (SELECT version, generation, sealed FROM record WHERE name = 'mine') WHERE name = 'yours'";
    assert_eq!(raw.execute(swap, ()).unwrap(), 1);
    let tampered = StoreError::Tampered {
        name: "yours".to_owned(),
    };
    assert_eq!(get(&vault, "yours").await, Err(tampered));
    assert_eq!(
        get(&vault, "mine").await.unwrap().as_deref(),
        Some("content")
    );
}

#[tokio::test]
async fn older_content_under_a_later_version_does_not_open() {
    let place = Place::new();
    let vault = place.open().await;
    put(&vault, "shop", "old").await.unwrap();
    let raw = Connection::open(place.path()).unwrap();
    let old: Vec<u8> = raw
        .query_row("SELECT sealed FROM record", (), |row| row.get(0))
        .unwrap();
    put(&vault, "shop", "new").await.unwrap();
    let put_back = "UPDATE record SET sealed = ?1";
    assert_eq!(raw.execute(put_back, params![old]).unwrap(), 1);
    let tampered = StoreError::Tampered {
        name: "shop".to_owned(),
    };
    assert_eq!(get(&vault, "shop").await, Err(tampered));
}

#[tokio::test]
async fn another_generation_does_not_open() {
    let place = Place::new();
    let vault = place.open().await;
    put(&vault, "shop", "content").await.unwrap();
    let raw = Connection::open(place.path()).unwrap();
    raw.execute("UPDATE record SET generation = 5", ()).unwrap();
    let tampered = StoreError::Tampered {
        name: "shop".to_owned(),
    };
    assert_eq!(get(&vault, "shop").await, Err(tampered));
}

#[track_caller]
fn assert_no_needle(place: &Place, needle: &str) {
    let files = place.files();
    assert!(files.len() >= 2);
    for (path, content) in files {
        let found = content
            .windows(needle.len())
            .any(|bytes| bytes == needle.as_bytes());
        assert!(!found, "{}", path.display());
    }
}

async fn open_at(path: &Path) -> sessile::store::Vault {
    let url = sessile::store::StoreUrl::sqlite(path);
    let options = sessile::store::StoreOptions::default();
    sessile::store::Vault::open(&url, &key(1), &options)
        .await
        .unwrap()
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
