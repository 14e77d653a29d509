//! A server that sends exactly the bytes that a test says, on loopback.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use tokio_util::task::TaskTracker;

/// Accepts connections and gives each to the test's function.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    ended: AtomicUsize,
    panics: AtomicUsize,
    requests: Mutex<Vec<(u16, String)>>,
}

/// One accepted connection.
pub(crate) struct Conn {
    /// How many were accepted before.
    pub(crate) index: usize,
    pub(crate) stream: TcpStream,
    port: u16,
    read: Vec<u8>,
    seen: Arc<Seen>,
}

impl Server {
    /// Runs `serve` for every connection.
    pub(crate) async fn start<F, Fut>(serve: F) -> Self
    where
        F: Fn(Conn) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Seen>::default();
        let accepting = TaskTracker::new().spawn(accept(listener, serve, Arc::clone(&seen)));
        Self {
            address,
            seen,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// Answers every request of every connection with the same bytes.
    pub(crate) async fn always(reply: impl Into<Vec<u8>>) -> Self {
        let reply = Arc::new(reply.into());
        Self::start(move |mut conn| {
            let reply = Arc::clone(&reply);
            async move {
                while conn.request().await.is_some() {
                    conn.send(&*reply).await;
                }
            }
        })
        .await
    }

    /// Answers one request of each connection and closes it.
    pub(crate) async fn once(reply: impl Into<Vec<u8>>) -> Self {
        let reply = Arc::new(reply.into());
        Self::start(move |mut conn| {
            let reply = Arc::clone(&reply);
            async move {
                if conn.request().await.is_some() {
                    conn.send(&*reply).await;
                }
            }
        })
        .await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many of them are still served.
    pub(crate) fn open(&self) -> usize {
        self.connections() - self.seen.ended.load(Ordering::SeqCst)
    }

    /// The bytes of every request, without the port that it came from.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.seen.requests.lock().unwrap();
        requests.iter().map(|(_, text)| text.clone()).collect()
    }

    /// From how many ports requests came.
    pub(crate) fn ports(&self) -> usize {
        let requests = self.seen.requests.lock().unwrap();
        let ports: HashSet<_> = requests.iter().map(|(port, _)| port).collect();
        ports.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let panics = self.seen.panics.load(Ordering::SeqCst);
        if !std::thread::panicking() {
            assert_eq!(panics, 0, "the server's side of the test panicked");
            assert!(self.connections() > 0, "nobody came to the server");
        }
    }
}

async fn accept<F, Fut>(listener: TcpListener, serve: F, seen: Arc<Seen>)
where
    F: Fn(Conn) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, peer) = accepted.unwrap();
                stream.set_nodelay(true).unwrap();
                serving.spawn(serve(Conn {
                    index: seen.connections.fetch_add(1, Ordering::SeqCst),
                    stream,
                    port: peer.port(),
                    read: Vec::new(),
                    seen: Arc::clone(&seen),
                }));
            }
            Some(ended) = serving.join_next() => {
                seen.ended.fetch_add(1, Ordering::SeqCst);
                seen.panics.fetch_add(usize::from(ended.is_err()), Ordering::SeqCst);
            }
        }
    }
}

impl Conn {
    /// The next request, head and body as they came; `None` where the client has gone.
    pub(crate) async fn request(&mut self) -> Option<String> {
        let head = loop {
            if let Some(at) = find(&self.read, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let text = String::from_utf8_lossy(&self.read[..head]).into_owned();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        while self.read.len() < head + length {
            self.fill().await?;
        }
        let rest = self.read.split_off(head + length);
        let request =
            String::from_utf8_lossy(&std::mem::replace(&mut self.read, rest)).into_owned();
        let mut requests = self.seen.requests.lock().unwrap();
        requests.push((self.port, request.clone()));
        Some(request)
    }

    async fn fill(&mut self) -> Option<()> {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece).await {
            Ok(0) | Err(_) => None,
            Ok(length) => {
                self.read.extend_from_slice(&piece[..length]);
                Some(())
            }
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A client that has gone is what some tests are about.
        let _gone = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Waits until the client closes.
    pub(crate) async fn wait(&mut self) {
        while self.fill().await.is_some() {}
    }

    /// Closes with a reset in place of an end.
    #[expect(deprecated, reason = "no time is lingered, so nothing blocks")]
    pub(crate) fn reset(self) {
        self.stream
            .set_linger(Some(std::time::Duration::ZERO))
            .unwrap();
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
