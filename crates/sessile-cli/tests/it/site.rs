//! Site files from the command line: those in `examples/sites`, and ones with mistakes.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use sessile_practice::{GRACE, GRACE_PASSWORD, TOTP_SECRET};

use crate::support::{Gunicorn, Outcome, Person, Practice, Table, wait_for};

/// The login with a second factor, request by request.
const TOTP_STEPS: &str = r#"
[login]
kind = "steps"

[[login.steps]]
url = "/totp/field/login"
capture.csrf = { css = "input[name=csrf]", attribute = "value" }

[[login.steps]]
url = "/totp/field/login"
form = { csrf = "{csrf}", user = "{user}", password = "{password}" }
capture.second = { css = "input[name=csrf]", attribute = "value" }
expect = { redirect = "/totp/field/code" }

[[login.steps]]
url = "/totp/field/code"
form = { csrf = "{second}", code = "{otp}" }
expect = { redirect = "/totp/field/members" }

[check]
url = "/totp/field/members"
css = "a[href='/logout']"
"#;

/// A file in `examples/sites`, written for a site that runs here.
fn example(me: &Person, name: &str, site: &str) -> PathBuf {
    write(me, name, &example_text(name, site))
}

fn example_text(name: &str, site: &str) -> String {
    let place = format!("{}/../../examples/sites/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(place).unwrap();
    text.replace("https://practice.example", site)
}

fn write(me: &Person, name: &str, text: &str) -> PathBuf {
    let file = me.home().join(name);
    fs::write(&file, text).unwrap();
    file
}

fn log_in(me: &Person, file: &std::path::Path, password: &str) -> Outcome {
    let line = format!("login site --site {} --username {GRACE}", file.display());
    me.sessile(&format!("{line} --password-stdin --remember"))
        .input(password)
        .run()
}

#[test]
fn the_examples_log_in_and_renew() {
    let (site, me) = (Practice::start(), Person::new());
    let mut table = Table::new();
    for (name, page) in [
        ("form.toml", "/members"),
        ("json-token.toml", "/api/me"),
        ("steps.toml", "/members"),
    ] {
        table.row(name, || {
            let file = example(&me, name, &site.url());
            me.run(&format!("site check {}", file.display()))
                .exits(0)
                .prints("understood");
            log_in(&me, &file, GRACE_PASSWORD)
                .exits(0)
                .says(&["logged in"]);
            let request = format!("get -s site {}", site.page(page));
            me.run(&request).exits(0).prints(GRACE);
            me.run("check site --explain").exits(0).says(&["yes "]);
            let before = site.logins();
            site.kill_sessions();
            site.kill_tokens();
            me.run("check site --explain").exits(3);
            me.run(&request)
                .exits(0)
                .prints(GRACE)
                .says(&["logged in again"]);
            assert_eq!(site.logins(), before + 1);
            me.run("rm site").exits(0);
        });
    }
    table.done();
}

#[test]
fn the_examples_of_pools_make_pools() {
    let (site, me) = (Practice::start(), Person::new());
    let mut table = Table::new();
    for (name, pool, sessions) in [
        ("pool.toml", "shop", "2 of 2"),
        ("pool-targets.toml", "events", "2 of 2"),
    ] {
        table.row(name, || {
            let file = example(&me, name, &site.url());
            me.run(&format!("site check {}", file.display()))
                .exits(0)
                .prints("understood")
                .prints("  pool ");
            me.run(&format!("pool create {pool} --site {}", file.display()))
                .exits(0);
            let add = format!("pool account add {pool} {GRACE} --password-stdin");
            me.sessile(&add).input(GRACE_PASSWORD).run().exits(0);
            me.run(&format!("pool validate {pool}")).exits(0);
            me.run(&format!("pool status {pool}"))
                .exits(0)
                .prints(sessions);
        });
    }
    table.done();
}

#[test]
fn codes_of_a_kept_secret_are_sent_at_login_and_renewal() {
    let mut table = Table::new();
    for name in ["totp.toml", "steps"] {
        table.row(name, || {
            let (site, me) = (Practice::start(), Person::new());
            let file = match name {
                "steps" => {
                    let text = format!("base_url = \"{}\"\n{TOTP_STEPS}", site.url());
                    write(&me, "totp-steps.toml", &text)
                }
                name => example(&me, name, &site.url()),
            };
            let secret = write(&me, "secret.txt", TOTP_SECRET);
            let line = format!(
                "login bank --site {} --username {GRACE} --password-stdin --remember \
                 --otp-secret-file {}",
                file.display(),
                secret.display()
            );
            me.sessile(&line).input(GRACE_PASSWORD).run().exits(0);
            fs::remove_file(secret).unwrap();
            site.kill_sessions();
            me.run("check bank").exits(3);
            // A code is good once; the next one's time comes by the site's clock.
            site.advance(Duration::from_secs(60));
            let page = site.page("/totp/field/members");
            me.run(&format!("get -s bank {page}"))
                .exits(0)
                .prints(GRACE)
                .says(&["logged in again"]);
            assert_eq!((site.codes(), site.logins()), (2, 2));
        });
    }
    table.done();
}

#[test]
fn steps_get_their_code_from_elsewhere_too() {
    let (site, me) = (Practice::start(), Person::new());
    let text = format!("base_url = \"{}\"\n{TOTP_STEPS}", site.url());
    let file = write(&me, "totp-steps.toml", &text);
    let line = format!(
        "login bank --site {} --username {GRACE} --password-stdin",
        file.display()
    );
    let login = |more: &str| me.sessile(&format!("{line} {more}")).input(GRACE_PASSWORD);
    login("").run().exits(4).says(&["--otp-secret-file"]);
    let waiting = login("--otp-wait 60s").start();
    wait_for("a login that waits for a code", || {
        let line = format!("otp bank {}", site.code());
        (me.run(&line).code() == Some(0)).then_some(())
    });
    waiting.finish().exits(0);
    site.advance(Duration::from_secs(60));
    let command = format!("echo {}", site.code());
    login("--otp-command").argument(&command).run().exits(0);
    assert_eq!((site.codes(), site.logins()), (2, 2));
}

#[test]
fn a_file_with_a_second_factor_is_tried_and_can_have_the_device_trusted() {
    let (site, me) = (Practice::start(), Person::new());
    let file = example(&me, "totp.toml", &site.url());
    let who = format!("--username {GRACE} --password-stdin");
    let run = |line: &str| me.sessile(line).input(GRACE_PASSWORD);
    let tried = format!("site try {} {who}", file.display());
    let code = format!("echo {}", site.code());
    run(&format!("{tried} --otp-command"))
        .argument(&code)
        .run()
        .exits(0)
        .says(&["works"]);
    run(&format!("{tried} --otp-wait 1s"))
        .run()
        .exits(2)
        .says(&["--session"]);
    let login = format!("login bank --site {} {who} --remember", file.display());
    run(&format!("{login} --trust-device"))
        .run()
        .exits(2)
        .says(&["trust_device = true"]);

    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("trust_device = false", "trust_device = true");
    write(&me, "totp.toml", &text);
    site.advance(Duration::from_secs(60));
    let code = format!("echo {}", site.code());
    let login = run(&format!("{login} --otp-command"));
    login.argument(&code).run().exits(0);
    site.kill_sessions();
    me.run(&format!("get -s bank {}", site.page("/totp/field/members")))
        .exits(0)
        .says(&["logged in again"]);
    // The device was known: the renewal needed no code.
    assert_eq!((site.codes(), site.logins()), (2, 3));
}

#[test]
fn a_wrong_password_is_told_in_the_sites_own_words_and_tried_once() {
    let (site, me) = (Practice::start(), Person::new());
    let mut table = Table::new();
    for (name, words) in [
        ("form.toml", "Wrong user name or password."),
        ("json-token.toml", "invalid_credentials"),
        ("steps.toml", "Wrong user name or password."),
    ] {
        table.row(name, || {
            let file = example(&me, name, &site.url());
            let before = site.attempts();
            log_in(&me, &file, "wrong").exits(3).says(&[words]);
            assert_eq!(site.attempts(), before + 1);
        });
    }
    table.done();
    me.run("status site").exits(1);
}

#[test]
fn trying_a_file_stores_nothing_and_sees_a_check_that_tells_nothing() {
    let (site, me) = (Practice::start(), Person::new());
    let file = example(&me, "steps.toml", &site.url());
    let tried = |file: &std::path::Path, more: &str| {
        let line = format!("site try {} --username {GRACE}", file.display());
        me.sessile(&format!("{line} --password-stdin {more}"))
            .input(GRACE_PASSWORD)
            .run()
    };
    tried(&file, "")
        .exits(0)
        .says(&["1. log in", "yes ", "no ", "works"]);
    me.run("list").exits(0).says(&["no sessions"]);
    tried(&file, "--session kept").exits(0);
    me.run("check kept").exits(0);
    let report = tried(&file, "--json").exits(0).json();
    assert_eq!(report["member"]["loggedIn"], true);
    assert_eq!(report["stranger"]["loggedIn"], false);

    let text = fs::read_to_string(&file).unwrap();
    let (login, _) = text.split_once("[check]").unwrap();
    let file = write(&me, "blind.toml", &format!("{login}[check]\nurl = \"/\"\n"));
    tried(&file, "")
        .exits(1)
        .says(&["doesn't tell a member from a stranger"]);
}

/// What is wrong, the login and the check of a file, the exit code, and what is to be said of it.
const MISTAKEN: &str = r#"
    path of the login  | kind="json" url="/api/logn" body={u="{user}",p="{password}"} token="$.token" | url="/api/me" jsonpath="$.user" | 1 | /api/logn: it answered 404
    method             | kind="json" url="/members" body={u="{user}",p="{password}"} token="$.token" | url="/api/me" jsonpath="$.user"  | 1 | /members: it answered 405
    place of the token | kind="json" url="/api/login" body={user="{user}",password="{password}"} token="$.tokn" | url="/api/me" jsonpath="$.user" | 3 | nothing shows; `$.tokn` finds no token; which has; `token`; `expires_in`; site file isn't
    path of the check  | kind="json" url="/api/login" body={user="{user}",password="{password}"} token="$.token" | url="/api/mee" jsonpath="$.user" | 3 | nothing shows; /api/mee, which answered 404; [check]
    rule of the check  | kind="json" url="/api/login" body={user="{user}",password="{password}"} token="$.token" | url="/api/me" jsonpath="$.usr" | 3 | nothing shows; /api/me, which answered 200; `$.usr`
    page to ask for it | kind="basic" url="/nowhere" | url="/api/me" jsonpath="$.user" | 1 | /nowhere: it answered 404
    wrong password     | kind="json" url="/api/login" body={user="{user}",password="not {password}"} token="$.token" | url="/api/me" jsonpath="$.user" | 3 | refused the login; check user name and password
"#;

#[test]
fn a_mistake_of_the_file_is_not_put_down_to_the_credentials() {
    let (site, me) = (Practice::start(), Person::new());
    let mut table = Table::new();
    for [what, login, check, code, fragments] in Table::rows(MISTAKEN) {
        table.row(what, || {
            let lines = |keys: &str| keys.replace("\" ", "\"\n").replace("} ", "}\n");
            let text = format!(
                "base_url = \"{}\"\n[login]\n{}\n[check]\n{}\n",
                site.url(),
                lines(login),
                lines(check)
            );
            let file = write(&me, "mistaken.toml", &text);
            let line = format!("site try {} --username {GRACE}", file.display());
            let tried = me.sessile(&format!("{line} --password-stdin"));
            let fragments: Vec<&str> = fragments.split("; ").collect();
            tried
                .input(GRACE_PASSWORD)
                .run()
                .exits(code.parse().unwrap())
                .says(&fragments);
        });
    }
    table.done();
}

#[test]
fn mistakes_are_told_all_at_once() {
    let me = Person::new();
    let text = "[login]\nulr = \"https://a.test/\"\nkind = \"jsno\"\n\n[chekc]\n";
    let file = write(&me, "bad.toml", text);
    let shown = file.display();
    me.run(&format!("site check {shown}"))
        .exits(2)
        .prints_nothing()
        .says(&[
            "bad.toml:3:8",
            "`json`",
            "bad.toml:5:2",
            "`check`",
            "site-file.md",
        ]);
    let report = me
        .run(&format!("site check {shown} --json"))
        .exits(2)
        .json();
    assert_eq!(report["files"][0]["errors"][0]["line"], 3);
    me.run(&format!("login a --site {shown} --username u"))
        .exits(2)
        .says(&["jsno"]);
    me.run("site check nowhere.toml")
        .exits(2)
        .says(&["nowhere.toml"]);
    me.run("site check /dev/zero").exits(2).says(&["256 KiB"]);
}

#[test]
fn tokens_go_where_the_file_says_and_nowhere_else() {
    let (site, bin, me) = (Practice::start(), Gunicorn::httpbin(), Person::new());
    let url = site.url();
    let mut table = Table::new();
    for (into, line) in [
        ("bearer", "Authorization"),
        ("header X-Auth", "X-Auth"),
        ("cookie auth", "Cookie"),
    ] {
        table.row(into, || {
            let text = format!(
                "base_url = \"{}\"\n[login]\nkind = \"json\"\nurl = \"{url}/api/login\"\n\
                 body = {{ user = \"{{user}}\", password = \"{{password}}\" }}\n\
                 token = \"$.token\"\ninto = \"{into}\"\n",
                bin.url()
            );
            let file = write(&me, "into.toml", &text);
            log_in(&me, &file, GRACE_PASSWORD).exits(0);
            let there = me
                .run(&format!("get -s site {}/headers", bin.url()))
                .exits(0)
                .json();
            assert!(there["headers"][line].is_string(), "{there}");
            let elsewhere = me
                .run(&format!("get -s site {url}/_practice/headers"))
                .stdout();
            assert!(!elsewhere.contains(line), "{elsewhere}");
            me.run("rm site").exits(0);
        });
    }
    table.done();
}

#[test]
fn http_authentication_is_stored_without_a_site_file() {
    let (bin, me) = (Gunicorn::httpbin(), Person::new());
    let mut table = Table::new();
    for path in [
        "/basic-auth/grace/right",
        "/digest-auth/auth/grace/right/MD5",
    ] {
        table.row(path, || {
            let url = format!("{}{path}", bin.url());
            let login = |password: &str| {
                let line = format!("login site {url} --username grace --password-stdin");
                me.sessile(&line).input(password).run()
            };
            login("wrong").exits(3);
            me.run("status site").exits(1);
            login("right").exits(0);
            me.run(&format!("get -s site {url}"))
                .exits(0)
                .prints("true");
            me.run("check site").exits(0);
            me.run("rm site").exits(0);
        });
    }
    table.done();
}

#[test]
fn a_request_logs_in_by_a_file_where_that_was_not_done() {
    let (site, me) = (Practice::start(), Person::new());
    let file = example(&me, "form.toml", &site.url());
    let file = file.display();
    let by_file = format!("--site {file} --username {GRACE}");
    let line = format!("get -s shop {by_file} --password-stdin --remember /members");
    me.sessile(&line)
        .input(GRACE_PASSWORD)
        .run()
        .exits(0)
        .prints(GRACE);
    assert_eq!(site.logins(), 1);

    // From now on it is there, and renews itself.
    let again = format!("get -s shop --site {file} /members");
    me.run(&again).exits(0).prints(GRACE);
    assert_eq!(site.logins(), 1);
    site.kill_sessions();
    me.run(&again).exits(0).prints(GRACE);
    assert_eq!(site.logins(), 2);

    // The file as it is now is what counts.
    let right = example_text("form.toml", &site.url());
    write(&me, "form.toml", &right.replace("/logout", "/nowhere"));
    me.run(&again).exits(3).says(&["/nowhere"]);
    write(&me, "form.toml", &right);
    me.run(&again).exits(0).prints(GRACE);
    me.run("check shop").exits(0);

    // Without a name nothing is stored.
    let unnamed = format!("get {by_file} --password-stdin /members");
    me.sessile(&unnamed)
        .input(GRACE_PASSWORD)
        .run()
        .exits(0)
        .prints(GRACE);
    let list = me.run("list --json");
    assert_eq!(
        list.exits(0).json()["sessions"].as_array().unwrap().len(),
        1
    );

    me.run(&format!("get -s other --create {}", site.page("/")))
        .exits(0);
    me.run(&format!("get --username {GRACE} {}", site.page("/")))
        .exits(2)
        .says(&["--site"]);
    me.sessile(&format!(
        "login plain {} --username {GRACE} --password-stdin",
        site.page("/login")
    ))
    .input(GRACE_PASSWORD)
    .run()
    .exits(0);
    me.run(&format!("get -s plain --site {file} /members"))
        .exits(2)
        .says(&["without a site file", "login plain --site"]);
}
