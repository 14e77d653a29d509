//! How the daemon ends: what runs is answered, streams end, leases can be given back.

use http::Method;
use serde_json::json;
use sessile_practice::Options;
use sessile_server::DaemonOptions;
use sessile_server::access::Scope;

use crate::pools::{define, users};
use crate::support::World;

#[tokio::test]
async fn streams_end_and_everything_is_stored() {
    let mut world = World::start().await;
    world.log_in().await;
    world
        .get("/api/sessions/ada/fetch?url=/members")
        .await
        .is(200);
    let listen = world.request(Method::GET, "/api/events", Scope::Read);
    let mut told = world.open(listen).await;
    world.begin_to_stop();
    while told.chunk().await.unwrap().is_some() {}
    let report = world.stopped().await;
    assert_eq!(
        (report.cut_off, report.unsaved, report.leases_cut_off),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn a_lease_can_be_given_back_while_the_daemon_stops() {
    let options = Options {
        users: users(1),
        ..Options::default()
    };
    let mut world = World::start_with(options, DaemonOptions::default(), async |site, vault| {
        define(site, vault, 1, "size = 1").await;
    })
    .await;
    let lease = world
        .post("/api/pools/shop/leases", &json!({ "wait": 60 }))
        .await
        .is(201)
        .json();
    world.begin_to_stop();
    let path = format!("/api/leases/{}", lease["id"].as_str().unwrap());
    // The connection that is open stays so for as long as the lease does.
    loop {
        let ready = world.get("/readyz").await;
        if ready.status == 503 {
            ready.refuses(503, "closing");
            break;
        }
    }
    world.get("/api/sessions").await.refuses(503, "closing");
    // Over a connection of its own, too.
    let shown = world.request(Method::GET, &path, Scope::Read);
    let another = sessile::Session::builder().build().unwrap();
    assert_eq!(another.send(shown).await.unwrap().status(), 200);
    let back = world
        .request(Method::DELETE, &path, Scope::Use)
        .json(&json!({ "outcome": "ok" }));
    world.send(back).await.is(204);
    assert_eq!(world.stopped().await.leases_cut_off, 0);
}
