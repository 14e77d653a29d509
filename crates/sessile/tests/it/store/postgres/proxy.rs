//! A line to a database that can be cut, or fall silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the line does with what goes over it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Line {
    /// Everything goes through.
    Open,
    /// Nothing goes through, and nobody is told.
    Silent,
    /// Connections are ended, and new ones at once.
    Cut,
    /// A commit goes through; its answer does not, and the connection ends. Then it is open.
    LoseAnswer,
    /// A commit does not go through, and the connection ends. Then it is open.
    LoseCommit,
}

pub(crate) struct Proxy {
    port: u16,
    line: Arc<watch::Sender<Line>>,
    /// How many commits were met while they were to be lost.
    pub(crate) met: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// A line to a port of this machine.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let line = Arc::new(watch::channel(Line::Open).0);
        let met = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        let (state, count) = (Arc::clone(&line), Arc::clone(&met));
        tasks.spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((client, _from)) = listener.accept().await {
                lines.spawn(carry(client, port, Arc::clone(&state), Arc::clone(&count)));
            }
        });
        Self {
            port: own,
            line,
            met,
            _tasks: tasks,
        }
    }

    pub(crate) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// A database's URL by way of this line.
    pub(crate) fn url(&self, server: &str) -> String {
        let url = url::Url::parse(server).unwrap();
        server.replace(
            &format!(":{}/", url.port().unwrap()),
            &format!(":{}/", self.port),
        )
    }
}

async fn carry(
    mut client: TcpStream,
    port: u16,
    line: Arc<watch::Sender<Line>>,
    met: Arc<AtomicUsize>,
) {
    let mut changed = line.subscribe();
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    loop {
        let now = *changed.borrow_and_update();
        match now {
            Line::Cut => return,
            Line::Silent => {
                if changed.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Line::Open | Line::LoseAnswer | Line::LoseCommit => {}
        }
        tokio::select! {
            // What was said about the line before the bytes came holds for them.
            biased;
            _ = changed.changed() => {}
            read = client.read(&mut up) => {
                let Ok(1..) = read else { return };
                let bytes = &up[..read.unwrap()];
                let is_commit = bytes.windows(7).any(|word| word == b"COMMIT;");
                if is_commit && matches!(now, Line::LoseAnswer | Line::LoseCommit) {
                    met.fetch_add(1, Ordering::SeqCst);
                    if now == Line::LoseAnswer {
                        server.write_all(bytes).await.unwrap();
                        // The first of the answers may be that to the write; the last is to the commit.
                        while !is_idle(&mut server, &mut down).await {}
                    }
                    line.send_replace(Line::Open);
                    return;
                }
                if server.write_all(bytes).await.is_err() { return }
            }
            read = server.read(&mut down) => {
                let Ok(1..) = read else { return };
                if client.write_all(&down[..read.unwrap()]).await.is_err() { return }
            }
        }
    }
}

/// Whether the server says, after what it says, that it is ready and in no transaction.
async fn is_idle(server: &mut TcpStream, buffer: &mut [u8]) -> bool {
    let read = server.read(buffer).await.unwrap();
    assert!(read > 0, "the server hung up");
    buffer[..read].ends_with(b"Z\0\0\0\x05I")
}
