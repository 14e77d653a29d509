//! Opening the file: made private, recognised, migrated.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::Site;
use super::fault::Fault;
use crate::store::{StoreError, files};

/// Marks the file as ours: "SESL".
const APPLICATION_ID: i32 = 0x5345_534c;

/// Each step brings a file to the next format; the first makes an empty one.
const MIGRATIONS: &[&str] = &[
    // Format 1. The widest column is last, so that listing does not read it.
    "CREATE TABLE record (
        name TEXT NOT NULL PRIMARY KEY,
        version INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        sealed BLOB NOT NULL
    ) STRICT;
    CREATE TABLE lease (
        key TEXT NOT NULL PRIMARY KEY,
        number INTEGER NOT NULL,
        holder TEXT,
        until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE key_table (
        id INTEGER PRIMARY KEY CHECK (id = 0),
        revision INTEGER NOT NULL,
        sealed BLOB NOT NULL
    ) STRICT;
    CREATE TABLE sequence (id INTEGER PRIMARY KEY CHECK (id = 0), last INTEGER NOT NULL) STRICT;
    INSERT INTO sequence VALUES (0, 0);",
];

/// Closing any other handle on a file drops the engine's locks on it in this process. So a file is made by hand only
/// while no thread here can have it open through the engine.
static MAKING: Mutex<()> = Mutex::new(());

/// Opens the file for reading, after making or migrating it if need be.
pub(super) fn reader(site: &Site) -> Result<Connection, StoreError> {
    let making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    make_file(site)?;
    let connection = connect(site)?;
    drop(making);
    recognise(site, &connection)?;
    files::tighten(&site.path);
    for suffix in ["-wal", "-shm"] {
        files::tighten(&beside(&site.path, suffix));
    }
    Ok(connection)
}

/// Opens the file for writing; it is there and of our format.
pub(super) fn writer(site: &Site) -> Result<Connection, StoreError> {
    let connection = connect(site)?;
    site.patiently(|| {
        // FULL: what was acknowledged survives a loss of power. FAST: removed records are wiped where that costs no
        // extra write; they are sealed anyway, and `compact` drops the rest. Journal pages go over into the file
        // 16 MB at a time, so that a burst of small writes pays for it once.
        connection.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA secure_delete = FAST; PRAGMA journal_size_limit = 16777216;
             PRAGMA wal_autocheckpoint = 4000;",
        )?;
        limit_size(site, &connection)?;
        Ok(())
    })?;
    Ok(connection)
}

fn limit_size(site: &Site, connection: &Connection) -> Result<(), Fault> {
    let Some(bytes) = site.options.max_bytes else {
        return Ok(());
    };
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
    let pages = pages.clamp(1, i64::from(u32::MAX - 1));
    connection.pragma_update_and_check(None, "max_page_count", pages, |_row| Ok(()))?;
    Ok(())
}

/// The file with `suffix` that belongs to the file at `path`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn make_file(site: &Site) -> Result<(), StoreError> {
    match site.path.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            let detail = "it is a folder".to_owned();
            return Err(StoreError::NotAStore {
                place: site.place.clone(),
                detail,
            });
        }
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(site.io("look at", &error)),
    }
    if !site.options.create {
        let place = site.place.clone();
        return Err(StoreError::NoStore { place });
    }
    files::make_parent(&site.path)?;
    match files::create_new(&site.path) {
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let place = site.place.clone();
            Err(StoreError::ReadOnly { place })
        }
        Err(error) => Err(site.io("make", &error)),
        Ok(_file) => Ok(()),
    }
}

/// A connection that never waits by itself.
pub(super) fn connect(site: &Site) -> Result<Connection, StoreError> {
    // Without CREATE: the file is ours already, and with the right mode. Without URI: a path is a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(&site.path, flags).map_err(Fault::from);
    let connection = opened.map_err(|fault| fault.at(site))?;
    let prepared = connection
        .busy_timeout(std::time::Duration::ZERO)
        .and_then(|()| {
            connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = OFF;")
        });
    prepared.map_err(|error| Fault::from(error).at(site))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn recognise(site: &Site, connection: &Connection) -> Result<(), StoreError> {
    let known = known_format();
    let identity = site.patiently(|| identity(connection).or_else(foreign));
    // Whatever the file is, if it is not to be used it is to be left as it is, with a journal it may have.
    let refused = match identity? {
        Identity::Ours(format) if format == known => return Ok(()),
        Identity::Ours(format) if format < known => return migrate(site, connection),
        Identity::Empty if site.options.create => return migrate(site, connection),
        Identity::Ours(found) => StoreError::NewerVersion {
            place: site.place.clone(),
            found,
            known,
        },
        Identity::Empty => StoreError::NoStore {
            place: site.place.clone(),
        },
        Identity::Foreign(detail) => StoreError::NotAStore {
            place: site.place.clone(),
            detail: detail.to_owned(),
        },
    };
    let journal = beside(&site.path, "-wal").metadata();
    if journal.is_ok_and(|journal| journal.len() > 0) {
        let _kept = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
    Err(refused)
}

fn known_format() -> u32 {
    u32::try_from(MIGRATIONS.len()).expect("migrations are few")
}

enum Identity {
    Empty,
    Foreign(&'static str),
    Ours(u32),
}

fn identity(connection: &Connection) -> Result<Identity, Fault> {
    // In one transaction: another process may be just making the store.
    let _reading = connection.unchecked_transaction()?;
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let format: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if application == APPLICATION_ID {
        return Ok(Identity::Ours(format));
    }
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, (), |row| row.get(0))?;
    Ok(match (application, format, tables) {
        (0, 0, 0) => Identity::Empty,
        _ => Identity::Foreign("it is the SQLite database of another program"),
    })
}

fn foreign(fault: Fault) -> Result<Identity, Fault> {
    if fault.is_foreign() {
        return Ok(Identity::Foreign("it is not an SQLite file"));
    }
    Err(fault)
}

fn migrate(site: &Site, connection: &Connection) -> Result<(), StoreError> {
    site.patiently(|| {
        let mode: String =
            connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
        tracing::debug!(mode, "the store's journal");
        connection.execute_batch("PRAGMA synchronous = FULL; BEGIN IMMEDIATE")?;
        let migrated = migrate_further(connection);
        let end = if migrated.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        let ended = connection.execute_batch(end);
        migrated?;
        Ok(ended?)
    })
}

/// Makes the tables that are missing, inside a transaction.
pub(super) fn migrate_further(connection: &Connection) -> Result<(), Fault> {
    // Read again: another process may have been faster.
    let format: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(format).unwrap_or(usize::MAX);
    let Some(steps) = MIGRATIONS.get(done..) else {
        return Ok(());
    };
    for step in steps {
        connection.execute_batch(step)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", known_format())?;
    Ok(())
}
