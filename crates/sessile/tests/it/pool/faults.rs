//! What is left when the store hangs, a login is given up halfway or a seat is lost meanwhile.

use std::sync::Arc;
use std::time::Duration;

use sessile::pool::state::Dead;
use sessile::pool::{Pool, PoolError, PoolEventKind, PoolOptions, Target, Wish};
use sessile::store::{Name, NextPlain, Room, StoreError, Vault};
use sessile_practice::{Options, Site};
use tokio::time::Instant;

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
    store.after("shop~0.1".parse().unwrap(), After::Hangs);
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
    store.after("shop~0.1".parse().unwrap(), After::Panics);
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

/// The rules of a pool with nothing but one target.
const ONE_TARGET: &str = "size = 0\n[pool.targets]\nmost = 1\nlist = [\"a\"]";

async fn garble(vault: &Vault, row: &Name) {
    let written = vault.update(row, |_there| {
        Ok::<_, StoreError>(NextPlain::Write {
            generation: 0,
            plain: b"{\"version\":9}".to_vec().into(),
            fence: None,
        })
    });
    written.await.unwrap();
}

/// A pool that fails halfway when it opens its target.
async fn open_halfway(world: &World, store: &Faulty) -> Pool {
    let file = super::support::file(&world.site, ONE_TARGET);
    let site = sessile::site::Site::parse(&file, "shop.toml").unwrap();
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.site = Arc::new(site);
        Ok(())
    })
    .await
    .unwrap();
    let pool = open(world, Duration::from_secs(600)).await;
    store.after(row("shop~accounts"), After::Panics);
    let failed = pool.ensure_target(&Target::new("a"), None).await;
    assert!(matches!(failed, Err(PoolError::Store(_))), "{failed:?}");
    pool
}

#[tokio::test]
async fn a_target_that_fails_halfway_is_others_to_serve() {
    let (world, store) = world(1).await;
    let pool = open_halfway(&world, &store).await;
    let other = open(&world, TERM).await;
    let serving = async {
        while let Err(error) = other.ensure_target(&Target::new("a"), None).await {
            assert!(matches!(error, PoolError::Elsewhere { .. }), "{error:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, serving).await.unwrap();
    ready(&other, 1).await;
    pool.close(PATIENCE).await;
    other.close(PATIENCE).await;
}

#[tokio::test]
async fn the_account_of_a_target_that_was_never_made_is_others_to_use() {
    let (world, store) = world(1).await;
    open_halfway(&world, &store).await.close(PATIENCE).await;
    let seats = async || {
        let accounts = Pool::accounts(&world.vault, &name()).await.unwrap();
        accounts[0].seats
    };
    let other = open(&world, TERM).await;
    let looking = async {
        while seats().await != 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap();
    other.close(PATIENCE).await;
}

#[tokio::test]
async fn a_target_is_made_to_the_end_where_nobody_waits_for_it() {
    let (world, store) = world(2).await;
    let more = "size = 1\n[pool.targets]\nmost = 1\nlist = [\"a\"]";
    let file = super::support::file(&world.site, more);
    let site = sessile::site::Site::parse(&file, "shop.toml").unwrap();
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.site = Arc::new(site);
        Ok(())
    })
    .await
    .unwrap();
    let pool = open(&world, Duration::from_secs(600)).await;
    ready(&pool, 1).await;
    store.hang(true);
    let target = Target::new("a");
    let asked = pool.ensure_target(&target, None);
    let asked = tokio::time::timeout(Duration::from_millis(50), asked).await;
    assert!(asked.is_err());
    store.hang(false);
    until("the target is served", || pool.target(&target).len() == 1).await;
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn parts_whose_seats_cannot_be_read_are_given_away_too() {
    const SEATS: usize = 8;
    let (world, _store) = world(SEATS).await;
    for number in 0..SEATS {
        garble(&world.vault, &row(&format!("shop~{number}"))).await;
    }
    let one = open(&world, Duration::from_secs(600)).await;
    let mut events = one.events();
    for _seat in 0..SEATS {
        event(&mut events, |kind| {
            matches!(kind, PoolEventKind::SeatWaits { .. })
        })
        .await;
    }
    let other = open(&world, Duration::from_secs(600)).await;
    let mut events = other.events();
    for _seat in 0..SEATS / 2 {
        event(&mut events, |kind| {
            matches!(kind, PoolEventKind::SeatWaits { .. })
        })
        .await;
    }
    one.close(PATIENCE).await;
    other.close(PATIENCE).await;
}

#[tokio::test]
async fn a_session_that_cannot_be_read_is_kept() {
    let (world, _store) = world(1).await;
    let pool = open(&world, TERM).await;
    ready(&pool, 1).await;
    pool.close(PATIENCE).await;
    garble(&world.vault, &"shop~0.1".parse().unwrap()).await;
    let pool = open(&world, TERM).await;
    let mut events = pool.events();
    event(
        &mut events,
        |kind| matches!(kind, PoolEventKind::SeatWaits { why, .. } if why.contains("shop~0.1")),
    )
    .await;
    pool.close(PATIENCE).await;
    assert_eq!(sessions(&world.vault).await, ["shop~0.1"]);
    assert_eq!(world.site.logins(), 1);
}

#[tokio::test]
async fn who_does_not_wait_does_not_wait_for_a_seat_that_leaves() {
    let (store, vault) = Faulty::open().await;
    let options = Options {
        users: users(1),
        ..Options::default()
    };
    let site = Site::start(options).await.unwrap();
    let world = World { site, vault };
    world
        .define(1, &format!("{ONE_TARGET}\nidle = \"1s\""))
        .await;
    let pool = open(&world, Duration::from_secs(600)).await;
    let target = Target::new("a");
    let seat = pool.ensure_target(&target, None).await.unwrap();
    ready(&pool, 1).await;
    store.after(format!("{seat}.1").parse().unwrap(), After::Hangs);
    until("the seat leaves", || store.has_struck()).await;
    let asked = Instant::now();
    let refused = pool
        .lease(&Wish::default().target(target), Duration::ZERO)
        .await;
    assert!(
        matches!(refused, Err(PoolError::Busy { .. })),
        "{refused:?}"
    );
    // Those who wait do so for 5 seconds.
    assert!(asked.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn an_extension_that_nobody_waits_for_is_answered_before_the_next() {
    let (world, store) = world(1).await;
    let pool = open(&world, Duration::from_secs(600)).await;
    ready(&pool, 1).await;
    store.hang(true);
    let wish = Wish::default().time_out(Duration::from_secs(3600));
    let asked = pool.lease(&wish, Duration::ZERO);
    let asked = tokio::time::timeout(Duration::from_millis(50), asked).await;
    assert!(asked.is_err());
    assert_eq!(store.extended(), 0);
    store.hang(false);
    until("the extension is answered", || store.extended() == 1).await;
    pool.close(PATIENCE).await;
}
