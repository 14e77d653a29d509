//! A store in a PostgreSQL database, for any number of machines.
//!
//! One thread with a runtime of its own does everything that is asked (see `worker`): what was started is finished
//! whoever stopped waiting for it, and whatever became of the caller's runtime. Locks, versions, leases and times are
//! the database's, so that the clocks of the machines don't matter. What a statement says is beside the code that
//! sends it; the tables are in `schema`.

mod backup;
mod column;
mod fault;
mod hub;
mod lease;
mod line;
mod listen;
mod read;
mod schema;
mod settle;
mod transaction;
mod worker;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::seal::random_bytes;
use super::{
    Acquired, Answer, Change, HolderId, KeyRow, Lease, LeaseKey, Name, PostgresUrl, Row,
    RowSummary, Store, StoreError, StoreOptions, Transfer,
};

pub(crate) use self::column::read_column;

use self::listen::Changes;
use self::worker::Worker;

/// A handle on the database.
#[derive(Debug)]
pub(super) struct PostgresStore {
    site: Arc<Site>,
    changes: Arc<Changes>,
    worker: Worker,
}

/// Where the store is and how it is used.
struct Site {
    url: PostgresUrl,
    place: String,
    options: StoreOptions,
    /// Tells our own announcements from those of others.
    handle: String,
    /// How connections are made.
    dial: line::Dial,
}

impl PostgresStore {
    /// A handle; the database is reached with the first thing that is asked of it.
    pub(super) fn open(url: &PostgresUrl, options: &StoreOptions) -> Result<Self, StoreError> {
        let handle = format!("{:016x}", u64::from_be_bytes(random_bytes()?));
        let site = Arc::new(Site {
            dial: line::Dial::new(url, options)?,
            place: url.to_string(),
            url: url.clone(),
            options: options.clone(),
            handle,
        });
        let changes = Arc::new(Changes::default());
        Ok(Self {
            worker: Worker::new(Arc::clone(&site), Arc::clone(&changes)),
            changes,
            site,
        })
    }
}

impl Site {
    /// How long to wait for another's lock, and for a database that is away.
    const fn patience(&self) -> Duration {
        self.options.lock_timeout
    }

    /// How long to wait for an answer: the database gives up before that if it can.
    fn silence(&self) -> Duration {
        self.patience().saturating_mul(2)
    }

    fn corrupt(&self, detail: &str) -> StoreError {
        StoreError::Corrupt {
            place: self.place.clone(),
            detail: detail.to_owned(),
        }
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("place", &self.place)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Store for PostgresStore {
    fn load<'a>(&'a self, name: &'a Name) -> Answer<'a, Option<Row>> {
        let name = name.clone();
        self.worker
            .run(async move |hub| read::load(&hub, &name).await)
    }

    fn update<'a>(&'a self, name: &'a Name, change: Change) -> Answer<'a, Option<RowSummary>> {
        let name = name.clone();
        self.worker
            .run(async move |hub| transaction::update(&hub, &name, change).await)
    }

    fn transfer<'a>(&'a self, transfer: &'a Transfer, change: Change) -> Answer<'a, RowSummary> {
        let transfer = transfer.clone();
        self.worker
            .run(async move |hub| transaction::transfer(&hub, &transfer, change).await)
    }

    fn list<'a>(&'a self, after: Option<&'a Name>, limit: usize) -> Answer<'a, Vec<RowSummary>> {
        let after = after.cloned();
        self.worker
            .run(async move |hub| read::list(&hub, after.as_ref(), limit).await)
    }

    fn acquire<'a>(
        &'a self,
        key: &'a LeaseKey,
        holder: &'a HolderId,
        ttl: Duration,
    ) -> Answer<'a, Acquired> {
        let (key, holder) = (key.clone(), holder.clone());
        self.worker
            .run(async move |hub| lease::acquire(&hub, &key, &holder, ttl).await)
    }

    fn extend<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Answer<'a, Lease> {
        let lease = lease.clone();
        self.worker
            .run(async move |hub| lease::extend(&hub, lease, ttl).await)
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()> {
        let lease = lease.clone();
        self.worker
            .run(async move |hub| lease::release(&hub, &lease).await)
    }

    /// Others' changes are seen when the database has announced them, a moment after they were stored; over a line
    /// that broke without a sign, within two seconds. While no line is there, every answer differs from the last.
    fn changes(&self) -> Result<u64, StoreError> {
        self.worker.check_open()?;
        if self.changes.begin() {
            drop(self.worker.run(async |hub| {
                listen::start(&hub);
                Ok(())
            }));
        }
        Ok(self.changes.number())
    }

    fn load_keys(&self) -> Answer<'_, Option<KeyRow>> {
        self.worker.run(async |hub| read::keys(&hub).await)
    }

    fn save_keys(&self, expected: u64, sealed: Vec<u8>) -> Answer<'_, KeyRow> {
        self.worker
            .run(async move |hub| transaction::save_keys(&hub, expected, sealed).await)
    }

    /// The file is an SQLite store: a backup of either kind restores into the other.
    fn backup<'a>(&'a self, target: &'a Path) -> Answer<'a, ()> {
        let target = target.to_owned();
        self.worker
            .run(async move |hub| backup::write(&hub, target).await)
    }

    fn restore<'a>(&'a self, source: &'a Path) -> Answer<'a, ()> {
        let source = source.to_owned();
        self.worker
            .run(async move |hub| backup::restore(&hub, source).await)
    }

    fn check(&self) -> Answer<'_, Vec<String>> {
        self.worker.run(async |hub| backup::check(&hub).await)
    }

    /// The room of replaced rows becomes free for others; what was in it is overwritten when it is used again.
    fn compact(&self) -> Answer<'_, ()> {
        self.worker.run(async |hub| backup::compact(&hub).await)
    }

    fn close(&self) -> Answer<'_, ()> {
        self.worker.close()
    }

    fn place(&self) -> &str {
        &self.site.place
    }
}
