//! Pools over HTTP: leases, requests through them, rotation, targets, numbers.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use sessile::Secret;
use sessile::pool::{Account, Definition, Pool};
use sessile::site::Site as SiteFile;
use sessile::store::Vault;
use sessile_practice::{Options, Site, User};
use sessile_server::DaemonOptions;
use sessile_server::access::Scope;

use crate::support::World;

/// The users `u0`, `u1` and so on; each one's password is its name with `-pw`.
pub(crate) fn users(count: usize) -> Vec<User> {
    let names = (0..count).map(|number| format!("u{number}"));
    names
        .map(|name| User::new(&name, &format!("{name}-pw")))
        .collect()
}

/// The pool `shop` of so many accounts of the practice site, with these lines below `[pool]`.
pub(crate) async fn define(site: &Site, vault: &Vault, accounts: usize, rules: &str) {
    let file = format!(
        "base_url = \"{}\"\n[login]\nurl = \"/login\"\n[check]\nurl = \"/members\"\n\
         css = \"a[href='/logout']\"\n[pool]\n{rules}\n",
        site.url()
    );
    let site = Arc::new(SiteFile::parse(&file, "shop.toml").unwrap());
    let mut definition = Definition::new("shop".parse().unwrap(), site);
    definition.accounts = (0..accounts)
        .map(|number| {
            let password = Secret::from(format!("u{number}-pw"));
            Account::new(format!("u{number}"), Some(password))
        })
        .collect();
    Pool::define(vault, &definition).await.unwrap();
}

async fn world(accounts: usize, rules: &str) -> World {
    let options = Options {
        users: users(accounts),
        ..Options::default()
    };
    World::start_with(options, DaemonOptions::default(), async |site, vault| {
        define(site, vault, accounts, rules).await;
    })
    .await
}

async fn lease(world: &World, wish: &Value) -> String {
    let lease = world.post("/api/pools/shop/leases", wish).await.is(201);
    let id = lease.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(lease.header("location"), format!("/api/leases/{id}"));
    id
}

#[tokio::test]
async fn a_lease_is_granted_used_extended_and_given_back() {
    let world = world(2, "size = 2").await;
    let id = lease(&world, &json!({ "wait": 60, "timeout": 30 })).await;
    let path = format!("/api/leases/{id}");
    let shown = world.get(&path).await.is(200).json();
    assert!(shown["fence"].as_u64().unwrap() > 0, "{shown}");
    let page = world
        .get(&format!("{path}/fetch?url=/members"))
        .await
        .is(200);
    assert_eq!(page.header("sessile-from"), "site");
    assert!(page.body.contains("Hello"), "{page:?}");
    let bundle = world.get(&format!("{path}/bundle")).await.is(200).json();
    assert_eq!(bundle["session"], shown["session"]);
    world
        .get(&format!("{path}/headers?url=/members"))
        .await
        .is(200);
    let active = world.get("/api/sessions/active").await.is(200).json();
    assert_eq!(active["sessions"][0]["name"], shown["session"], "{active}");
    let extend = world
        .request(Method::PATCH, &path, Scope::Use)
        .json(&json!({ "timeout": 300, "pinned": true }));
    let extended = world.send(extend).await.is(200).json();
    assert!(
        extended["expiresAt"].as_str() > shown["expiresAt"].as_str(),
        "{extended}"
    );
    assert_eq!(extended["pinned"], true);
    let again = lease(&world, &json!({})).await;
    let later = world
        .get(&format!("/api/leases/{again}"))
        .await
        .is(200)
        .json();
    assert!(later["fence"].as_u64() > shown["fence"].as_u64(), "{later}");
    let back = world.request(Method::DELETE, &path, Scope::Use);
    world.send(back).await.is(204);
    world.get(&path).await.refuses(404, "unknown-lease");
    // A session of a pool is used by a lease only.
    let name = shown["session"].as_str().unwrap();
    world
        .get(&format!("/api/sessions/{name}/fetch?url=/"))
        .await
        .refuses(409, "in-pool");
    for (method, step) in [
        (Method::DELETE, ""),
        (Method::POST, "/login"),
        (Method::POST, "/clean"),
    ] {
        let path = format!("/api/sessions/{name}{step}");
        let refused = world
            .send(world.request(method, &path, Scope::Manage))
            .await;
        refused.refuses(409, "in-pool");
    }
    world.get(&format!("/api/sessions/{name}")).await.is(200);
}

#[tokio::test]
async fn a_request_through_the_pool_waits_its_turn_or_is_told_when() {
    let world = world(1, "size = 1\nleases_per_session = 1").await;
    let page = world
        .get("/api/pools/shop/fetch?url=/members&wait=60")
        .await
        .is(200);
    assert!(page.body.contains("Hello"), "{page:?}");
    let id = lease(&world, &json!({ "exclusive": true, "wait": 60 })).await;
    let busy = world.get("/api/pools/shop/fetch?url=/members&wait=0").await;
    let busy = busy.refuses(503, "busy");
    assert!(
        busy.header("retry-after").parse::<u64>().unwrap() > 0,
        "{busy:?}"
    );
    let back = world.request(Method::DELETE, &format!("/api/leases/{id}"), Scope::Use);
    world
        .send(back.json(&json!({ "outcome": "ok" })))
        .await
        .is(204);
    world
        .get("/api/pools/shop/fetch?url=/members&wait=60")
        .await
        .is(200);
}

