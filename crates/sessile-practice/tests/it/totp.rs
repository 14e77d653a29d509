//! The login with a second factor.

use std::time::Duration;

use sessile_practice::{ADA, ADA_PASSWORD, Site};

use crate::browser::{Browser, Reply, start_still as start};

#[tokio::test]
async fn a_code_opens_the_door_once() {
    let (site, mut browser) = start().await;
    give_password(&mut browser, "field").await;
    assert_eq!(site.logins(), 0);
    give_code(&site, &mut browser)
        .await
        .is(303, "/totp/field/members");
    assert_eq!(browser.get("/totp/field/members").await.status, 200);

    let mut other = Browser::at(&site);
    give_password(&mut other, "field").await;
    let refused = give_code(&site, &mut other).await;
    assert!(refused.alert().starts_with("This code was used already"));
    site.advance(Duration::from_secs(30));
    give_code(&site, &mut other)
        .await
        .is(303, "/totp/field/members");
    assert_eq!((site.codes(), site.logins()), (3, 2));
}

#[tokio::test]
async fn wrong_codes_end_the_login_under_way() {
    let (site, mut browser) = start().await;
    give_password(&mut browser, "boxes").await;
    for _ in 0..5 {
        let token = browser.get("/totp/boxes/code").await.input("csrf");
        let fields = [("csrf", token.as_str()), ("code1", "x")];
        let refused = browser.post("/totp/boxes/code", &fields).await;
        assert_eq!(refused.alert(), "Wrong code.");
    }
    browser
        .get("/totp/boxes/code")
        .await
        .is(303, "/totp/boxes/login");
    assert_eq!((site.attempts(), site.codes(), site.logins()), (1, 5, 0));
}

#[tokio::test]
async fn a_remembered_device_needs_no_code() {
    let (site, mut browser) = start().await;
    give_password(&mut browser, "field").await;
    let token = browser.get("/totp/field/code").await.input("csrf");
    let code = site.code();
    let fields = [("csrf", token.as_str()), ("code", &code), ("trust", "yes")];
    browser
        .post("/totp/field/code", &fields)
        .await
        .is(303, "/totp/field/members");
    site.kill_sessions();
    let token = browser.get("/totp/field/login").await.input("csrf");
    let fields = [
        ("csrf", token.as_str()),
        ("user", ADA),
        ("password", ADA_PASSWORD),
    ];
    browser
        .post("/totp/field/login", &fields)
        .await
        .is(303, "/totp/field/members");
    assert_eq!((site.codes(), site.logins()), (1, 2));
}

async fn give_password(browser: &mut Browser, shape: &str) {
    let (login, code) = (
        format!("/totp/{shape}/login"),
        format!("/totp/{shape}/code"),
    );
    browser.get(&code).await.is(303, &login);
    let token = browser.get(&login).await.input("csrf");
    let fields = [
        ("csrf", token.as_str()),
        ("user", ADA),
        ("password", ADA_PASSWORD),
    ];
    browser.post(&login, &fields).await.is(303, &code);
}

async fn give_code(site: &Site, browser: &mut Browser) -> Reply {
    let token = browser.get("/totp/field/code").await.input("csrf");
    let code = site.code();
    let fields = [("csrf", token.as_str()), ("code", &code)];
    browser.post("/totp/field/code", &fields).await
}
