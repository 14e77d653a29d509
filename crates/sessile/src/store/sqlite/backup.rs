//! Work on the whole file: backup, restore, check, compact. Each uses a connection of its own.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::fault::Fault;
use super::looks::Looks;
use super::{Site, open};
use crate::store::{StoreError, StoreOptions, files};

/// Writes what is stored now into a new file, while others go on reading and writing.
pub(super) fn write(site: &Site, target: &Path) -> Result<(), StoreError> {
    let connection = open::connect(site)?;
    files::make_parent(target)?;
    // Made first, so that it is never readable by others.
    files::create_new(target).map_err(|error| not_made(target, &error))?;
    let written = copy_into(site, &connection, target);
    if written.is_err() {
        let _tidied = fs::remove_file(target);
    }
    written
}

/// Why a backup's file could not be made.
pub(super) fn not_made(target: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::FileTaken {
            path: target.display().to_string(),
        },
        _ => files::failed("make the backup", target, error),
    }
}

fn copy_into(site: &Site, connection: &Connection, target: &Path) -> Result<(), StoreError> {
    let Some(path) = target.to_str() else {
        return Err(StoreError::Io {
            doing: "make the backup",
            place: target.display().to_string(),
            detail: "the path is not UTF-8".to_owned(),
        });
    };
    site.patiently(|| Ok(connection.execute("VACUUM INTO ?1", [path]).map(drop)?))?;
    let synced = File::open(target).and_then(|file| file.sync_all());
    synced.map_err(|error| files::failed("finish the backup", target, &error))
}

/// Puts the rows and keys of a backup in place of what is stored. Leases stay, and numbers go on growing.
pub(super) fn restore(site: &Arc<Site>, source: &Path) -> Result<(), StoreError> {
    // Says what is wrong with the backup before anything else happens.
    let saved = open::reader(&source_site(site, source))?;
    let connection = open::writer(site)?;
    let path = source.as_os_str().to_string_lossy();
    let attached = connection.execute("ATTACH ?1 AS saved", [path.as_ref()]);
    attached.map_err(|error| Fault::from(error).at(site))?;
    drop(saved);
    site.patiently(|| {
        let replaced = connection.execute_batch(REPLACE);
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
        Ok(replaced?)
    })
}

const REPLACE: &str = "
    BEGIN;
    DELETE FROM main.record;
    INSERT INTO main.record (name, version, generation, created, updated, sealed)
        SELECT name, version, generation, created, updated, sealed FROM saved.record;
    UPDATE main.sequence SET last = max(last, (SELECT last FROM saved.sequence));
    INSERT OR REPLACE INTO main.key_table (id, revision, sealed)
        SELECT 0, max(revision, ifnull((SELECT revision FROM main.key_table), 0)) + 1, sealed FROM saved.key_table;
    COMMIT;";

fn source_site(site: &Site, source: &Path) -> Site {
    let options = StoreOptions {
        create: false,
        ..site.options.clone()
    };
    Site {
        path: source.to_owned(),
        place: source.display().to_string(),
        options,
        looks: Looks::default(),
    }
}

/// What the engine finds wrong.
pub(super) fn check(site: &Site) -> Result<Vec<String>, StoreError> {
    let connection = open::connect(site)?;
    site.patiently(|| {
        let mut statement = connection.prepare("PRAGMA integrity_check")?;
        let findings = statement.query_map((), |row| row.get::<_, String>(0))?;
        let findings: Vec<String> = findings.collect::<Result<_, _>>()?;
        Ok(findings
            .into_iter()
            .filter(|finding| finding != "ok")
            .collect())
    })
}

/// Writes the file anew without what was removed, and empties the journal.
pub(super) fn compact(site: &Site) -> Result<(), StoreError> {
    let connection = open::writer(site)?;
    site.patiently(|| {
        connection.execute_batch("VACUUM")?;
        let mut statement = connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)")?;
        // A reader may hold the journal back; then the next checkpoint empties it.
        statement.query_row((), |_row| Ok(()))?;
        Ok(())
    })
}
