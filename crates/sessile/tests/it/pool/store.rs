//! A store in memory that hangs, panics and gives seats to others when it is told to.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile::Secret;
use sessile::store::{
    Acquired, Answer, Change, HolderId, KeyRow, KeySource, Lease, LeaseKey, Name, Row, RowSummary,
    Store, StoreError, StoreOptions, StoreUrl, Transfer, Vault,
};
use tokio::sync::watch;

/// The store, and what goes wrong with it.
#[derive(Debug)]
pub(super) struct Faulty {
    inner: Arc<dyn Store>,
    hangs: watch::Sender<bool>,
    /// After this name was written.
    then: Mutex<HashMap<Name, After>>,
    leases: Mutex<HashMap<LeaseKey, Lease>>,
    /// How many extensions were answered.
    extended: AtomicUsize,
}

/// What becomes of whoever wrote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum After {
    /// He never hears of it.
    Hangs,
    Panics,
}

impl Faulty {
    pub(super) async fn open() -> (Arc<Self>, Vault) {
        let store = Arc::new(Self {
            inner: sessile::store::open(&StoreUrl::Memory, &StoreOptions::default()).unwrap(),
            hangs: watch::Sender::new(false),
            then: Mutex::default(),
            leases: Mutex::default(),
            extended: AtomicUsize::new(0),
        });
        let key = KeySource::Bytes(Secret::new([1; 32]));
        let vault = Vault::over(Arc::clone(&store) as Arc<dyn Store>, &key);
        (Arc::clone(&store), vault.await.unwrap())
    }

    pub(super) fn hang(&self, hangs: bool) {
        self.hangs.send_replace(hangs);
    }

    /// Once this name is written, the writer has bad luck, once.
    pub(super) fn after(&self, name: Name, after: After) {
        self.then.lock().unwrap().insert(name, after);
    }

    /// Whether what was to go wrong has.
    pub(super) fn has_struck(&self) -> bool {
        self.then.lock().unwrap().is_empty()
    }

    pub(super) fn extended(&self) -> usize {
        self.extended.load(Ordering::SeqCst)
    }

    /// Gives a part of the pool's seats to somebody else, as if its hold had ended.
    pub(super) async fn give(&self, part: &str, to: &str) {
        let key = LeaseKey::parse(&format!("pool shop part {part}")).unwrap();
        let lease = self.leases.lock().unwrap().get(&key).cloned().unwrap();
        self.inner.release(&lease).await.unwrap();
        let thief = HolderId::parse(to).unwrap();
        let term = Duration::from_secs(600);
        let got = self.inner.acquire(&key, &thief, term).await.unwrap();
        assert!(matches!(got, Acquired::Granted(_)), "{got:?}");
    }

    async fn pass(&self) {
        let mut hangs = self.hangs.subscribe();
        hangs.wait_for(|hangs| !hangs).await.unwrap();
    }

    async fn strike(&self, name: &Name) {
        let after = self.then.lock().unwrap().remove(name);
        match after {
            Some(After::Hangs) => std::future::pending().await,
            Some(After::Panics) => panic!("the store panics"),
            None => {}
        }
    }
}

impl Store for Faulty {
    fn load<'a>(&'a self, name: &'a Name) -> Answer<'a, Option<Row>> {
        Box::pin(async move {
            self.pass().await;
            self.inner.load(name).await
        })
    }

    fn update<'a>(&'a self, name: &'a Name, change: Change) -> Answer<'a, Option<RowSummary>> {
        Box::pin(async move {
            self.pass().await;
            let written = self.inner.update(name, change).await;
            self.strike(name).await;
            written
        })
    }

    fn transfer<'a>(&'a self, transfer: &'a Transfer, change: Change) -> Answer<'a, RowSummary> {
        self.inner.transfer(transfer, change)
    }

    fn list<'a>(&'a self, after: Option<&'a Name>, limit: usize) -> Answer<'a, Vec<RowSummary>> {
        Box::pin(async move {
            self.pass().await;
            self.inner.list(after, limit).await
        })
    }

    fn acquire<'a>(
        &'a self,
        key: &'a LeaseKey,
        holder: &'a HolderId,
        ttl: Duration,
    ) -> Answer<'a, Acquired> {
        Box::pin(async move {
            self.pass().await;
            let acquired = self.inner.acquire(key, holder, ttl).await?;
            if let Acquired::Granted(lease) = &acquired {
                self.leases
                    .lock()
                    .unwrap()
                    .insert(key.clone(), lease.clone());
            }
            Ok(acquired)
        })
    }

    fn extend<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Answer<'a, Lease> {
        Box::pin(async move {
            self.pass().await;
            let extended = self.inner.extend(lease, ttl).await;
            self.extended.fetch_add(1, Ordering::SeqCst);
            extended
        })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()> {
        Box::pin(async move {
            self.pass().await;
            self.inner.release(lease).await
        })
    }

    fn changes(&self) -> Result<u64, StoreError> {
        self.inner.changes()
    }

    fn load_keys(&self) -> Answer<'_, Option<KeyRow>> {
        self.inner.load_keys()
    }

    fn save_keys(&self, expected: u64, sealed: Vec<u8>) -> Answer<'_, KeyRow> {
        self.inner.save_keys(expected, sealed)
    }

    fn backup<'a>(&'a self, target: &'a Path) -> Answer<'a, ()> {
        self.inner.backup(target)
    }

    fn restore<'a>(&'a self, source: &'a Path) -> Answer<'a, ()> {
        self.inner.restore(source)
    }

    fn check(&self) -> Answer<'_, Vec<String>> {
        self.inner.check()
    }

    fn compact(&self) -> Answer<'_, ()> {
        self.inner.compact()
    }

    fn close(&self) -> Answer<'_, ()> {
        self.inner.close()
    }

    fn place(&self) -> &str {
        self.inner.place()
    }
}
