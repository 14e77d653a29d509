//! The handle: what it counts, what another process may do, how it ends.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, SystemTime};

use serde_json::json;
use sessile_practice::{ADA, ADA_PASSWORD, Clock, Options, Site, StartError, User};
use tokio::task::JoinSet;

use crate::browser::{Browser, start};

#[tokio::test]
async fn the_log_says_who_asked_for_what_and_keeps_no_secret() {
    let (site, mut browser) = start().await;
    browser.get("/login?next=/secret-query").await;
    browser.log_in(ADA, ADA_PASSWORD).await;
    browser.get("/members").await;
    let log = site.log();
    let lines: Vec<_> = log
        .iter()
        .map(|l| {
            (
                l.method.as_str(),
                l.path.as_str(),
                l.status,
                l.user.as_deref(),
            )
        })
        .collect();
    let expected = [
        ("GET", "/login", 200, None),
        ("GET", "/login", 200, None),
        ("POST", "/login", 303, Some("ada")),
        ("GET", "/members", 200, Some("ada")),
    ];
    assert_eq!(lines, expected);
    assert_eq!(site.requests()["/login"], 3);
    let shown = format!("{site:?} {log:?} {:?}", Options::default());
    for secret in [
        ADA_PASSWORD,
        site.admin_token(),
        &browser.cookies["session"],
        "secret-query",
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn another_process_kills_sessions_with_the_token_only() {
    let (site, mut browser) = start().await;
    browser.log_in(ADA, ADA_PASSWORD).await;
    let kill = "/_practice/kill";
    assert_eq!(browser.send("POST", kill, &[], "").await.status, 401);
    let wrong = [("Authorization", "Bearer wrong")];
    assert_eq!(browser.send("POST", kill, &wrong, "").await.status, 401);
    let bearer = format!("Bearer {}", site.admin_token());
    let right = [("Authorization", bearer.as_str())];
    let nobody = browser
        .send("POST", "/_practice/kill?user=grace", &right, "")
        .await;
    assert_eq!(nobody.json(), json!({ "sessions": 0, "tokens": 0 }));
    assert_eq!(browser.get("/members").await.status, 200);
    let killed = browser.send("POST", kill, &right, "").await;
    assert_eq!(killed.json(), json!({ "sessions": 1, "tokens": 0 }));
    assert_eq!(browser.get("/members").await.status, 303);
}

#[tokio::test]
async fn stats_count() {
    let (_site, mut browser) = start().await;
    browser.log_in(ADA, ADA_PASSWORD).await;
    let expected = json!({
        "attempts": 1, "items": 0, "logins": 1, "requests": { "/_practice/stats": 1, "/login": 2 }, "sessions": 1, "tokens": 0,
    });
    assert_eq!(browser.get("/_practice/stats").await.json(), expected);
}

#[tokio::test]
async fn users_and_token_can_be_chosen() {
    let options = Options {
        admin_token: Some("chosen".to_owned()),
        users: vec![User::new("mary", "sea-shells")],
        ..Options::default()
    };
    let site = Site::start(options).await.unwrap();
    assert_eq!(site.admin_token(), "chosen");
    let mut browser = Browser::at(&site);
    browser
        .log_in("mary", "sea-shells")
        .await
        .is(303, "/members");
    assert_eq!(browser.log_in(ADA, ADA_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn only_free_loopback_addresses_are_taken() {
    let listen = (Ipv4Addr::UNSPECIFIED, 0).into();
    let open = Site::start(Options {
        listen,
        ..Options::default()
    })
    .await;
    assert!(matches!(open, Err(StartError::NotLoopback { .. })));
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listen = taken.local_addr().unwrap();
    let busy = Site::start(Options {
        listen,
        ..Options::default()
    })
    .await;
    assert!(matches!(busy, Err(StartError::Bind { address, .. }) if address == listen));
}

#[tokio::test]
async fn a_clock_can_stand_still() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let clock = Clock::standing_at(time);
    let options = Options {
        clock: clock.clone(),
        ..Options::default()
    };
    let site = Site::start(options).await.unwrap();
    let mut browser = Browser::at(&site);
    browser.log_in(ADA, ADA_PASSWORD).await;
    let shown = browser.get("/members").await.between("<time>", "<");
    assert_eq!(shown, "Tue, 14 Nov 2023 22:13:20 GMT");
    site.advance(Duration::from_secs(1));
    assert_eq!(clock.now(), time + Duration::from_secs(1));
}

#[tokio::test]
async fn stopping_lets_requests_end_and_frees_the_address() {
    let (site, browser) = start().await;
    let address = site.url().replace("http://", "");
    let slow = begun(&site, browser, "/slow?ms=200").await;
    site.stop().await;
    let [answer] = slow.join_all().await.try_into().unwrap();
    assert!(answer.ends_with("That took 200 ms.\n"), "{answer}");
    TcpListener::bind(address).unwrap();
}

#[tokio::test]
async fn dropping_cuts_requests() {
    let (site, browser) = start().await;
    let slow = begun(&site, browser, "/slow?ms=60000").await;
    drop(site);
    assert_eq!(slow.join_all().await, [""]);
}

/// A request that the site is busy with.
async fn begun(site: &Site, browser: Browser, target: &'static str) -> JoinSet<String> {
    let mut task = JoinSet::new();
    task.spawn(async move {
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        browser.exchange(&request).await
    });
    while site.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    task
}
