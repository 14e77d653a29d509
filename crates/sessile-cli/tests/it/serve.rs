//! The daemon as a process: it starts, serves, streams in flat memory, keeps secrets, and ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use sessile_practice::GRACE_PASSWORD;

use crate::support::served::{Asked, Served};
use crate::support::{Person, Practice, Wire, send};

#[test]
fn a_stored_session_is_served_and_nothing_is_lost_whichever_way_it_ends() {
    let (practice, me) = (Practice::start(), Person::new());
    practice
        .log_in(&me, "site", "/login", "--remember")
        .exits(0);
    let daemon = Served::start(&me, "");
    let members = format!("/api/sessions/site/fetch?url={}", practice.page("/members"));
    assert!(daemon.ask(&members, &[]).text().contains("Hello"));
    practice.kill_sessions();
    let head = daemon.ask(&members, &["--include"]).text().to_lowercase();
    assert!(
        head.contains("sessile-generation: 2") && head.contains("sessile-from: site"),
        "{head}"
    );
    // What was acknowledged is stored: the renewed login outlives the process.
    daemon.kill();
    let again = Served::start(&me, "");
    let shown = again.ask("/api/sessions/site", &[]).json();
    assert_eq!(shown["generation"], 2, "{shown}");
    assert!(again.ask(&members, &[]).text().contains("Hello"));
    let logins = practice.logins();
    again.stop().exits(0).says(&["stopped"]);
    assert_eq!(practice.logins(), logins);
}

#[test]
fn tokens_are_made_listed_and_removed_while_it_runs() {
    let me = Person::new();
    let made = me.run("access add robot --scope read").exits(0);
    let robot = made.stdout().trim().to_owned();
    assert!(robot.starts_with("sessile_"), "{robot}");
    me.run("access add robot").exits(1).says(&["already"]);
    me.run("access add other --scope admin").exits(2);
    // There is a token, so that none is made.
    let line = "serve --listen 127.0.0.1:0 --json";
    let mut running = me.sessile(line).start();
    let mut text = String::new();
    while !text.ends_with("\n}\n") {
        text.push_str(&running.read(1));
    }
    assert!(!me.home().join(".config/sessile/token").exists());
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let url = document["listening"].as_str().unwrap().to_owned();
    let status = |path: &str| {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--header",
            "@-",
            "--write-out",
            "%{http_code}",
            "--output",
            "/dev/null",
        ]);
        curl.arg(format!("{url}{path}"));
        Asked::of(curl, &format!("Authorization: Bearer {robot}")).text()
    };
    assert_eq!(status("/api/sessions"), "200");
    me.run("access list").exits(0).prints("robot");
    me.run("access rm robot").exits(0);
    crate::support::wait_for("the token is refused", || {
        (status("/api/sessions") == "401").then_some(())
    });
    me.run("access rm robot").exits(1).says(&["no token"]);
    running.signal("TERM");
    running.finish().exits(0);
}

#[test]
fn large_bodies_pass_both_ways_in_flat_memory() {
    const SIZE: usize = 100 << 20;
    const PIECE: usize = 1 << 20;
    let site = Wire::start(|_request, stream| {
        send(
            stream,
            format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        );
        let piece = vec![b'x'; PIECE];
        for _ in 0..SIZE / PIECE {
            send(stream, &piece);
        }
    });
    let me = Person::new();
    me.run(&format!("get -s big --create {}", site.page("/small")))
        .exits(0);
    let daemon = Served::start(&me, "");
    daemon.ask("/api/sessions/big", &[]).json();
    let before = daemon.running().peak_kb();
    let down = daemon.ask(
        &format!("/api/sessions/big/fetch?url={}", site.page("/large")),
        &["--output", "/dev/null", "--write-out", "%{size_download}"],
    );
    assert_eq!(down.text(), SIZE.to_string());

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}/upload", listener.local_addr().unwrap());
    let counting = thread::spawn(move || count_upload(&listener));
    let file = me.home().join("large");
    std::fs::File::create(&file)
        .unwrap()
        .set_len(SIZE as u64)
        .unwrap();
    let up = daemon.ask(
        &format!("/api/sessions/big/fetch?url={target}"),
        &[
            "--header",
            "Expect:",
            "--request",
            "PUT",
            "--upload-file",
            &file.display().to_string(),
        ],
    );
    assert_eq!(up.text(), "done");
    assert_eq!(counting.join().unwrap(), SIZE as u64);
    let grown = daemon.running().peak_kb().saturating_sub(before);
    assert!(grown < 40 << 10, "the daemon grew by {grown} KiB");
    daemon.stop().exits(0);
}

