//! The session for programs without an async runtime: the same code, waited for.
//!
//! All blocking sessions of a process share one thread, which moves their bytes; it starts with
//! the first and ends with the last. Nothing of a session is here a second time: what needs no
//! waiting is reached through the async types, which these ones dereference to, and what has no
//! type here is waited for with [`wait`].

mod kept;

use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use bytes::{Buf, Bytes};
use futures_util::{StreamExt, stream};
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::error::Error;
use crate::session::{self, Content, Request, SessionBuilder};
use crate::transport::ByteStream;

pub use kept::{Answer, Kept};

/// How much of a reader is sent at a time.
const PIECE: usize = 64 * 1024;

/// A session whose calls wait.
///
/// ```no_run
/// use sessile::blocking::Session;
///
/// let session = Session::build(Session::builder().base_url("https://example.com/")?)?;
/// println!("{}", session.get("/news")?.text()?);
/// # Ok::<(), sessile::Error>(())
/// ```
///
/// Inside an async runtime a call that waits would stop the runtime: it is refused there.
#[derive(Clone, Debug)]
pub struct Session {
    session: session::Session,
    worker: Arc<Worker>,
}

impl Session {
    /// The options, the same as an async session's; [`Session::build`] makes the session.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// A session with these options.
    ///
    /// # Errors
    ///
    /// As [`SessionBuilder::build`], and [`Error::BadRequest`] where the system has no thread left.
    pub fn build(options: SessionBuilder) -> Result<Self, Error> {
        Self::around(options.build()?)
    }

    /// Waits for a session that is there already. Its connections stay its own: use it either
    /// here or in the runtime where they were opened.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] where the system has no thread left.
    pub fn around(session: session::Session) -> Result<Self, Error> {
        Ok(Self {
            session,
            worker: Worker::shared()?,
        })
    }

    /// Sends a request and returns when the reply's head is there.
    ///
    /// # Errors
    ///
    /// As [`session::Session::send`], and [`Error::BadRequest`] inside an async runtime.
    pub fn send(&self, request: Request) -> Result<Reply, Error> {
        let reply = self.worker.wait_for(self.session.send(request))??;
        Ok(Reply::new(reply, &self.worker))
    }

    /// Sends a `GET`.
    ///
    /// # Errors
    ///
    /// As [`Session::send`].
    pub fn get(&self, url: &str) -> Result<Reply, Error> {
        self.send(Request::get(url))
    }
}

/// What needs no waiting: state, headers, cookies, closing.
impl Deref for Session {
    type Target = session::Session;

    fn deref(&self) -> &session::Session {
        &self.session
    }
}

/// A reply whose body is waited for; read it whole, or as any [`io::Read`].
#[derive(Debug)]
pub struct Reply {
    reply: session::Reply,
    worker: Arc<Worker>,
    unread: Bytes,
}

impl Reply {
    fn new(reply: session::Reply, worker: &Arc<Worker>) -> Self {
        Self {
            reply,
            worker: Arc::clone(worker),
            unread: Bytes::new(),
        }
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// As [`session::Reply::bytes`].
    pub fn bytes(self) -> Result<Bytes, Error> {
        self.worker.wait_for(self.reply.bytes())?
    }

    /// The whole body as text.
    ///
    /// # Errors
    ///
    /// As [`session::Reply::text`].
    pub fn text(self) -> Result<String, Error> {
        self.worker.wait_for(self.reply.text())?
    }

    /// The whole body as text, by this charset where the reply names none.
    ///
    /// # Errors
    ///
    /// As [`session::Reply::text_with`].
    pub fn text_with(self, charset: &str) -> Result<String, Error> {
        self.worker.wait_for(self.reply.text_with(charset))?
    }

    /// The whole body as text where it is text, else as bytes.
    ///
    /// # Errors
    ///
    /// As [`session::Reply::content`].
    pub fn content(self) -> Result<Content, Error> {
        self.worker.wait_for(self.reply.content())?
    }

    /// The whole body as JSON.
    ///
    /// # Errors
    ///
    /// As [`session::Reply::json`].
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.worker.wait_for(self.reply.json())?
    }

