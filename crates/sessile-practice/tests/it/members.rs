//! The members' area and how sessions end.

use std::time::Duration;

use sessile_practice::{ADA, ADA_PASSWORD, Expiry, GRACE, GRACE_PASSWORD, Options, Site};

use crate::browser::{Browser, start};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn no_two_loads_are_the_same() {
    let (_site, mut browser) = start().await;
    browser.log_in(ADA, ADA_PASSWORD).await;
    let (first, second) = (browser.get("/members").await, browser.get("/members").await);
    let views = |reply: &crate::browser::Reply| reply.between("class=\"views\">", "<");
    assert_eq!(
        (views(&first).as_str(), views(&second).as_str()),
        ("1", "2")
    );
    assert_ne!(first.input("csrf"), second.input("csrf"));
    let seen = |reply: &crate::browser::Reply| reply.between("<time>", "</main>");
    assert_ne!(seen(&first), seen(&second));
}

#[tokio::test]
async fn strangers_are_turned_away_in_four_manners() {
    let (_site, mut browser) = start().await;
    browser
        .get("/members")
        .await
        .is(303, "/login?next=/members");
    let plain = browser.get("/members/plain").await;
    assert_eq!(plain.status, 200);
    assert!(plain.body.contains("Please log in to see this page."));
    let soft = browser.get("/members/soft").await;
    assert_eq!(
        (soft.status, soft.input("next").as_str()),
        (200, "/members/soft")
    );
    let subtle = browser.get("/members/subtle").await;
    assert_eq!(subtle.status, 200);

    let token = soft.input("csrf");
    let fields = [
        ("csrf", token.as_str()),
        ("next", "/members/soft"),
        ("user", ADA),
        ("password", ADA_PASSWORD),
    ];
    browser
        .post("/login", &fields)
        .await
        .is(303, "/members/soft");
    for path in ["/members", "/members/plain", "/members/soft"] {
        assert_eq!(
            browser.get(path).await.between("class=\"member\">", "<"),
            "ada",
            "{path}"
        );
    }
    let corner = "<span class=\"corner\"><span class=\"user\">ada</span> · <a href=\"/logout\">Log out</a></span>";
    let inside = browser.get("/members/subtle").await;
    assert_eq!(inside.body.replace(corner, ""), subtle.body);
}

#[tokio::test]
async fn killed_sessions_are_forgotten() {
    let (site, mut ada) = start().await;
    let mut grace = Browser::at(&site);
    ada.log_in(ADA, ADA_PASSWORD).await;
    grace.log_in(GRACE, GRACE_PASSWORD).await;
    assert_eq!(site.kill_session_of(ADA), 1);
    assert_eq!(ada.get("/members").await.status, 303);
    assert_eq!(grace.get("/members").await.status, 200);
    assert_eq!(site.kill_sessions(), 1);
    assert_eq!(grace.get("/members").await.status, 303);
    ada.log_in(ADA, ADA_PASSWORD).await.is(303, "/members");
}

#[tokio::test]
async fn sessions_end_with_their_lifetime() {
    let (site, mut browser) = start().await;
    browser.log_in(ADA, ADA_PASSWORD).await;
    site.advance(HOUR);
    assert_eq!(browser.get("/members").await.status, 200);
    site.advance(HOUR);
    assert_eq!(browser.get("/members").await.status, 303);
}

#[tokio::test]
async fn sliding_sessions_end_when_nobody_asks() {
    let options = Options {
        expiry: Expiry::Sliding,
        ..Options::default()
    };
    let site = Site::start(options).await.unwrap();
    let mut browser = Browser::at(&site);
    browser.log_in(ADA, ADA_PASSWORD).await;
    for _ in 0..3 {
        site.advance(HOUR);
        assert_eq!(browser.get("/members").await.status, 200);
    }
    site.advance(HOUR * 2);
    assert_eq!(browser.get("/members").await.status, 303);
}

#[tokio::test]
async fn one_session_per_user_ends_the_one_before() {
    let options = Options {
        one_session_per_user: true,
        ..Options::default()
    };
    let site = Site::start(options).await.unwrap();
    let (mut first, mut second) = (Browser::at(&site), Browser::at(&site));
    first.log_in(ADA, ADA_PASSWORD).await;
    second.log_in(ADA, ADA_PASSWORD).await;
    assert_eq!(first.get("/members").await.status, 303);
    assert_eq!(second.get("/members").await.status, 200);
}
