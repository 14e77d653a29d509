//! A practice site, a store and a pool of its sessions.

use std::sync::Arc;
use std::time::Duration;

use sessile::pool::{Account, Definition, Lease, Pool, PoolEventKind, PoolOptions, Wish};
use sessile::site::Site as SiteFile;
use sessile::store::{Name, StoreOptions, Vault};
use sessile::{Request, Secret};
use sessile_practice::{Options, Site, User};

/// Nothing here takes longer, on a machine that is busy with something else too.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);

pub(super) struct World {
    pub(super) site: Site,
    pub(super) vault: Vault,
}

/// The users `u0`, `u1` and so on; each one's password is its name with `-pw`.
pub(super) fn users(count: usize) -> Vec<User> {
    let names = (0..count).map(|number| format!("u{number}"));
    names
        .map(|name| User::new(&name, &format!("{name}-pw")))
        .collect()
}

pub(super) fn account(user: &str) -> Account {
    Account::new(user, Some(Secret::from(format!("{user}-pw"))))
}

pub(super) fn name() -> Name {
    "shop".parse().unwrap()
}

impl World {
    pub(super) async fn new(options: Options) -> Self {
        Self {
            site: Site::start(options).await.unwrap(),
            vault: Vault::in_memory(&StoreOptions::default()).await.unwrap(),
        }
    }

    /// A pool of so many accounts, by a site file with these lines below `[pool]`.
    pub(super) async fn define(&self, accounts: usize, rules: &str) {
        self.define_as(accounts, &file(&self.site, rules)).await;
    }

    pub(super) async fn define_as(&self, accounts: usize, file: &str) {
        let site = Arc::new(SiteFile::parse(file, "shop.toml").unwrap());
        let mut definition = Definition::new(name(), site);
        definition.accounts = (0..accounts)
            .map(|number| account(&format!("u{number}")))
            .collect();
        Pool::define(&self.vault, &definition).await.unwrap();
    }

    pub(super) async fn open(&self) -> Pool {
        Pool::open(&self.vault, &name(), PoolOptions::default())
            .await
            .unwrap()
    }

    pub(super) fn members(&self) -> String {
        format!("{}/members", self.site.url())
    }
}

/// A site file of the practice site.
pub(super) fn file(site: &Site, rules: &str) -> String {
    format!(
        "base_url = \"{}\"\n[login]\nurl = \"/login\"\n[check]\nurl = \"/members\"\n\
         css = \"a[href='/logout']\"\n[pool]\n{rules}\n",
        site.url()
    )
}

pub(super) async fn lease(pool: &Pool) -> Lease {
    pool.lease(&Wish::default(), PATIENCE).await.unwrap()
}

/// Sends through a lease; answers the status.
pub(super) async fn fetch(lease: &Lease, url: &str) -> u16 {
    let answer = lease.send(Request::get(url)).await.unwrap();
    let status = answer.reply.status().as_u16();
    answer.reply.bytes().await.unwrap();
    status
}

/// Waits until something holds.
pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, waiting).await.is_ok(),
        "{what}"
    );
}

/// Waits until as many sessions can be used.
pub(super) async fn ready(pool: &Pool, count: usize) {
    until(&format!("{count} sessions are ready"), || {
        pool.stats().valid == count
    })
    .await;
}

/// Of two processes that share one seat, the one that hasn't got it.
pub(super) async fn without_a_part<'a>(one: &'a Pool, other: &'a Pool) -> &'a Pool {
    let asking = async {
        loop {
            for pool in [one, other] {
                if pool.partakes(Duration::ZERO).await.is_err() {
                    return pool;
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, asking).await;
    found.expect("one of them has no part")
}

/// Waits for an event.
pub(super) async fn event(
    events: &mut tokio::sync::broadcast::Receiver<sessile::pool::PoolEvent>,
    mut is_it: impl FnMut(&PoolEventKind) -> bool,
) -> PoolEventKind {
    let waiting = async {
        loop {
            let event = events.recv().await.unwrap();
            if is_it(&event.kind) {
                return event.kind;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("the event comes")
}
