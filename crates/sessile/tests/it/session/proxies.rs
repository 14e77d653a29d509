//! Sessions through proxies, which are played byte by byte or pass bytes on.

use sessile::session::SessionBuilder;
use sessile::transport::ConnectOptions;
use sessile::{Error, Obstacle, Request, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use super::server::{Conn, Server};
use super::tls::{Authority, secure_server};
use super::{builder, fetch, shown};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn through(proxy: &str) -> SessionBuilder {
    let mut options = ConnectOptions::default();
    options.proxy = Some(proxy.parse().unwrap());
    builder().connect(options)
}

fn session(proxy: &str) -> Session {
    through(proxy).build().unwrap()
}

/// Asserts what stood in the way, in words without ports.
#[track_caller]
fn check(error: &Error, proxy: &Server, expected: Obstacle, text: &str) {
    let Error::Connect { obstacle, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(*obstacle, expected);
    assert_eq!(shown(error, proxy.port()), text);
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn a_plain_request_names_the_whole_url() {
    let proxy = Server::always(OK).await;
    let url = format!("http://ada:s3cret@127.0.0.1:{}", proxy.port());
    let session = session(&url);
    for _ in 0..2 {
        let text = fetch(&session, "http://user:pw@nowhere.test/a?b=1#c").await;
        assert_eq!(text.unwrap(), "ok");
    }
    assert_eq!(
        proxy.requests()[1],
        "GET http://nowhere.test/a?b=1 HTTP/1.1\r\nhost: nowhere.test\r\n\
         proxy-authorization: Basic YWRhOnMzY3JldA==\r\n\r\n"
    );
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn what_cannot_be_repeated_has_a_connection_to_the_proxy_of_its_own() {
    let proxy = Server::always(OK).await;
    let session = session(&format!("http://127.0.0.1:{}", proxy.port()));
    for (request, connections) in [
        (Request::get("http://nowhere.test/"), 1),
        (Request::get("http://nowhere.test/"), 1),
        (Request::post("http://nowhere.test/"), 2),
        (Request::put("http://nowhere.test/"), 2),
    ] {
        let reply = session.send(request).await.unwrap();
        assert_eq!(reply.text().await.unwrap(), "ok");
        assert_eq!(proxy.connections(), connections);
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_refuses() {
    let reply = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    let proxy = Server::always(reply).await;
    let url = format!("http://ada:s3cret@127.0.0.1:{}", proxy.port());
    let error = fetch(&session(&url), "http://nowhere.test/")
        .await
        .unwrap_err();
    let text = "can't connect to http://nowhere.test:80: the proxy refuses \
        (it answered 407 Proxy Authentication Required)";
    check(&error, &proxy, Obstacle::ProxyRefused, text);
    assert!(!error.is_retry_sensible());

    let error = fetch(&session(&url), "https://nowhere.test/")
        .await
        .unwrap_err();
    let text = "can't connect to https://nowhere.test:443: the proxy refuses \
        (http://127.0.0.1:PORT: it answered 407 Proxy Authentication Required)";
    check(&error, &proxy, Obstacle::ProxyRefused, text);
    assert_eq!(
        proxy.requests()[1],
        "CONNECT nowhere.test:443 HTTP/1.1\r\nhost: nowhere.test:443\r\n\
         proxy-authorization: Basic YWRhOnMzY3JldA==\r\n\r\n"
    );
}

#[tokio::test]
async fn a_proxy_that_fails_says_how() {
    for (reply, how) in [
        (
            "HTTP/1.1 502 Bad Gateway\r\n\r\n",
            "it answered 502 Bad Gateway",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\nHTTP",
            "it sent bytes before it was asked",
        ),
        ("", "connection closed before message completed"),
        ("SSH-2.0\r\n\r\n", "invalid HTTP version parsed"),
    ] {
        let proxy = Server::once(reply).await;
        let url = format!("http://127.0.0.1:{}", proxy.port());
        let error = fetch(&session(&url), "https://nowhere.test/")
            .await
            .unwrap_err();
        let text = format!(
            "can't connect to https://nowhere.test:443: the proxy failed (http://127.0.0.1:PORT: {how})"
        );
        check(&error, &proxy, Obstacle::Proxy, &text);
        assert!(error.is_retry_sensible());
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there() {
    for kind in ["http", "socks5", "socks5h"] {
        let error = fetch(
            &session(&format!("{kind}://127.0.0.1:1")),
            "http://127.0.0.1:9/",
        )
        .await;
        let error = error.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "can't connect to http://127.0.0.1:9: the proxy failed ({kind}://127.0.0.1:1: \
                 connection refused (Connection refused (os error 111)))"
            )
        );
    }
}

#[tokio::test]
async fn https_goes_through_a_tunnel() {
    let authority = Authority::new();
    let server = secure_server(&authority, &["h2", "http/1.1"]).await;
    let target = server.port();
    let proxy = Server::start(move |mut conn| async move {
        if conn.request().await.is_some() {
            conn.send("HTTP/1.1 200 Connection established\r\n\r\n")
                .await;
            pass_on(conn, target).await;
        }
    })
    .await;
    let mut options = ConnectOptions::default();
    options.tls = authority.options();
    options.proxy = Some(
        format!("http://127.0.0.1:{}", proxy.port())
            .parse()
            .unwrap(),
    );
    let session = builder().connect(options.clone()).build().unwrap();
    for _ in 0..3 {
        let text = fetch(&session, "https://shop.test/").await.unwrap();
        assert_eq!(text, "HTTP/2.0 shop.test /");
    }
    assert_eq!((proxy.connections(), server.connections()), (1, 1));
    // Another proxy, or none, is another way: the tunnel isn't used again.
    session.reconnect(options);
    fetch(&session, "https://shop.test/").await.unwrap();
    assert_eq!((proxy.connections(), server.connections()), (2, 2));
}

async fn pass_on(mut conn: Conn, port: u16) {
    let mut there = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let _ended = copy_bidirectional(&mut conn.stream, &mut there).await;
}

/// A SOCKS 5 proxy that passes everything on to one port; `notes` says what it was asked.
async fn socks(conn: &mut Conn, reply: u8) -> Option<String> {
    let stream = &mut conn.stream;
    let methods = usize::from(*bytes(stream, 2).await?.last()?);
    let methods = bytes(stream, methods).await?;
    let mut notes = String::new();
    if methods.contains(&2) {
        stream.write_all(&[5, 2]).await.unwrap();
        let user = usize::from(*bytes(stream, 2).await?.last()?);
        let user = bytes(stream, user).await?;
        let password = usize::from(bytes(stream, 1).await?[0]);
        let password = bytes(stream, password).await?;
        let is_right = (&*user, &*password) == (b"ada", b"s3cret");
        stream.write_all(&[1, u8::from(!is_right)]).await.unwrap();
        if !is_right {
            return None;
        }
        notes.push_str("ada ");
    } else {
        stream.write_all(&[5, 0]).await.unwrap();
    }
    let request = bytes(stream, 4).await?;
    let host = match request[3] {
        1 => bytes(stream, 4)
            .await?
            .iter()
            .map(u8::to_string)
            .collect::<Vec<_>>()
            .join("."),
        _ => {
            let length = usize::from(bytes(stream, 1).await?[0]);
            String::from_utf8(bytes(stream, length).await?).unwrap()
        }
    };
    let port = bytes(stream, 2).await?;
    notes.push_str(&format!(
        "{host}:{}",
        u16::from_be_bytes([port[0], port[1]])
    ));
    stream
        .write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    (reply == 0).then_some(notes)
}

async fn bytes(stream: &mut TcpStream, count: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

/// A SOCKS proxy behind which every server says what the proxy was asked for.
async fn telling_socks() -> Server {
    Server::start(|mut conn| async move {
        let Some(notes) = socks(&mut conn, 0).await else {
            return;
        };
        while conn.request().await.is_some() {
            let length = notes.len();
            conn.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{notes}"
            ))
            .await;
        }
    })
    .await
}

#[tokio::test]
async fn socks_is_told_a_name_or_an_address() {
    let proxy = telling_socks().await;
    let port = proxy.port();
    let by_name = session(&format!("socks5h://127.0.0.1:{port}"));
    assert_eq!(
        fetch(&by_name, "http://nowhere.test/").await.unwrap(),
        "nowhere.test:80"
    );
    assert_eq!(
        fetch(&by_name, "http://nowhere.test/").await.unwrap(),
        "nowhere.test:80"
    );
    assert_eq!(proxy.connections(), 1);

    let by_address = session(&format!("socks5://ada:s3cret@127.0.0.1:{port}"));
    let text = fetch(&by_address, "http://127.0.0.3:81/").await.unwrap();
    assert_eq!(text, "ada 127.0.0.3:81");
    let mut options = ConnectOptions::default();
    options.proxy = Some(format!("socks5://127.0.0.1:{port}").parse().unwrap());
    options.hosts = vec![("shop.test".to_owned(), vec!["127.0.0.4".parse().unwrap()])];
    by_address.reconnect(options);
    assert_eq!(
        fetch(&by_address, "http://shop.test/").await.unwrap(),
        "127.0.0.4:80"
    );
    // The target's host is what the request says, whoever passes it on.
    assert!(proxy.requests()[3].contains("host: shop.test\r\n"));
}

#[tokio::test]
async fn socks_refusals_are_told() {
    for (url, reply, obstacle, how) in [
        (
            "socks5h://ada:wrong-s3cret@",
            0,
            Obstacle::ProxyRefused,
            "Password auth failure, code: 1",
        ),
        (
            "socks5h://",
            2,
            Obstacle::ProxyRefused,
            "Connection not allowed by ruleset",
        ),
        ("socks5h://", 5, Obstacle::Proxy, "Connection refused"),
    ] {
        let proxy = Server::start(move |mut conn| async move {
            socks(&mut conn, reply).await;
        })
        .await;
        let url = format!("{url}127.0.0.1:{}", proxy.port());
        let error = fetch(&session(&url), "http://nowhere.test/")
            .await
            .unwrap_err();
        let text = format!(
            "can't connect to http://nowhere.test:80: {obstacle} (socks5h://127.0.0.1:PORT: {how})"
        );
        check(&error, &proxy, obstacle, &text);
    }
}

#[tokio::test]
async fn sessions_keep_to_their_own_proxies() {
    let (one, two) = (Server::always(OK).await, Server::always(OK).await);
    let engine = sessile::transport::Engine::new();
    let sessions = [&one, &two].map(|proxy| {
        let url = format!("http://127.0.0.1:{}", proxy.port());
        through(&url).engine(engine.clone()).build().unwrap()
    });
    for session in &sessions {
        fetch(session, "http://nowhere.test/").await.unwrap();
        fetch(session, "http://nowhere.test/").await.unwrap();
    }
    assert_eq!((one.requests().len(), two.requests().len()), (2, 2));
    assert_eq!((one.connections(), two.connections()), (1, 1));
}

#[tokio::test]
async fn the_proxy_is_a_part_of_the_state_and_a_changed_one_starts_afresh() {
    let (one, two) = (Server::always(OK).await, Server::always(OK).await);
    let [first, second] =
        [&one, &two].map(|proxy| format!("http://ada:s3cret@127.0.0.1:{}", proxy.port()));
    let state = session(&first).state();
    let kept = builder().state(state.clone()).build().unwrap();
    fetch(&kept, "http://nowhere.test/").await.unwrap();
    kept.update(|state, _now| state.set_proxy(Some(second.parse().unwrap())));
    fetch(&kept, "http://nowhere.test/").await.unwrap();
    kept.update(|state, _now| state.set_proxy(Some(first.parse().unwrap())));
    fetch(&kept, "http://nowhere.test/").await.unwrap();
    assert_eq!((one.connections(), two.connections()), (2, 1));

    let direct = builder().state(state).direct().build().unwrap();
    assert_eq!(direct.inspect().proxy, None);
    assert!(direct.read(|state| state.proxy().is_none()));
}