#[tokio::test]
async fn a_lease_lasts_as_long_as_the_request_that_it_is_for() {
    let world = world(1, "size = 1\nlease_timeout = \"1s\"").await;
    world
        .get("/api/pools/shop/fetch?url=/slow?ms=3000&wait=60")
        .await
        .is(200);
    let pool = world.get("/api/pools/shop").await.is(200).json();
    assert_eq!(
        (&pool["granted"], &pool["timedOut"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn sessions_that_nobody_can_log_in_are_told_from_busy_ones() {
    let world = world(0, "size = 1").await;
    let none = world
        .post("/api/pools/shop/leases", &json!({ "wait": 0 }))
        .await;
    none.refuses(503, "no-session");
}

#[tokio::test]
async fn the_numbers_are_those_of_the_pool() {
    let world = world(2, "size = 2").await;
    let id = lease(&world, &json!({ "wait": 60 })).await;
    let stats = world
        .get("/api/sessions/stats?pool=shop")
        .await
        .is(200)
        .json();
    assert!(stats["totalSessions"].as_u64().unwrap() >= 1, "{stats}");
    assert_eq!(stats["activeSessions"], 1, "{stats}");
    assert!(stats["validSessions"].as_u64().unwrap() >= 1, "{stats}");
    assert!(
        stats["averageAge"].is_number() && stats["oldestSession"].is_number(),
        "{stats}"
    );
    let cookies = world.get("/api/cookies/stats").await.is(200).json();
    assert_eq!(
        cookies["cookies"]["capturedState"]["hasCookies"], true,
        "{cookies}"
    );
    assert_eq!(cookies["sessions"]["activeSessions"], 1, "{cookies}");
    let recent = world.get("/api/cookies/recent").await.is(200).json();
    assert!(
        recent["cookies"][0]["session"]
            .as_str()
            .unwrap()
            .starts_with("shop~"),
        "{recent}"
    );
    let pools = world.get("/api/pools").await.is(200).json();
    assert_eq!(pools["pools"][0]["leases"], 1, "{pools}");
    let pool = world.get("/api/pools/shop").await.is(200).json();
    assert_eq!(pool["accounts"].as_array().unwrap().len(), 2, "{pool}");
    let metrics = world.get("/metrics").await.is(200).body;
    assert!(
        metrics.contains("sessile_sessions_active{pool=\"shop\"} 1"),
        "{metrics}"
    );
    let seen = world.take_seen();
    assert!(!seen.contains("u0-pw") && !seen.contains("u1-pw"), "{seen}");
    let back = world.request(Method::DELETE, &format!("/api/leases/{id}"), Scope::Use);
    world.send(back).await.is(204);
}

#[tokio::test]
async fn what_is_asked_of_all_sessions_is_begun() {
    let world = world(1, "size = 1").await;
    lease(&world, &json!({ "wait": 60 })).await;
    for path in [
        "/api/sessions/validate",
        "/api/cookies/refresh",
        "/api/sessions/rotate",
    ] {
        let done = world
            .post(&format!("{path}?pool=shop"), &json!({}))
            .await
            .is(200)
            .json();
        assert_eq!(done["pools"][0]["owners"], 1, "{path}: {done}");
        for nobody in [
            json!({ "session": "nobody" }),
            json!({ "session": "shop~99" }),
            json!({ "target": "nobody" }),
        ] {
            let asked = world.post(path, &nobody).await;
            asked.refuses(404, "unknown-session");
        }
        let one = json!({ "session": "shop~0" });
        let done = world.post(path, &one).await.is(200).json();
        assert_eq!(done["pools"].as_array().unwrap().len(), 1, "{done}");
    }
}

#[tokio::test]
async fn a_target_gets_a_session_of_its_own() {
    let world = world(2, "size = 1\n[pool.targets]\nlist = [\"e1\", \"e2\"]").await;
    world
        .get("/api/sessions/event/e1")
        .await
        .refuses(404, "unknown-session");
    let document = json!({ "url": "/members" });
    let made = world
        .post("/api/sessions/event/e1", &document)
        .await
        .is(200)
        .json();
    assert_eq!(
        (&made["eventId"], &made["target"]),
        (&json!("e1"), &json!("e1")),
        "{made}"
    );
    let shown = world
        .get("/api/sessions/event/e1?pool=shop")
        .await
        .is(200)
        .json();
    assert_eq!(shown["session"], made["session"]);
    let page = world
        .get("/api/pools/shop/fetch?url=/members&target=e1")
        .await
        .is(200);
    assert_eq!(
        page.header("sessile-session").replace("%7E", "~"),
        made["session"].as_str().unwrap()
    );
}
