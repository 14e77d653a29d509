//! The command line against the practice site: every login page, every way to die, every command.

use sessile_practice::{GRACE, GRACE_PASSWORD, LOCKED, LOCKED_PASSWORD};

use crate::support::{Faults, Person, Practice, Table};

#[test]
fn every_login_page_is_understood() {
    let (site, me) = (Practice::start(), Person::new());
    let mut table = Table::new();
    for path in [
        "/",
        "/login",
        "/members",
        "/members/plain",
        "/members/soft",
        "/meta/login",
        "/multi/login",
        "/script/login",
        "/two-forms",
        "/two-step/login",
    ] {
        table.row(path, || {
            site.log_in(&me, "site", path, "").exits(0).says(&["grace"]);
            me.run(&format!("get -s site {}", site.page("/members")))
                .exits(0)
                .prints(GRACE);
            me.run("rm site").exits(0);
        });
    }
    table.done();
}

#[test]
fn a_dead_login_is_seen_through_whatever_the_site_answers() {
    let (site, me) = (Practice::start(), Person::new());
    let mut table = Table::new();
    for path in [
        "/members",
        "/members/plain",
        "/members/soft",
        "/members/subtle",
    ] {
        table.row(path, || {
            let page = site.page(path);
            let options = format!("--remember --check {page}");
            site.log_in(&me, "site", "/login", &options).exits(0);
            me.run("check site").exits(0);
            site.kill_sessions();
            me.run("check site --explain").exits(3);
            let before = site.logins();
            me.run(&format!("get -s site {page}"))
                .exits(0)
                .prints(GRACE)
                .says(&["logged in again"]);
            assert_eq!(site.logins(), before + 1);
            me.run("check site").exits(0);
            me.run("rm site").exits(0);
        });
    }
    table.done();
}

#[test]
fn a_session_without_a_login_is_not_logged_in() {
    let (site, me) = (Practice::start(), Person::new());
    site.log_in(&me, "site", "/login", "").exits(0);
    me.run("check site").exits(0);
    me.run("clean site").exits(0);
    me.run("check site")
        .exits(3)
        .says(&["holds no login", "sessile login site"]);
}

#[test]
fn a_refused_login_stores_nothing_and_says_why() {
    let (site, me) = (Practice::start(), Person::new());
    let url = site.page("/login");
    let log_in = |user: &str, password: &str| {
        me.sessile(&format!(
            "login new {url} --username {user} --password-stdin"
        ))
        .input(password)
        .run()
    };
    log_in(GRACE, "wrong")
        .exits(3)
        .says(&["Wrong user name or password."]);
    log_in(LOCKED, LOCKED_PASSWORD).exits(3).says(&["locked"]);
    for _ in 0..4 {
        log_in(GRACE, "wrong").exits(3);
    }
    log_in(GRACE, GRACE_PASSWORD)
        .exits(3)
        .says(&["no more logins for now", "Too many attempts"]);
    me.run("status new").exits(1);
    assert_eq!(site.logins(), 0);
}

#[test]
fn the_password_comes_from_anywhere_but_an_argument() {
    let (site, me) = (Practice::start(), Person::new());
    let login = format!("login site {} --username {GRACE}", site.page("/login"));
    me.sessile(&format!("{login} --password-env SITE_PASSWORD"))
        .environment("SITE_PASSWORD", GRACE_PASSWORD)
        .run()
        .exits(0);
    std::fs::write(me.home().join("password"), GRACE_PASSWORD).unwrap();
    me.sessile(&login)
        .argument("--password-command")
        .argument("cat ~/password")
        .run()
        .exits(0);
    me.run(&login)
        .exits(2)
        .says(&["no terminal", "standard input"]);
    assert_eq!(site.logins(), 2);
}

#[test]
fn a_stored_session_can_be_looked_at_changed_and_removed() {
    let (site, me) = (Practice::start(), Person::new());
    site.log_in(&me, "site", "/login", "--remember").exits(0);
    me.run("list").exits(0).prints("site");
    let id = me.run("cookies site get session").exits(0).stdout();
    for line in ["status site", "cookies site list", "status site --json"] {
        let shown = me.run(line).exits(0).prints("session");
        assert!(!shown.stdout().contains(id.trim()), "{}", shown.shown());
    }
    me.run("status site --show-secrets")
        .exits(0)
        .prints(id.trim());

    let page = site.page("/cookies/show");
    me.run(&format!("cookies site set colour=blue --url {page}"))
        .exits(0);
    me.run(&format!("get -s site {page}"))
        .exits(0)
        .prints("colour=blue");
    me.run(&format!("cookies site explain {page}"))
        .exits(0)
        .prints("colour");
    me.run("cookies site rm colour").exits(0);
    me.run("cookies site get colour").exits(1);

    me.run("clean site").exits(0);
    me.run("cookies site get session").exits(1);
    me.run("rm site").exits(0);
    assert!(!me.run("list").exits(0).stdout().contains("site"));
}

#[test]
fn a_body_is_printed_as_it_comes() {
    let (faults, me) = (Faults::start(), Person::new());
    let mut running = me
        .sessile(&format!("get {}", faults.page("/trickle")))
        .start();
    faults.wait_until_held();
    assert_eq!(running.read(5), "first");
    faults.release();
    running.finish().exits(0).prints(", last");
}

#[test]
fn a_certificate_is_trusted_when_it_is_named() {
    let (tls, me) = (Faults::with_tls(), Person::new());
    let page = tls.page("/hello");
    let certificate = tls.certificate();
    me.run(&format!("get --cacert {} {page}", certificate.display()))
        .exits(0)
        .prints("hello");
    me.run(&format!("get --insecure {page}"))
        .exits(0)
        .prints("hello");
}

#[test]
fn profiles_are_listed_and_shown() {
    let me = Person::new();
    me.run("profile list").exits(0).prints("standard");
    let listed = me.run("profile list --json").exits(0).json();
    for profile in listed["profiles"].as_array().unwrap() {
        let name = profile["name"].as_str().unwrap();
        let shown = me
            .run(&format!("profile show {name} --json"))
            .exits(0)
            .json();
        assert_eq!(shown["name"], name);
        assert_eq!(shown["family"], profile["family"]);
        let agent = shown["headers"]["user-agent"].as_str();
        assert_eq!(agent.is_some(), name != "none", "{name}");
    }
    me.run("profile show standard")
        .exits(0)
        .prints("user-agent: sessile/");
    for name in ["firefox", "netscape"] {
        let refused = me.run(&format!("profile show {name}")).exits(2);
        refused.says(&[name, "sessile profile list"]);
    }
}
