//! Where sessions are kept: names, versions, leases and sealed bytes.
//!
//! [`Vault`] is what the rest of the library uses; it seals and unseals. Under it a [`Store`] keeps rows and
//! knows nothing of what is in them. What a session looks like as bytes is not decided here.

mod aside;
mod change;
mod error;
mod files;
mod job_thread;
mod key;
mod key_table;
mod keyring;
mod lease;
mod memory;
mod name;
#[cfg(feature = "postgres")]
mod postgres;
mod postgres_url;
mod presence;
mod rotate;
mod seal;
mod sqlite;
mod url;
mod vault;

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use change::{NextPlain, Opened};
pub use error::StoreError;
pub use key::{KEY_LENGTH, KeySource};
pub use lease::{Acquired, Fence, Lease};
pub use name::{HolderId, LeaseKey, Name, Room};
#[cfg(feature = "postgres")]
pub(crate) use postgres::read_column;
pub use postgres_url::PostgresUrl;
pub(crate) use presence::Half;
pub use rotate::Progress;
pub use seal::KeyId;
pub use url::StoreUrl;
pub use vault::Vault;

use crate::clock::{Clock, SystemClock, Timestamp};

/// A future on the heap, so that [`Store`] can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a store's method answers, later.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Keeps rows. Every method may start its work when called, and finishes it even if the future is dropped.
pub trait Store: Send + Sync + fmt::Debug {
    /// The row of that name.
    fn load<'a>(&'a self, name: &'a Name) -> Answer<'a, Option<Row>>;

    /// Reads, decides and writes in one transaction; on disk when it answers, with what is stored then.
    ///
    /// A change that fails or panics changes nothing, and nothing of what others do at the same time.
    fn update<'a>(&'a self, name: &'a Name, change: Change) -> Answer<'a, Option<RowSummary>>;

    /// Writes the row of one name, as `change` makes it, under another.
    ///
    /// Fails with [`StoreError::UnknownName`] or [`StoreError::NameTaken`].
    fn transfer<'a>(&'a self, transfer: &'a Transfer, change: Change) -> Answer<'a, RowSummary>;

    /// At most `limit` rows in the order of their names, from the one behind `after` on.
    fn list<'a>(&'a self, after: Option<&'a Name>, limit: usize) -> Answer<'a, Vec<RowSummary>>;

    /// Takes a lease that is free, expired or already `holder`'s. Every lease gets a higher number than all before.
    fn acquire<'a>(
        &'a self,
        key: &'a LeaseKey,
        holder: &'a HolderId,
        ttl: Duration,
    ) -> Answer<'a, Acquired>;

    /// Holds a lease for `ttl` from now; fails with [`StoreError::Fenced`] if it was lost or released.
    fn extend<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Answer<'a, Lease>;

    /// Gives a lease back; a lease already lost is left alone.
    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()>;

    /// A number that differs from the last one when anybody, in any process, changed a row or the keys in between. It
    /// may differ without a change.
    ///
    /// A change that was stored before the answer to an [`acquire`](Store::acquire) of this store is seen at once. How
    /// soon others are is for each kind of store to say.
    fn changes(&self) -> Result<u64, StoreError>;

    /// The sealed keys, if some were saved.
    fn load_keys(&self) -> Answer<'_, Option<KeyRow>>;

    /// Saves the sealed keys if their revision is still `expected` (0: none yet), and answers what is stored then.
    fn save_keys(&self, expected: u64, sealed: Vec<u8>) -> Answer<'_, KeyRow>;

    /// Writes everything into one new file.
    fn backup<'a>(&'a self, target: &'a Path) -> Answer<'a, ()>;

    /// Replaces every row and the keys by those of a backup, in one transaction.
    fn restore<'a>(&'a self, source: &'a Path) -> Answer<'a, ()>;

    /// What a check of the whole store finds wrong with it; nothing if it is whole.
    fn check(&self) -> Answer<'_, Vec<String>>;

    /// Drops what was removed or replaced from the files, as far as the store can.
    fn compact(&self) -> Answer<'_, ()>;

    /// Finishes what was started. What is asked later fails with [`StoreError::Closed`].
    fn close(&self) -> Answer<'_, ()>;

    /// Where the store is, for messages.
    fn place(&self) -> &str;
}