/// Counts the bytes of one request's body, which says how long it is, and answers it.
fn count_upload(listener: &TcpListener) -> u64 {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = format!("content-length: {SIZE}\r\n");
    assert!(head.to_lowercase().contains(&length), "{head}");
    let mut body = reader.by_ref().take(SIZE as u64);
    let count = std::io::copy(&mut body, &mut std::io::sink()).unwrap();
    let mut stream = reader.into_inner();
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone")
        .unwrap();
    count
}

#[test]
fn nothing_that_it_writes_has_a_secret_in_it() {
    for options in ["-vvv", "-vvv --log-format json"] {
        let (practice, me) = (Practice::start(), Person::new());
        practice
            .log_in(&me, "site", "/login", "--remember")
            .exits(0);
        let daemon = Served::start(&me, options);
        let members = format!(
            "/api/sessions/site/fetch?url={}?secret=in-the-query",
            practice.page("/members")
        );
        daemon.ask(&members, &[]).text();
        practice.kill_sessions();
        daemon.ask(&members, &[]).text();
        let bundle = daemon.ask("/api/sessions/site/bundle", &[]).json();
        daemon
            .ask("/api/sessions/nobody/check", &["--request", "POST"])
            .text();
        let mut needles: Vec<String> = bundle["cookies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cookie| cookie["value"].as_str().unwrap().to_owned())
            .collect();
        needles.extend([
            GRACE_PASSWORD.to_owned(),
            daemon.token.clone(),
            "in-the-query".to_owned(),
        ]);
        let ended = daemon.stop().exits(0);
        assert!(ended.stderr().contains("answered"), "{}", ended.shown());
        for needle in needles {
            assert!(
                !ended.shown().contains(&needle),
                "{needle} in {}",
                ended.shown()
            );
        }
    }
}

#[test]
fn a_socket_in_the_file_system_is_served() {
    let me = Person::new();
    let socket = me.home().join("sessile.sock");
    let token = me.run("access add me --scope read").exits(0).stdout();
    let running = me
        .sessile(&format!("serve --unix {}", socket.display()))
        .start();
    let path = socket.display().to_string();
    crate::support::wait_for("the socket", || socket.exists().then_some(()));
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--header",
        "@-",
        "--unix-socket",
        &path,
        "http://sessile/api/sessions",
    ]);
    let answer = Asked::of(curl, &format!("Authorization: Bearer {}", token.trim()));
    assert_eq!(answer.json()["sessions"], serde_json::json!([]));
    me.run(&format!("serve --unix {path}"))
        .exits(1)
        .says(&["somebody listens"]);
    running.signal("TERM");
    running.finish().exits(0);
    assert!(!socket.exists());
}

#[test]
fn it_does_not_start_where_it_would_not_be_safe() {
    let me = Person::new();
    me.run("serve --listen 0.0.0.0:0")
        .exits(2)
        .says(&["TLS", "--tls-cert", "--unix"]);
    me.run("serve --listen nowhere").exits(2);
    me.run("serve --tls-cert cert.pem")
        .exits(2)
        .says(&["--tls-key"]);
    me.run("serve --listen 127.0.0.1:0 --tls-cert no.pem --tls-key no.key")
        .exits(2)
        .says(&["no.pem"]);
    // A first token that can't be written isn't made.
    me.run("serve --listen 127.0.0.1:0 --token-file /dev/null/token")
        .exits(1)
        .says(&["/dev/null/token", "--token-file"]);
    assert_eq!(me.run("access list").exits(0).stdout(), "");
    me.run(&format!(
        "serve --listen 127.0.0.1:0 --token-file {}",
        me.home().display()
    ))
    .exits(1)
    .says(&["cannot write the first token"]);
    assert_eq!(me.run("access list").exits(0).stdout(), "");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = taken.local_addr().unwrap();
    me.run(&format!("serve --listen {place}"))
        .exits(1)
        .says(&["cannot listen"]);
}
