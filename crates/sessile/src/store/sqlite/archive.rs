//! Backup files for stores of other kinds: the same files as `backup` makes.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::backup::not_made;
use super::fault::Fault;
use super::looks::Looks;
use super::{Site, open, read};
use crate::store::{KeyRow, Name, Row, StoreError, StoreOptions, files};

/// A backup that is being written. Dropped before it is finished, it is removed.
#[derive(Debug)]
pub(in crate::store) struct NewArchive {
    site: Site,
    connection: Option<Connection>,
}

impl NewArchive {
    /// Makes the file, for its owner only; fails if there is one.
    pub(in crate::store) fn create(target: &Path) -> Result<Self, StoreError> {
        let site = site(target);
        files::make_parent(target)?;
        let made = files::create_new(target);
        made.map_err(|error| not_made(target, &error))?;
        let mut archive = Self {
            connection: None,
            site,
        };
        // Everything is one transaction: a file that was not finished is an empty one.
        let connection = archive.connection.insert(open::connect(&archive.site)?);
        let begun = connection
            .execute_batch("PRAGMA synchronous = FULL; BEGIN IMMEDIATE")
            .map_err(Fault::from)
            .and_then(|()| open::migrate_further(connection));
        begun.map_err(|fault| fault.at(&archive.site))?;
        Ok(archive)
    }

    /// The last number that was given out, and the keys.
    pub(in crate::store) fn state(
        &self,
        last: u64,
        keys: Option<&KeyRow>,
    ) -> Result<(), StoreError> {
        self.write(|connection| {
            connection.execute("UPDATE sequence SET last = ?1", [last.cast_signed()])?;
            if let Some(keys) = keys {
                let insert = "INSERT INTO key_table (id, revision, sealed) VALUES (0, ?1, ?2)";
                connection.execute(insert, params![keys.revision.cast_signed(), keys.sealed])?;
            }
            Ok(())
        })
    }

    pub(in crate::store) fn add(&self, rows: &[Row]) -> Result<(), StoreError> {
        self.write(|connection| {
            let mut insert = connection.prepare_cached(
                "INSERT INTO record (name, version, generation, created, updated, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for Row { summary, sealed } in rows {
                insert.execute(params![
                    summary.name.as_str(),
                    summary.version.cast_signed(),
                    summary.generation.cast_signed(),
                    summary.created.as_millis(),
                    summary.updated.as_millis(),
                    sealed,
                ])?;
            }
            Ok(())
        })
    }

    /// Everything is on disk when it returns.
    pub(in crate::store) fn finish(mut self) -> Result<(), StoreError> {
        self.write(|connection| Ok(connection.execute_batch("COMMIT")?))?;
        self.connection = None;
        Ok(())
    }

    fn write(&self, work: impl FnOnce(&Connection) -> Result<(), Fault>) -> Result<(), StoreError> {
        let connection = self
            .connection
            .as_ref()
            .expect("it is open until it is finished");
        work(connection).map_err(|fault| fault.at(&self.site))
    }
}

impl Drop for NewArchive {
    fn drop(&mut self) {
        if self.connection.take().is_some() {
            let _tidied = fs::remove_file(&self.site.path);
        }
    }
}

/// A backup that is being read.
#[derive(Debug)]
pub(in crate::store) struct Archive {
    site: Site,
    connection: Connection,
}

impl Archive {
    /// Opens a file that is a store; says what is wrong with one that isn't.
    pub(in crate::store) fn open(source: &Path) -> Result<Self, StoreError> {
        let site = site(source);
        let connection = open::reader(&site)?;
        Ok(Self { site, connection })
    }

    /// At most `limit` rows behind `after`.
    pub(in crate::store) fn rows(
        &self,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.read(|connection| {
            let names = read::list(connection, after, limit)?;
            let rows = names
                .iter()
                .map(|summary| read::row(connection, &summary.name));
            Ok(rows
                .collect::<Result<Vec<_>, Fault>>()?
                .into_iter()
                .flatten()
                .collect())
        })
    }

    /// The last number that was given out, and the keys.
    pub(in crate::store) fn state(&self) -> Result<(u64, Option<KeyRow>), StoreError> {
        self.read(|connection| {
            let last =
                connection.query_row("SELECT last FROM sequence", (), |row| row.get::<_, i64>(0));
            let last = last.optional()?.unwrap_or(0).cast_unsigned();
            Ok((last, read::keys(connection)?))
        })
    }

    fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        query(&self.connection).map_err(|fault| fault.at(&self.site))
    }
}

fn site(path: &Path) -> Site {
    Site {
        path: PathBuf::from(path),
        place: path.display().to_string(),
        options: StoreOptions {
            create: false,
            ..StoreOptions::default()
        },
        looks: Looks::default(),
    }
}
