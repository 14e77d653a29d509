//! Rotation under load: no request fails, and nothing is left of those that were followed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sessile::Request;
use sessile::pool::{Pool, Wish};
use sessile_practice::Options;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::support::{PATIENCE, World, ready, until, users};

const CLIENTS: usize = 50;
const ACCOUNTS: usize = 5;

/// For how long; by hand some minutes.
#[expect(clippy::disallowed_methods, reason = "the environment tells how long")]
fn duration() -> Duration {
    let seconds = std::env::var("SESSILE_TEST_ROTATION").ok();
    let seconds = seconds.and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(8))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_a_rotation() {
    rotate_under_load(Options {
        users: users(ACCOUNTS),
        ..Options::default()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_a_rotation_where_a_login_ends_the_one_before() {
    rotate_under_load(Options {
        users: users(ACCOUNTS),
        one_session_per_user: true,
        ..Options::default()
    })
    .await;
}

async fn rotate_under_load(options: Options) {
    let world = World::new(options).await;
    world
        .define(
            ACCOUNTS,
            "rotate_every = \"2s\"\nvalidate_every = \"500ms\"",
        )
        .await;
    let pool = world.open().await;
    ready(&pool, ACCOUNTS).await;
    let stop = Arc::new(AtomicBool::new(false));
    let sent = Arc::new(AtomicUsize::new(0));
    let clients: JoinSet<()> = (0..CLIENTS)
        .map(|_| {
            let (pool, url) = (pool.clone(), world.members());
            client(pool, url, Arc::clone(&stop), Arc::clone(&sent))
        })
        .collect();
    let start = Instant::now();
    let enough = u64::try_from(ACCOUNTS).unwrap();
    while start.elapsed() < duration() || pool.stats().retired < enough {
        assert!(
            start.elapsed() < duration() + PATIENCE,
            "{:?}",
            pool.stats()
        );
        sleep(Duration::from_millis(50)).await;
    }
    stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    let stats = pool.stats();
    let connections = || world.site.connections();
    until("only connections of sessions that serve are left", || {
        let members = pool.members();
        let open: usize = members.iter().map(|member| member.connections).sum();
        members.len() == ACCOUNTS && connections() <= open
    })
    .await;
    assert!(sent.load(Ordering::Relaxed) > CLIENTS, "{stats:?}");
    pool.close(PATIENCE).await;
    until("no connection is left", || connections() == 0).await;
    assert_eq!(world.vault.list().await.unwrap().len(), ACCOUNTS);
}

async fn client(pool: Pool, url: String, stop: Arc<AtomicBool>, sent: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let lease = pool.lease(&Wish::default(), PATIENCE).await.unwrap();
        for _request in 0..5 {
            let answer = lease.send(Request::get(&url)).await.unwrap();
            assert_eq!(answer.reply.status().as_u16(), 200);
            let page = answer.reply.text().await.unwrap();
            assert!(page.contains("Log out"), "{page}");
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}
