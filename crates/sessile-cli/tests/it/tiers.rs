//! The ways to send a request, from the command line: directly, by the system's curl, or by both.

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::support::servers::{Serves, microsocks, nginx};
use crate::support::{Person, Wire, send};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nin\n";
const CHALLENGE: &str = "HTTP/1.1 403 Forbidden\r\ncf-mitigated: challenge\r\n\
                         content-length: 0\r\nconnection: close\r\n\r\n";
const BLOCKED: &str =
    "HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno\n";

/// A site that refuses the first so many requests.
fn refusing(refusal: &'static str, times: usize) -> Wire {
    let seen = AtomicUsize::new(0);
    Wire::start(move |_request, stream| {
        let is_refused = seen.fetch_add(1, Ordering::SeqCst) < times;
        send(stream, if is_refused { refusal } else { OK }.as_bytes());
    })
}

#[test]
fn each_way_sends_the_same_request() {
    let (site, me) = (Wire::always(OK), Person::new());
    for tier in ["direct", "curl", "auto"] {
        let url = site.page(&format!("/{tier}?a=1"));
        let line = format!("post --json --tier {tier} {url} X-Key:k name=value");
        let reply = me.run(&line).exits(0).json();
        let expected = if tier == "curl" { "curl" } else { "direct" };
        assert_eq!(reply["tier"], expected, "{reply}");
    }
    let heads: Vec<_> = site.requests().into_iter().map(|(_, text)| text).collect();
    for (tier, sent) in ["direct", "curl", "auto"].iter().zip(&heads) {
        let lower = sent.replace(tier, "TIER").to_lowercase();
        assert_eq!(lower, heads[0].replace("direct", "TIER").to_lowercase());
        assert!(
            lower.contains("x-key: k\r\n") && !lower.contains("curl"),
            "{sent}"
        );
    }
}

#[test]
fn a_refused_request_goes_by_curl_and_goes_there_at_once_the_next_time() {
    let (site, me) = (refusing(CHALLENGE, 1), Person::new());
    let url = site.page("/");
    let reply = me.run(&format!("get --tier auto {url}")).exits(0);
    reply.prints("in").says(&["direct: challenged: Cloudflare"]);
    assert_eq!(site.requests().len(), 2);
    let (site, me) = (refusing(BLOCKED, 1), Person::new());
    let line = format!("get --tier auto --json {}", site.page("/"));
    let reply = me.run(&line).exits(0).json();
    assert_eq!(reply["tier"], "curl", "{reply}");
    assert_eq!(reply["passedOver"][0]["tier"], "direct", "{reply}");
}

#[test]
fn where_no_way_serves_the_exit_code_says_so() {
    let (site, me) = (refusing(CHALLENGE, 99), Person::new());
    for tier in ["direct", "curl", "auto"] {
        let line = format!("get --tier {tier} {}", site.page("/"));
        me.run(&line).exits(4).says(&["a person has to pass it"]);
    }
    let site = refusing(BLOCKED, 99);
    for tier in ["direct", "curl", "auto"] {
        let line = format!("get --fail --tier {tier} {}", site.page("/"));
        me.run(&line).exits(1).says(&["403"]);
    }
}

#[test]
fn a_refused_post_is_not_sent_twice() {
    let (site, me) = (refusing(CHALLENGE, 1), Person::new());
    let line = format!("post --tier auto {} a=1", site.page("/"));
    let outcome = me.run(&line).exits(4);
    outcome.says(&["curl: not tried, since what was asked could be done twice"]);
    assert_eq!(site.requests().len(), 1);
    me.run(&format!("post --tier curl {} a=1", site.page("/")))
        .exits(0)
        .prints("in");
}

#[test]
fn a_machine_without_curl_says_what_is_missing() {
    let (site, me) = (refusing(BLOCKED, 99), Person::new());
    let without = |tier: &str| {
        let line = format!("get --fail --tier {tier} {}", site.page("/"));
        me.sessile(&line).environment("PATH", "/nowhere").run()
    };
    without("curl")
        .exits(1)
        .prints_nothing()
        .says(&["`curl` failed: it is not installed", "install curl"]);
    assert_eq!(site.requests().len(), 0);
    without("auto").exits(1).prints("no").says(&[
        "curl: the program `curl` failed: it is not installed",
        "403",
    ]);
    assert_eq!(site.requests().len(), 1);
}

#[test]
fn curl_goes_through_the_same_proxies() {
    let (nginx, me) = (nginx(), Person::new());
    let socks = microsocks(Serves::Everybody);
    let page = format!("http://localhost:{}/", nginx.port(0));
    for kind in ["socks5", "socks5h"] {
        let proxy = format!("{kind}://127.0.0.1:{}", socks.port(0));
        let line = format!("get --tier curl --proxy {proxy} {page}");
        me.run(&line).exits(0).prints("HTTP/1.1");
        // The proxy is told the name where it is to look it up.
        let name = if kind == "socks5h" {
            "localhost"
        } else {
            "127.0.0.1"
        };
        let heard = format!("connected to {name}:{}", nginx.port(0));
        assert!(
            socks.output().contains(&heard),
            "{heard}: {}",
            socks.output()
        );
    }
    let refused = "get --tier curl --proxy socks5://127.0.0.1:1 http://127.0.0.1:9/";
    me.run(refused).exits(1).says(&["proxy", "whether it runs"]);
}

/// How large the body is that is read slowly.
const LARGE: usize = 100 << 20;

/// How much memory it may take, most of it the program itself as it is built for tests.
const FLAT_KB: u64 = 64 << 10;

#[test]
fn a_large_body_waits_for_its_reader() {
    let (stopped, has_stopped) = mpsc::channel();
    let stopped = Mutex::new(stopped);
    let site = Wire::start(move |_request, stream| {
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\nconnection: close\r\n\r\n");
        send(stream, head.as_bytes());
        let mut left = LARGE;
        // Stops when nobody takes any more, or when everything is sent; then it goes on.
        stream
            .set_write_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        left -= written(stream, left);
        stopped.lock().unwrap().send(left).unwrap();
        stream.set_write_timeout(None).unwrap();
        written(stream, left);
    });
    let me = Person::new();
    for tier in ["direct", "curl"] {
        let line = format!("get --tier {tier} {}", site.page("/"));
        let mut running = me.sessile(&line).start();
        running.read(1);
        has_stopped.recv_timeout(Duration::from_secs(30)).unwrap();
        let peak = running.peak_kb();
        assert!(peak < FLAT_KB, "{tier}: {peak} KB");
        let outcome = running.finish().exits(0);
        assert_eq!(outcome.stdout_bytes().len(), LARGE - 1);
    }
}

/// Writes so many bytes, or as many as are taken.
fn written(stream: &mut std::net::TcpStream, count: usize) -> usize {
    let piece = vec![b'x'; 1 << 16];
    let mut done = 0;
    while done < count {
        match stream.write(&piece[..piece.len().min(count - done)]) {
            Ok(length) => done += length,
            Err(_) => break,
        }
    }
    done
}
