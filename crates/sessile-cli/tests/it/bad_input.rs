//! Bad input and broken surroundings: a message that says what, where and what to do, and nothing lost.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use rusqlite::Connection;

use crate::support::{Faults, Outcome, Person, Practice, Table};

/// What the member sees of the page that every test's stored session is for.
const MEMBER: &str = "Hello, <strong class=\"member\">grace</strong>";

#[test]
fn what_is_wrong_is_said_with_its_exit_code_and_the_stored_session_lives_on() {
    let (site, me) = (Practice::start(), Person::new());
    let (faults, tls) = (Faults::start(), Faults::with_tls());
    site.log_in(&me, "kept", "/login", "").exits(0);
    let login = |url: &str| format!("login kept {url} --username ada --password-stdin");
    let nobody = closed_port();
    let loops = site.page("/redirect-loop");

    let rows: &[(&str, String, i32, &[&str])] = &[
        // The way there.
        (
            "unreachable host",
            format!("get -s kept {nobody}"),
            1,
            &[&nobody, "refused"],
        ),
        (
            "login at an unreachable host",
            login(&nobody),
            1,
            &[&nobody, "refused"],
        ),
        (
            "unknown certificate",
            format!("get {}", tls.page("/hello")),
            1,
            &["certificate", "--cacert"],
        ),
        (
            "hung up",
            format!("get {}", faults.page("/hangup")),
            1,
            &["/hangup", "closed"],
        ),
        (
            "not HTTP",
            format!("get {}", faults.page("/garbage")),
            1,
            &["/garbage", "HTTP"],
        ),
        (
            "cut short",
            format!("get -s kept {}", site.page("/cut")),
            1,
            &["/cut", "cut short"],
        ),
        (
            "redirect loop",
            format!("get -s kept {loops}"),
            1,
            &["/redirect-loop", "redirect"],
        ),
        (
            "login in a redirect loop",
            login(&loops),
            1,
            &["/redirect-loop", "redirect"],
        ),
        // The page.
        (
            "no form",
            login(&site.page("/no-form")),
            1,
            &["/no-form", "form"],
        ),
        (
            "two forms, no login",
            login(&faults.page("/other-forms")),
            1,
            &["/other-forms", "2 forms"],
        ),
        (
            "form made by a script",
            login(&site.page("/js/login")),
            1,
            &["/js/login", "JavaScript"],
        ),
        (
            "wrong password",
            login(&site.page("/login")),
            3,
            &["Wrong user name or password."],
        ),
        // The command line.
        (
            "unknown session",
            "get -s nobody http://127.0.0.1/".to_owned(),
            3,
            &["nobody", "sessile login nobody", "--create"],
        ),
        (
            "check of an unknown session",
            "check nobody".to_owned(),
            3,
            &["nobody", "sessile login nobody"],
        ),
        (
            "status of an unknown session",
            "status nobody".to_owned(),
            1,
            &["nobody", "sessile list"],
        ),
        (
            "name that is none",
            "status ../kept".to_owned(),
            2,
            &["../kept"],
        ),
        (
            "bad URL",
            "get -s kept http://[::1".to_owned(),
            2,
            &["http://[::1"],
        ),
        (
            "scheme that is none of ours",
            "get gopher://127.0.0.1/".to_owned(),
            2,
            &["gopher", "http"],
        ),
        (
            "bad header",
            format!("get {} Bad\\ Name:x", faults.page("/hello")),
            2,
            &["Bad"],
        ),
        (
            "bad store",
            "list --store postgres://ada:hunter2@127.0.0.1/db".to_owned(),
            2,
            &["postgres", "sqlite:"],
        ),
        (
            "password as an argument",
            format!("login kept {loops} --username ada --password hunter2"),
            2,
            &["process list", "--password-stdin"],
        ),
    ];
    let mut table = Table::new();
    for (what, line, code, fragments) in rows {
        table.row(what, || {
            let outcome = me.sessile(line).input("not the password\n").run();
            assert!(!outcome.shown().replace(line, "").contains("hunter2"));
            outcome.exits(*code).says(fragments);
            still_a_member(&site, &me);
        });
    }
    table.done();
}

