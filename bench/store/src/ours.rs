//! Sessile's store: sealed, durable, merged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile::clock::{Clock as _, SystemClock};
use sessile::renew::{Kept, KeptOptions, edit};
use sessile::store::{
    Acquired, HolderId, KeySource, LeaseKey, Name, NextPlain, StoreError, StoreOptions, StoreUrl,
    Vault,
};
use sessile::{Profile, Secret, SessionState};
use sessile_jar::NewCookie;
use tokio::task::JoinSet;

use crate::spread::{Names, STRETCH, Spread, name};

async fn open(url: &StoreUrl) -> Vault {
    let key = KeySource::Bytes(Secret::new([1; 32]));
    Vault::open(url, &key, &StoreOptions::default()).await.expect("a store")
}

async fn at(path: &str) -> Vault {
    open(&StoreUrl::sqlite(path)).await
}

/// A session as it is stored: so many cookies, with values of this length.
async fn record(cookies: usize, length: usize) -> Arc<Vec<u8>> {
    let vault = Vault::in_memory(&StoreOptions::default()).await.expect("memory");
    let mut state = SessionState::new(Profile::default());
    for number in 0..cookies {
        let value = "v".repeat(length);
        let cookie = NewCookie::new(format!("cookie-{number}"), value).for_host("shop.example");
        state.jar_mut().insert(&cookie, SystemClock.now()).expect("a cookie");
    }
    let one = parsed("one");
    let kept = Kept::create(&vault, &one, state, KeptOptions::default()).expect("a session");
    kept.save().await.expect("saved");
    let opened = vault.load(&one).await.expect("loaded").expect("there");
    Arc::new(opened.plain.to_vec())
}

/// A session of about 4 KB.
async fn four_kilobytes() -> Arc<Vec<u8>> {
    record(20, 80).await
}

fn parsed(name: &str) -> Name {
    name.parse().expect("a name")
}

async fn put(vault: &Vault, name: &str, content: &Arc<Vec<u8>>) {
    let plain = content.to_vec().into();
    let name = parsed(name);
    let written = vault.update(&name, |_before| {
        Ok::<_, StoreError>(NextPlain::Write { generation: 0, plain, fence: None })
    });
    written.await.expect("written");
}

pub(crate) async fn fill(path: &str, sessions: usize) {
    let (vault, content) = (at(path).await, four_kilobytes().await);
    println!("bytes {}", content.len());
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..256 {
        let (vault, content) = (vault.clone(), Arc::clone(&content));
        tasks.spawn(async move {
            for number in (task..sessions).step_by(256) {
                put(&vault, &name(number), &content).await;
            }
        });
    }
    tasks.join_all().await;
    println!("filled {:.0}", sessions as f64 / begun.elapsed().as_secs_f64());
}

pub(crate) async fn reads(path: &str, sessions: usize) {
    let begun = Instant::now();
    let vault = at(path).await;
    println!("open {:.1}", begun.elapsed().as_secs_f64() * 1e6);
    let mut names = Names::new(sessions);
    let mut load = Spread::default();
    for _ in 0..20_000 {
        let name = parsed(&names.any());
        let begun = Instant::now();
        assert!(vault.load(&name).await.expect("loaded").is_some());
        load.add(begun);
    }
    load.tell("load");
    let mut page = Spread::default();
    let store = sessile::store::open(&StoreUrl::sqlite(path), &StoreOptions::default());
    let store = store.expect("a store");
    for _ in 0..200 {
        let after = parsed(&names.any());
        let begun = Instant::now();
        store.list(Some(&after), 500).await.expect("listed");
        page.add(begun);
    }
    page.tell("page");
    let content = four_kilobytes().await;
    let (mut save, mut merge) = (Spread::default(), Spread::default());
    for number in 0..300 {
        let name = names.any();
        let begun = Instant::now();
        put(&vault, &name, &content).await;
        save.add(begun);
        let name = parsed(&names.any());
        let cookie = NewCookie::new("merged", number.to_string()).for_host("shop.example");
        let begun = Instant::now();
        let now = SystemClock.now();
        let merged = edit(&vault, &name, move |record| {
            record.state.jar_mut().insert(&cookie, now).expect("a cookie")
        });
        merged.await.expect("merged");
        merge.add(begun);
    }
    save.tell("save");
    merge.tell("merge");
}

