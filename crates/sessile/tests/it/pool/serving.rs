//! The main path: sessions are made, leased, given back, and there again after a restart.

use std::sync::Arc;
use std::time::Duration;

use sessile::pool::{Outcome, Phase, Pool, PoolError, PoolEventKind, Wish};
use sessile_practice::Options;

use super::support::{
    PATIENCE, World, account, event, fetch, file, lease, name, ready, until, users, without_a_part,
};

fn site(count: usize) -> Options {
    Options {
        users: users(count),
        ..Options::default()
    }
}

#[tokio::test]
async fn each_account_gets_a_session_and_leases_share_them() {
    let world = World::new(site(3)).await;
    world.define(3, "size = 10\nleases_per_session = 2").await;
    let pool = world.open().await;
    ready(&pool, 3).await;
    assert_eq!(world.site.logins(), 3);
    let mut leases = Vec::new();
    for _lease in 0..6 {
        leases.push(lease(&pool).await);
    }
    for lease in &leases {
        assert_eq!(fetch(lease, &world.members()).await, 200);
    }
    let busy = pool.lease(&Wish::default(), Duration::ZERO).await;
    assert!(matches!(busy, Err(PoolError::Busy { .. })), "{busy:?}");
    let mut users: Vec<String> = pool
        .members()
        .into_iter()
        .filter_map(|m| m.account)
        .collect();
    users.sort();
    assert_eq!(users, ["u0", "u1", "u2"]);
    let wish = Wish::default();
    let waiting = pool.lease(&wish, PATIENCE);
    let giving = async { leases.pop().unwrap().finish(Outcome::Ok).unwrap() };
    let (waited, ()) = tokio::join!(waiting, giving);
    drop((waited.unwrap(), leases));
    assert_eq!(pool.stats().state.leases, 0);
    let closed = pool.close(PATIENCE).await;
    assert_eq!((closed.drained, closed.cut_off), (0, 0));
    let late = pool.lease(&Wish::default(), PATIENCE).await;
    assert!(matches!(late, Err(PoolError::Closed { .. })), "{late:?}");
}

#[tokio::test]
async fn sessions_are_there_again_after_a_restart() {
    let world = World::new(site(2)).await;
    world.define(2, "").await;
    let pool = world.open().await;
    ready(&pool, 2).await;
    for _use in 0..6 {
        assert_eq!(fetch(&lease(&pool).await, &world.members()).await, 200);
    }
    let facts = |pool: &Pool| {
        let members = pool.members().into_iter();
        let mut facts: Vec<_> = members.map(|m| (m.session, m.born, m.uses)).collect();
        facts.sort();
        facts
    };
    let before = facts(&pool);
    pool.close(PATIENCE).await;
    let pool = world.open().await;
    ready(&pool, 2).await;
    assert_eq!(facts(&pool), before);
    assert_eq!(world.site.logins(), 2);
    pool.close(PATIENCE).await;
    Pool::remove(&world.vault, &name()).await.unwrap();
    assert!(world.vault.list().await.unwrap().is_empty());
    let gone = Pool::open(&world.vault, &name(), Default::default()).await;
    assert!(matches!(gone, Err(PoolError::Unknown { .. })), "{gone:?}");
}

