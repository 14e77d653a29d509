//! Bad input and broken surroundings: a message that says what, where and what to do, and nothing lost.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use rusqlite::Connection;

use crate::support::{Faults, Outcome, Person, Practice, Table};

/// What the member sees of the page that every test's stored session is for.
const MEMBER: &str = "Hello, <strong class=\"member\">grace</strong>";

/// What is wrong, the command line, its exit code, and what is to be said of it.
///
/// `SITE`, `FAULTS`, `TLS` and `NOBODY` stand for the addresses of servers, the last of them
/// of none; `LOGIN` for a login that would replace the stored session.
const ROWS: &str = "
    The way there.
    unreachable host             | get -s kept NOBODY              | 1 | NOBODY; refused
    login at an unreachable host | LOGIN NOBODY                    | 1 | NOBODY; refused
    unknown certificate          | get TLS/hello                   | 1 | certificate; --cacert
    hung up                      | get FAULTS/hangup               | 1 | FAULTS; closed
    not HTTP                     | get FAULTS/garbage              | 1 | FAULTS; HTTP
    cut short                    | get -s kept SITE/cut            | 1 | /cut; cut short
    redirect loop                | get -s kept SITE/redirect-loop  | 1 | /redirect-loop; redirect
    login in a redirect loop     | LOGIN SITE/redirect-loop        | 1 | /redirect-loop; redirect

    The page.
    no form                      | LOGIN FAULTS/no-form            | 1 | /no-form; no form
    two forms, no login          | LOGIN FAULTS/other-forms        | 1 | /other-forms; 2 forms
    form made by a script        | LOGIN FAULTS/script-form        | 1 | /script-form; JavaScript
    wrong password               | LOGIN SITE/login                | 3 | Wrong user name or password.

    The command line.
    unknown session              | get -s ann SITE/                | 3 | ann; sessile login ann; --create
    unknown session to check     | check ann                       | 3 | ann; sessile login ann
    unknown session to show      | status ann                      | 1 | ann; sessile list
    name that is none            | status ../kept                  | 2 | ../kept
    bad URL                      | get -s kept http://[::1         | 2 | URL; IPv6
    password in the address      | get http://ada:hunter2@127.0.0.1/ | 2 | --auth-user; --auth-stdin
    scheme of another kind       | get gopher://127.0.0.1/         | 2 | gopher; http
    bad header                   | get FAULTS/hello Bad(Name):x    | 2 | Bad(Name)
    unknown store                | list --store mysql://u:hunter2@h/ | 2 | mysql; sqlite:
    password shown               | LOGIN SITE/ --password hunter2  | 2 | process list; --password-stdin
";

#[test]
fn what_is_wrong_is_said_with_its_exit_code_and_the_stored_session_lives_on() {
    let (site, me) = (Practice::start(), Person::new());
    let (faults, tls) = (Faults::start(), Faults::with_tls());
    site.log_in(&me, "kept", "/login", "").exits(0);
    let nobody = closed_port();
    let filled = |text: &str| {
        text.replace("LOGIN", "login kept --username ada --password-stdin")
            .replace("SITE", &site.page(""))
            .replace("FAULTS", &faults.page(""))
            .replace("TLS", &tls.page(""))
            .replace("NOBODY", &nobody)
    };
    let mut table = Table::new();
    for [what, line, code, fragments] in Table::rows(ROWS) {
        table.row(what, || {
            let line = filled(line);
            let outcome = me.sessile(&line).input("not the password").run();
            let beyond_the_line = outcome.shown().replace(&line, "");
            assert!(!beyond_the_line.contains("hunter2"), "{beyond_the_line}");
            let fragments = filled(fragments);
            let fragments: Vec<&str> = fragments.split("; ").collect();
            outcome.exits(code.parse().unwrap()).says(&fragments);
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
        &["sessile/key", "does not exist"],
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
        let outcome = invocation.by_user(NOBODY).run();
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

/// What the command does, its line, and its exit code where the store that is named isn't there.
const ABSENT: &str = "
    list            | list                                 | 5
    show            | status kept                          | 5
    remove          | rm kept                              | 5
    empty           | clean --all                          | 5
    rename          | rename kept other                    | 5
    cookies         | cookies kept list                    | 5
    back up         | backup HOME/saved.db                 | 5
    new key         | key rotate                           | 5
    pools           | pool list                            | 5
    state of a pool | pool status shop                     | 5
    tokens          | access list                          | 5
    check           | check kept                           | 3
    send            | get -s kept http://127.0.0.1:9/      | 3
    send many       | batch -s kept --targets HOME/targets | 3
    find media      | resolve -s kept http://127.0.0.1:9/  | 3
";

#[test]
fn a_mistyped_store_is_no_empty_one() {
    let (site, me) = (Practice::start(), Person::new());
    fs::write(me.home().join("targets"), "http://127.0.0.1:9/\n").unwrap();
    let home = me.home().display().to_string();
    let absent = me.home().join("typo/absent.db");
    let named = format!("--store sqlite:{}", absent.display());
    let mut table = Table::new();
    for [what, line, code] in Table::rows(ABSENT) {
        table.row(what, || {
            me.run(&format!("{} {named}", line.replace("HOME", &home)))
                .exits(code.parse().unwrap())
                .prints_nothing()
                .says(&["no store at", "absent.db", "--store", "sessile login"]);
            assert!(!absent.parent().unwrap().exists(), "made by {line}");
        });
    }
    table.done();
    me.sessile("list")
        .environment("SESSILE_STORE", format!("sqlite:{}", absent.display()))
        .run()
        .exits(5);
    // Whoever writes makes it, and where it is by default an empty one is no mistake.
    site.log_in(&me, "kept", "/login", &named).exits(0);
    me.run(&format!("list {named}")).exits(0).prints("kept");
    me.run("list").exits(0).says(&["no sessions"]);
}
