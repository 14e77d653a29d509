//! Which request goes on which connection, and what remains of them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use sessile::session::RetryPolicy;
use sessile::transport::{ConnectOptions, Engine};
use sessile::{Error, Request, Session};

use super::server::Server;
use super::{builder, fetch, session};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn requests_look_as_they_should() {
    let server = Server::always(OK).await;
    let session = session();
    fetch(&session, &server.url("/a?b=c#d")).await.unwrap();
    let request = Request::post(server.url("/x"))
        .header("x-one", "1")
        .body("abc");
    session.send(request).await.unwrap().text().await.unwrap();
    let host = format!("127.0.0.1:{}", server.port());
    assert_eq!(
        server.requests(),
        [
            format!("GET /a?b=c HTTP/1.1\r\nhost: {host}\r\n\r\n"),
            format!("POST /x HTTP/1.1\r\nhost: {host}\r\nx-one: 1\r\ncontent-length: 3\r\n\r\nabc"),
        ]
    );
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::always(OK).await;
    let session = session();
    for _ in 0..20 {
        assert_eq!(fetch(&session, &server.url("/")).await.unwrap(), "ok");
    }
    assert_eq!((server.connections(), server.ports()), (1, 1));
    assert_eq!(session.connections(), 1);
}

#[tokio::test]
async fn many_at_once_use_as_many_as_they_need() {
    let server = Server::always(OK).await;
    let session = session();
    let url = server.url("/");
    for _ in 0..3 {
        let all = join_all((0..10).map(|_| fetch(&session, &url))).await;
        assert!(all.iter().all(Result::is_ok));
    }
    assert_eq!(server.connections(), 10);
}