#[tokio::test]
async fn a_refused_account_is_asked_once_and_another_takes_its_place() {
    let world = World::new(site(2)).await;
    world.define(2, "size = 1").await;
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.accounts[0].password = Some("of yesterday".to_owned().into());
        Ok(())
    })
    .await
    .unwrap();
    let pool = world.open().await;
    ready(&pool, 1).await;
    assert_eq!(pool.members()[0].account.as_deref(), Some("u1"));
    assert_eq!((world.site.attempts(), world.site.logins()), (2, 1));
    let accounts = Pool::accounts(&world.vault, &name()).await.unwrap();
    assert!(
        accounts[0].stopped.is_some() && accounts[1].stopped.is_none(),
        "{accounts:?}"
    );
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn without_an_account_that_works_nobody_waits_and_a_person_helps() {
    let world = World::new(site(1)).await;
    world.define(1, "size = 1").await;
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.accounts[0].password = Some("of yesterday".to_owned().into());
        Ok(())
    })
    .await
    .unwrap();
    let pool = world.open().await;
    let mut events = pool.events();
    event(&mut events, |kind| matches!(kind, PoolEventKind::SeatWaits { why, .. } if why.contains("`u0` is stopped"))).await;
    let none = pool.lease(&Wish::default(), PATIENCE).await.unwrap_err();
    let said = none.to_string();
    assert!(matches!(none, PoolError::NoneAlive { .. }), "{said}");
    assert_eq!(world.site.attempts(), 1);
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.accounts = vec![account("u0")];
        Ok(())
    })
    .await
    .unwrap();
    ready(&pool, 1).await;
    assert_eq!(fetch(&lease(&pool).await, &world.members()).await, 200);
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn a_stopped_account_is_told_once_and_counted_once() {
    let world = World::new(site(2)).await;
    world.define(2, "").await;
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.accounts[0].password = Some("of yesterday".to_owned().into());
        Ok(())
    })
    .await
    .unwrap();
    let pool = world.open().await;
    let mut events = pool.events();
    let waits = event(&mut events, |kind| {
        matches!(kind, PoolEventKind::SeatWaits { .. })
    })
    .await;
    let PoolEventKind::SeatWaits { why, .. } = waits else {
        unreachable!()
    };
    assert!(why.contains("`u0` is stopped"), "{why}");
    assert!(why.contains("`u1` has all its sessions"), "{why}");
    ready(&pool, 1).await;
    assert_eq!(pool.stats().failed, 1);
    // It has the account as soon as that is free.
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.accounts[0] = account("u0");
        Ok(())
    })
    .await
    .unwrap();
    ready(&pool, 2).await;
    assert_eq!(pool.stats().failed, 1);
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn a_login_that_is_gone_is_renewed_under_the_lease() {
    let world = World::new(site(1)).await;
    world.define(1, "size = 1").await;
    let pool = world.open().await;
    let lease = lease(&pool).await;
    world.site.kill_sessions();
    assert_eq!(fetch(&lease, &world.members()).await, 200);
    assert_eq!(world.site.logins(), 2);
    drop(lease);
    // The next check finds it by itself.
    world.site.kill_sessions();
    let mut events = pool.events();
    pool.validate(&Default::default()).await.unwrap();
    event(&mut events, |kind| {
        matches!(kind, PoolEventKind::CheckFailed { .. })
    })
    .await;
    ready(&pool, 1).await;
    assert!(matches!(pool.members()[0].phase, Phase::Ready));
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn a_lease_that_is_dropped_leaves_the_failures_that_it_saw() {
    let world = World::new(site(1)).await;
    world.define(1, "failures = 3").await;
    let pool = world.open().await;
    ready(&pool, 1).await;
    let guarded = format!("{}/checked", world.site.url());
    for _failure in 0..2 {
        assert_eq!(fetch(&lease(&pool).await, &guarded).await, 403);
    }
    assert_eq!(pool.members()[0].failures, 2);
    assert_eq!(fetch(&lease(&pool).await, &world.members()).await, 200);
    assert_eq!(pool.members()[0].failures, 0);
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn a_site_without_accounts_has_visitors() {
    let world = World::new(site(0)).await;
    let file = format!(
        "base_url = \"{}\"\n[login]\nkind = \"visit\"\nurl = \"/cookies/five\"\n[pool]\nsize = 3\n",
        world.site.url()
    );
    world.define_as(0, &file).await;
    let pool = world.open().await;
    ready(&pool, 3).await;
    assert!(pool.members().iter().all(|member| member.cookies == 5));
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn accounts_come_and_go_while_the_pool_is_open() {
    let world = World::new(site(3)).await;
    world.define(1, "").await;
    let pool = world.open().await;
    ready(&pool, 1).await;
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.accounts.extend([account("u1"), account("u2")]);
        Ok(())
    })
    .await
    .unwrap();
    ready(&pool, 3).await;
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.accounts.truncate(2);
        Ok(())
    })
    .await
    .unwrap();
    ready(&pool, 2).await;
    assert_eq!(fetch(&lease(&pool).await, &world.members()).await, 200);
    pool.close(PATIENCE).await;
    assert_eq!(world.vault.list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_a_crash_left_is_removed() {
    let world = World::new(site(1)).await;
    world.define(1, "").await;
    let pool = world.open().await;
    ready(&pool, 1).await;
    let made = pool.members()[0].session.clone();
    pool.close(PATIENCE).await;
    // A member that was begun and never seated, as a killed process leaves it.
    let orphan = "shop~0.2".parse().unwrap();
    world.vault.copy(&made, &orphan).await.unwrap();
    let row = "shop~0".parse::<sessile::store::Name>().unwrap();
    let row = row.beside(sessile::store::Room::Seat);
    let written = world.vault.update(&row, |there| {
        let text = String::from_utf8(there.unwrap().plain.to_vec()).unwrap();
        let text = text.replace("\"making\":null", "\"making\":\"shop~0.2\"");
        Ok::<_, sessile::store::StoreError>(sessile::store::NextPlain::Write {
            generation: 0,
            plain: text.into_bytes().into(),
            fence: None,
        })
    });
    written.await.unwrap();
    let pool = world.open().await;
    ready(&pool, 1).await;
    let left = world.vault.list().await.unwrap();
    let left: Vec<_> = left.into_iter().map(|row| row.name).collect();
    assert_eq!(left, [made]);
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn rules_count_while_the_pool_is_open() {
    let world = World::new(site(2)).await;
    world.define(2, "size = 1\nleases_per_session = 1").await;
    let pool = world.open().await;
    let held = lease(&pool).await;
    let busy = pool.lease(&Wish::default(), Duration::ZERO).await;
    assert!(matches!(busy, Err(PoolError::Busy { .. })), "{busy:?}");
    let more = file(&world.site, "size = 2\nleases_per_session = 2");
    let more = Arc::new(sessile::site::Site::parse(&more, "shop.toml").unwrap());
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.site = more;
        Ok(())
    })
    .await
    .unwrap();
    ready(&pool, 2).await;
    let mut leases = vec![held];
    for _more in 0..3 {
        leases.push(lease(&pool).await);
    }
    let busy = pool.lease(&Wish::default(), Duration::ZERO).await;
    assert!(matches!(busy, Err(PoolError::Busy { .. })), "{busy:?}");
    drop(leases);
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn rows_that_cannot_be_read_keep_their_accounts_from_being_tried() {
    let world = World::new(site(2)).await;
    world.define(2, "").await;
    for (row, text) in [("shop~0", "{\"version\":9}"), ("shop~accounts", "[]")] {
        let row = row.parse::<sessile::store::Name>().unwrap();
        let row = row.beside(sessile::store::Room::Seat);
        let written = world.vault.update(&row, move |_there| {
            Ok::<_, sessile::store::StoreError>(sessile::store::NextPlain::Write {
                generation: 0,
                plain: text.as_bytes().to_vec().into(),
                fence: None,
            })
        });
        written.await.unwrap();
    }
    let pool = world.open().await;
    let mut events = pool.events();
    for part in ["shop~0", "accounts"] {
        event(
            &mut events,
            |kind| matches!(kind, PoolEventKind::SeatWaits { why, .. } if why.contains(part)),
        )
        .await;
    }
    assert_eq!(world.site.attempts(), 0);
    assert_eq!(pool.stats().state.seats, 1);
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn a_process_without_a_seat_says_that_others_serve_the_pool() {
    let world = World::new(site(1)).await;
    world.define(1, "").await;
    let one = world.open().await;
    ready(&one, 1).await;
    let other = world.open().await;
    // One of them has the seat.
    until("each knows of the other", || {
        [&one, &other].iter().all(|pool| pool.stats().owners == 2)
    })
    .await;
    let without = without_a_part(&one, &other).await;
    assert!(without.served(PATIENCE).await);
    let refused = without.lease(&Wish::default(), Duration::ZERO).await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(
            refused,
            PoolError::ServedElsewhere {
                owners: 2,
                size: 1,
                ..
            }
        ),
        "{refused:?}"
    );
    one.close(PATIENCE).await;
    other.close(PATIENCE).await;
}
