//! The two-step login.

use sessile_practice::{ADA, ADA_PASSWORD, LOCKED, LOCKED_PASSWORD};

use crate::browser::{Browser, Reply, start};

const PASSWORD: &str = "/two-step/password";

#[tokio::test]
async fn name_first_then_password() {
    let (site, mut browser) = start().await;
    let token = give_name(&mut browser, ADA).await.input("csrf");
    let wrong = browser
        .post(PASSWORD, &[("csrf", &token), ("password", "wrong")])
        .await;
    assert_eq!(
        (wrong.status, wrong.alert().as_str()),
        (200, "Wrong user name or password.")
    );
    let fields = [("csrf", token.as_str()), ("password", ADA_PASSWORD)];
    assert_eq!(
        browser
            .post(PASSWORD, &[("password", ADA_PASSWORD)])
            .await
            .status,
        403
    );
    browser.post(PASSWORD, &fields).await.is(303, "/members");
    assert_eq!(browser.get("/members").await.status, 200);
    assert!(!browser.cookies.contains_key("flow"));
    browser.get(PASSWORD).await.is(303, "/two-step/login");
    assert_eq!((site.attempts(), site.logins()), (2, 1));
}

#[tokio::test]
async fn the_second_page_needs_the_first() {
    let (_site, mut browser) = start().await;
    browser.get(PASSWORD).await.is(303, "/two-step/login");
    browser
        .post(PASSWORD, &[("password", ADA_PASSWORD)])
        .await
        .is(303, "/two-step/login");
}

#[tokio::test]
async fn a_login_under_way_ends_after_ten_minutes() {
    let (site, mut browser) = start().await;
    give_name(&mut browser, ADA).await;
    site.advance(std::time::Duration::from_secs(600));
    browser.get(PASSWORD).await.is(303, "/two-step/login");
}

#[tokio::test]
async fn the_first_page_does_not_tell_who_exists() {
    let (_site, mut browser) = start().await;
    let unknown = give_name(&mut browser, "nobody").await;
    let fields = [
        ("csrf", unknown.input("csrf")),
        ("password", "wrong".to_owned()),
    ];
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let refused = browser.post(PASSWORD, &fields).await;
    assert_eq!(refused.alert(), "Wrong user name or password.");
    let token = give_name(&mut browser, LOCKED).await.input("csrf");
    let fields = [("csrf", token.as_str()), ("password", LOCKED_PASSWORD)];
    assert_eq!(browser.post(PASSWORD, &fields).await.status, 403);
}

async fn give_name(browser: &mut Browser, name: &str) -> Reply {
    let token = browser.get("/two-step/login").await.input("csrf");
    let fields = [("csrf", token.as_str()), ("user", name)];
    browser
        .post("/two-step/login", &fields)
        .await
        .is(303, PASSWORD);
    let page = browser.get(PASSWORD).await;
    assert_eq!(page.status, 200);
    page
}