    /// The reply, unless its status says that the request failed.
    ///
    /// # Errors
    ///
    /// As [`session::Reply::error_for_status`].
    pub fn error_for_status(self) -> Result<Self, Error> {
        let reply = self.reply.error_for_status()?;
        Ok(Self { reply, ..self })
    }
}

/// What needs no waiting: status, headers, address, history.
impl Deref for Reply {
    type Target = session::Reply;

    fn deref(&self) -> &session::Reply {
        &self.reply
    }
}

impl io::Read for Reply {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.unread.is_empty() && !buffer.is_empty() {
            let piece = self
                .worker
                .wait_for(self.reply.chunk())
                .and_then(|piece| piece);
            match piece.map_err(io::Error::other)? {
                Some(piece) => self.unread = piece,
                None => return Ok(0),
            }
        }
        let length = self.unread.len().min(buffer.len());
        self.unread.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// Waits for anything else of the library, as opening a store, on the thread that all blocking
/// sessions share.
///
/// # Errors
///
/// [`Error::BadRequest`] inside an async runtime, and where the system has no thread left.
pub fn wait<F: Future>(future: F) -> Result<F::Output, Error> {
    Worker::shared()?.wait_for(future)
}

/// A reader as the body of a request; see [`Request::stream`].
///
/// ```
/// use sessile::{Request, blocking};
///
/// let log = std::io::Cursor::new("many lines");
/// let request = Request::put("/log").stream(blocking::body(log));
/// ```
pub fn body(reader: impl io::Read + Send + 'static) -> ByteStream {
    let pieces = stream::try_unfold(reader, |mut reader| async {
        // Reading may take its time, which the thread that moves all sessions' bytes has not.
        let read = spawn_blocking(move || {
            let mut piece = vec![0; PIECE];
            let length = reader.read(&mut piece)?;
            piece.truncate(length);
            Ok::<_, io::Error>((Bytes::from(piece), reader))
        });
        let unreadable = |error: io::Error| {
            Error::bad_request(format!("the body of the request can't be read: {error}"))
        };
        let read = read.await.map_err(|error| unreadable(error.into()))?;
        let (piece, reader) = read.map_err(unreadable)?;
        Ok((!piece.is_empty()).then_some((piece, reader)))
    });
    pieces.boxed()
}

/// The thread that moves the bytes of all blocking sessions.
#[derive(Debug)]
struct Worker {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// The process's worker, which is there as long as somebody has it.
    fn shared() -> Result<Arc<Self>, Error> {
        static SHARED: Mutex<Weak<Worker>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(worker) = shared.upgrade() {
            return Ok(worker);
        }
        let worker = Self::start().map_err(|error| {
            Error::bad_request(format!("no thread for blocking sessions: {error}"))
        })?;
        let worker = Arc::new(worker);
        *shared = Arc::downgrade(&worker);
        Ok(worker)
    }

    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("sessile-blocking".to_owned());
        let thread = thread.spawn(move || {
            // It ends when it is told to, or when who could tell it is gone.
            let _told_or_gone = runtime.block_on(stopped);
        })?;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    fn wait_for<F: Future>(&self, future: F) -> Result<F::Output, Error> {
        if Handle::try_current().is_ok() {
            return Err(Error::bad_request(
                "a blocking session would stop the async runtime that it is used in; use \
                 sessile::Session there",
            ));
        }
        Ok(self.handle.block_on(future))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Dropping the sender is what stops the thread.
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_ends_with_its_last_owner() {
        let worker = Worker::start().unwrap();
        let task = worker.handle.spawn(std::future::pending::<()>());
        drop(worker);
        // The runtime has dropped what was on it.
        assert!(task.is_finished());
    }

    #[tokio::test]
    async fn it_is_refused_inside_a_runtime() {
        let session = Session::build(Session::builder()).unwrap();
        let error = session.get("http://127.0.0.1:1/").unwrap_err().to_string();
        assert!(error.contains("use sessile::Session there"), "{error}");
    }

    #[test]
    fn a_panic_of_a_waiting_call_leaves_the_others_alone() {
        let worker = Worker::start().unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            worker.wait_for(async { panic!("for the test") })
        }));
        let _: Result<Result<(), Error>, _> = panicked;
        assert_eq!(worker.wait_for(async { 7 }).unwrap(), 7);
    }
}
