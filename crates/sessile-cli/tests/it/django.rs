//! Against Django's admin, which was not made for us.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{ADMIN, Django, MEMBERS_PAGE, Outcome, Person};

#[test]
fn login_finds_the_form_and_any_process_is_logged_in_after_it() {
    let (django, me) = (Django::start(), Person::new());
    django.log_in(&me, "").exits(0).prints_nothing().says(&[
        "/admin/login/",
        "username",
        "password",
        "csrfmiddlewaretoken",
        "logged in as admin",
        "saved session dj",
    ]);
    sees_the_members_page(&django, &me);
    me.run("check dj --explain")
        .exits(0)
        .says(&["valid", "log out at /admin/logout/"]);
    assert_eq!(django.logins(), 1);

    let mode = me.store().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "of the store's file");
}

#[test]
fn a_wrong_password_is_told_in_the_sites_words_and_costs_nothing() {
    let (django, me) = (Django::start(), Person::new());
    django.log_in(&me, "").exits(0);
    let before = me.run("cookies dj list --show-secrets").exits(0).stdout();

    django
        .log_in_with(&me, "", "not the password")
        .exits(3)
        .prints_nothing()
        .says(&["Please enter the correct username and password"]);
    assert_eq!((django.logins(), django.refusals()), (1, 1));

    let after = me.run("cookies dj list --show-secrets").exits(0).stdout();
    assert_eq!(after, before, "the stored session's cookies");
    sees_the_members_page(&django, &me);
}

#[test]
fn a_dead_login_is_renewed_and_the_request_sent_again() {
    let (django, me) = (Django::start(), Person::new());
    django.log_in(&me, "--remember").exits(0);
    django.forget_sessions();
    let stored = me.store_files();

    get(&django, &me, "--read-only").exits(3).says(&[
        "not logged in",
        "/admin/login/",
        "read-only",
    ]);
    assert_eq!(django.logins(), 1, "a login of a read-only run");
    assert!(
        me.store_files() == stored,
        "a read-only run wrote to the store"
    );
    me.run("check dj --explain")
        .exits(3)
        .says(&["expired", "redirected to /admin/login/"]);

    get(&django, &me, "").exits(0).prints(MEMBERS_PAGE).says(&[
        "dj",
        "expired",
        "logged in again",
        "generation 2",
    ]);
    assert_eq!(django.logins(), 2);
    sees_the_members_page(&django, &me);
    assert_eq!(django.logins(), 2, "the renewed login was stored");
}

#[test]
fn without_a_remembered_password_a_dead_login_is_said_and_stays() {
    let (django, me) = (Django::start(), Person::new());
    django.log_in(&me, "").exits(0);
    django.forget_sessions();
    get(&django, &me, "")
        .exits(3)
        .says(&["dj", "not logged in", "--remember"]);
    assert_eq!(django.logins(), 1);
}

#[test]
fn twenty_processes_on_a_dead_login_log_in_once() {
    let (django, me) = (Django::start(), Person::new());
    django.log_in(&me, "--remember").exits(0);
    django.forget_sessions();

    let line = format!("get -s dj {}", django.admin());
    for outcome in me.run_at_once(20, &line) {
        outcome.exits(0).prints(MEMBERS_PAGE);
    }
    assert_eq!(
        django.logins(),
        2,
        "one login before, and one for all twenty"
    );
    assert_eq!(django.session_ids().len(), 1);
}

#[test]
fn another_key_is_said_and_changes_nothing() {
    let (django, me) = (Django::start(), Person::new());
    django.log_in(&me, "--remember").exits(0);
    let stored = me.store_files();

    let line = format!("get -s dj {}", django.admin());
    let other_key = "c5".repeat(32);
    me.sessile(&line)
        .environment("SESSILE_KEY", other_key)
        .run()
        .exits(5)
        .prints_nothing()
        .says(&["key", "sessile.db"]);
    assert!(me.store_files() == stored, "the store's files changed");
    sees_the_members_page(&django, &me);
}

#[test]
fn a_second_user_is_a_second_session() {
    let (django, me, you) = (Django::start(), Person::new(), Person::new());
    django.log_in(&me, "").exits(0);
    get(&django, &you, "")
        .exits(3)
        .says(&["dj", "sessile login"]);
    get(&django, &you, "--create").exits(0).prints("Log in");
    let status = me.run("status dj --json").exits(0).json();
    assert!(status.to_string().contains(ADMIN), "{status}");
}

fn get(django: &Django, person: &Person, options: &str) -> Outcome {
    person.run(&format!("get -s dj {} {options}", django.admin()))
}

#[track_caller]
fn sees_the_members_page(django: &Django, person: &Person) {
    get(django, person, "").exits(0).prints(MEMBERS_PAGE);
}
