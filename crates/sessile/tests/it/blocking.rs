//! Blocking sessions: the same replies, without a runtime.

use std::io::Read as _;

use sessile::blocking::{self, Kept, Session};
use sessile::login::Login;
use sessile::renew::{KeptOptions, Renewer};
use sessile::store::{Name, StoreOptions, Vault};
use sessile::{Request, Secret};
use sessile_practice::{ADA, ADA_PASSWORD, Options, Site};

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

#[test]
fn a_kept_session_logs_in_and_again_when_it_has_to() {
    let elsewhere = tokio::runtime::Runtime::new().unwrap();
    let site = elsewhere.block_on(Site::start(Options::default())).unwrap();
    let vault = blocking::wait(Vault::in_memory(&StoreOptions::default()));
    let vault = vault.unwrap().unwrap();
    let name: Name = "ada".parse().unwrap();
    let members = format!("{}/members", site.url());
    let password = Secret::from(ADA_PASSWORD.to_owned());
    let mut login = Login::form(members.parse().unwrap(), ADA, password);
    login.remember = true;
    let (kept, _) = Kept::log_in(&vault, &name, login, KeptOptions::default()).unwrap();
    assert!(kept.check().unwrap().is_certain);
    site.kill_sessions();

    let other = Kept::open(&vault, &name, KeptOptions::default()).unwrap();
    let answer = other.send(Request::get(&members)).unwrap();
    assert_eq!(answer.renewal.unwrap().by, Renewer::Ourselves);
    assert!(answer.reply.text().unwrap().contains(ADA));
    assert_eq!(kept.renew().unwrap(), None);
    kept.update(|state, now| state.set_header("x-trace", "7", now))
        .unwrap()
        .unwrap();
    other.save().unwrap();
    assert_eq!(other.name(), &name);
    assert_eq!(other.record().state.headers().get("x-trace").unwrap(), "7");
    let reply = other.session().get(&members).unwrap();
    assert_eq!(reply.status(), 200);
    elsewhere.block_on(site.stop());
}

#[tokio::test]
async fn a_kept_session_is_refused_inside_a_runtime() {
    let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
    let open = Kept::open(&vault, &"ada".parse().unwrap(), KeptOptions::default());
    let error = open.unwrap_err().to_string();
    assert!(error.contains("use sessile::Session there"), "{error}");
}
