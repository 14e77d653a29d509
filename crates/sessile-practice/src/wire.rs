//! Request heads as they came, byte for byte.
//!
//! The HTTP library lower-cases header names and groups repeated ones. A page
//! that shows a client what it sent must not, so a [`Tap`] on the connection
//! keeps the bytes until the head is asked for.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::http::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// More than the longest head that the HTTP library takes.
const KEPT: usize = 512 * 1024;

/// The bytes a connection received since the last head was taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tap(Arc<Mutex<Vec<u8>>>);

/// The header lines of one request, in order.
#[derive(Clone, Debug)]
pub(crate) struct RawHeaders(pub(crate) Vec<(String, String)>);

/// A connection whose incoming bytes also go to a [`Tap`].
pub(crate) struct Tapped {
    stream: TcpStream,
    tap: Tap,
}

impl Tap {
    /// The header lines of `request`, whose head was just read.
    pub(crate) fn take_headers<B>(&self, request: &Request<B>) -> Option<RawHeaders> {
        let (method, target) = (request.method(), request.uri());
        let first = format!("{method} {target} {:?}\r\n", request.version());
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = find(&bytes, first.as_bytes())? + first.len();
        let rest = bytes.get(start..)?;
        // A head without header lines ends with the line break after it.
        let length = if rest.starts_with(b"\r\n") {
            0
        } else {
            find(rest, b"\r\n\r\n")?
        };
        let lines = String::from_utf8_lossy(rest.get(..length)?).into_owned();
        // What follows may be the next request of a client that doesn't wait.
        bytes.drain(..start + length);
        Some(RawHeaders(lines.lines().filter_map(header).collect()))
    }

    fn keep(&self, received: &[u8]) {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend_from_slice(received);
        let surplus = bytes.len().saturating_sub(KEPT);
        bytes.drain(..surplus);
    }
}

impl Tapped {
    pub(crate) fn new(stream: TcpStream, tap: Tap) -> Self {
        Self { stream, tap }
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.tap
            .keep(buf.filled().get(before..).unwrap_or_default());
        polled
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    Some((name.to_owned(), value.trim().to_owned()))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut windows = bytes.windows(wanted.len());
    windows.position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_found_after_a_body_and_before_the_next_request() {
        let tap = Tap::default();
        tap.keep(b"POST /echo?a=1 HTTP/1.1\r\nX-B: 2\r\nx-a:1 \r\nX-B: 3\r\n\r\nbody");
        let request = Request::post("/echo?a=1").body(()).unwrap();
        check(&tap, &request, &[("X-B", "2"), ("x-a", "1"), ("X-B", "3")]);
        tap.keep(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        let request = Request::get("/").body(()).unwrap();
        check(&tap, &request, &[("Host", "h")]);
        check(&tap, &request, &[]);
        assert!(tap.take_headers(&request).is_none());
    }

    #[track_caller]
    fn check(tap: &Tap, request: &Request<()>, expected: &[(&str, &str)]) {
        let found = tap.take_headers(request).expect("the head is there").0;
        let found: Vec<_> = found
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(found, expected);
    }
}
