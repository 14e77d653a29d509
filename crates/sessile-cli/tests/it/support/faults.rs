//! A server that does what no web server would: hangs up, talks nonsense, waits to be told.
//!
//! Written on the bare socket, since an HTTP library would put right what is to be wrong here.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

/// How long either side waits for the other before the test has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server of faults; ends when dropped.
pub(crate) struct Faults {
    acceptor: Option<JoinHandle<()>>,
    address: SocketAddr,
    certificate: Option<TempDir>,
    held: Receiver<()>,
    release: Option<Sender<()>>,
    stop: Arc<AtomicBool>,
}

/// What the connections share.
struct Desk {
    held: Sender<()>,
    release: Mutex<Receiver<()>>,
}

impl Faults {
    pub(crate) fn start() -> Self {
        Self::serve(None, None)
    }

    /// The same behind TLS, with a certificate that nobody but itself has signed.
    pub(crate) fn with_tls() -> Self {
        let names = vec!["127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(pem_in(directory.path()), made.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::from(key))
            .unwrap();
        Self::serve(Some(Arc::new(config)), Some(directory))
    }

    /// The address of a page, given its path.
    pub(crate) fn page(&self, path: &str) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}{path}", self.address)
    }

    /// The file with the certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        pem_in(self.certificate.as_ref().unwrap().path())
    }

    /// Waits until a request is being held.
    #[track_caller]
    pub(crate) fn wait_until_held(&self) {
        self.held
            .recv_timeout(PATIENCE)
            .expect("a request is to arrive at /hold or /trickle");
    }

    /// Lets the held request go on.
    pub(crate) fn release(&self) {
        self.release.as_ref().unwrap().send(()).unwrap();
    }

    fn serve(tls: Option<Arc<ServerConfig>>, certificate: Option<TempDir>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (held_sender, held) = mpsc::channel();
        let (release, release_receiver) = mpsc::channel();
        let desk = Arc::new(Desk {
            held: held_sender,
            release: Mutex::new(release_receiver),
        });
        let stopped = Arc::clone(&stop);
        let acceptor = thread::spawn(move || accept(&listener, tls.as_ref(), &desk, &stopped));
        Self {
            acceptor: Some(acceptor),
            address,
            certificate,
            held,
            release: Some(release),
            stop,
        }
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        // Who is still held hears that nobody will release it.
        self.release = None;
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees that it is to stop.
        let _ = TcpStream::connect(self.address);
        let _ = self.acceptor.take().unwrap().join();
    }
}

fn pem_in(directory: &Path) -> PathBuf {
    directory.join("certificate.pem")
}

fn accept(
    listener: &TcpListener,
    tls: Option<&Arc<ServerConfig>>,
    desk: &Arc<Desk>,
    stop: &AtomicBool,
) {
    for stream in listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let stream = stream.unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let tls = tls.cloned();
        let desk = Arc::clone(desk);
        // Whoever hangs up on us is the one that is tested, and says so itself.
        thread::spawn(move || match tls {
            Some(config) => {
                let connection = ServerConnection::new(config).unwrap();
                answer(StreamOwned::new(connection, stream), &desk)
            }
            None => answer(stream, &desk),
        });
    }
}

/// One request, one answer of its kind, and the connection is closed.
fn answer(mut stream: impl Read + Write, desk: &Desk) -> io::Result<()> {
    let path = read_path(&mut stream)?;
    match path.as_str() {
        "/hangup" => return Ok(()),
        "/garbage" => stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n")?,
        "/hello" => page(&mut stream, "hello\n")?,
        "/hold" => {
            desk.hold();
            page(&mut stream, "held\n")?;
        }
        "/no-form" => page(
            &mut stream,
            "<!doctype html><title>Text</title><p>Only text.",
        )?,
        "/other-forms" => page(&mut stream, OTHER_FORMS)?,
        "/script-form" => page(&mut stream, SCRIPT_FORM)?,
        "/trickle" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nfirst")?;
            stream.flush()?;
            desk.hold();
            stream.write_all(b", last")?;
        }
        _ => stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?,
    }
    stream.flush()
}

impl Desk {
    fn hold(&self) {
        // The test that waits for either may have failed and gone.
        let _ = self.held.send(());
        let _ = self.release.lock().unwrap().recv();
    }
}

/// Two forms, and neither is for logging in.
const OTHER_FORMS: &str = r#"<!doctype html><title>News</title>
<form action="/search"><input type="search" name="q"><button>Search</button></form>
<form action="/letter" method="post"><label>Your address for our newsletter
<input type="email" name="address"></label><button>Subscribe</button></form>
"#;

/// A page that is empty until its script has run.
const SCRIPT_FORM: &str = r#"<!doctype html><title>Log in</title>
<noscript>Please enable JavaScript.</noscript><div id="root"></div><script src="/app.js"></script>
"#;

fn page(stream: &mut impl Write, body: &str) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads a request's head and gives its path; bodies are left unread.
fn read_path(stream: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let target = head.split(' ').nth(1).unwrap_or_default();
    Ok(target.split('?').next().unwrap_or_default().to_owned())
}