pub(crate) async fn commits(path: &str, callers: usize) {
    let (vault, content) = (at(path).await, four_kilobytes().await);
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (vault, content) = (vault.clone(), Arc::clone(&content));
        tasks.spawn(async move {
            let mut waits = Spread::default();
            while begun.elapsed() < STRETCH {
                let name = format!("{}-{caller}-{}", std::process::id(), waits.len() % 50);
                let since = Instant::now();
                put(&vault, &name, &content).await;
                waits.add(since);
            }
            waits
        });
    }
    let mut waits = Spread::default();
    for one in tasks.join_all().await {
        waits.join(one);
    }
    println!("commits {:.0}", waits.len() as f64 / begun.elapsed().as_secs_f64());
    waits.tell("wait");
}

pub(crate) async fn thousand(path: &str) {
    let content = record(20, 32).await;
    let vault = at(path).await;
    put(&vault, "warm", &content).await;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..1000 {
        let (vault, content) = (vault.clone(), Arc::clone(&content));
        tasks.spawn(async move { put(&vault, &name(number), &content).await });
    }
    tasks.join_all().await;
    let saved = begun.elapsed();
    for number in 0..1000 {
        let loaded = vault.load(&parsed(&name(number))).await.expect("loaded");
        assert!(loaded.is_some());
    }
    println!("saved {:.1}", saved.as_secs_f64() * 1e3);
    println!("saved-and-loaded {:.1}", begun.elapsed().as_secs_f64() * 1e3);
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS bare (
    key text PRIMARY KEY, number bigint NOT NULL, holder text, until bigint NOT NULL)";
const BARE: &str = "INSERT INTO bare AS held (key, number, holder, until)
    VALUES ($1, 1, $2, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + 15000)
    ON CONFLICT (key) DO UPDATE SET number = held.number + 1, holder = excluded.holder,
        until = excluded.until
    RETURNING number, until";

/// The same statement without a fence from a sequence, on a line of its own, in turn with ours.
pub(crate) async fn postgres(url: &str) {
    let vault = open(&StoreUrl::parse(url).expect("a URL")).await;
    let (client, line) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a line");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(line.await) });
    client.batch_execute(TABLE).await.expect("a table");
    let bare = client.prepare(BARE).await.expect("a statement");
    let (key, holder) = ("login:shop", "holder");
    let (lease_key, lease_holder) = (LeaseKey::parse(key), HolderId::parse(holder));
    let (lease_key, lease_holder) = (lease_key.expect("a key"), lease_holder.expect("a holder"));
    let (mut statement, mut lease) = (Spread::default(), Spread::default());
    for _ in 0..2000 {
        let begun = Instant::now();
        client.query_one(&bare, &[&key, &holder]).await.expect("done");
        statement.add(begun);
        let begun = Instant::now();
        let ttl = Duration::from_secs(15);
        let acquired = vault.acquire(&lease_key, &lease_holder, ttl).await;
        assert!(matches!(acquired, Ok(Acquired::Granted(_))));
        lease.add(begun);
    }
    statement.tell("statement");
    lease.tell("lease");
    let content = four_kilobytes().await;
    let (mut save, mut load) = (Spread::default(), Spread::default());
    for number in 0..1000 {
        let name = name(number % 100);
        let begun = Instant::now();
        put(&vault, &name, &content).await;
        save.add(begun);
        let name = parsed(&name);
        let begun = Instant::now();
        vault.load(&name).await.expect("loaded");
        load.add(begun);
    }
    save.tell("save");
    load.tell("load");
    vault.close().await.expect("closed");
}
