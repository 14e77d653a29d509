//! A pool's sessions on disk, with five cookies each: written and read as a pool does.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sessile::pool::Pool;
use sessile::renew::Kept;
use sessile::store::{KeySource, StoreOptions, StoreUrl, Vault};
use sessile::Secret;
use sessile_jar::NewCookie;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::site::{self, Seats};

/// So many write at the same time; the store's writer puts what waits into one transaction.
const AT_ONCE: usize = 256;

/// So many single writes are timed.
const SINGLES: usize = 200;

pub fn measure(members: usize) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("there are threads");
    runtime.block_on(async {
        let folder = std::env::current_dir().expect("a folder").join("disk");
        // What an interrupted run left.
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).expect("a folder");
        run(&folder.join("store.db"), members).await;
        drop(std::fs::remove_dir_all(&folder));
    });
}

async fn run(path: &Path, members: usize) {
    let tell = |what: &str, seconds: f64| println!("{what}\t{members}\t{seconds:.6}");
    let seats = Seats::Shared(members);
    let vault = at(path).await;
    site::define(&vault, seats).await;
    let pool = site::open(&vault).await;
    tell("made", site::fill(&pool, seats).await.as_secs_f64());
    let sessions: Arc<[Kept]> = pool.sessions().into();
    change(&sessions, "whole");
    tell("all changed, written", save_all(&sessions).await.as_secs_f64());
    tell("one changed, written", save_singly(&sessions).await);
    drop(sessions);
    tell("closed", close(pool).await);
    vault.close().await.expect("it is written");
    println!("bytes\t{members}\t{}", size(path));
    let vault = at(path).await;
    let begun = Instant::now();
    let pool = site::open(&vault).await;
    while pool.stats().state.seats < members {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tell("read at the start", begun.elapsed().as_secs_f64());
    site::fill(&pool, seats).await;
    tell("read and checked", begun.elapsed().as_secs_f64());
    close(pool).await;
}

/// A cookie that isn't stored yet.
fn change(sessions: &[Kept], value: &str) {
    let cookie = NewCookie::new("cookie-5", value).for_host("site.test");
    for kept in sessions {
        let set = kept.session().update(|state, now| state.jar_mut().insert(&cookie, now));
        set.expect("it is a cookie");
    }
}

async fn save_all(sessions: &Arc<[Kept]>) -> Duration {
    let (begun, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (sessions, next) = (Arc::clone(sessions), Arc::clone(&next));
        tasks.spawn(async move {
            while let Some(kept) = sessions.get(next.fetch_add(1, Ordering::Relaxed)) {
                kept.save().await.expect("it is written");
            }
        });
    }
    tasks.join_all().await;
    begun.elapsed()
}

/// The median.
async fn save_singly(sessions: &[Kept]) -> f64 {
    let mut times = Vec::new();
    for at in 0..SINGLES {
        let kept = &sessions[at * 7919 % sessions.len()];
        change(std::slice::from_ref(kept), &format!("single-{at}"));
        let begun = Instant::now();
        kept.save().await.expect("it is written");
        times.push(begun.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[SINGLES / 2]
}

async fn close(pool: Pool) -> f64 {
    let begun = Instant::now();
    pool.close(Duration::ZERO).await;
    begun.elapsed().as_secs_f64()
}

async fn at(path: &Path) -> Vault {
    let key = KeySource::Bytes(Secret::new([1; 32]));
    Vault::open(&StoreUrl::sqlite(path), &key, &StoreOptions::default()).await.expect("a store")
}

fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |file| file.len())
}
