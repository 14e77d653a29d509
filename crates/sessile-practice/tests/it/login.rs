//! The ordinary login.

use sessile_practice::{ADA, ADA_PASSWORD, GRACE, GRACE_PASSWORD, LOCKED, LOCKED_PASSWORD};

use crate::browser::{Browser, FORM, start};

#[tokio::test]
async fn the_right_password_opens_the_members_area() {
    let (site, mut browser) = start().await;
    browser
        .get("/members")
        .await
        .is(303, "/login?next=/members");
    browser.log_in(ADA, ADA_PASSWORD).await.is(303, "/members");
    let members = browser.get("/members").await;
    assert_eq!(members.status, 200);
    assert_eq!(members.between("class=\"member\">", "<"), "ada");
    assert_eq!((site.attempts(), site.logins(), site.sessions()), (1, 1, 1));
}

#[tokio::test]
async fn a_password_of_odd_characters_arrives_whole() {
    let (_site, mut browser) = start().await;
    browser
        .log_in(GRACE, GRACE_PASSWORD)
        .await
        .is(303, "/members");
}

#[tokio::test]
async fn unknown_names_and_wrong_passwords_look_alike() {
    let (site, mut browser) = start().await;
    let wrong = browser.log_in(ADA, "wrong").await;
    let unknown = browser.log_in("nobody", "wrong").await;
    assert_eq!((wrong.status, unknown.status), (200, 200));
    assert_eq!(wrong.alert(), "Wrong user name or password.");
    assert_eq!(unknown.alert(), wrong.alert());
    assert_eq!(
        wrong.body.replace(&wrong.input("csrf"), ""),
        unknown.body.replace(&unknown.input("csrf"), "")
    );
    assert_eq!((site.attempts(), site.logins()), (2, 0));
    browser
        .get("/members")
        .await
        .is(303, "/login?next=/members");
}

#[tokio::test]
async fn a_locked_account_says_so_to_its_owner_only() {
    let (_site, mut browser) = start().await;
    let owner = browser.log_in(LOCKED, LOCKED_PASSWORD).await;
    assert_eq!(
        (owner.status, owner.alert().as_str()),
        (403, "This account is locked.")
    );
    let stranger = browser.log_in(LOCKED, "wrong").await;
    assert_eq!(stranger.alert(), "Wrong user name or password.");
}

