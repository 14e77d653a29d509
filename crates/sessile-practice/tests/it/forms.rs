//! Logins whose form is not all there is to it.

use sessile_practice::{ADA, ADA_PASSWORD};

use crate::browser::{Browser, FORM, start};

const ADA_FIELDS: [(&str, &str); 2] = [("user", ADA), ("password", ADA_PASSWORD)];

#[tokio::test]
async fn the_meta_token_goes_in_a_header_or_a_field() {
    let (_site, mut browser) = start().await;
    let page = browser.get("/meta/login").await;
    assert!(!page.body.contains("type=\"hidden\""));
    let token = page.between("<meta name=\"csrf-token\" content=\"", "\"");
    let headers = [("Content-Type", FORM), ("X-CSRF-Token", &token)];
    let body = format!("user={ADA}&password={ADA_PASSWORD}");
    browser
        .clone()
        .send("POST", "/meta/login", &headers, &body)
        .await
        .is(303, "/members");
    check(&mut browser, "/meta/login", ("_csrf", &token)).await;
}

#[tokio::test]
async fn the_script_token_goes_in_a_field() {
    let (_site, mut browser) = start().await;
    let page = browser.get("/script/login").await;
    assert!(!page.body.contains("type=\"hidden\""));
    let token = page.between("window.__CSRF__ = \"", "\"");
    check(&mut browser, "/script/login", ("_token", &token)).await;
}

#[tokio::test]
async fn the_script_s_form_is_not_on_the_page() {
    let (_site, mut browser) = start().await;
    let page = browser.get("/js/login").await;
    assert!(page.body.contains("<div id=\"app\"></div>"));
    assert!(!page.body.contains("password\""));
    assert_eq!(browser.post("/js/login", &ADA_FIELDS).await.status, 405);
    let token = browser.get("/js/token").await.json()["csrf"]
        .as_str()
        .unwrap()
        .to_owned();
    check(&mut browser, "/login", ("csrf", &token)).await;
}

#[tokio::test]
async fn only_the_first_of_two_forms_logs_in() {
    let (site, mut browser) = start().await;
    let page = browser.get("/two-forms").await;
    assert_eq!(page.body.matches("method=\"post\"").count(), 2);
    let token = page.input("csrf");
    let fields = [
        ("csrf", token.as_str()),
        ("user", ADA),
        ("password", ADA_PASSWORD),
        ("confirm", ADA_PASSWORD),
    ];
    assert_eq!(
        browser.post("/two-forms/register", &fields).await.status,
        403
    );
    assert_eq!(site.attempts(), 0);
    check(&mut browser, "/two-forms", ("csrf", &token)).await;
}

#[tokio::test]
async fn every_field_of_the_long_form_counts() {
    let (site, mut browser) = start().await;
    let token = browser.get("/multi/login").await.input("csrf");
    let whole = [
        ("csrf", token.as_str()),
        ("user", ADA),
        ("password", ADA_PASSWORD),
        ("language", "de"),
        ("region", "eu-north"),
        ("device", "private"),
        ("terms", "yes"),
        ("cookies", "on"),
        ("comment", ""),
        ("action", "login"),
    ];
    for skipped in 3..whole.len() {
        let mut fields = whole.to_vec();
        let (name, _) = fields.remove(skipped);
        assert_eq!(
            browser.post("/multi/login", &fields).await.status,
            400,
            "without {name}"
        );
        fields.push((name, "made up"));
        assert_eq!(
            browser.post("/multi/login", &fields).await.status,
            400,
            "odd {name}"
        );
    }
    assert_eq!(site.attempts(), 0);
    browser
        .post("/multi/login", &whole)
        .await
        .is(303, "/members");
}

#[tokio::test]
async fn public_pages_say_what_they_are() {
    let (_site, mut browser) = start().await;
    for (target, status, text) in [
        ("/", 200, "<a href=\"/login\">log in</a>"),
        ("/no-form", 200, "nothing to fill in"),
        ("/search?q=%3Cb%3E%26", 200, "“&lt;b&gt;&amp;”"),
        ("/nowhere", 404, "There is no such page."),
    ] {
        let page = browser.get(target).await;
        assert_eq!(page.status, status, "{target}");
        assert!(page.body.contains(text), "{target}: {}", page.body);
        assert!(
            page.body.contains("<title>") && page.body.contains("role=\"search\""),
            "{target}"
        );
        assert_eq!(page.all("set-cookie"), Vec::<&str>::new(), "{target}");
    }
}

/// The login is refused without the token, and opens with it.
async fn check(browser: &mut Browser, target: &str, token: (&str, &str)) {
    let [user, password] = ADA_FIELDS;
    assert_eq!(
        browser.post(target, &ADA_FIELDS).await.status,
        403,
        "{target}"
    );
    let wrong = browser
        .post(target, &[token, user, ("password", "wrong")])
        .await;
    assert_eq!(
        (wrong.status, wrong.alert().as_str()),
        (200, "Wrong user name or password.")
    );
    browser
        .post(target, &[token, user, password])
        .await
        .is(303, "/members");
    assert_eq!(browser.get("/members").await.status, 200);
}
