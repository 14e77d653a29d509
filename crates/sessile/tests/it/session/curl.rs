//! Requests through the system's curl, byte by byte.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use sessile::session::{SessionBuilder, Tier};
use sessile::transport::{ConnectOptions, Curl, Transport, Trust};
use sessile::{Error, Obstacle, Request, Session};
use sessile_practice::{Options, Site};
use tokio::io::AsyncReadExt;
use tokio_util::task::TaskTracker;

use super::server::Server;
use super::{builder, shown};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A session whose own way is curl.
fn session_with(options: ConnectOptions) -> Session {
    let curl = Curl::new(Arc::new(options));
    slow_builder().transport(Arc::new(curl)).build().unwrap()
}

/// A process takes longer to start than a connection to be made.
fn slow_builder() -> SessionBuilder {
    let patience = sessile::transport::Patience::default();
    builder().patience(patience)
}

fn session() -> Session {
    session_with(ConnectOptions::default())
}

async fn text(session: &Session, request: Request) -> Result<String, Error> {
    session.send(request).await?.text().await
}

#[tokio::test]
async fn a_request_goes_out_as_it_is() {
    let server = Server::always(OK).await;
    let request = Request::get(server.url("/a/../b?q=%22[1-3]{x}\\#frag"))
        .header("x-quote", "a\"b\\n\\\" output = \"x\t.")
        .header("x-empty", "")
        .header("x-twice", "1")
        .header("x-twice", "2")
        .cookie("id", "\"7\\\"");
    assert_eq!(text(&session(), request).await.unwrap(), "ok");
    let sent = server.requests()[0].replace(&server.port().to_string(), "PORT");
    assert_eq!(
        sent,
        "GET /b?q=%22[1-3]{x}\\ HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\
         x-quote: a\"b\\n\\\" output = \"x\t.\r\nx-empty:\r\nx-twice: 1\r\nx-twice: 2\r\n\
         cookie: id=\"7\\\"\r\n\r\n"
    );
}

#[tokio::test]
async fn bodies_go_out_whole_or_in_pieces() {
    let server = Server::always(OK).await;
    let body = b"\0\"\\\r\n--config\n@x".to_vec();
    let request = Request::post(server.url("/dir/")).body(body.clone());
    assert_eq!(text(&session(), request).await.unwrap(), "ok");
    let empty = Request::put(server.url("/"));
    assert_eq!(text(&session(), empty).await.unwrap(), "ok");
    let sent = server.requests();
    let body = String::from_utf8(body).unwrap();
    assert!(
        sent[0].starts_with("POST /dir/ HTTP/1.1\r\n"),
        "{}",
        sent[0]
    );
    assert!(
        sent[0].ends_with(&format!("content-length: 16\r\n\r\n{body}")),
        "{}",
        sent[0]
    );
    assert!(
        sent[1].ends_with("content-length: 0\r\n\r\n"),
        "{}",
        sent[1]
    );
    assert!(!sent[0].to_lowercase().contains("expect"), "{}", sent[0]);
}

#[tokio::test]
async fn a_stream_goes_out_as_it_comes_and_its_failure_is_told() {
    let server = Server::start(|mut conn| async move {
        let mut read = Vec::new();
        while !read.ends_with(b"0\r\n\r\n") {
            if conn.stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let whole =
            String::from_utf8_lossy(&read).contains("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n");
        conn.send(if whole {
            OK
        } else {
            "HTTP/1.1 400 Bad\r\ncontent-length: 2\r\n\r\nno"
        })
        .await;
    })
    .await;
    let pieces = stream::iter([Ok("one".into()), Ok("two".into())]);
    let request = Request::post(server.url("/")).stream(Box::pin(pieces));
    let reply = session().send(request).await.unwrap();
    assert!(reply.text().await.is_ok());

    let broken = stream::iter([Ok("one".into()), Err(Error::Closed)]);
    let request = Request::post(server.url("/")).stream(Box::pin(broken));
    let error = text(&session(), request).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error}");
}

