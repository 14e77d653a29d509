//! What a pool's sessions are made of and belong to: proxies, targets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sessile::pool::{Pool, PoolError, PoolEventKind, Target, Wish};
use sessile_practice::{Options, Site};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::support::{PATIENCE, World, event, fetch, file, lease, name, ready, until, users};

/// A proxy for one site: what goes into it goes there.
struct Forward {
    url: String,
    seen: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Forward {
    async fn to(site: &Site) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let place = site.url().replace("http://", "");
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((mut client, _from)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let place = place.clone();
                lines.spawn(async move {
                    let mut server = TcpStream::connect(place).await.unwrap();
                    drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
                });
            }
        });
        Self {
            url,
            seen,
            _tasks: tasks,
        }
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

fn site(count: usize) -> Options {
    Options {
        users: users(count),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_proxy_that_dies_is_replaced_with_the_session() {
    let world = World::new(site(2)).await;
    world.define(2, "failures = 1\nrotate_every = \"1h\"").await;
    let (first, second) = (
        Forward::to(&world.site).await,
        Forward::to(&world.site).await,
    );
    let urls = [first.url.clone(), second.url.clone()];
    Pool::redefine(&world.vault, &name(), move |definition| {
        definition.proxies = urls.iter().map(|url| url.parse().unwrap()).collect();
        Ok(())
    })
    .await
    .unwrap();
    let pool = world.open().await;
    ready(&pool, 2).await;
    assert!(first.seen() + second.seen() > 0);
    let before = pool.members();
    let dying = before[0].proxy.clone().unwrap();
    let (dead, living) = match dying == first.url {
        true => (first, second),
        false => (second, first),
    };
    drop(dead);
    let mut events = pool.events();
    pool.validate(&sessile::pool::Which::All).await.unwrap();
    event(&mut events, |kind| {
        matches!(kind, PoolEventKind::ProxyCools { .. })
    })
    .await;
    until("all go through the proxy that lives", || {
        let members = pool.members();
        members.len() == 2
            && members
                .iter()
                .all(|member| member.proxy.as_ref() == Some(&living.url))
    })
    .await;
    ready(&pool, 2).await;
    assert_eq!(fetch(&lease(&pool).await, &world.members()).await, 200);
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn a_target_has_a_session_of_its_own_and_keeps_it() {
    let world = World::new(site(3)).await;
    let rules = "size = 1\n[pool.warm_up]\nurl = \"/search?q={target}\"\n\
                 [pool.targets]\nmost = 2\nlist = [\"a\", \"b\"]";
    world.define(3, rules).await;
    let pool = world.open().await;
    let proxy = Forward::to(&world.site).await;
    let event_seven = Target::new("event/7");
    let wish = Wish::default().target(event_seven.clone());
    pool.ensure_target(&event_seven, Some(proxy.url.parse().unwrap()))
        .await
        .unwrap();
    let first = pool.lease(&wish, PATIENCE).await.unwrap();
    assert_eq!(fetch(&first, &world.members()).await, 200);
    assert!(proxy.seen() > 0);
    let again = pool.lease(&wish, PATIENCE).await.unwrap();
    assert_eq!(first.name(), again.name());
    let other = Wish::default().target(Target::new("event/8"));
    let other = pool.lease(&other, PATIENCE).await.unwrap();
    assert_ne!(first.name(), other.name());
    let none = Wish::default().target(Target::new("event/9"));
    let none = pool.lease(&none, Duration::ZERO).await;
    assert!(matches!(none, Err(PoolError::Full { .. })), "{none:?}");
    ready(&pool, 3).await;
    assert_ne!(lease(&pool).await.name(), first.name());
    let held = first.name().clone();
    drop((first, again, other));
    pool.close(PATIENCE).await;
    let pool = world.open().await;
    ready(&pool, 3).await;
    let found = pool.target(&event_seven);
    assert_eq!(found[0].session, held);
    assert_eq!(found[0].proxy.as_deref(), Some(&*proxy.url));
    assert_eq!(world.site.logins(), 3);
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn a_target_is_moved_to_another_proxy_before_it_is_used_again() {
    let world = World::new(site(1)).await;
    world
        .define(1, "size = 0\n[pool.targets]\nmost = 1\nlist = [\"a\"]")
        .await;
    let pool = world.open().await;
    let target = Target::new("a");
    let wish = Wish::default().target(target.clone());
    pool.ensure_target(&target, None).await.unwrap();
    let direct = pool.lease(&wish, PATIENCE).await.unwrap();
    let proxy = Forward::to(&world.site).await;
    let url = || Some(proxy.url.parse().unwrap());
    pool.ensure_target(&target, url()).await.unwrap();
    let moved = pool.lease(&wish, PATIENCE).await.unwrap();
    assert_ne!(moved.name(), direct.name());
    let before = proxy.seen();
    assert!(before > 0);
    assert_eq!(fetch(&moved, &world.members()).await, 200);
    pool.ensure_target(&target, url()).await.unwrap();
    let same = pool.lease(&wish, PATIENCE).await.unwrap();
    assert_eq!(moved.name(), same.name());
    drop((direct, moved, same));
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn a_target_without_an_account_is_refused_at_once_and_leaves_nothing() {
    let world = World::new(site(1)).await;
    let rules = "size = 1\n[pool.targets]\nmost = 2\nlist = [\"a\"]";
    world.define(1, rules).await;
    let pool = world.open().await;
    ready(&pool, 1).await;
    let refused = pool.ensure_target(&Target::new("a"), None).await;
    let refused = refused.unwrap_err();
    let said = "no account of pool `shop` is free: 1 in full use";
    assert_eq!(refused.to_string(), said);
    assert_eq!(pool.stats().state.seats, 1);
    let view = Pool::look(&world.vault, &name()).await.unwrap();
    assert_eq!((view.seats.len(), view.accounts[0].seats), (1, 1));
    pool.close(PATIENCE).await;
}

#[tokio::test]
async fn a_target_that_is_logged_in_needs_no_account_anew() {
    let world = World::new(site(1)).await;
    world
        .define(1, "size = 0\n[pool.targets]\nmost = 1\nlist = [\"a\"]")
        .await;
    let target = Target::new("a");
    let first = world.open().await;
    first.ensure_target(&target, None).await.unwrap();
    ready(&first, 1).await;
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.accounts.clear();
        Ok(())
    })
    .await
    .unwrap();
    let second = world.open().await;
    // It looks for targets that nobody serves first of all, and then not for a while.
    assert!(second.served(PATIENCE).await);
    first.close(PATIENCE).await;
    second.ensure_target(&target, None).await.unwrap();
    ready(&second, 1).await;
    assert_eq!(world.site.logins(), 1);
    second.close(PATIENCE).await;
}

#[tokio::test]
async fn a_target_is_had_again_while_its_seat_is_dissolved() {
    let world = World::new(site(1)).await;
    let rules = "size = 0\n[pool.targets]\nmost = 1\nlist = [\"a\"]\nidle = \"1s\"";
    world.define(1, rules).await;
    let pool = world.open().await;
    let wish = Wish::default().target(Target::new("a"));
    for _again in 0..2 {
        drop(pool.lease(&wish, PATIENCE).await.unwrap());
        // About then it begins to leave.
        until("the session is retired", || {
            pool.target(&Target::new("a")).is_empty()
        })
        .await;
    }
    let lease = pool.lease(&wish, PATIENCE).await.unwrap();
    assert_eq!(fetch(&lease, &world.members()).await, 200);
    drop(lease);
    pool.close(PATIENCE).await;
    let left = world.vault.list().await.unwrap();
    assert!(left.len() <= 1, "{left:?}");
}

#[tokio::test]
async fn a_session_that_does_not_come_through_the_warm_up_is_not_used() {
    let world = World::new(site(1)).await;
    let wrong = file(&world.site, "[pool.warm_up]\nurl = \"/not-there\"");
    world.define_as(1, &wrong).await;
    let pool = world.open().await;
    let mut events = pool.events();
    let failed = event(&mut events, |kind| {
        matches!(kind, PoolEventKind::LoginFailed { .. })
    })
    .await;
    let PoolEventKind::LoginFailed { why, .. } = failed else {
        unreachable!()
    };
    assert!(why.contains("404"), "{why}");
    let none = pool
        .lease(&Wish::default(), Duration::ZERO)
        .await
        .unwrap_err();
    assert!(none.to_string().contains("404"), "{none}");
    pool.close(PATIENCE).await;
    assert!(world.vault.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_session_with_too_many_cookies_is_replaced() {
    let world = World::new(site(1)).await;
    world.define(1, "[pool.cookies]\nheader_limit = 200").await;
    let pool = world.open().await;
    ready(&pool, 1).await;
    let first = pool.members()[0].session.clone();
    let lease = lease(&pool).await;
    let junk = format!("junk={}", "x".repeat(300));
    let set = lease
        .session()
        .session()
        .update(|state, now| state.set_header("cookie", &junk, now));
    set.unwrap();
    drop(lease);
    pool.validate(&sessile::pool::Which::All).await.unwrap();
    until("another session serves", || {
        let members = pool.members();
        members.len() == 1 && members[0].session != first
    })
    .await;
    pool.close(PATIENCE).await;
}
