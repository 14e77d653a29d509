//! A database that is opened: recognised, made, refused; and its way into a file and back.

use sessile::secret::Secret;
use sessile::store::{PostgresUrl, StoreError, StoreOptions, StoreUrl, Vault};

use super::database::{directory, server};
use crate::store::support::*;

#[tokio::test]
async fn a_newer_format_is_refused_and_left_as_it_is() {
    let database = Database::new().await;
    put(&database.open().await, "row", "content").await.unwrap();
    database.sql("UPDATE format SET number = 7").await;
    refused(&database, |error| {
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
    database.sql("UPDATE format SET number = 1").await;
    let content = get(&database.open().await, "row").await.unwrap();
    assert_eq!(content.as_deref(), Some("content"));
}

#[tokio::test]
async fn the_schema_of_another_program_is_refused() {
    for tables in [
        "CREATE TABLE cookies (x text)",
        "CREATE TABLE format (id integer)",
        "CREATE TABLE format (application text, number integer); INSERT INTO format VALUES ('other', 1)",
        "CREATE TABLE format (application integer, number text); INSERT INTO format VALUES (1, '1')",
    ] {
        let database = Database::new().await;
        database.make_schema().await;
        database.sql(tables).await;
        refused(&database, |error| {
            matches!(error, StoreError::NotAStore { .. })
        })
        .await;
    }
}

#[tokio::test]
async fn an_empty_schema_that_was_made_by_others_is_used() {
    let database = Database::new().await;
    database.make_schema().await;
    put(&database.open().await, "row", "content").await.unwrap();
}

#[tokio::test]
async fn nothing_is_made_unless_asked() {
    let database = Database::new().await;
    let mut options = StoreOptions::default();
    options.create = false;
    for _again in 0..2 {
        let error = database.try_open(&key(1), &options).await.unwrap_err();
        assert!(matches!(error, StoreError::NoStore { .. }), "{error}");
        database.make_schema().await;
    }
    drop(database.open().await);
    database.try_open(&key(1), &options).await.unwrap();
}

#[tokio::test]
async fn a_wrong_key_changes_nothing() {
    let database = Database::new().await;
    put(&database.open().await, "row", "content").await.unwrap();
    refused_with(&database, 2, |error| {
        matches!(error, StoreError::WrongKey { .. })
    })
    .await;
    let content = get(&database.open().await, "row").await.unwrap();
    assert_eq!(content.as_deref(), Some("content"));
}

#[tokio::test]
async fn a_database_without_the_right_to_it_is_said_in_its_words() {
    let database = Database::new().await;
    let role = database.url().replace("test_", "reader_");
    let role = role.split_once("schema=").unwrap().1.to_owned();
    database
        .sql(&format!(
            "DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN PASSWORD 'practice'"
        ))
        .await;
    let url = database.url().replace("sessile:", &format!("{role}:"));
    let error = open(&url).await.unwrap_err();
    let place = StoreUrl::parse(&url).unwrap().to_string();
    let said = format!("the store {place} refuses: permission denied for database postgres");
    assert_eq!(error.to_string(), said);
    database.sql(&format!("DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_password_is_wanted_and_never_shown() {
    let database = Database::new().await;
    let wrong = database.url().replace("practice", "hunter2");
    let without = database.url().replace(":practice", "");
    for url in [&wrong, &without] {
        let error = open(url).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        assert!(
            matches!(
                error,
                StoreError::Denied { .. } | StoreError::Unreachable { .. }
            ),
            "{error:?}"
        );
    }
    let url = PostgresUrl::parse(&without).unwrap();
    let url = StoreUrl::Postgres(url.with_password(Secret::from("practice".to_owned())));
    let vault = Vault::open(&url, &key(1), &StoreOptions::default())
        .await
        .unwrap();
    assert!(!format!("{url} {url:?} {vault:?}").contains("practice"));
    assert!(!vault.place().contains("practice"));
}

#[tokio::test]
async fn over_tls_the_server_is_known_or_refused() {
    let database = Database::new().await;
    let strict = format!("{}&sslmode=verify-full", database.url());
    let error = open(&strict).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    let trusted = format!("{strict}&sslrootcert={}/ca.pem", directory().display());
    let vault = open(&trusted).await.unwrap();
    put(&vault, "row", "content").await.unwrap();
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE ssl AND application_name = 'sessile'";
    let row = database.client.query_one(encrypted, &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) > 0);
    // The certificate is for another name.
    let other = trusted.replace("127.0.0.1", "127.0.0.2");
    let error = open(&other).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_unix_socket_does_as_well() {
    let database = Database::new().await;
    let port = url::Url::parse(&server()).unwrap().port().unwrap();
    let (_server, schema) = database
        .url()
        .rsplit_once('?')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let folder = directory();
    let url = format!(
        "postgres:///postgres?host={}&port={port}&user=sessile&{schema}",
        folder.display()
    );
    let url = PostgresUrl::parse(&url).unwrap();
    let url = StoreUrl::Postgres(url.with_password(Secret::from("practice".to_owned())));
    let vault = Vault::open(&url, &key(1), &StoreOptions::default())
        .await
        .unwrap();
    assert_eq!(vault.place(), url.to_string());
    put(&vault, "row", "content").await.unwrap();
}

#[tokio::test]
async fn a_backup_of_a_database_restores_into_a_file_and_back() {
    let (database, place) = (Database::new().await, Place::new());
    let vault = database.open().await;
    for number in 0..250 {
        put(
            &vault,
            &format!("row {number:03}"),
            &format!("content {number}"),
        )
        .await
        .unwrap();
    }
    let [first, second] = ["first", "second"].map(|name| place.folder.path().join(name));
    vault.backup(&first).await.unwrap();
    let again = vault.backup(&first).await.unwrap_err();
    assert!(matches!(again, StoreError::FileTaken { .. }), "{again}");
    let before = vault.list().await.unwrap();

    let file = place.open().await;
    put(&file, "extra", "x").await.unwrap();
    file.restore(&first).await.unwrap();
    assert_eq!(file.list().await.unwrap(), before);
    let later = put(&file, "row 007", "later").await.unwrap();
    assert!(before.iter().all(|row| row.version < later.version));
    file.backup(&second).await.unwrap();
    let after = file.list().await.unwrap();

    put(&vault, "row 008", "lost").await.unwrap();
    put(&vault, "extra", "x").await.unwrap();
    let seen = vault.changes().unwrap();
    vault.restore(&second).await.unwrap();
    assert_ne!(vault.changes().unwrap(), seen);
    assert_eq!(vault.list().await.unwrap(), after);
    for (row, content) in [
        ("row 007", "later"),
        ("row 008", "content 8"),
        ("row 249", "content 249"),
    ] {
        assert_eq!(get(&vault, row).await.unwrap().as_deref(), Some(content));
    }
    let newest = put(&vault, "row 007", "newest").await.unwrap();
    assert!(after.iter().all(|row| row.version < newest.version));
    assert_eq!(vault.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_restore_that_fails_changes_nothing() {
    let (database, place) = (Database::new().await, Place::new());
    let vault = database.open().await;
    put(&vault, "row", "content").await.unwrap();
    let other = place
        .try_open(&key(2), &StoreOptions::default())
        .await
        .unwrap();
    let backup = place.folder.path().join("backup");
    other.backup(&backup).await.unwrap();
    let error = vault.restore(&backup).await.unwrap_err();
    assert!(matches!(error, StoreError::WrongKey { .. }), "{error}");
    let missing = vault
        .restore(&place.folder.path().join("none"))
        .await
        .unwrap_err();
    assert!(matches!(missing, StoreError::NoStore { .. }), "{missing}");
    assert_eq!(
        get(&vault, "row").await.unwrap().as_deref(),
        Some("content")
    );
}

#[tokio::test]
async fn tables_put_back_without_their_numbers_are_found_out() {
    let database = Database::new().await;
    let vault = database.open().await;
    put(&vault, "row", "content").await.unwrap();
    database.sql("SELECT setval('number', 1)").await;
    put(&vault, "other", "content").await.unwrap();
    database
        .sql("UPDATE record SET version = 1000 WHERE name = 'row'")
        .await;
    let findings = vault.check().await.unwrap();
    assert_eq!(findings[0], "a version is higher than the last number");
}

#[tokio::test]
async fn nothing_in_the_tables_can_be_read() {
    let database = Database::new().await;
    let vault = database.open().await;
    let needle = "needle-in-the-haystack";
    put(&vault, "row", &needle.repeat(10)).await.unwrap();
    let look = "SELECT count(*) FROM record WHERE position($1::bytea IN sealed) > 0";
    let row = database
        .client
        .query_one(look, &[&needle.as_bytes()])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
    let tampered = StoreError::Tampered {
        name: "row".to_owned(),
    };
    database.sql("UPDATE record SET generation = 5").await;
    assert_eq!(get(&vault, "row").await, Err(tampered));
}

async fn refused(database: &Database, expected: impl Fn(&StoreError) -> bool) {
    refused_with(database, 1, expected).await;
}

/// Refused, and nothing in the schema is another than before.
async fn refused_with(database: &Database, fill: u8, expected: impl Fn(&StoreError) -> bool) {
    let before = database.tables().await;
    let opened = database
        .try_open(&key(fill), &StoreOptions::default())
        .await;
    let error = opened.unwrap_err();
    assert!(expected(&error), "{error}");
    assert_eq!(database.tables().await, before);
}

async fn open(url: &str) -> Result<Vault, StoreError> {
    let url = StoreUrl::parse(url).unwrap();
    Vault::open(&url, &key(1), &StoreOptions::default()).await
}
