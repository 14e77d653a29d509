//! What becomes of a reply's body.

use std::fs;
use std::io::Read as _;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use crate::support::{Person, Table, Wire, send};

#[test]
fn a_file_that_is_not_finished_is_not_left_behind() {
    let (begun, has_begun) = mpsc::channel();
    let begun = Mutex::new(begun);
    let site = Wire::start(move |_request, stream| {
        send(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfirst");
        begun.lock().unwrap().send(()).unwrap();
        // Until the client is gone.
        let _gone = stream.read(&mut [0]);
    });
    let me = Person::new();
    let folder = me.home().join("downloads");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("page");
    let mut table = Table::new();
    for (signal, code) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
        table.row(signal, || {
            fs::write(&file, "old").unwrap();
            let line = format!("get -o {} {}", file.display(), site.page("/"));
            let running = me.sessile(&line).start();
            has_begun.recv_timeout(Duration::from_secs(30)).unwrap();
            until_there_are(&folder, 2);
            running.signal(signal);
            running.finish().exits(code);
            until_there_are(&folder, 1);
            assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        });
    }
    table.done();
}

/// Waits until the folder has so many files.
#[track_caller]
fn until_there_are(folder: &std::path::Path, files: usize) {
    crate::support::wait_for("a file", || {
        let found = fs::read_dir(folder).ok()?.count();
        (found == files).then_some(())
    });
}

/// A type, a body, and what the document has of it.
const BODIES: [(&str, &[u8], &str, &str); 6] = [
    (
        "text/plain",
        "gr\u{fc}\u{df}e".as_bytes(),
        "body",
        "gr\u{fc}\u{df}e",
    ),
    (
        "text/plain; charset=iso-8859-1",
        b"gr\xfc\xdfe",
        "body",
        "gr\u{fc}\u{df}e",
    ),
    (
        "text/html; charset=\"Shift_JIS\"",
        b"\x93\xfa\x96\x7b",
        "body",
        "\u{65e5}\u{672c}",
    ),
    ("text/plain; charset=utf-16le", b"h\0i\0", "body", "hi"),
    ("text/plain", b"gr\xfc", "bodyBase64", "Z3L8"),
    (
        "image/png; charset=unknown",
        b"\x89PNG",
        "bodyBase64",
        "iVBORw==",
    ),
];

#[test]
fn a_document_has_text_by_its_charset() {
    let me = Person::new();
    let mut table = Table::new();
    for (kind, body, field, expected) in BODIES {
        table.row(kind, || {
            let length = body.len();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}");
            let site =
                Wire::always([head.as_bytes(), b"\r\nconnection: close\r\n\r\n", body].concat());
            let reply = me.run(&format!("get --json {}", site.page("/"))).exits(0);
            assert_eq!(reply.json()[field], expected, "{}", reply.shown());
        });
    }
    table.done();
}
