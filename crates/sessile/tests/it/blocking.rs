//! Blocking sessions: the same replies, without a runtime.

use std::io::Read as _;

use sessile::Request;
use sessile::blocking::{self, Session};

use crate::recorder::{EMPTY, Recorder};

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nset-cookie: a=1\r\n\r\nhello";

#[test]
fn a_session_of_calls_that_wait() {
    let server = Recorder::answering(vec![HELLO, HELLO, EMPTY]);
    let session = Session::build(server.builder()).unwrap();
    let reply = session.get("/").unwrap();
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.text().unwrap(), "hello");
    let mut streamed = String::new();
    session
        .get("/")
        .unwrap()
        .read_to_string(&mut streamed)
        .unwrap();
    assert_eq!(streamed, "hello");
    assert_eq!(session.connections(), 1);
    let upload = Request::put("/log").stream(blocking::body(&b"lines"[..]));
    session.send(upload).unwrap();
    drop(session);
    let sent = server.sent();
    assert!(sent[1].contains("cookie: a=1\r\n"), "{}", sent[1]);
    assert!(
        sent[2].ends_with("\r\n\r\n5\r\nlines\r\n0\r\n\r\n"),
        "{}",
        sent[2]
    );
}

#[test]
fn one_session_serves_many_threads() {
    let last = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let server = Recorder::answering(vec![last; 8]);
    let session = Session::build(server.builder()).unwrap();
    let fetch = || {
        let session = session.clone();
        std::thread::spawn(move || session.get("/").unwrap().bytes().unwrap().len())
    };
    let threads: Vec<_> = (0..8).map(|_| fetch()).collect();
    let lengths: usize = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert_eq!(lengths, 0);
    drop(session);
    assert_eq!(server.sent().len(), 8);
}

#[test]
fn errors_come_back_as_they_are() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello";
    let server = Recorder::answering(vec![cut]);
    let session = Session::build(server.builder()).unwrap();
    let mut reply = session.get("/").unwrap();
    server.sent();
    let mut text = String::new();
    let error = reply.read_to_string(&mut text).unwrap_err();
    let ours = error
        .get_ref()
        .unwrap()
        .downcast_ref::<sessile::Error>()
        .unwrap();
    assert!(matches!(ours, sessile::Error::CutShort { .. }), "{ours}");
    let error = session.get("/").unwrap_err();
    assert!(matches!(error, sessile::Error::Connect { .. }), "{error}");
}
