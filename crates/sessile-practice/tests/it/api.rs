//! The JSON interface.

use serde_json::json;
use sessile_practice::{ADA, ADA_PASSWORD, LOCKED, LOCKED_PASSWORD};

use crate::browser::{Browser, Reply, start};

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn a_token_opens_the_interface_until_it_ends() {
    let (site, mut browser) = start().await;
    let granted = log_in(&mut browser, ADA, ADA_PASSWORD).await;
    assert_eq!(
        (granted.status, granted.json()["expires_in"].as_u64()),
        (200, Some(3600))
    );
    let bearer = format!("Bearer {}", granted.json()["token"].as_str().unwrap());
    assert_eq!(
        me(&mut browser, &bearer).await.json(),
        json!({ "user": "ada" })
    );
    site.advance(std::time::Duration::from_secs(3600));
    is_challenged(&me(&mut browser, &bearer).await);
    assert_eq!((site.attempts(), site.logins()), (1, 1));
}

#[tokio::test]
async fn killed_tokens_are_challenged() {
    let (site, mut browser) = start().await;
    let granted = log_in(&mut browser, ADA, ADA_PASSWORD).await;
    let bearer = format!("Bearer {}", granted.json()["token"].as_str().unwrap());
    assert_eq!(site.kill_sessions(), 0);
    assert_eq!(me(&mut browser, &bearer).await.status, 200);
    assert_eq!(site.kill_tokens(), 1);
    is_challenged(&me(&mut browser, &bearer).await);
}

#[tokio::test]
async fn requests_without_a_token_are_challenged_without_a_reason() {
    let (_site, mut browser) = start().await;
    for path in ["/api/me", "/api/items"] {
        let refused = browser.get(path).await;
        assert_eq!(
            (refused.status, refused.header("www-authenticate")),
            (401, "Bearer")
        );
    }
    is_challenged(&me(&mut browser, "Bearer made-up").await);
}

#[tokio::test]
async fn each_post_stores_an_item() {
    let (site, mut browser) = start().await;
    let granted = log_in(&mut browser, ADA, ADA_PASSWORD).await;
    let bearer = format!("Bearer {}", granted.json()["token"].as_str().unwrap());
    let headers = [JSON, ("Authorization", bearer.as_str())];
    for id in 1..=2 {
        let stored = browser
            .send("POST", "/api/items", &headers, r#"{"a":1}"#)
            .await;
        assert_eq!(stored.status, 201);
        assert_eq!(
            stored.json(),
            json!({ "id": id, "by": "ada", "item": { "a": 1 } })
        );
    }
    let unreadable = browser.send("POST", "/api/items", &headers, "{").await;
    assert_eq!(unreadable.status, 400);
    let refused = browser.send("POST", "/api/items", &[JSON], "{}").await;
    assert_eq!(refused.status, 401);
    assert_eq!(site.items(), 2);
    let list = browser.send("GET", "/api/items", &headers, "").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn logins_that_open_nothing_say_why() {
    let (_site, mut browser) = start().await;
    let locked = log_in(&mut browser, LOCKED, LOCKED_PASSWORD).await;
    assert_eq!(
        (locked.status, locked.json()["error"].as_str()),
        (403, Some("account_locked"))
    );
    for _ in 0..5 {
        let wrong = log_in(&mut browser, ADA, "wrong").await;
        assert_eq!(
            (wrong.status, wrong.json()),
            (401, json!({ "error": "invalid_credentials" }))
        );
    }
    let waiting = log_in(&mut browser, ADA, ADA_PASSWORD).await;
    assert_eq!(waiting.status, 429);
    assert!(!waiting.header("retry-after").is_empty());
}

#[tokio::test]
async fn what_is_no_json_login_is_refused() {
    let (site, mut browser) = start().await;
    assert_eq!(
        browser
            .send("POST", "/api/login", &[JSON], "{")
            .await
            .status,
        400
    );
    assert_eq!(
        browser
            .send("POST", "/api/login", &[JSON], r#"{"user":"ada"}"#)
            .await
            .status,
        400
    );
    assert_eq!(
        browser.post("/api/login", &[("user", ADA)]).await.status,
        415
    );
    assert_eq!(browser.get("/api/login").await.status, 405);
    assert_eq!(site.attempts(), 0);
}

async fn log_in(browser: &mut Browser, user: &str, password: &str) -> Reply {
    let body = json!({ "user": user, "password": password }).to_string();
    browser.send("POST", "/api/login", &[JSON], &body).await
}

async fn me(browser: &mut Browser, authorization: &str) -> Reply {
    browser
        .send("GET", "/api/me", &[("Authorization", authorization)], "")
        .await
}

#[track_caller]
fn is_challenged(reply: &Reply) {
    assert_eq!(reply.status, 401);
    assert_eq!(
        reply.header("www-authenticate"),
        "Bearer error=\"invalid_token\""
    );
}
