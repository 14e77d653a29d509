//! The kinds of logins in a site file that the examples don't have: each from its first login to its
//! renewal.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use sessile_practice::{ADA, ADA_PASSWORD, GRACE, GRACE_PASSWORD, TOTP_SECRET};

use crate::support::{Desk, Outcome, Person, Practice};

fn file(me: &Person, site: &Practice, text: &str) -> PathBuf {
    let file = me.home().join("site.toml");
    fs::write(&file, format!("base_url = \"{}\"\n{text}", site.url())).unwrap();
    file
}

const JSON_AND_CODE: &str = r#"
[login]
kind = "json"
url = "/api/totp/login"
body = { user = "{user}", password = "{password}", code = "{otp}" }
token = "$.token"

[check]
url = "/api/me"
jsonpath = "$.user"
"#;

#[test]
fn json_with_a_code_makes_a_fresh_one_for_each_login() {
    let period = Duration::from_secs(2);
    let (site, me) = (Practice::with_codes_every(period), Person::new());
    let file = file(&me, &site, JSON_AND_CODE);
    let secret = me.home().join("secret");
    let otpauth = format!("otpauth://totp/practice?secret={TOTP_SECRET}&period=2");
    fs::write(&secret, otpauth).unwrap();
    let line = format!(
        "login api --site {} --username {GRACE} --password-stdin --remember --otp-secret-file {}",
        file.display(),
        secret.display()
    );
    me.sessile(&line)
        .input(GRACE_PASSWORD)
        .run()
        .exits(0)
        .says(&["got a token"]);
    fs::remove_file(secret).unwrap();
    let me_page = format!("get -s api {}", site.page("/api/me"));
    me.run(&me_page).exits(0).prints(GRACE);

    site.kill_tokens();
    // A code is good once: the renewal waits for the next one.
    me.run(&me_page)
        .exits(0)
        .prints(GRACE)
        .says(&["logged in again"]);
    assert_eq!((site.codes(), site.logins()), (2, 2));
}

const KEY: &str = r#"
[login]
kind = "bearer"
url = "/api/me"

[check]
url = "/api/me"
jsonpath = "$.user"
"#;

#[test]
fn a_key_is_asked_for_used_and_never_shown() {
    let (site, me) = (Practice::start(), Person::new());
    let file = file(&me, &site, KEY);
    let key = || -> String {
        let line = format!(
            "post {} user={ADA} password={ADA_PASSWORD}",
            site.page("/api/login")
        );
        let granted = me.run(&line).exits(0).json();
        granted["token"].as_str().unwrap().to_owned()
    };
    let log_in = |key: &str| -> Outcome {
        let line = format!(
            "login api --site {} --password-stdin --remember",
            file.display()
        );
        me.sessile(&line).input(key).run()
    };
    log_in("no key of the site")
        .exits(3)
        .says(&["nothing shows", "401"]);
    me.run("status api").exits(1);

    let first = key();
    log_in(&first).exits(0);
    let me_page = format!("get -s api {}", site.page("/api/me"));
    me.run(&me_page).exits(0).prints(ADA);
    me.run("check api").exits(0);
    for line in ["status api", "status api --json", "check api --explain"] {
        let shown = me.run(line).exits(0);
        assert!(!shown.shown().contains(&first), "{line}");
    }

    // A key that the site has ended can't be had again by itself: that is said, once.
    site.kill_tokens();
    me.run(&me_page).exits(3);
    me.run("check api").exits(3);
    log_in(&key()).exits(0).says(&["generation 2"]);
    me.run(&me_page).exits(0).prints(ADA);
}

const WINDOW: &str = r#"
[login]
kind = "browser"
url = "LINK"

[check]
url = "/members"
css = "a[href='/logout']"
"#;

#[test]
fn a_window_s_login_is_renewed_by_the_next_window() {
    let (site, desk) = (Practice::start(), Desk::new());
    let log_in = |user: &str| {
        let link = site.page(&format!("/magic/{}", site.issue_link(user)));
        let file = file(&desk.me, &site, &WINDOW.replace("LINK", &link));
        let line = format!("login shop --headless --site {}", file.display());
        desk.sessile(&line).run().exits(0)
    };
    log_in(GRACE).says(&["generation 1"]);
    let members = format!("get -s shop {}", site.page("/members"));
    desk.sessile(&members).run().exits(0).prints(GRACE);
    site.kill_sessions();
    // Without a person there is no login of this kind, and what is stored stays.
    desk.sessile(&members)
        .run()
        .exits(4)
        .says(&["a person logs it in"]);
    desk.sessile("status shop").run().exits(0);
    log_in(ADA).says(&["generation 2"]);
    desk.sessile(&members).run().exits(0).prints(ADA);
    desk.is_tidy();
}
