//! A store in one SQLite file, for any number of processes on one machine.
//!
//! Reads go through one connection, on the caller's thread: they take microseconds and never wait for a writer.
//! Writes go to one thread with a connection of its own, which starts with the first of them (see `writer`).
//! Leases go by the machine's clock, which all the processes share.

#[cfg(feature = "postgres")]
mod archive;
mod backup;
mod batch;
mod fault;
mod open;
mod read;
mod writer;

use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

#[cfg(feature = "postgres")]
pub(super) use self::archive::{Archive, NewArchive};
use self::batch::Batch;
use self::fault::Fault;
use self::writer::Writer;
use super::aside::aside;
use super::{
    Acquired, Answer, Change, HolderId, KeyRow, Lease, LeaseKey, Name, Row, RowSummary, Store,
    StoreError, StoreOptions, Transfer,
};

/// A handle on the file.
#[derive(Debug)]
pub(super) struct SqliteStore {
    site: Arc<Site>,
    reader: Arc<Mutex<Connection>>,
    writer: Writer,
}

/// Where the store is and how it is used.
#[derive(Debug)]
struct Site {
    path: PathBuf,
    place: String,
    options: StoreOptions,
}

impl SqliteStore {
    pub(super) fn open(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        let site = Arc::new(Site {
            path: path.to_owned(),
            place: path.display().to_string(),
            options: options.clone(),
        });
        let reader = open::reader(&site)?;
        Ok(Self {
            reader: Arc::new(Mutex::new(reader)),
            writer: Writer::new(Arc::clone(&site)),
            site,
        })
    }

    /// Reads at once; only if the file is locked for readers, which is rare and short, waits on another thread.
    fn read<'a, T: Send + 'static>(
        &'a self,
        query: impl Fn(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<'a, T> {
        if let Err(closed) = self.writer.check_open() {
            return Box::pin(ready(Err(closed)));
        }
        match query_locked(&self.reader, &query) {
            Ok(value) => Box::pin(ready(Ok(value))),
            Err(fault) if fault.is_busy() => {
                let (reader, site) = (Arc::clone(&self.reader), Arc::clone(&self.site));
                aside(move || site.patiently(|| query_locked(&reader, &query)))
            }
            Err(fault) => Box::pin(ready(Err(fault.at(&self.site)))),
        }
    }

    fn write<'a, T: Send + 'static>(
        &'a self,
        work: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'a, T> {
        self.writer.run(work)
    }
}

fn query_locked<T>(
    reader: &Mutex<Connection>,
    query: &impl Fn(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    query(&reader.lock().unwrap_or_else(PoisonError::into_inner))
}

/// How long to sleep before the next try for a lock.
///
/// The longer somebody has waited, the more often he tries. The other way round, as SQLite's own waits go, one of
/// several busy writers starves.
fn nap(waited: Duration) -> Duration {
    let patience = Duration::from_millis(10).saturating_sub(waited) / 10;
    patience.max(Duration::from_micros(40))
}

impl Site {
    /// Tries until nobody else has the file locked, or the time for that is up.
    #[expect(
        clippy::disallowed_methods,
        reason = "a thread really sleeps here, whatever the store's clock says"
    )]
    fn patiently<T>(&self, mut attempt: impl FnMut() -> Result<T, Fault>) -> Result<T, StoreError> {
        // Nobody waits for most locks, and then the clock need not be read.
        let mut since = None;
        loop {
            match attempt() {
                Err(fault) if fault.is_busy() => {}
                outcome => return outcome.map_err(|fault| fault.at(self)),
            }
            let waited = since.get_or_insert_with(Instant::now).elapsed();
            if waited >= self.options.lock_timeout {
                return Err(self.locked(waited));
            }
            thread::sleep(nap(waited));
        }
    }

    fn locked(&self, waited: Duration) -> StoreError {
        StoreError::Locked {
            place: self.place.clone(),
            holder: fault::lock_holder(&self.path),
            waited,
        }
    }

    fn io(&self, doing: &'static str, error: &std::io::Error) -> StoreError {
        super::files::failed(doing, &self.path, error)
    }
}

impl Store for SqliteStore {
    fn load<'a>(&'a self, name: &'a Name) -> Answer<'a, Option<Row>> {
        let name = name.clone();
        self.read(move |connection| read::row(connection, &name))
    }

    fn update<'a>(&'a self, name: &'a Name, change: Change) -> Answer<'a, Option<RowSummary>> {
        let name = name.clone();
        self.write(move |batch| batch.update(&name, change))
    }

    fn transfer<'a>(&'a self, transfer: &'a Transfer, change: Change) -> Answer<'a, RowSummary> {
        let transfer = transfer.clone();
        self.write(move |batch| batch.transfer(&transfer, change))
    }

    fn list<'a>(&'a self, after: Option<&'a Name>, limit: usize) -> Answer<'a, Vec<RowSummary>> {
        let after = after.cloned();
        self.read(move |connection| read::list(connection, after.as_ref(), limit))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a LeaseKey,
        holder: &'a HolderId,
        ttl: Duration,
    ) -> Answer<'a, Acquired> {
        let (key, holder) = (key.clone(), holder.clone());
        self.write(move |batch| batch.acquire(&key, &holder, ttl))
    }

    fn extend<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Answer<'a, Lease> {
        let lease = lease.clone();
        self.write(move |batch| batch.extend(lease, ttl))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()> {
        let lease = lease.clone();
        self.write(move |batch| batch.release(&lease))
    }

    fn changes(&self) -> Result<u64, StoreError> {
        // It moves when any other connection commits, and the writer's is another one.
        let version = query_locked(&self.reader, &|connection| {
            let mut statement = connection.prepare_cached("PRAGMA data_version")?;
            Ok(statement.query_row((), |row| row.get::<_, i64>(0))?)
        });
        version
            .map(i64::cast_unsigned)
            .map_err(|fault| fault.at(&self.site))
    }

    fn load_keys(&self) -> Answer<'_, Option<KeyRow>> {
        self.read(read::keys)
    }

    fn save_keys(&self, expected: u64, sealed: Vec<u8>) -> Answer<'_, KeyRow> {
        self.write(move |batch| batch.save_keys(expected, sealed))
    }

    fn backup<'a>(&'a self, target: &'a Path) -> Answer<'a, ()> {
        let (site, target) = (Arc::clone(&self.site), target.to_owned());
        aside(move || backup::write(&site, &target))
    }

    fn restore<'a>(&'a self, source: &'a Path) -> Answer<'a, ()> {
        let (site, source) = (Arc::clone(&self.site), source.to_owned());
        aside(move || backup::restore(&site, &source))
    }

    fn check(&self) -> Answer<'_, Vec<String>> {
        let site = Arc::clone(&self.site);
        aside(move || backup::check(&site))
    }

    fn compact(&self) -> Answer<'_, ()> {
        let site = Arc::clone(&self.site);
        aside(move || backup::compact(&site))
    }

    fn close(&self) -> Answer<'_, ()> {
        self.writer.close()
    }

    fn place(&self) -> &str {
        &self.site.place
    }
}