/// A stored record, sealed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// Everything but the content.
    pub summary: RowSummary,
    /// The content.
    pub sealed: Vec<u8>,
}

/// What a store knows of a record without opening it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RowSummary {
    /// Its name.
    pub name: Name,
    /// Grows with every write; never used twice in a store, not even under another name.
    pub version: u64,
    /// The writer's count of logins.
    pub generation: u64,
    /// When the name was first written.
    pub created: Timestamp,
    /// When it was last written.
    pub updated: Timestamp,
}

/// The sealed keys and how often they were changed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeyRow {
    /// Grows with every change.
    pub revision: u64,
    /// The keys, sealed.
    pub sealed: Vec<u8>,
}

/// Decides a write inside the transaction, perhaps on another thread. It must not wait for anything.
pub type Change = Box<dyn FnOnce(Current) -> Result<Next, StoreError> + Send>;

/// What a [`Change`] decides from.
#[derive(Debug)]
#[non_exhaustive]
pub struct Current {
    /// The row as it is.
    pub row: Option<Row>,
    /// The version that a write gets.
    pub next_version: u64,
    /// The revision of the sealed keys.
    pub key_revision: u64,
    /// The time that a write gets.
    pub now: Timestamp,
}

/// What a [`Change`] decides.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a store must know them all")]
pub enum Next {
    /// Leave everything as it is.
    Keep,
    /// Remove the row, if there is one.
    Remove(Option<Fence>),
    /// Seal the same content anew: version, generation and times stay.
    Reseal(Vec<u8>),
    /// Write new content.
    Write(Draft),
}

/// New content for a row.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "built by callers")]
pub struct Draft {
    /// The count of logins.
    pub generation: u64,
    /// The content.
    pub sealed: Vec<u8>,
    /// A lease without whose number the write is refused.
    pub fence: Option<Fence>,
}

/// A copy or a rename.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "built by callers")]
pub struct Transfer {
    /// The row to read.
    pub from: Name,
    /// The name to write, which must be free.
    pub to: Name,
    /// What happens to the first.
    pub source: Source,
}

/// What happens to the row that a [`Transfer`] reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Source {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
}

/// How a store is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreOptions {
    /// Tells the times of rows and leases; a database goes by its own. Defaults to the machine's clock.
    pub clock: Arc<dyn Clock>,
    /// Whether a store that does not exist is made. Defaults to `true`.
    pub create: bool,
    /// How long to wait for another writer, and for the line to a database. Defaults to ten seconds.
    pub lock_timeout: Duration,
    /// For how long one look at whether another process has changed the file serves all who ask; what
    /// this process has written is seen at once all the same. For programs that ask thousands of times
    /// a second. Defaults to no time: everybody looks.
    pub look_every: Duration,
    /// How large the file may grow, in bytes; a database is not limited. Defaults to no limit.
    pub max_bytes: Option<u64>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            create: true,
            lock_timeout: Duration::from_secs(10),
            look_every: Duration::ZERO,
            max_bytes: None,
        }
    }
}

/// Opens the store at `url`.
///
/// A few milliseconds at most, unless another process is just creating the same store. A database is reached with the
/// first thing that is asked of it, which then says what is wrong with it.
pub fn open(url: &StoreUrl, options: &StoreOptions) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match url {
        StoreUrl::Memory => Arc::new(memory::MemoryStore::new(Arc::clone(&options.clock))),
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(url) => Arc::new(postgres::PostgresStore::open(url, options)?),
        #[cfg(not(feature = "postgres"))]
        StoreUrl::Postgres(url) => {
            let place = url.to_string();
            let doing = "be opened: this program was built without the feature `postgres`";
            return Err(StoreError::Unsupported { place, doing });
        }
        StoreUrl::Sqlite(path) => Arc::new(sqlite::SqliteStore::open(path, options)?),
    })
}
