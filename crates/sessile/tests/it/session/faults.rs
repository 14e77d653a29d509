//! Servers and networks that fail: what the error says, whose fault it is, what to do.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use sessile::session::RetryPolicy;
use sessile::transport::Patience;
use sessile::{Blame, Error, Obstacle, Phase, Request};
use tokio::net::TcpListener;

use super::server::Server;
use super::{builder, fetch, session, shown};

/// What a server sends for a request, and what comes of it.
#[track_caller]
fn check(error: &Error, port: u16, text: &str, blame: Blame, is_retry_sensible: bool) {
    assert_eq!(shown(error, port), text);
    assert_eq!(error.blame(), blame, "{error}");
    assert_eq!(error.is_retry_sensible(), is_retry_sensible, "{error}");
}

#[tokio::test]
async fn bad_bytes_are_the_server_s_fault() {
    let many = "a: b\r\n".repeat(200);
    let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(600_000));
    for (reply, what) in [
        (
            "SSH-2.0-OpenSSH\r\n\r\n".to_owned(),
            "invalid HTTP version parsed",
        ),
        (
            "HTTP/1.1 99 Low\r\n\r\n".to_owned(),
            "invalid HTTP status-code parsed",
        ),
        (
            "HTTP/1.1 200 OK\r\nbad header\r\n\r\n".to_owned(),
            "invalid HTTP header parsed",
        ),
        (
            "HTTP/1.1 200 OK\r\na\0: b\r\n\r\n".to_owned(),
            "invalid HTTP header parsed",
        ),
        (
            format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
            "message head is too large",
        ),
        (long, "message head is too large"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(),
            "invalid content-length parsed",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n".to_owned(),
            "error reading a body from connection: Invalid chunk size line: missing size digit",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_owned(),
            "invalid content-length parsed",
        ),
    ] {
        let server = Server::once(reply).await;
        let error = fetch(&session(), &server.url("/")).await.unwrap_err();
        let text = format!("http://127.0.0.1:PORT doesn't speak HTTP as it should: {what}");
        assert!(shown(&error, server.port()).starts_with(&text), "{error}");
        check(
            &error,
            server.port(),
            &shown(&error, server.port()),
            Blame::Server,
            false,
        );
    }
}

#[tokio::test]
async fn a_server_that_closes_without_a_reply_has_seen_the_request() {
    for part in ["", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nserver: x\r\n"] {
        let server = Server::once(part).await;
        let error = fetch(&session(), &server.url("/")).await.unwrap_err();
        assert!(
            matches!(error, Error::Disconnect { sent: true, .. }),
            "{error:?}"
        );
        let text = "http://127.0.0.1:PORT closed the connection before it replied: \
            connection closed before message completed";
        check(&error, server.port(), text, Blame::Network, true);
    }
}

#[tokio::test]
async fn a_reset_before_and_after_the_request() {
    let server = Server::start(|mut conn| async move {
        if conn.index > 0 {
            conn.request().await;
        }
        conn.reset();
    })
    .await;
    for _ in 0..2 {
        let error = fetch(&session(), &server.url("/")).await.unwrap_err();
        assert!(matches!(error, Error::Disconnect { .. }), "{error:?}");
        assert_eq!(error.blame(), Blame::Network);
        assert!(error.is_retry_sensible());
    }
}

#[tokio::test]
async fn a_post_that_arrived_is_never_repeated() {
    let server = Server::start(|mut conn| async move {
        if conn
            .request()
            .await
            .is_some_and(|request| request.ends_with("first"))
        {
            conn.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await;
            conn.request().await;
        }
        conn.reset();
    })
    .await;
    let mut policy = RetryPolicy::default();
    policy.pause = Duration::from_millis(1);
    let session = builder().retry(policy).build().unwrap();
    // On a new connection.
    let error = session
        .send(Request::post(server.url("/")).body("x"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Disconnect { sent: true, .. }),
        "{error:?}"
    );
    // On one that was used before.
    session
        .send(Request::post(server.url("/")).body("first"))
        .await
        .unwrap();
    let error = session
        .send(Request::post(server.url("/")).body("y"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Disconnect { sent: true, .. }),
        "{error:?}"
    );
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_body_that_goes_on_past_its_length_fails_the_request() {
    let server = Server::always("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    for pieces in [&["abcde", "fgh"][..], &["abc", "defgh"], &["abc"]] {
        let pieces = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        let body = stream::iter(pieces.collect::<Vec<_>>()).boxed();
        let request = Request::post(server.url("/")).stream_of_length(body, 5);
        let error = session().send(request).await.unwrap_err();
        assert!(matches!(error, Error::BadRequest { .. }), "{error:?}");
    }
    assert_eq!(server.requests(), [""; 0]);
}

#[tokio::test]
async fn a_reply_that_is_cut_short_says_so() {
    for (reply, what) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
            "end of file before message length reached",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "unexpected EOF during chunk size line",
        ),
    ] {
        let server = Server::once(reply).await;
        let error = fetch(&session(), &server.url("/a?b=secret"))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::CutShort { .. }), "{error:?}");
        let text = format!(
            "the reply of http://127.0.0.1:PORT/a?b=… was cut short: error reading a body from connection: {what}"
        );
        check(&error, server.port(), &text, Blame::Server, true);
    }
}

