//! Manners towards hosts, kept by processes that share nothing but a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{Person, Practice, Table, Wire, send, stopwatch};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

#[test]
fn processes_keep_one_rate() {
    let (site, me) = (Wire::always(OK), Person::new());
    me.run(&format!("get -s shared --create {}", site.page("/")))
        .exits(0);
    let start = stopwatch();
    thread::scope(|scope| {
        for number in 0..10 {
            let (site, me) = (&site, &me);
            // With one session, with sessions of their own, and without any.
            let session = match number % 3 {
                0 => "-s shared".to_owned(),
                1 => format!("--create -s own{number}"),
                _ => String::new(),
            };
            scope.spawn(move || {
                for _ in 0..5 {
                    let line = format!("get --rate 20/s {session} {}", site.page("/"));
                    me.run(&line).exits(0).prints("ok");
                }
            });
        }
    });
    let seen = site.requests();
    let last = seen.iter().map(|(at, _)| *at).max().unwrap();
    assert_eq!(seen.len(), 51);
    // 50 requests have 49 spaces of 50 ms between them.
    let least = Duration::from_millis(49 * 50);
    assert!(last - start >= least, "{:?}", last - start);
}

#[test]
fn processes_wait_for_each_other_where_few_may_run() {
    let me = Person::new();
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let counts = (Arc::clone(&running), Arc::clone(&most));
    let site = Wire::start(move |_request, stream| {
        let (running, most) = &counts;
        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // Long enough for others to come, were they let.
        thread::sleep(Duration::from_millis(50));
        running.fetch_sub(1, Ordering::SeqCst);
        send(stream, OK.as_bytes());
    });
    let line = format!("get --concurrency 2 {}", site.page("/"));
    for outcome in me.run_at_once(8, &line) {
        outcome.exits(0).prints("ok");
    }
    let most = most.load(Ordering::SeqCst);
    assert!((1..=2).contains(&most), "{most} at once");
}

#[test]
fn a_pause_that_a_host_asks_for_holds_for_all_processes() {
    let me = Person::new();
    let site = Wire::start(|request, stream| {
        let pause = if request.starts_with("GET /busy") {
            "3"
        } else {
            "3600"
        };
        let head = "HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\nconnection: close\r\n";
        send(
            stream,
            format!("{head}retry-after: {pause}\r\n\r\n").as_bytes(),
        );
    });
    let page = site.page("/long");
    me.run(&format!("get --rate 100/s {page}")).exits(0);
    let refused = me.run(&format!("get --rate 100/s {page}")).exits(1);
    refused.says(&["asks to be left alone for 3", "try again"]);
    let refused = me
        .run(&format!("get --concurrency 3 --json {page}"))
        .exits(1);
    assert!(
        refused.stderr().contains("\"holdOff\""),
        "{}",
        refused.shown()
    );
    assert_eq!(site.requests().len(), 1);
    // Whoever wants to ask all the same may.
    me.run(&format!("get {page}")).exits(0);
    me.run(&format!("get -s shop --create {page}")).exits(0);
    me.run("status shop").exits(0).prints("left alone for 3");
    let shown = me.run("status shop --json").exits(0).json();
    assert!(
        shown["hostLimits"]["pauseMs"].as_u64().unwrap() > 3_000_000,
        "{shown}"
    );
    // Which hosts those are is nobody's business, and they are no sessions.
    let host = site.page("").replace("http://", "");
    for (name, bytes) in me.store_files() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&host), "{name}");
    }
    let list = me.run("list --json").exits(0).json();
    assert_eq!(list["sessions"].as_array().unwrap().len(), 1, "{list}");
    me.run("key rotate").exits(0);
    me.run(&format!("get --rate 100/s {page}")).exits(1);
}

const ROBOTS: &str = "User-agent: *\nDisallow: /private\nCrawl-delay: 1\n";

#[test]
fn robots_txt_is_obeyed_when_asked_for() {
    let me = Person::new();
    let site = Wire::start(|request, stream| {
        let body = if request.starts_with("GET /robots.txt ") {
            ROBOTS
        } else {
            "page"
        };
        let length = body.len();
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:";
        send(stream, format!("{head} {length}\r\n\r\n{body}").as_bytes());
    });
    let (open, private) = (site.page("/news"), site.page("/private/1"));
    me.run(&format!("get --robots {private}"))
        .exits(1)
        .says(&["robots.txt doesn't allow", "(line 2)"]);
    me.run(&format!("get {private}")).exits(0).prints("page");
    let start = stopwatch();
    me.run(&format!("get --robots {open}"))
        .exits(0)
        .prints("page");
    me.run(&format!("get --robots -v {open}"))
        .exits(0)
        .says(&["waiting for the next request's turn"]);
    // The file and the page, twice: one space at least lies between them.
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_kept_session_has_manners_when_it_logs_in_again() {
    let (site, me) = (Practice::start(), Person::new());
    site.log_in(&me, "site", "/login", "--remember").exits(0);
    let page = site.page("/members");
    let mut table = Table::new();
    for options in [
        "--rate 50/s",
        "--concurrency 1",
        "--rate 50/s --concurrency 1",
    ] {
        table.row(options, || {
            site.kill_sessions();
            me.run(&format!("get -s site {options} {page}"))
                .exits(0)
                .says(&["logged in again"]);
        });
    }
    table.done();
}
