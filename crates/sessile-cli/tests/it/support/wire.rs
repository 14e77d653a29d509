//! A server that a test writes itself: it sees the bytes of each request and answers with its own.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a client may take for its request.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server; ends when dropped.
pub(crate) struct Wire {
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    requests: Mutex<Vec<(Instant, String)>>,
}

impl Wire {
    /// Answers each request, one a connection, by what `answer` writes.
    pub(crate) fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, answer) = (Arc::<Seen>::default(), Arc::new(answer));
        let shared = Arc::clone(&seen);
        let acceptor = thread::spawn(move || {
            let mut serving = Vec::new();
            for stream in listener.incoming() {
                if shared.stop.load(Ordering::SeqCst) {
                    break;
                }
                let (seen, answer) = (Arc::clone(&shared), Arc::clone(&answer));
                serving.push(thread::spawn(move || {
                    serve(stream.unwrap(), &seen, &*answer);
                }));
            }
            serving
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
        });
        Self {
            address,
            acceptor: Some(acceptor),
            seen,
        }
    }

    /// Answers each request with the same bytes.
    pub(crate) fn always(reply: impl Into<Vec<u8>>) -> Self {
        let reply = reply.into();
        Self::start(move |_request, stream| send(stream, &reply))
    }

    /// The address of a page, given its path.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far, head and body, with the time at which each had arrived.
    pub(crate) fn requests(&self) -> Vec<(Instant, String)> {
        self.seen.requests.lock().unwrap().clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor up.
        drop(TcpStream::connect(self.address));
        let ended = self.acceptor.take().unwrap().join();
        if !thread::panicking() {
            ended.unwrap();
        }
    }
}

/// The moment, to see how long something took at least.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes' time can't be a test's own"
)]
pub(crate) fn stopwatch() -> Instant {
    Instant::now()
}

/// Writes, to a client that may have gone.
pub(crate) fn send(stream: &mut TcpStream, bytes: &[u8]) {
    let _gone = stream.write_all(bytes);
}

fn serve(mut stream: TcpStream, seen: &Seen, answer: &(dyn Fn(&str, &mut TcpStream) + Sync)) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let Some(request) = read(&mut stream) else {
        return;
    };
    let mut requests = seen.requests.lock().unwrap();
    requests.push((stopwatch(), request.clone()));
    drop(requests);
    answer(&request, &mut stream);
}

fn read(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .next();
            if body.len() >= length.unwrap_or(0) {
                return Some(text.into_owned());
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(count) => request.extend_from_slice(&piece[..count]),
        }
    }
}