#[tokio::test]
async fn a_redirect_s_connection_is_used_again() {
    let server = Server::start(|mut conn| async move {
        while let Some(request) = conn.request().await {
            let reply = match request.starts_with("GET /there ") {
                true => OK,
                false => "HTTP/1.1 302 Found\r\nlocation: /there\r\ncontent-length: 4\r\n\r\ngone",
            };
            conn.send(reply).await;
        }
    })
    .await;
    let reply = session().get(&server.url("/")).await.unwrap();
    assert_eq!(reply.url().path(), "/there");
    assert_eq!(reply.text().await.unwrap(), "ok");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_stale_connection_is_replaced_for_any_method() {
    let server = Server::once(OK).await;
    let session = session();
    for _ in 0..10 {
        let post = Request::post(server.url("/")).body("x");
        session.send(post).await.unwrap().text().await.unwrap();
        // The end is on its way and can overtake the next request or not.
        while server.open() > 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(server.connections(), 10);
    assert_eq!(server.requests().len(), 10);
}

#[tokio::test]
async fn a_server_that_says_close_is_believed() {
    let server =
        Server::always("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    let session = session();
    for _ in 0..3 {
        fetch(&session, &server.url("/")).await.unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_reply_that_is_not_read_to_its_end_ends_its_connection() {
    let server = Server::start(|mut conn| async move {
        while conn.request().await.is_some() {
            conn.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nbegin")
                .await;
        }
    })
    .await;
    let session = session();
    for count in 1..4 {
        let mut reply = session.get(&server.url("/")).await.unwrap();
        assert_eq!(reply.chunk().await.unwrap().unwrap(), "begin");
        drop(reply);
        assert_eq!(server.connections(), count);
    }
}

#[tokio::test]
async fn two_sessions_share_no_connection() {
    let server = Server::always(OK).await;
    let engine = Engine::new();
    let sessions: Vec<_> = (0..5)
        .map(|_| builder().engine(engine.clone()).build().unwrap())
        .collect();
    for session in sessions.iter().chain(&sessions) {
        fetch(session, &server.url("/")).await.unwrap();
    }
    assert_eq!((server.connections(), server.ports()), (5, 5));
    let clone = sessions[0].clone();
    fetch(&clone, &server.url("/")).await.unwrap();
    assert_eq!(server.connections(), 5);
}

#[tokio::test]
async fn a_closed_session_has_no_connection() {
    let server = Server::start(|mut conn| async move {
        conn.request().await;
        conn.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nbegin")
            .await;
        conn.wait().await;
    })
    .await;
    let engine = Engine::new();
    let session = builder().engine(engine.clone()).build().unwrap();
    let mut reply = session.get(&server.url("/")).await.unwrap();
    reply.chunk().await.unwrap();
    assert_eq!(session.connections(), 1);
    session.close();
    assert!(matches!(reply.chunk().await, Err(Error::Closed)));
    engine.wait().await;
    assert_eq!(session.connections(), 0);
    assert!(matches!(
        session.get(&server.url("/")).await,
        Err(Error::Closed)
    ));
    while server.open() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn closing_ends_requests_that_wait() {
    let server = Server::start(|mut conn| async move { conn.wait().await }).await;
    let session = builder().build().unwrap();
    let url = server.url("/");
    let waiting = session.get(&url);
    let closing = async {
        while server.connections() == 0 {
            tokio::task::yield_now().await;
        }
        session.close();
    };
    let (waited, ()) = tokio::join!(waiting, closing);
    assert!(matches!(waited, Err(Error::Closed)), "{waited:?}");
}

#[tokio::test]
async fn a_reply_outlives_its_session() {
    let server = Server::always(OK).await;
    let engine = Engine::new();
    let reply = {
        let session = builder().engine(engine.clone()).build().unwrap();
        session.get(&server.url("/")).await.unwrap()
    };
    assert_eq!(reply.text().await.unwrap(), "ok");
    engine.wait().await;
}

#[tokio::test]
async fn idle_connections_go_after_their_time() {
    let server = Server::always(OK).await;
    let engine = Engine::new();
    let sessions: Vec<_> = (0..1000)
        .map(|_| builder().engine(engine.clone()).build().unwrap())
        .collect();
    for session in &sessions[..20] {
        for _ in 0..2 {
            fetch(session, &server.url("/")).await.unwrap();
        }
    }
    let open = || sessions.iter().map(Session::connections).sum::<usize>();
    assert_eq!((open(), server.connections()), (20, 20));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(59)).await;
    settle().await;
    assert_eq!(open(), 20);
    tokio::time::advance(Duration::from_secs(2)).await;
    settle().await;
    assert_eq!(open(), 0);
    engine.wait().await;
    tokio::time::resume();
    while server.open() > 0 {
        tokio::task::yield_now().await;
    }
}

/// Lets every task that can run do so, without letting a paused clock move on.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn another_way_to_connect_leaves_the_old_connections() {
    let server = Server::always(OK).await;
    let session = session();
    let reply = session.get(&server.url("/")).await.unwrap();
    session.reconnect(ConnectOptions::default());
    // Its connection was made in the old way and isn't kept.
    reply.text().await.unwrap();
    fetch(&session, &server.url("/")).await.unwrap();
    fetch(&session, &server.url("/")).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn names_can_have_addresses_of_their_own() {
    let server = Server::always(OK).await;
    let mut options = ConnectOptions::default();
    let here = "127.0.0.1".parse().unwrap();
    // Nothing listens at the first one; the second is tried next.
    let nobody = "127.0.0.2".parse().unwrap();
    options.hosts = vec![("shop.test".to_owned(), vec![nobody, here])];
    let session = builder().connect(options).build().unwrap();
    let url = format!("http://Shop.test:{}/", server.port());
    assert_eq!(fetch(&session, &url).await.unwrap(), "ok");
    let host = format!("shop.test:{}", server.port());
    assert_eq!(
        server.requests(),
        [format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")]
    );
}

#[tokio::test]
async fn the_local_address_can_be_chosen() {
    let server = Server::start(|mut conn| async move {
        while conn.request().await.is_some() {
            let peer = conn.stream.peer_addr().unwrap().ip().to_string();
            let length = peer.len();
            conn.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{peer}"
            ))
            .await;
        }
    })
    .await;
    let mut options = ConnectOptions::default();
    options.local_address = Some("127.0.0.9".parse().unwrap());
    let session = builder().connect(options.clone()).build().unwrap();
    assert_eq!(
        fetch(&session, &server.url("/")).await.unwrap(),
        "127.0.0.9"
    );
    options.local_address = Some("::1".parse().unwrap());
    session.reconnect(options);
    let error = fetch(&session, &server.url("/")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("can't be reached from the local address ::1"),
        "{error}"
    );
}

#[tokio::test]
async fn what_was_refused_is_tried_again_on_another_connection() {
    let server = Server::start(|mut conn| async move {
        if conn.index == 0 {
            conn.request().await;
            return conn.reset();
        }
        conn.request().await;
        conn.send(OK).await;
    })
    .await;
    let mut policy = RetryPolicy::default();
    policy.pause = Duration::from_millis(1);
    let session = Arc::new(builder().retry(policy).build().unwrap());
    assert_eq!(fetch(&session, &server.url("/")).await.unwrap(), "ok");
    assert_eq!(server.requests().len(), 2);
}
