//! Requests through a real Chromium: what only it gets, what comes back, and what is left of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use rustix::process::{Pid, Signal};
use sessile_practice::GRACE;

use crate::support::{Desk, Practice, wait_for};

#[test]
fn a_check_is_passed_in_a_browser_and_its_cookie_opens_the_page_elsewhere() {
    let (site, desk) = (Practice::start(), Desk::new());
    let page = site.page("/checked");
    desk.sessile(&format!("get --create -s web --fail {page}"))
        .run()
        .exits(1);
    let outcome = desk
        .sessile(&format!("get -s web --tier auto --json {page}"))
        .run()
        .exits(0);
    let reply = outcome.json();
    assert_eq!(reply["tier"], "browser", "{}", outcome.shown());
    assert_eq!(reply["status"], 200);
    let passed = reply["passedOver"].as_array().unwrap();
    let passed: Vec<_> = passed.iter().map(|passed| &passed["tier"]).collect();
    assert_eq!(passed, ["direct", "curl"]);
    desk.is_tidy();
    desk.sessile(&format!("get -s web --fail {page}"))
        .run()
        .exits(0)
        .prints("behind the check");
}

#[test]
fn pages_arrive_as_scripts_have_made_them_and_everything_else_as_it_came() {
    let (site, desk) = (Practice::start(), Desk::new());
    let get = |path: &str| {
        let line = format!("get --tier browser {}", site.page(path));
        desk.sessile(&line).run()
    };
    get("/js/login").exits(0).prints("type=\"password\"");
    let hello = "Authorization:Bearer x";
    let line = format!("get --tier browser {}", site.page("/echo"));
    let echoed = desk.sessile(&line).argument(hello).run().exits(0).json();
    let headers = echoed["headers"].to_string().to_lowercase();
    assert!(headers.contains("bearer x"), "{headers}");
    desk.is_tidy();
}

#[test]
fn a_body_that_is_missing_is_told_from_one_that_is_cut_short() {
    let (site, desk) = (Practice::start(), Desk::new());
    let get = |path: &str| {
        let line = format!("get --tier browser {}", site.page(path));
        desk.sessile(&line).run()
    };
    get("/cut").exits(1).says(&["cut short"]);
    get("/status/204").exits(0).prints_nothing();
    desk.is_tidy();
}

#[test]
fn a_dead_login_is_renewed_when_a_browser_finds_it() {
    let (site, desk) = (Practice::start(), Desk::new());
    site.log_in(&desk.me, "site", "/login", "--remember")
        .exits(0);
    site.kill_sessions();
    let line = format!("get -s site --tier browser {}", site.page("/members"));
    desk.sessile(&line)
        .run()
        .exits(0)
        .prints(GRACE)
        .says(&["logged in again"]);
    desk.is_tidy();
}

#[test]
fn only_pages_are_opened() {
    let (site, desk) = (Practice::start(), Desk::new());
    desk.sessile(&format!("post --tier browser {} a=b", site.page("/echo")))
        .run()
        .exits(2)
        .says(&["a browser opens pages", "POST"]);
    assert!(!site.requests().contains_key("/echo"));
    desk.is_tidy();
}

#[test]
fn without_a_browser_it_says_what_to_install() {
    let (site, desk) = (Practice::start(), Desk::new());
    let line = format!("get --tier browser {}", site.page("/"));
    desk.sessile(&line)
        .environment("SESSILE_BROWSER", "/no/such/browser")
        .run()
        .exits(1)
        .says(&["no program `/no/such/browser`", "SESSILE_BROWSER"]);
    let bare = desk.me.home().join("bin");
    fs::create_dir(&bare).unwrap();
    for program in ["sh", "rm"] {
        symlink(format!("/bin/{program}"), bare.join(program)).unwrap();
    }
    desk.sessile(&line)
        .environment("PATH", &bare)
        .run()
        .exits(1)
        .says(&["not installed", "chromium", "install Chromium"]);
    desk.is_tidy();
}

#[test]
fn what_is_no_browser_is_told_from_one() {
    let (site, desk) = (Practice::start(), Desk::new());
    let fake = desk.me.home().join("fake");
    let line = format!("get --tier browser {}", site.page("/"));
    for (script, says) in [
        ("echo 'no display' >&2; exit 1", "no display"),
        (
            "echo hello >&4; printf '\\000' >&4; cat <&3",
            "doesn't speak",
        ),
    ] {
        fs::write(&fake, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        desk.sessile(&line)
            .environment("SESSILE_BROWSER", &fake)
            .run()
            .exits(1)
            .says(&[says]);
        desk.is_tidy();
    }
}

#[test]
fn a_browser_that_is_killed_is_an_error_and_leaves_nothing() {
    ends_by(Signal::KILL, "ended before it was done");
}

#[test]
fn a_browser_that_hangs_is_an_error_and_leaves_nothing() {
    ends_by(Signal::STOP, "hasn't answered");
}

fn ends_by(signal: Signal, says: &str) {
    let (site, desk) = (Practice::start(), Desk::new());
    let line = format!("get --tier browser {}", site.page("/slow?ms=60000"));
    let running = desk.sessile(&line).start();
    wait_for("the request", || {
        site.requests().contains_key("/slow").then_some(())
    });
    desk.signal(desk.browser(), signal);
    running.finish().exits(1).says(&[says]);
    desk.is_tidy();
}

#[test]
fn a_browser_goes_when_its_user_does() {
    let (site, desk) = (Practice::start(), Desk::new());
    let line = format!("get --tier browser {}", site.page("/slow?ms=60000"));
    for (count, signal) in [(1, Signal::TERM), (2, Signal::KILL)] {
        let running = desk.sessile(&line).start();
        wait_for("the request", || {
            (site.requests().get("/slow") == Some(&count)).then_some(())
        });
        let pid = i32::try_from(running.pid()).unwrap();
        desk.signal(Pid::from_raw(pid).unwrap(), signal);
        running.finish();
        desk.becomes_tidy();
    }
}
