//! A server that answers by rote and keeps every byte it was sent.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use sessile::ProfileChoice;
use sessile::session::{Session, SessionBuilder};

/// A reply without a body.
pub(crate) const EMPTY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Answers requests, one after the other, and keeps what was sent.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    thread: JoinHandle<Vec<String>>,
}

impl Recorder {
    pub(crate) fn answering(replies: Vec<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let answer = |reply: &'static str| loop {
                if let Some(sent) = read_request(&mut stream) {
                    stream.write_all(reply.as_bytes()).unwrap();
                    return sent.replace(&address.to_string(), "HOST");
                }
                stream = listener.accept().unwrap().0;
            };
            replies.into_iter().map(answer).collect()
        });
        Self { address, thread }
    }

    pub(crate) fn builder(&self) -> SessionBuilder {
        Session::builder()
            .base_url(&format!("http://{}/", self.address))
            .unwrap()
    }

    /// A session with a profile.
    pub(crate) fn browsing(&self, profile: &str) -> Session {
        let profile: ProfileChoice = profile.parse().unwrap();
        self.builder().profile(profile).build().unwrap()
    }

    /// Waits until every reply was given; what was sent, `HOST` standing for the address.
    pub(crate) fn sent(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

/// One request with its body; `None` where the connection has ended.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let head = read_until(stream, b"\r\n\r\n")?;
    if head.contains("\r\ntransfer-encoding: chunked\r\n") {
        let chunks = read_until(stream, b"0\r\n\r\n")?;
        return Some(head + &chunks);
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8(body).unwrap())
}

fn read_until(stream: &mut TcpStream, end: &[u8]) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0; 1];
    while !text.ends_with(end) {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        text.push(byte[0]);
    }
    Some(String::from_utf8(text).unwrap())
}