#[test]
fn a_store_that_cannot_be_used_is_said_and_left_as_it_is() {
    let site = Practice::start();
    let mut table = Table::new();
    let mut row = |what: &str, spoil: fn(&Person), fragments: &[&str]| {
        table.row(what, || {
            let me = Person::new();
            site.log_in(&me, "kept", "/login", "").exits(0);
            spoil(&me);
            let spoilt = fs::read(me.store()).unwrap();
            for line in ["clean kept", "list"] {
                me.run(line).exits(5).prints_nothing().says(fragments);
            }
            assert!(fs::read(me.store()).unwrap() == spoilt, "the file changed");
        });
    };
    row(
        "of a newer version",
        make_newer,
        &["sessile.db", "99", "newer"],
    );
    row("not a store", overwrite, &["sessile.db", "not a store"]);
    row("torn off", tear_off, &["sessile.db", "damaged"]);
    row(
        "its key lost",
        |me| fs::remove_file(key(me)).unwrap(),
        &["sessile.db", "key"],
    );
    row(
        "its key cut",
        |me| fs::write(key(me), "a1b2").unwrap(),
        &["sessile/key"],
    );
    row(
        "its key for all to read",
        |me| set_mode(&key(me), 0o644),
        &["sessile/key", "chmod 600"],
    );
    table.done();
}

#[test]
fn a_locked_store_is_waited_for_and_then_said() {
    let (site, me) = (Practice::start(), Person::new());
    site.log_in(&me, "kept", "/login", "").exits(0);
    let other = Connection::open(me.store()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    me.run("clean kept")
        .exits(5)
        .says(&["sessile.db", "locked"]);
    drop(other);
    still_a_member(&site, &me);
}

#[test]
fn a_read_only_store_is_said() {
    let (site, me) = (Practice::start(), Person::new());
    site.log_in(&me, "kept", "/login", "").exits(0);
    without_the_right_to_write(&me, "clean kept")
        .exits(5)
        .says(&["sessile.db", "permissions"]);
    still_a_member(&site, &me);
}

#[track_caller]
fn still_a_member(site: &Practice, person: &Person) {
    person
        .run(&format!("get -s kept {}", site.page("/members")))
        .exits(0)
        .prints(MEMBER);
}

/// An address of this machine where nobody listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn key(person: &Person) -> std::path::PathBuf {
    person.home().join(".config/sessile/key")
}

fn make_newer(person: &Person) {
    let store = Connection::open(person.store()).unwrap();
    store.pragma_update(None, "user_version", 99).unwrap();
}

fn overwrite(person: &Person) {
    fs::write(person.store(), "dear diary, ".repeat(1000)).unwrap();
}

fn tear_off(person: &Person) {
    let file = fs::OpenOptions::new()
        .write(true)
        .open(person.store())
        .unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Runs `sessile` where the store's file and folder are its own but not to be written.
fn without_the_right_to_write(person: &Person, line: &str) -> Outcome {
    const NOBODY: u32 = 65534;
    let folder = person.store().parent().unwrap().to_owned();
    let program = person.home().join("sessile-copy");
    fs::copy(env!("CARGO_BIN_EXE_sessile"), &program).unwrap();
    set_mode(&person.store(), 0o400);
    set_mode(&folder, 0o500);
    let invocation = person.program(&program, line);
    // Nothing is forbidden to root: it does this as somebody else.
    let outcome = if rustix::process::geteuid().is_root() {
        hand_over(person.home(), NOBODY);
        let outcome = invocation.as_user(NOBODY).run();
        hand_over(person.home(), 0);
        outcome
    } else {
        invocation.run()
    };
    set_mode(&folder, 0o700);
    set_mode(&person.store(), 0o600);
    outcome
}

/// Gives everything below a directory to another user.
fn hand_over(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            hand_over(&entry.unwrap().path(), user);
        }
    }
}