#[tokio::test]
async fn interim_replies_and_heads_are_told_apart() {
    let reply = format!("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n{OK}");
    let server = Server::always(reply).await;
    assert_eq!(
        text(&session(), Request::get(server.url("/")))
            .await
            .unwrap(),
        "ok"
    );
    let reply = session()
        .send(Request::head(server.url("/")))
        .await
        .unwrap();
    assert_eq!(reply.headers()["content-length"], "2");
    assert!(reply.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_is_the_sessions() {
    let server = Server::start(|mut conn| async move {
        let request = conn.request().await.unwrap();
        let is_first = request.starts_with("GET /first ");
        conn.send(if is_first {
            "HTTP/1.1 302 Found\r\nlocation: /next\r\nset-cookie: a=1\r\ncontent-length: 0\r\n\r\n"
        } else {
            OK
        })
        .await;
    })
    .await;
    let reply = session().send(Request::get(server.url("/first"))).await;
    assert_eq!(reply.unwrap().history().len(), 1);
    assert!(server.requests()[1].contains("cookie: a=1\r\n"));
}

#[tokio::test]
async fn what_breaks_is_named() {
    let server = Server::once("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await;
    let error = text(&session(), Request::get(server.url("/"))).await;
    assert!(matches!(error, Err(Error::CutShort { .. })), "{error:?}");

    let server = Server::once("").await;
    let error = text(&session(), Request::get(server.url("/"))).await;
    assert!(
        matches!(error, Err(Error::Disconnect { sent: true, .. })),
        "{error:?}"
    );

    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let error = session().get(&format!("http://127.0.0.1:{port}/")).await;
    let Err(Error::Connect { obstacle, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(obstacle, Obstacle::Refused);
}

#[tokio::test]
async fn a_missing_or_killed_curl_is_named() {
    let try_with = async |program: &str| {
        let curl = Curl::new(Arc::default()).program(program);
        let session = slow_builder().transport(Arc::new(curl)).build().unwrap();
        session.get("http://127.0.0.1:9/").await.unwrap_err()
    };
    let error = try_with("/nowhere/curl").await;
    assert_eq!(
        shown(&error, 9),
        "the program `/nowhere/curl` failed: it is not installed"
    );
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("curl");
    write_script(&script, "#!/bin/sh\nkill -9 $$\n");
    let error = try_with(script.to_str().unwrap()).await;
    assert!(
        error.to_string().contains("it was killed (signal: 9"),
        "{error}"
    );
    write_script(&script, "#!/bin/sh\nexit 0\n");
    let error = try_with(script.to_str().unwrap()).await;
    assert!(error.to_string().contains("no reply at all"), "{error}");
}

fn write_script(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let next = path.with_extension("next");
    std::fs::write(&next, text).unwrap();
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(next, path).unwrap();
}

#[tokio::test]
async fn nothing_is_on_the_command_line_and_the_child_ends_with_its_request() {
    let server = Server::start(|mut conn| async move {
        conn.request().await;
        conn.wait().await;
    })
    .await;
    let curl = Arc::new(Curl::new(Arc::default()));
    let transport: Arc<dyn Transport> = Arc::<Curl>::clone(&curl);
    let session = slow_builder().transport(transport).build().unwrap();
    let request = Request::post(server.url("/?token=s3cret"))
        .header("x-key", "s3cret")
        .body("s3cret");
    let sending = TaskTracker::new().spawn(async move { session.send(request).await.map(drop) });
    until(|| !server.requests().is_empty()).await;
    assert_eq!(curl.connections(), 1);
    let lines = command_lines();
    assert!(
        lines.iter().any(|line| line.contains("--config")),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("s3cret")),
        "{lines:?}"
    );
    sending.abort();
    until(|| curl.connections() == 0).await;
    assert_eq!(command_lines(), Vec::<String>::new());
}

/// The command lines of this process' children; an ended one that nobody waited for has none
/// and is listed as such.
fn command_lines() -> Vec<String> {
    let own = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let children = processes.filter(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        let rest = stat.rsplit(") ").next().unwrap_or_default();
        rest.split(' ').nth(1) == Some(&*own)
    });
    children
        .map(|child| std::fs::read_to_string(child.path().join("cmdline")).unwrap_or_default())
        .collect()
}

/// Waits for what other tasks bring about; the test's own limit ends it.
async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_body_comes_in_pieces_and_a_silent_server_runs_out_of_patience() {
    let server = Server::start(|mut conn| async move {
        conn.request().await;
        conn.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfirst")
            .await;
        conn.wait().await;
    })
    .await;
    let curl = Arc::new(Curl::new(Arc::default()));
    let patience = sessile::transport::Patience {
        read: Duration::from_millis(300),
        ..Default::default()
    };
    let transport: Arc<dyn Transport> = Arc::<Curl>::clone(&curl);
    let session = builder()
        .patience(patience)
        .transport(transport)
        .build()
        .unwrap();
    let mut reply = session.get(&server.url("/")).await.unwrap();
    assert_eq!(reply.chunk().await.unwrap().unwrap(), "first");
    let error = reply.chunk().await.unwrap_err();
    assert!(matches!(error, Error::TimeOut { .. }), "{error}");
    drop(reply);
    until(|| curl.connections() == 0).await;
    session.close();
    let error = session.get(&server.url("/")).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error}");
}

#[tokio::test]
async fn proxies_are_passed_on_with_their_login_and_nothing_of_the_request() {
    let proxy = Server::always(OK).await;
    let mut options = ConnectOptions::default();
    let url = format!("http://ada:s%40crete@127.0.0.1:{}", proxy.port());
    options.proxy = Some(url.parse().unwrap());
    let session = session_with(options);
    let reply = text(&session, Request::get("http://nowhere.test/x")).await;
    assert_eq!(reply.unwrap(), "ok");
    let sent = &proxy.requests()[0];
    assert!(
        sent.starts_with("GET http://nowhere.test/x HTTP/1.1\r\n"),
        "{sent}"
    );
    assert!(
        sent.contains("Proxy-Authorization: Basic YWRhOnNAY3JldGU="),
        "{sent}"
    );

    let refusing = Server::once("HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n").await;
    let mut options = ConnectOptions::default();
    options.proxy = Some(
        format!("http://127.0.0.1:{}", refusing.port())
            .parse()
            .unwrap(),
    );
    let request = Request::get("https://nowhere.test/").header("x-key", "s3cret");
    let error = text(&session_with(options), request).await.unwrap_err();
    let Error::Connect { obstacle, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*obstacle, Obstacle::ProxyRefused, "{error}");
    assert!(!refusing.requests()[0].contains("s3cret"));
}

#[tokio::test]
async fn the_own_address_is_passed_on() {
    let server = Server::start(|mut conn| async move {
        let peer = conn.stream.peer_addr().unwrap().ip().to_string();
        while conn.request().await.is_some() {
            let length = peer.len();
            let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{peer}");
            conn.send(reply).await;
        }
    })
    .await;
    let mut options = ConnectOptions::default();
    options.local_address = Some([127, 0, 0, 7].into());
    let peer = text(&session_with(options), Request::get(server.url("/"))).await;
    assert_eq!(peer.unwrap(), "127.0.0.7");
}

#[tokio::test]
async fn trust_is_passed_on() {
    let authority = super::tls::Authority::new();
    let server = super::tls::secure_server(&authority, &["h2", "http/1.1"]).await;
    let url = format!("https://shop.test:{}/", server.port());
    let mut known = ConnectOptions::default();
    known.tls = authority.options();
    let mut anyone = ConnectOptions::default();
    anyone.tls.trust = Trust::DangerAnyone;
    let hosts = vec![("shop.test".to_owned(), vec![[127, 0, 0, 1].into()])];
    for mut options in [known, anyone] {
        options.hosts = hosts.clone();
        let reply = text(&session_with(options), Request::get(&url)).await;
        assert!(reply.is_ok(), "{reply:?}");
    }
    let mut stranger = ConnectOptions::default();
    stranger.hosts = hosts;
    let reply = text(&session_with(stranger), Request::get(&url)).await;
    let error = reply.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
}

#[tokio::test]
async fn the_practice_sites_cookies_come_into_the_same_jar() {
    let site = Site::start(Options::default()).await.unwrap();
    let session = slow_builder()
        .base_url(&site.url())
        .unwrap()
        .build()
        .unwrap();
    let curl = |path: &str| Request::get(path).tiers(&[Tier::Curl]);
    let reply = session.send(curl("/cookies/five")).await.unwrap();
    assert_eq!((reply.tier(), reply.cookies_set().len()), (Tier::Curl, 5));
    let own = session
        .get("/cookies/show")
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let curls = session.send(curl("/cookies/show")).await.unwrap();
    assert_eq!(curls.text().await.unwrap(), own);
    assert!(own.contains("five-hidden"), "{own}");
    site.stop().await;
}