#[tokio::test]
async fn more_bytes_than_announced_reach_nobody() {
    let server = Server::start(|mut conn| async move {
        conn.request().await;
        let smuggled = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad";
        conn.send(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok{smuggled}"
        ))
        .await;
        conn.wait().await;
    })
    .await;
    let session = session();
    for _ in 0..3 {
        assert_eq!(fetch(&session, &server.url("/")).await.unwrap(), "ok");
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_server_that_dawdles_runs_out_of_time() {
    let server = Server::start(|mut conn| async move {
        conn.request().await;
        conn.send("HTTP/1.1 200 OK\r\n").await;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            conn.send("a: b\r\n").await;
        }
    })
    .await;
    let error = fetch(&session(), &server.url("/")).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::TimeOut {
                phase: Phase::Read,
                ..
            }
        ),
        "{error:?}"
    );
    let text = "http://127.0.0.1:PORT/: waiting for the reply took longer than 300ms";
    check(&error, server.port(), text, Blame::Network, true);
}

#[tokio::test]
async fn a_body_that_stops_runs_out_of_time() {
    let server = Server::start(|mut conn| async move {
        conn.request().await;
        conn.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
            .await;
        conn.wait().await;
    })
    .await;
    let session = session();
    let mut reply = session.get(&server.url("/")).await.unwrap();
    assert_eq!(reply.chunk().await.unwrap().unwrap(), "abc");
    let error = reply.chunk().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::TimeOut {
                phase: Phase::Read,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_body_that_drips_runs_into_the_whole_limit() {
    let server = Server::start(|mut conn| async move {
        conn.request().await;
        conn.send("HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
            .await;
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            conn.send("x").await;
        }
    })
    .await;
    let request = Request::get(server.url("/")).timeout(Duration::from_millis(200));
    let reply = session().send(request).await.unwrap();
    let error = reply.text().await.unwrap_err();
    let text = "http://127.0.0.1:PORT/: the whole exchange took longer than 200ms";
    check(&error, server.port(), text, Blame::Network, true);
}

#[tokio::test]
async fn hosts_that_are_not_there() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = unused.local_addr().unwrap().port();
    drop(unused);
    let error = fetch(&session(), &format!("http://127.0.0.1:{port}/"))
        .await
        .unwrap_err();
    let text = "can't connect to http://127.0.0.1:PORT: connection refused (Connection refused (os error 111))";
    check(&error, port, text, Blame::Network, true);

    let error = fetch(&session(), "http://nowhere.invalid/")
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Connect {
                obstacle: Obstacle::NoSuchHost,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(!error.is_retry_sensible());
}

#[tokio::test]
async fn connecting_has_a_limit() {
    // A listener whose queue is full answers no connection.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let _first = tokio::net::TcpStream::connect(address).await.unwrap();
    let patience = Patience {
        connect: Duration::from_millis(100),
        ..Patience::default()
    };
    let session = builder().patience(patience).build().unwrap();
    let url = format!("http://{address}/");
    let error = fetch(&session, &url).await.unwrap_err();
    let text = "http://127.0.0.1:PORT: connecting took longer than 100ms";
    check(&error, address.port(), text, Blame::Network, true);
    assert_eq!(session.connections(), 0);
}

#[tokio::test]
async fn an_address_that_is_too_long_is_said() {
    let url = format!("http://127.0.0.1:1/{}", "x".repeat(70_000));
    let error = fetch(&session(), &url).await.unwrap_err();
    check(
        &error,
        0,
        "the URL is longer than 64 KB",
        Blame::Caller,
        false,
    );
}
