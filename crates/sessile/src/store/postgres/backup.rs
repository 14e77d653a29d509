//! Work on the whole store: backup, restore, check, compact.
//!
//! A backup is an SQLite store, so that it can be looked at and restored without this database.

use std::path::PathBuf;

use super::fault::Fault;
use super::hub::Hub;
use super::line::Line;
use super::read;
use super::settle::Evidence;
use super::transaction::{LOCK_KEYS, Transaction};
use crate::store::sqlite::{Archive, NewArchive};
use crate::store::{KeyRow, Name, Row, StoreError};

/// How many rows go over the line at a time.
const PAGE: usize = 100;

/// Writes what is stored now into a new file, while others go on reading and writing.
pub(super) async fn write(hub: &Hub, target: PathBuf) -> Result<(), StoreError> {
    let archive = blocking(move || NewArchive::create(&target)).await?;
    let written = hub.patiently(async |line| {
        line.say("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        Ok(line)
    });
    let line = written.await?;
    let copied = copy_into(&line, archive).await;
    let archive = copied.map_err(|fault| fault.at(&hub.site))?;
    if line.say("COMMIT").await.is_ok() {
        line.put_back();
    }
    blocking(move || archive.finish()).await
}

async fn copy_into(line: &Line, mut archive: NewArchive) -> Result<NewArchive, Fault> {
    let keys = line.row(read::KEYS, &[]).await?;
    let keys = keys.as_ref().map(read::key_row).transpose()?;
    let last = line.row("SELECT last_value FROM number", &[]).await?;
    let last = last
        .map_or(Ok(0), |row| row.try_get::<_, i64>(0))?
        .cast_unsigned();
    archive = blocking(move || archive.state(last, keys.as_ref()).map(|()| archive)).await?;
    let mut after: Option<Name> = None;
    loop {
        let rows = page(line, after.as_ref()).await?;
        let Some(last) = rows.last() else {
            return Ok(archive);
        };
        after = Some(last.summary.name.clone());
        archive = blocking(move || archive.add(&rows).map(|()| archive)).await?;
    }
}

async fn page(line: &Line, after: Option<&Name>) -> Result<Vec<Row>, Fault> {
    let sql = "SELECT version, generation, created, updated, sealed, name FROM record
               WHERE name > $1 ORDER BY name LIMIT $2";
    let limit = i64::try_from(PAGE).expect("a page is small");
    let found = line
        .rows(sql, &[&after.map_or("", Name::as_str), &limit])
        .await?;
    let rows = found
        .iter()
        .map(|found| Ok(read::row(&read::named(found)?, found)?));
    rows.collect()
}

/// Puts the rows and keys of a backup in place of what is stored. Leases stay, and numbers go on growing.
pub(super) async fn restore(hub: &Hub, source: PathBuf) -> Result<(), StoreError> {
    // Says what is wrong with the backup before anything else happens.
    let place = source.display().to_string();
    let archive = blocking(move || Archive::open(&source)).await?;
    let open = Transaction::begin_with(hub, LOCK_KEYS, &[]).await?;
    let copied = replace(open.line(), archive, &place).await;
    let keys = copied.map_err(|fault| fault.at(&hub.site))?;
    let evidence = Evidence::Keys(keys.revision.cast_signed(), &keys.sealed);
    open.commit(&[], &evidence).await
}

async fn replace(line: &Line, mut archive: Archive, place: &str) -> Result<KeyRow, Fault> {
    // Whoever changes a row holds a lock on the keys; this one is for those who don't ask us.
    line.say("LOCK TABLE record IN EXCLUSIVE MODE; SET LOCAL statement_timeout = 0")
        .await?;
    line.client().batch_execute("DELETE FROM record").await?;
    let mut after: Option<Name> = None;
    loop {
        let from = after.take();
        let read = blocking(move || {
            let rows = archive.rows(from.as_ref(), PAGE)?;
            Ok((archive, rows))
        });
        let rows: Vec<Row>;
        (archive, rows) = read.await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.summary.name.clone());
        insert(line, &rows).await?;
    }
    let (last, keys) = blocking(move || archive.state()).await?;
    let advance = "SELECT setval('number', greatest((SELECT last_value FROM number), $1::bigint))";
    line.rows(advance, &[&last.cast_signed()]).await?;
    let keys = keys.ok_or(StoreError::NotAStore {
        place: place.to_owned(),
        detail: "it has no key table".to_owned(),
    })?;
    restore_keys(line, keys).await
}

async fn insert(line: &Line, rows: &[Row]) -> Result<(), Fault> {
    let sql = "INSERT INTO record (name, version, generation, created, updated, sealed)
               SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[])";
    let summaries = || rows.iter().map(|row| &row.summary);
    let names: Vec<&str> = summaries().map(|row| row.name.as_str()).collect();
    let versions: Vec<i64> = summaries().map(|row| row.version.cast_signed()).collect();
    let generations: Vec<i64> = summaries()
        .map(|row| row.generation.cast_signed())
        .collect();
    let created: Vec<i64> = summaries().map(|row| row.created.as_millis()).collect();
    let updated: Vec<i64> = summaries().map(|row| row.updated.as_millis()).collect();
    let sealed: Vec<&[u8]> = rows.iter().map(|row| row.sealed.as_slice()).collect();
    line.execute(
        sql,
        &[&names, &versions, &generations, &created, &updated, &sealed],
    )
    .await
    .map(drop)
}

/// Puts the keys in place, as the latest; answers what they are now.
async fn restore_keys(line: &Line, keys: KeyRow) -> Result<KeyRow, Fault> {
    let sql = "INSERT INTO key_table AS kept (id, revision, sealed) VALUES (0, $1::bigint + 1, $2)
               ON CONFLICT (id) DO UPDATE SET revision = greatest(kept.revision, $1::bigint) + 1,
               sealed = excluded.sealed RETURNING revision, sealed";
    let restored = line
        .row(sql, &[&keys.revision.cast_signed(), &keys.sealed])
        .await?;
    let restored = restored.as_ref().map(read::key_row).transpose()?;
    Ok(restored.unwrap_or(keys))
}

/// What is wrong with the tables as a whole. A row that was damaged doesn't open, and is found by whoever has the key.
pub(super) async fn check(hub: &Hub) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT (SELECT last_value FROM number) < coalesce((SELECT max(version) FROM record), 0),
                      (SELECT last_value FROM number) < coalesce((SELECT max(number) FROM lease), 0)";
    let findings = [
        "a version is higher than the last number",
        "a lease is higher than the last number",
    ];
    hub.patiently(async |line| {
        let row = line.row(sql, &[]).await?;
        line.put_back();
        let row = row.expect("a row without a table is always there");
        let mut found = Vec::new();
        for (index, finding) in findings.into_iter().enumerate() {
            if row.try_get(index)? {
                found.push(finding.to_owned());
            }
        }
        Ok(found)
    })
    .await
}

/// Makes the room of replaced rows free.
pub(super) async fn compact(hub: &Hub) -> Result<(), StoreError> {
    hub.patiently(async |line| {
        // It takes as long as it takes; the line is closed afterwards, and with it goes the setting.
        line.say("SET statement_timeout = 0").await?;
        Ok(line.client().batch_execute("VACUUM record").await?)
    })
    .await
}

/// Works with a file on a thread where that may take its time.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panicked| {
        Err(StoreError::Io {
            doing: "finish",
            place: "work aside".to_owned(),
            detail: panicked.to_string(),
        })
    })
}
