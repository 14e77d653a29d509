//! Where keys come from, and how they change.

use std::fs;
use std::path::Path;

use sessile::secret::Secret;
use sessile::store::{KeySource, StoreError, StoreOptions, Vault};

use tokio::task::JoinSet;

use super::processes::{Role, run_process};
use super::support::*;

#[tokio::test]
async fn a_passphrase_opens_what_it_closed() {
    let place = Place::new();
    let [right, wrong] = ["correct horse", "battery staple"].map(passphrase);
    let vault = open(&place, &right).await.unwrap();
    put(&vault, "shop", "content").await.unwrap();
    drop(vault);
    let before = place.files();
    let error = open(&place, &wrong).await.unwrap_err();
    assert!(matches!(error, StoreError::WrongKey { .. }), "{error}");
    let error = open(&place, &key(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::WrongKey { .. }), "{error}");
    assert_eq!(place.files(), before);
    let vault = open(&place, &right).await.unwrap();
    assert_eq!(
        get(&vault, "shop").await.unwrap().as_deref(),
        Some("content")
    );
}

#[tokio::test]
async fn a_passphrase_is_not_tried_on_a_store_without_one() {
    let place = Place::new();
    drop(place.open().await);
    let error = open(&place, &passphrase("x")).await.unwrap_err();
    assert!(matches!(error, StoreError::NoKey { .. }), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_file_is_made_once_and_for_its_owner() {
    let place = Place::new();
    let path = place.folder.path().join("keys/key");
    let file = |create| KeySource::File {
        path: path.clone(),
        create,
    };
    let error = open(&place, &file(false)).await.unwrap_err();
    assert!(matches!(error, StoreError::NoKey { .. }), "{error}");
    let vault = open(&place, &file(true)).await.unwrap();
    put(&vault, "shop", "content").await.unwrap();
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        (text.len(), files_in(path.parent().unwrap()).len()),
        (45, 1)
    );
    let vault = open(&place, &file(true)).await.unwrap();
    assert_eq!(
        get(&vault, "shop").await.unwrap().as_deref(),
        Some("content")
    );
}

#[cfg(unix)]
#[tokio::test]
async fn no_key_file_is_made_for_a_store_that_has_a_key() {
    let place = Place::new();
    drop(place.open().await);
    let path = place.folder.path().join("key");
    let source = KeySource::File {
        path: path.clone(),
        create: true,
    };
    let error = open(&place, &source).await.unwrap_err();
    assert!(matches!(error, StoreError::NoKey { .. }), "{error}");
    assert!(!path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let path = place.folder.path().join("key");
    let source = KeySource::File {
        path: path.clone(),
        create: true,
    };
    drop(open(&place, &source).await.unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = open(&place, &source).await.unwrap_err();
    let shown = path.display();
    assert_eq!(
        error.to_string(),
        format!(
            "the key file {shown} may be read by others (mode 640): run `chmod 600 {shown}`, and change the key if \
             others had access"
        )
    );
}

#[tokio::test]
async fn keys_are_read_in_each_notation() {
    let place = Place::new();
    let bytes = [0xfb; 32];
    drop(
        open(&place, &KeySource::Bytes(Secret::new(bytes)))
            .await
            .unwrap(),
    );
    for text in [
        "fb".repeat(32),
        format!(" {}\n", "FB".repeat(32)),
        "+/v7".repeat(10) + "+/s=",
        "-_v7".repeat(10) + "-_s=",
        "-_v7".repeat(10) + "-_s",
    ] {
        let source = KeySource::from_text(&text, "a test").unwrap();
        open(&place, &source).await.unwrap();
    }
    for text in ["", "fb", &"zz".repeat(32), &"é".repeat(32)] {
        let error = KeySource::from_text(text, "SESSILE_KEY").unwrap_err();
        assert_eq!(
            error.to_string(),
            "bad key from SESSILE_KEY: a key is 32 bytes, written as 64 hexadecimal digits or in base64"
        );
    }
}

#[test]
fn without_a_keyring_the_other_ways_are_told() {
    let said = run_process(&Place::new(), Role::NoKeyring);
    let [said] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert!(
        said.starts_with("no key: the keyring does not answer ("),
        "{said}"
    );
    let ways = "): name a key file, give the key in the environment, or use a passphrase";
    assert!(said.ends_with(ways), "{said}");
}

#[tokio::test]
async fn after_a_rotation_only_the_later_key_opens() {
    let place = Place::new();
    let vault = place.open().await;
    put(&vault, "shop", "content").await.unwrap();
    let other = place.open().await;
    vault
        .rotate_key(&passphrase("later"), |_progress| (), || Ok(()))
        .await
        .unwrap();
    let error = open(&place, &key(1)).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::WrongKey { .. } | StoreError::NoKey { .. }
        ),
        "{error}"
    );
    let later = open(&place, &passphrase("later")).await.unwrap();
    assert_eq!(
        get(&later, "shop").await.unwrap().as_deref(),
        Some("content")
    );
    // One that slept through it is told, and harms nothing.
    let error = put(&other, "shop", "late").await.unwrap_err();
    assert!(matches!(error, StoreError::WrongKey { .. }), "{error}");
    assert_eq!(
        get(&later, "shop").await.unwrap().as_deref(),
        Some("content")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_that_saw_the_rotation_goes_on() {
    let place = Place::new();
    let vault = place.open().await;
    put(&vault, "shop", "content").await.unwrap();
    let other = place.open().await;
    let runtime = tokio::runtime::Handle::current();
    let meanwhile = |_progress| {
        tokio::task::block_in_place(|| {
            let stored = runtime.block_on(put(&other, "shop", "meanwhile"));
            assert!(stored.is_ok(), "{stored:?}");
        });
    };
    vault
        .rotate_key(&key(2), meanwhile, || Ok(()))
        .await
        .unwrap();
    assert_eq!(
        get(&vault, "shop").await.unwrap().as_deref(),
        Some("meanwhile")
    );
    put(&other, "shop", "afterwards").await.unwrap();
    assert_eq!(
        get(&vault, "shop").await.unwrap().as_deref(),
        Some("afterwards")
    );
}

#[tokio::test]
async fn a_backup_restores_into_another_store_with_the_same_passphrase() {
    let place = Place::new();
    let vault = open(&place, &passphrase("same")).await.unwrap();
    put(&vault, "shop", "content").await.unwrap();
    let backup = place.folder.path().join("backup");
    vault.backup(&backup).await.unwrap();
    let other = Place::new();
    let vault = open(&other, &passphrase("same")).await.unwrap();
    vault.restore(&backup).await.unwrap();
    assert_eq!(
        get(&vault, "shop").await.unwrap().as_deref(),
        Some("content")
    );
    put(&vault, "shop", "later").await.unwrap();
    let again = open(&other, &passphrase("same")).await.unwrap();
    assert_eq!(get(&again, "shop").await.unwrap().as_deref(), Some("later"));
}

#[tokio::test]
async fn an_interrupted_rotation_leaves_both_keys_working() {
    let place = Place::new();
    let vault = place.open().await;
    for number in 0..1200 {
        put(&vault, &format!("row {number}"), "content")
            .await
            .unwrap();
    }
    let mut task = JoinSet::new();
    task.spawn(async move {
        let stop = |_progress| panic!("on purpose");
        vault.rotate_key(&key(2), stop, || Ok(())).await
    });
    assert!(task.join_next().await.unwrap().unwrap_err().is_panic());
    for fill in [1, 2] {
        let vault = open(&place, &key(fill)).await.unwrap();
        for number in [0, 1199] {
            let content = get(&vault, &format!("row {number}")).await.unwrap();
            assert_eq!(content.as_deref(), Some("content"), "key {fill}");
        }
        put(&vault, "both", "write").await.unwrap();
    }
}

async fn open(place: &Place, source: &KeySource) -> Result<Vault, StoreError> {
    place.try_open(source, &StoreOptions::default()).await
}

fn passphrase(text: &str) -> KeySource {
    KeySource::Passphrase(Secret::new(text.to_owned()))
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_handle_that_slept_through_a_rotation_finds_the_new_key_in_its_file() {
    let place = Place::new();
    let path = place.folder.path().join("key");
    let file = || KeySource::File {
        path: path.clone(),
        create: true,
    };
    let vault = open(&place, &file()).await.unwrap();
    put(&vault, "shop", "content").await.unwrap();
    let other = open(&place, &file()).await.unwrap();
    let next = place.folder.path().join("key.next");
    let source = KeySource::File {
        path: next.clone(),
        create: true,
    };
    let put_in_place = || {
        fs::rename(&next, &path).unwrap();
        Ok(())
    };
    vault
        .rotate_key(&source, |_progress| (), put_in_place)
        .await
        .unwrap();
    put(&other, "shop", "later").await.unwrap();
    let again = open(&place, &file()).await.unwrap();
    assert_eq!(get(&again, "shop").await.unwrap().as_deref(), Some("later"));
}
