//! Requests and replies as their two ends see them.

use sessile::session::{Multipart, Part};
use sessile::{Error, Request};

use crate::recorder::{EMPTY, Recorder};

#[tokio::test]
async fn query_defaults_go_to_the_site_and_give_way() {
    let server = Recorder::answering(vec![EMPTY, EMPTY, EMPTY]);
    let session = server
        .builder()
        .query("key", "k 1")
        .query("page", "1")
        .build()
        .unwrap();
    session.get("/a").await.unwrap();
    session.get("/b?page=2").await.unwrap();
    session
        .send(Request::get("/c").query("key", "own").query("q", "x"))
        .await
        .unwrap();
    drop(session);
    let lines = server.sent();
    let lines: Vec<&str> = lines
        .iter()
        .filter_map(|sent| sent.lines().next())
        .collect();
    let expected = [
        "GET /a?key=k+1&page=1",
        "GET /b?page=2&key=k+1",
        "GET /c?page=1&key=own&q=x",
    ];
    assert_eq!(lines, expected.map(|line| format!("{line} HTTP/1.1")));
}

#[tokio::test]
async fn query_defaults_stay_with_the_site() {
    let server = Recorder::answering(vec![EMPTY]);
    let elsewhere = format!("http://localhost:{}/", server.address.port());
    let session = server
        .builder()
        .base_url("http://site.test/")
        .unwrap()
        .query("key", "k");
    session.build().unwrap().get(&elsewhere).await.unwrap();
    assert!(server.sent()[0].starts_with("GET / HTTP/1.1"));
}

#[tokio::test]
async fn a_form_with_a_file_says_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    std::fs::write(&path, "hello").unwrap();
    let to_again = "HTTP/1.1 308 Again\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n";
    let server = Recorder::answering(vec![to_again, EMPTY]);
    let session = server.builder().build().unwrap();
    let form = Multipart::new()
        .text("a", "1")
        .part("f", Part::file(&path).unwrap());
    session
        .send(Request::post("/up").multipart(form))
        .await
        .unwrap();
    drop(session);
    let sent = server.sent();
    let (head, body) = sent[0].split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("content-length: {}", body.len())),
        "{head}"
    );
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert!(
        body.contains("filename=\"a.txt\"") && body.contains("\r\n\r\nhello\r\n"),
        "{body}"
    );
    assert_eq!(sent[1].split_once("\r\n\r\n").unwrap().1, body);
}

#[tokio::test]
async fn a_status_is_an_error_only_where_it_is_asked_for() {
    let gone = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n\u{fe}";
    let server = Recorder::answering(vec![gone, EMPTY]);
    let session = server.builder().build().unwrap();
    let reply = session.get("/x").await.unwrap();
    let error = reply.error_for_status().unwrap_err();
    assert!(
        matches!(&error, Error::Status { status, .. } if status.as_u16() == 404),
        "{error}"
    );
    assert!(session.get("/y").await.unwrap().error_for_status().is_ok());
    assert_eq!(server.sent().len(), 2);
}

#[tokio::test]
async fn text_without_a_charset_is_read_as_told() {
    const NAMED: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n\
                         content-length: 2\r\n\r\n\u{e9}";
    const BARE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\u{e9}";
    let server = Recorder::answering(vec![NAMED, BARE, BARE]);
    let session = server.builder().build().unwrap();
    let read = async |charset: &str| session.get("/").await.unwrap().text_with(charset).await;
    assert_eq!(read("windows-1252").await.unwrap(), "é");
    assert_eq!(read("windows-1252").await.unwrap(), "Ã©");
    assert_eq!(read("no such").await.unwrap(), "é");
}
