//! Copies, names, backups and old sessions: what is kept in order without a website.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rusqlite::Connection;

use crate::support::{Person, Practice};

#[test]
fn a_copy_is_a_session_of_its_own() {
    let (site, me) = (Practice::start(), Person::new());
    site.log_in(&me, "kept", "/login", "").exits(0);
    me.run("copy kept other").exits(0).says(&["kept", "other"]);
    let id = |name: &str| me.run(&format!("show {name} --json")).exits(0).json()["id"].clone();
    assert_ne!(id("kept"), id("other"));
    let session = me.run("cookies kept get session").exits(0).stdout();
    assert_eq!(me.run("cookies other get session").stdout(), session);
    me.run("clean other").exits(0);
    assert_eq!(me.run("cookies kept get session").stdout(), session);

    me.run("copy kept other")
        .exits(1)
        .says(&["already", "other"]);
    me.run("copy ann bob").exits(1).says(&["ann"]);
    let copied = me.run("copy kept third --json").exits(0).json();
    assert_eq!(
        (&copied["from"], &copied["to"]),
        (&"kept".into(), &"third".into())
    );
}

#[test]
fn a_renamed_session_is_still_logged_in() {
    let (site, me) = (Practice::start(), Person::new());
    site.log_in(&me, "kept", "/login", "").exits(0);
    site.log_in(&me, "second", "/login", "").exits(0);
    me.run("rename kept second")
        .exits(1)
        .says(&["already", "second"]);
    me.run("rename ann bob")
        .exits(1)
        .says(&["ann", "sessile list"]);
    me.run("rename kept ../x").exits(2).says(&["../x"]);
    let renamed = me.run("rename kept shop --json").exits(0).json();
    assert_eq!(
        (&renamed["from"], &renamed["to"]),
        (&"kept".into(), &"shop".into())
    );
    me.run("check shop").exits(0);
    me.run("check kept").exits(3);
}

#[test]
fn a_backup_brings_everything_back_and_nothing_is_replaced_unasked() {
    let (site, me) = (Practice::start(), Person::new());
    site.log_in(&me, "kept", "/login", "").exits(0);
    site.log_in(&me, "gone", "/login", "").exits(0);
    let file = me.home().join("backup");
    let shown = file.display();
    let written = me.run(&format!("backup {shown} --json")).exits(0).json();
    assert_eq!(written["sessions"], 2);
    assert_eq!(mode(&file), 0o600);
    me.run(&format!("backup {shown}"))
        .exits(1)
        .says(&["already", "backup"]);

    me.run("rm gone").exits(0);
    me.run("copy kept later").exits(0);
    let before = me.run("list --json").exits(0).stdout();
    let refused = me.run(&format!("restore {shown}")).exits(1);
    refused.says(&[
        "2 sessions",
        "`kept`, `later`",
        "nothing was changed",
        "--force",
    ]);
    assert_eq!(me.run("list --json").stdout(), before);

    let restored = me
        .run(&format!("restore {shown} --force --json"))
        .exits(0)
        .json();
    assert_eq!(
        (&restored["restored"], &restored["replaced"]),
        (&2.into(), &2.into())
    );
    me.run("check gone").exits(0);
    me.run("status later").exits(1);

    // On a machine that has the key and nothing else.
    fs::remove_dir_all(me.store().parent().unwrap()).unwrap();
    me.run(&format!("restore {shown}"))
        .exits(0)
        .says(&["restored 2 sessions"]);
    me.run("check kept").exits(0);
}

#[test]
fn a_backup_that_cannot_be_used_changes_nothing() {
    let (site, me, other) = (Practice::start(), Person::new(), Person::new());
    site.log_in(&me, "kept", "/login", "").exits(0);
    site.log_in(&other, "kept", "/login", "").exits(0);
    let foreign = other.home().join("backup");
    other.run(&format!("backup {}", foreign.display())).exits(0);
    fs::write(me.home().join("text"), "no backup ".repeat(1000)).unwrap();
    let before = me.store_files();
    for (file, fragments) in [
        (foreign, ["wrong key", "--key-file"]),
        (me.home().join("text"), ["not a store", "text"]),
        (me.home().join("nowhere"), ["no store", "nowhere"]),
    ] {
        let line = format!("restore {} --force", file.display());
        me.run(&line).exits(5).prints_nothing().says(&fragments);
    }
    assert!(me.store_files() == before, "the store changed");
    // Where there was nothing there is nothing afterwards, no key either.
    let empty = Person::new();
    empty
        .run(&format!("restore {}", me.home().join("text").display()))
        .exits(5);
    assert_eq!(fs::read_dir(empty.home()).unwrap().count(), 0);
}

#[test]
fn what_is_older_than_a_day_is_said_and_cleaned_when_asked() {
    let (site, me) = (Practice::start(), Person::new());
    site.log_in(&me, "kept", "/login", "").exits(0);
    let listed = me.run("list").exits(0);
    assert_eq!(listed.stderr(), "");
    me.run("clean --older-than")
        .exits(0)
        .says(&["nothing was changed"]);
    me.run("check kept").exits(0);

    let store = Connection::open(me.store()).unwrap();
    let older = "UPDATE record SET updated = updated - 25 * 3600 * 1000";
    assert_eq!(store.execute(older, ()).unwrap(), 1);
    me.run("list")
        .exits(0)
        .says(&["1 session last changed", "clean --older-than 24h"]);
    let listed = me.run("list --json").exits(0);
    assert_eq!(listed.json()["sessions"][0]["isOld"], true);
    assert_eq!(listed.stderr(), "");

    let cleaned = me.run("clean --older-than 0s --json").exits(0).json();
    assert_eq!(cleaned["cleaned"][0], "kept");
    me.run("check kept").exits(3);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
