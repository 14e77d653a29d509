//! The login in parts.

use sessile_practice::{ADA, ADA_PASSWORD};

use crate::browser::{Browser, FORM, Reply, start};

#[tokio::test]
async fn each_part_needs_the_one_before() {
    let (site, mut browser) = start().await;
    let page = browser.get("/parts/login").await;
    let ticket = page.header("x-login-ticket").to_owned();
    let (_, rest) = page.body.split_once("csrf: \"").unwrap();
    let (token, _) = rest.split_once('"').unwrap();

    let named = who(&mut browser, &[("X-CSRF-Token", token)]).await;
    assert_eq!(named.status, 403, "without its ticket");
    let both = [("X-CSRF-Token", token), ("X-Login-Ticket", &ticket)];
    let named = who(&mut browser, &both[1..]).await;
    assert_eq!(named.status, 403, "without its token");
    let named = who(&mut browser, &both).await;
    let next = named.json()["login"]["next"].as_str().unwrap().to_owned();
    let again = who(&mut browser, &both).await;
    assert_eq!(again.status, 403, "the ticket is good once");

    let wrong = enter(&mut browser, &next, token, "wrong").await;
    assert_eq!(
        (wrong.status, wrong.json()["error"].as_str()),
        (200, Some("Wrong user name or password."))
    );
    let inside = enter(&mut browser, &next, token, ADA_PASSWORD).await;
    inside.is(303, "/members");
    assert_eq!(browser.get("/members").await.status, 200);
    assert_eq!((site.attempts(), site.logins()), (2, 1));
}

async fn who(browser: &mut Browser, headers: &[(&str, &str)]) -> Reply {
    let mut headers = headers.to_vec();
    headers.push(("Content-Type", "application/json"));
    let body = format!("{{\"user\": \"{ADA}\"}}");
    browser.send("POST", "/parts/who", &headers, &body).await
}

async fn enter(browser: &mut Browser, next: &str, token: &str, password: &str) -> Reply {
    let headers = [("X-CSRF-Token", token), ("Content-Type", FORM)];
    let body = format!("password={}", password.replace(' ', "+"));
    browser.send("POST", next, &headers, &body).await
}
