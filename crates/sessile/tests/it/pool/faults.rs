//! What is left when the store hangs, a login is given up halfway or a seat is lost meanwhile.

use std::sync::Arc;
use std::time::Duration;

use sessile::pool::state::Dead;
use sessile::pool::{Pool, PoolError, PoolEventKind, PoolOptions, Wish};
use sessile::store::{Name, Room, Vault};
use sessile_practice::{Options, Site};

use super::store::{After, Faulty};
use super::support::{PATIENCE, World, event, fetch, lease, name, ready, until, users};

/// The right to a seat lasts so long.
const TERM: Duration = Duration::from_secs(6);

async fn world(accounts: usize) -> (World, Arc<Faulty>) {
    let (store, vault) = Faulty::open().await;
    let options = Options {
        users: users(accounts),
        ..Options::default()
    };
    let site = Site::start(options).await.unwrap();
    let world = World { site, vault };
    // Short enough for a hold.
    world.define(accounts, "lease_timeout = \"1s\"").await;
    (world, store)
}

async fn open(world: &World, hold: Duration) -> Pool {
    let mut options = PoolOptions::default();
    options.hold = Some(hold);
    Pool::open(&world.vault, &name(), options).await.unwrap()
}

async fn sessions(vault: &Vault) -> Vec<String> {
    let rows = vault.list().await.unwrap();
    rows.iter().map(|row| row.name.to_string()).collect()
}

async fn until_sessions(vault: &Vault, expected: &[&str]) {
    let looking = async {
        while sessions(vault).await != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await.is_ok();
    assert!(found, "{:?}", sessions(vault).await);
}

fn row(seat: &str) -> Name {
    seat.parse::<Name>().unwrap().beside(Room::Seat)
}

#[tokio::test]
async fn a_login_whose_seat_is_lost_leaves_nothing() {
    let (world, store) = world(1).await;
    store.after("shop~0.1", After::Hangs);
    let pool = open(&world, TERM).await;
    until("the session is stored", || store.has_struck()).await;
    assert_eq!(sessions(&world.vault).await, ["shop~0.1"]);
    store.give("0", "another").await;
    until_sessions(&world.vault, &[]).await;
    assert_eq!(pool.stats().state.seats, 0);
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn a_login_that_panics_halfway_leaves_nothing() {
    let (world, store) = world(1).await;
    store.after("shop~0.1", After::Panics);
    let pool = open(&world, TERM).await;
    ready(&pool, 1).await;
    until_sessions(&world.vault, &["shop~0.2"]).await;
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn a_seat_that_is_another_process_s_is_not_removed() {
    let (world, store) = world(2).await;
    // So long that the loss isn't noticed by itself.
    let pool = open(&world, Duration::from_secs(600)).await;
    ready(&pool, 2).await;
    store.give("1", "another").await;
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.accounts.truncate(1);
        Ok(())
    })
    .await
    .unwrap();
    until("the seat is gone", || pool.stats().state.seats == 1).await;
    pool.close(PATIENCE).await;
    assert_eq!(sessions(&world.vault).await, ["shop~0.1", "shop~1.1"]);
    let row = world.vault.load(&row("shop~1")).await.unwrap();
    assert!(row.is_some());
}

#[tokio::test]
async fn while_the_store_hangs_nothing_is_leased_and_then_all_is_as_before() {
    let (world, store) = world(2).await;
    let pool = open(&world, TERM).await;
    ready(&pool, 2).await;
    store.hang(true);
    // Until nobody can know any more whose the seats are.
    let why = loop {
        match pool.lease(&Wish::default(), Duration::ZERO).await {
            Err(PoolError::NoneAlive { why, .. }) => break why,
            // The right to its seat lasts as long, or can't be made to.
            Ok(_) | Err(PoolError::Store(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(why, Dead::Suspended);
    store.hang(false);
    ready(&pool, 2).await;
    assert_eq!(fetch(&lease(&pool).await, &world.members()).await, 200);
    assert_eq!(world.site.logins(), 2);
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn a_pool_that_nobody_has_any_more_ends_by_itself() {
    let (world, _store) = world(1).await;
    let pool = open(&world, Duration::from_secs(600)).await;
    ready(&pool, 1).await;
    let mut events = pool.events();
    let lease = lease(&pool).await;
    drop(pool);
    // A lease has it.
    assert_eq!(fetch(&lease, &world.members()).await, 200);
    drop(lease);
    event(&mut events, |kind| matches!(kind, PoolEventKind::Closed)).await;
    // Others need not wait until its right to the seats ends.
    let pool = open(&world, TERM).await;
    ready(&pool, 1).await;
    assert_eq!(world.site.logins(), 1);
    pool.close(PATIENCE).await;
}
