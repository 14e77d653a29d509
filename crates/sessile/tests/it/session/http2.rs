//! HTTP/2 as a server sees it: every header of a request, in the order in which they came.

use std::sync::{Arc, Mutex};

use fluke_hpack::Decoder;
use sessile::profile::ProfileChoice;
use sessile::transport::ConnectOptions;
use sessile::{Request, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::server::Server;
use super::tls::{Authority, speaker};

/// What a client begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

/// `:status: 200`, by its place in the static table.
const OK: &[u8] = &[0x88];

type Heads = Arc<Mutex<Vec<Vec<String>>>>;

/// A server for `shop.test` that answers everything with an empty 200 and remembers the headers.
async fn server(authority: &Authority) -> (Server, Heads) {
    let (acceptor, heads) = (speaker(authority, &["h2"]), Heads::default());
    let seen = Arc::clone(&heads);
    let server = Server::start(move |conn| {
        let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
        async move {
            // A client that has got its reply may go at any time.
            let _gone = converse(acceptor, conn.stream, &seen).await;
        }
    });
    (server.await, heads)
}

async fn converse(acceptor: TlsAcceptor, stream: TcpStream, seen: &Heads) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).await?;
    assert_eq!(preface, PREFACE);
    send(&mut stream, SETTINGS, 0, 0, &[]).await?;
    let mut decoder = Decoder::new();
    loop {
        let (kind, flags, stream_id, payload) = frame(&mut stream).await?;
        match kind {
            SETTINGS if flags & ACK == 0 => send(&mut stream, SETTINGS, ACK, 0, &[]).await?,
            HEADERS => {
                assert_eq!(flags & (END_HEADERS | PADDED), END_HEADERS);
                let skipped = if flags & PRIORITY == 0 { 0 } else { 5 };
                let head = decoder.decode(&payload[skipped..]).unwrap();
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let lines = head.iter();
                let lines = lines.map(|(name, value)| format!("{}: {}", text(name), text(value)));
                seen.lock().unwrap().push(lines.collect());
                let ends = END_STREAM | END_HEADERS;
                send(&mut stream, HEADERS, ends, stream_id, OK).await?;
            }
            _ => {}
        }
    }
}

async fn frame(stream: &mut TlsStream<TcpStream>) -> std::io::Result<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let [l1, l2, l3, kind, flags, s1, s2, s3, s4] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, l1, l2, l3]) as usize];
    stream.read_exact(&mut payload).await?;
    Ok((kind, flags, u32::from_be_bytes([s1, s2, s3, s4]), payload))
}

async fn send(
    stream: &mut TlsStream<TcpStream>,
    kind: u8,
    flags: u8,
    stream_id: u32,
    payload: &[u8],
) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream_id.to_be_bytes());
    frame.extend_from_slice(payload);
    stream.write_all(&frame).await?;
    stream.flush().await
}

async fn sent(profile: &str) -> String {
    let authority = Authority::new();
    let (server, heads) = server(&authority).await;
    let mut options = ConnectOptions::default();
    options.tls = authority.options();
    options.hosts = vec![("shop.test".to_owned(), vec![[127, 0, 0, 1].into()])];
    let origin = format!("https://shop.test:{}", server.port());
    let session = Session::builder()
        .profile(profile.parse::<ProfileChoice>().unwrap())
        .base_url(&origin)
        .unwrap()
        .header("x-own", "1")
        .connect(options)
        .build()
        .unwrap();
    let request = Request::get("/a?b=1").cookie("sid", "7");
    session.send(request).await.unwrap();
    let head = heads.lock().unwrap().pop().unwrap();
    head.join("\n").replace(&server.port().to_string(), "PORT")
}

const CHROME: &str = "\
sec-ch-ua: \"Google Chrome\";v=\"147\", \"Not.A/Brand\";v=\"8\", \"Chromium\";v=\"147\"
sec-ch-ua-mobile: ?0
sec-ch-ua-platform: \"Windows\"
upgrade-insecure-requests: 1
user-agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
Chrome/147.0.0.0 Safari/537.36
accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,\
*/*;q=0.8,application/signed-exchange;v=b3;q=0.7
sec-fetch-site: none
sec-fetch-mode: navigate
sec-fetch-user: ?1
sec-fetch-dest: document
accept-encoding: gzip, deflate, br, zstd
accept-language: en-US,en;q=0.9
cookie: sid=7
priority: u=0, i
x-own: 1";

const FIREFOX: &str = "\
user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0
accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
accept-language: en-US,en;q=0.5
accept-encoding: gzip, deflate, br, zstd
cookie: sid=7
upgrade-insecure-requests: 1
sec-fetch-dest: document
sec-fetch-mode: navigate
sec-fetch-site: none
sec-fetch-user: ?1
priority: u=0, i
te: trailers
x-own: 1";

const SAFARI: &str = "\
accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
upgrade-insecure-requests: 1
user-agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 \
(KHTML, like Gecko) Version/26.4 Safari/605.1.15
accept-encoding: gzip, deflate, br, zstd
accept-language: en-US,en;q=0.9
cookie: sid=7
sec-fetch-dest: document
sec-fetch-mode: navigate
sec-fetch-site: none
x-own: 1
priority: u=0, i";

#[tokio::test]
async fn each_profile_has_its_order() {
    let standard = concat!(
        "user-agent: sessile/",
        env!("CARGO_PKG_VERSION"),
        "\naccept: */*\naccept-encoding: gzip, deflate, br, zstd\nx-own: 1\ncookie: sid=7"
    );
    for (profile, expected) in [
        ("none", "x-own: 1\ncookie: sid=7"),
        ("standard", standard),
        ("chrome/147/windows", CHROME),
        ("firefox/150/linux", FIREFOX),
        ("safari/26.4/macos", SAFARI),
    ] {
        // The order of what begins with a colon is the engine's, for all profiles.
        let pseudo = ":method: GET\n:scheme: https\n:authority: shop.test:PORT\n:path: /a?b=1\n";
        let sent = sent(profile).await;
        assert_eq!(sent, format!("{pseudo}{expected}"), "{profile}");
    }
}