#[tokio::test]
async fn the_sixth_attempt_has_to_wait() {
    let (site, mut browser) = start().await;
    for name in [ADA, "nobody"] {
        for _ in 0..5 {
            assert_eq!(browser.log_in(name, "wrong").await.status, 200);
        }
        let refused = browser.log_in(name, ADA_PASSWORD).await;
        assert_eq!(refused.status, 429);
        assert!(refused.alert().starts_with("Too many attempts"));
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    browser
        .log_in(GRACE, GRACE_PASSWORD)
        .await
        .is(303, "/members");
    site.advance(std::time::Duration::from_secs(60));
    browser.log_in(ADA, ADA_PASSWORD).await.is(303, "/members");
}

#[tokio::test]
async fn cookies_are_hidden_from_scripts_and_renewed_at_login() {
    let (_site, mut browser) = start().await;
    let page = browser.get("/login").await;
    let seed = page.header("set-cookie").to_owned();
    assert!(
        seed.starts_with("csrf=") && seed.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
        "{seed}"
    );
    assert_eq!(
        browser.get("/login").await.all("set-cookie"),
        Vec::<&str>::new()
    );

    browser.log_in(ADA, ADA_PASSWORD).await;
    let first = browser.cookies.clone();
    let again = browser.log_in(ADA, ADA_PASSWORD).await;
    assert_ne!(first["session"], browser.cookies["session"]);
    assert_ne!(first["csrf"], browser.cookies["csrf"]);
    let session = again.all("set-cookie")[0];
    assert!(
        session.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
        "{session}"
    );

    // The id that was taken the place of is dead.
    browser.cookies = first;
    browser
        .get("/members")
        .await
        .is(303, "/login?next=/members");
}

#[tokio::test]
async fn an_id_that_the_site_did_not_make_is_not_taken_on() {
    let (_site, mut browser) = start().await;
    browser
        .cookies
        .insert("session".to_owned(), "chosen".to_owned());
    browser.log_in(ADA, ADA_PASSWORD).await.is(303, "/members");
    assert_ne!(browser.cookies["session"], "chosen");
}

#[tokio::test]
async fn remember_me_makes_the_cookie_last() {
    let (site, mut browser) = start().await;
    let token = browser.get("/login").await.input("csrf");
    let fields = [
        ("csrf", token.as_str()),
        ("user", ADA),
        ("password", ADA_PASSWORD),
        ("remember", "yes"),
    ];
    let inside = browser.post("/login", &fields).await;
    assert!(inside.all("set-cookie")[0].ends_with("; Max-Age=2592000"));
    site.advance(std::time::Duration::from_secs(29 * 24 * 3600));
    assert_eq!(browser.get("/members").await.status, 200);
}

#[tokio::test]
async fn next_leads_back_but_never_off_the_site() {
    let (_site, mut browser) = start().await;
    for (next, expected) in [
        ("/members/soft?page=2", "/members/soft?page=2"),
        ("//other.example/", "/members"),
        ("http://other.example/", "/members"),
    ] {
        let page = browser.get(&format!("/login?next={next}")).await;
        assert_eq!(page.input("next"), expected);
        let token = page.input("csrf");
        let fields = [
            ("csrf", token.as_str()),
            ("user", ADA),
            ("password", ADA_PASSWORD),
            ("next", next),
        ];
        browser.post("/login", &fields).await.is(303, expected);
    }
}

#[tokio::test]
async fn forms_need_their_token_their_cookie_and_their_origin() {
    let (site, mut browser) = start().await;
    let token = browser.get("/login").await.input("csrf");
    let fields = |token: &'static str| [("csrf", token), ("user", ADA), ("password", ADA_PASSWORD)];
    assert_eq!(browser.post("/login", &fields("made-up")).await.status, 403);
    let missing = browser
        .post("/login", &[("user", ADA), ("password", ADA_PASSWORD)])
        .await;
    assert_eq!(missing.status, 403);

    let body = format!("csrf={token}&user={ADA}&password={ADA_PASSWORD}");
    let mut stranger = Browser::at(&site);
    let form = ("Content-Type", FORM);
    assert_eq!(
        stranger.send("POST", "/login", &[form], &body).await.status,
        403
    );
    for origin in ["http://other.example", "null"] {
        let foreign = browser
            .send("POST", "/login", &[form, ("Origin", origin)], &body)
            .await;
        assert_eq!(foreign.alert(), "This form was sent from another site.");
    }
    assert_eq!((site.attempts(), site.logins()), (0, 0));
    let origin = site.url();
    browser
        .send("POST", "/login", &[form, ("Origin", &origin)], &body)
        .await
        .is(303, "/members");
}

#[tokio::test]
async fn what_is_no_login_form_is_refused() {
    let (_site, mut browser) = start().await;
    let token = browser.get("/login").await.input("csrf");
    assert_eq!(
        browser
            .post("/login", &[("csrf", &token), ("user", ADA)])
            .await
            .status,
        400
    );
    let json = [("Content-Type", "application/json")];
    assert_eq!(
        browser.send("POST", "/login", &json, "{}").await.status,
        415
    );
    let put = browser.send("PUT", "/login", &[], "").await;
    assert_eq!((put.status, put.header("allow")), (405, "GET,HEAD,POST"));
}

#[tokio::test]
async fn logging_out_takes_a_token_and_ends_the_session() {
    let (site, mut browser) = start().await;
    browser.log_in(ADA, ADA_PASSWORD).await;
    let token = browser.get("/members").await.input("csrf");
    assert_eq!(browser.post("/logout", &[]).await.status, 403);
    assert_eq!(browser.get("/logout").await.status, 200);
    assert_eq!(site.sessions(), 1);
    browser
        .post("/logout", &[("csrf", &token)])
        .await
        .is(303, "/");
    assert_eq!(site.sessions(), 0);
    assert!(browser.cookies.is_empty());
}
