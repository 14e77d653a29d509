//! Replies of every shape: lengths, pieces, encodings.

use async_compression::Level;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use http::Version;
use sessile::{Error, Request, Session};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::server::Server;
use super::{builder, fetch, session};

#[tokio::test]
async fn replies_end_where_they_say() {
    let next = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext";
    for (method, reply, body) in [
        (
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
            "abc",
        ),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", ""),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", ""),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
            "",
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ncontent-encoding: gzip\r\n\r\n",
            "",
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
             2\r\nab\r\n1;ext=1\r\nc\r\n0\r\nx-sum: 7\r\n\r\n",
            "abc",
        ),
        (
            "GET",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
             HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
            "abc",
        ),
        (
            "GET",
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\nabc",
            "abc",
        ),
    ] {
        let server = Server::start(move |mut conn| async move {
            conn.request().await;
            conn.send(reply).await;
            conn.request().await;
            conn.send(next).await;
        })
        .await;
        let session = session();
        let request = Request::new(method.parse().unwrap(), server.url("/"));
        let found = session.send(request).await.unwrap().text().await.unwrap();
        assert_eq!(found, body, "{reply}");
        assert_eq!(
            fetch(&session, &server.url("/")).await.unwrap(),
            "next",
            "{reply}"
        );
        assert_eq!(server.connections(), 1, "{reply}");
    }
}

#[tokio::test]
async fn replies_may_end_with_their_connection() {
    for version in ["1.0", "1.1"] {
        let server = Server::once(format!("HTTP/{version} 200 OK\r\n\r\nto the end")).await;
        let session = session();
        for count in 1..3 {
            let reply = session.get(&server.url("/")).await.unwrap();
            let expected = match version {
                "1.0" => Version::HTTP_10,
                _ => Version::HTTP_11,
            };
            assert_eq!(reply.version(), expected);
            assert_eq!(reply.text().await.unwrap(), "to the end");
            assert_eq!(server.connections(), count);
        }
    }
}

async fn encoded(coding: &str, plain: &'static [u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder: Box<dyn AsyncRead + Unpin + Send> = match coding {
        "br" => Box::new(BrotliEncoder::with_quality(plain, Level::Fastest)),
        "deflate" => Box::new(ZlibEncoder::new(plain)),
        "gzip" => Box::new(GzipEncoder::new(plain)),
        _ => Box::new(ZstdEncoder::new(plain)),
    };
    encoder.read_to_end(&mut out).await.unwrap();
    out
}

async fn serve_encoded(coding: &str, body: &[u8]) -> Server {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {length}\r\n\r\n"
    );
    Server::always([head.as_bytes(), body].concat()).await
}

#[tokio::test]
async fn encodings_are_undone() {
    for coding in ["br", "deflate", "gzip", "zstd"] {
        let body = encoded(coding, b"hello hello hello").await;
        let server = serve_encoded(coding, &body).await;
        let session = session();
        for _ in 0..3 {
            let text = fetch(&session, &server.url("/")).await.unwrap();
            assert_eq!(text, "hello hello hello", "{coding}");
        }
        assert_eq!(server.connections(), 1, "{coding}");
    }
    let inner = encoded("gzip", b"twice").await.leak();
    let server = serve_encoded("GZip , br", &encoded("br", inner).await).await;
    assert_eq!(fetch(&session(), &server.url("/")).await.unwrap(), "twice");
    let server = serve_encoded("rot13", b"uryyb").await;
    assert_eq!(fetch(&session(), &server.url("/")).await.unwrap(), "uryyb");
    for coding in ["br", "deflate", "gzip", "zstd"] {
        let server = serve_encoded(coding, b"").await;
        assert_eq!(
            fetch(&session(), &server.url("/")).await.unwrap(),
            "",
            "{coding}"
        );
    }
}

#[tokio::test]
async fn raw_deflate_is_understood() {
    // Some servers leave out the two bytes at the front and the sum at the end.
    let body = encoded("deflate", b"hello hello hello").await;
    let server = serve_encoded("deflate", &body[2..body.len() - 4]).await;
    assert_eq!(
        fetch(&session(), &server.url("/")).await.unwrap(),
        "hello hello hello"
    );
}

#[tokio::test]
async fn what_is_not_what_it_says_is_named() {
    for coding in ["br", "deflate", "gzip", "zstd"] {
        let server = serve_encoded(coding, &[0xff; 40]).await;
        let error = fetch(&session(), &server.url("/")).await.unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{coding}: {error:?}");

        let body = encoded(coding, b"hello hello hello").await;
        let server = serve_encoded(coding, &body[..body.len() - 5]).await;
        let error = fetch(&session(), &server.url("/")).await.unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{coding}: {error:?}");
    }
    // What the connection did isn't the decoder's fault.
    let body = encoded("gzip", b"hello hello hello").await;
    let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 900\r\n\r\n";
    let server = Server::once([head, &body[..9]].concat()).await;
    let error = fetch(&session(), &server.url("/")).await.unwrap_err();
    assert!(matches!(error, Error::CutShort { .. }), "{error:?}");
}

fn limited(limit: u64) -> Session {
    builder().body_limit(limit).build().unwrap()
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let server = Server::always("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde").await;
    assert_eq!(fetch(&limited(5), &server.url("/")).await.unwrap(), "abcde");
    let error = fetch(&limited(4), &server.url("/")).await.unwrap_err();
    assert!(
        matches!(error, Error::TooLarge { limit: 4, .. }),
        "{error:?}"
    );
    let mut reply = limited(4).get(&server.url("/")).await.unwrap();
    assert_eq!(reply.chunk().await.unwrap().unwrap(), "abcde");
    assert_eq!(reply.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn a_small_body_that_becomes_huge_stays_small() {
    let zeros = vec![0; 16 << 20].leak();
    for coding in ["br", "deflate", "gzip", "zstd"] {
        let body = encoded(coding, zeros).await;
        assert!(body.len() < 1 << 17, "{coding}: {}", body.len());
        let server = serve_encoded(coding, &body).await;
        let error = fetch(&limited(1 << 20), &server.url("/"))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::TooLarge { .. }),
            "{coding}: {error:?}"
        );

        let mut reply = limited(1 << 20).get(&server.url("/")).await.unwrap();
        let mut length = 0;
        while let Some(piece) = reply.chunk().await.unwrap() {
            assert!(piece.len() <= 64 << 10, "{coding}: {}", piece.len());
            length += piece.len();
        }
        assert_eq!(length, zeros.len(), "{coding}");
    }
}
