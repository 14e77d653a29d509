//! The child process of one exchange: its pipes, its end, and the reply's body.
//!
//! A task owns the child and waits for it, whatever becomes of the request; who drops the exchange
//! tells the task to end it.

use std::io;
use std::pin::{Pin, pin};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};
use tokio_util::io::poll_read_buf;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use url::Url;
use zeroize::Zeroizing;

use super::exit::{self, Ended};
use super::head::{self, Head};
use crate::error::{Error, Phase};
use crate::redact::ShownUrl;
use crate::secret::STORE_VARIABLES;
use crate::transport::{OutgoingBody, Patience, Proxy};

/// How much is read at a time.
const PIECE: usize = 64 * 1024;

/// How much of curl's own words is kept.
const WORDS: usize = 4096;

/// Proxies come from the options alone, never from the environment.
const FOREIGN_SETTINGS: [&str; 8] = [
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// What an exchange is about.
pub(super) struct Exchange {
    pub(super) program: String,
    pub(super) url: Arc<Url>,
    pub(super) patience: Patience,
    pub(super) proxy: Option<Proxy>,
}

/// An exchange whose child runs.
pub(super) struct Running {
    about: Exchange,
    stdout: ChildStdout,
    end: oneshot::Receiver<End>,
    _stop: DropGuard,
}

/// How a child came to its end.
enum End {
    Closed,
    Exited(io::Result<ExitStatus>, String),
    /// The request's body failed.
    Fed(Error),
}

impl Exchange {
    /// Starts curl and the task that owns it.
    pub(super) fn start(
        self,
        children: &TaskTracker,
        stop: &CancellationToken,
        config: Zeroizing<Vec<u8>>,
        body: OutgoingBody,
    ) -> Result<Running, Error> {
        let started = spawn(&self.program, &body);
        let (mut child, separate) = started.map_err(|error| self.not_started(&error))?;
        let stdout = child.stdout.take().expect("it was made above");
        let stdin = child.stdin.take().expect("it was made above");
        let stop = stop.child_token();
        let feeding = async move {
            let Some(mut separate) = separate else {
                return feed(stdin, config, OutgoingBody::Empty).await;
            };
            // curl reads all of its configuration before it asks for the body.
            write(&mut separate, &config).await;
            drop((separate, config));
            feed(stdin, Zeroizing::default(), body).await
        };
        let (told, end) = oneshot::channel();
        let tending = tend(child, feeding, stop.clone());
        children.spawn(tending.map(|end| {
            // Nobody listens where the request was dropped.
            let _unheard = told.send(end);
        }));
        Ok(Running {
            about: self,
            stdout,
            end,
            _stop: stop.drop_guard(),
        })
    }

    fn not_started(&self, error: &io::Error) -> Error {
        let detail = match error.kind() {
            io::ErrorKind::NotFound => "it is not installed".to_owned(),
            _ => format!("it can't be started: {error}"),
        };
        Error::Program {
            program: self.program.clone(),
            detail,
        }
    }
}

/// The configuration goes to standard input. Where the body needs that, the configuration takes
/// the place of standard error: a child gets no other pipe.
fn spawn(program: &str, body: &OutgoingBody) -> io::Result<(Child, Option<pipe::Sender>)> {
    let mut command = Command::new(program);
    // First of all: no `.curlrc`.
    command.arg("-q").arg("--config");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.kill_on_drop(true);
    for name in FOREIGN_SETTINGS.iter().chain(&STORE_VARIABLES) {
        command.env_remove(name);
    }
    if let OutgoingBody::Empty = body {
        command.arg("-").stderr(Stdio::piped());
        return Ok((command.spawn()?, None));
    }
    let (sender, receiver) = pipe::pipe()?;
    command
        .arg("/dev/fd/2")
        .stderr(receiver.into_blocking_fd()?);
    Ok((command.spawn()?, Some(sender)))
}

/// Waits for the child's end, or brings it about; either way none is left behind.
async fn tend(
    mut child: Child,
    feeding: impl Future<Output = Result<(), Error>>,
    stop: CancellationToken,
) -> End {
    let stderr = child.stderr.take();
    let working = async {
        match select(pin!(feeding), pin!(child.wait())).await {
            Either::Left((Ok(()), exiting)) => Ok(exiting.await),
            Either::Left((Err(error), _)) => Err(error),
            Either::Right((exited, _)) => Ok(exited),
        }
    };
    let ended = match stop.run_until_cancelled(working).await {
        Some(Ok(status)) => End::Exited(status, words(stderr).await),
        Some(Err(error)) => End::Fed(error),
        None => End::Closed,
    };
    // One that has ended already can't be killed.
    let _has_ended = child.kill().await;
    ended
}

/// What curl wrote about its end, without its name and code.
async fn words(stderr: Option<ChildStderr>) -> String {
    let mut bytes = [0; WORDS];
    let length = match stderr {
        Some(mut stderr) => stderr.read(&mut bytes).await.unwrap_or(0),
        None => 0,
    };
    let text = String::from_utf8_lossy(&bytes[..length]);
    let line = text.lines().next().unwrap_or_default();
    let own = line
        .strip_prefix("curl: (")
        .and_then(|rest| rest.split_once(") "));
    own.map_or(line, |(_, words)| words).to_owned()
}

/// Writes configuration and body, and closes the pipe. A curl that reads no more says why itself.
async fn feed(
    mut stdin: impl AsyncWrite + Unpin,
    config: Zeroizing<Vec<u8>>,
    body: OutgoingBody,
) -> Result<(), Error> {
    write(&mut stdin, &config).await;
    match body {
        OutgoingBody::Empty => {}
        OutgoingBody::Bytes(bytes) => {
            write(&mut stdin, &bytes).await;
        }
        OutgoingBody::Stream(mut pieces) => {
            while let Some(piece) = pieces.next().await {
                if !write(&mut stdin, &piece?).await {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Whether anybody still reads.
async fn write(pipe: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> bool {
    pipe.write_all(bytes).await.is_ok() && pipe.flush().await.is_ok()
}

impl Running {
    /// The head of the final reply; what was read behind it stays in `read`.
    pub(super) async fn head(&mut self, read: &mut BytesMut) -> Result<Head, Error> {
        loop {
            while let Some(length) = head::length(read) {
                let bytes = read.split_to(length);
                let head = head::parse(&bytes).map_err(|what| self.garbled(what))?;
                // Interim replies come before the one that counts.
                if !head.status.is_informational() {
                    return Ok(head);
                }
            }
            if read.len() > head::LONGEST {
                return Err(self.garbled("a head without end"));
            }
            read.reserve(PIECE);
            if matches!(self.stdout.read_buf(read).await, Ok(0) | Err(_)) {
                return Err(self.failure().await);
            }
        }
    }

    fn garbled(&self, what: &str) -> Error {
        Error::Protocol {
            origin: exit::origin(&self.about.url),
            detail: what.to_owned(),
        }
    }

    /// Why there is no head.
    async fn failure(&mut self) -> Error {
        let about = &self.about;
        match (&mut self.end).await {
            Ok(End::Exited(Ok(status), words)) if !status.success() => Ended {
                program: &about.program,
                url: &about.url,
                patience: about.patience,
                has_proxy: about.proxy.is_some(),
                status,
                words,
            }
            .error(),
            Ok(End::Exited(Ok(_), _)) => self.garbled("no reply at all"),
            Ok(End::Exited(Err(error), _)) => about.not_started(&error),
            Ok(End::Fed(error)) => error,
            Ok(End::Closed) | Err(_) => Error::Closed,
        }
    }
}

/// A reply's body; its end is the child's.
pub(super) struct ReplyBody {
    running: Option<Running>,
    read: Bytes,
    buffer: BytesMut,
    waiting: Option<Pin<Box<Sleep>>>,
    is_at_end: bool,
}

impl ReplyBody {
    /// What of the body was read with the head comes first.
    pub(super) fn new(running: Running, read: Bytes) -> Self {
        Self {
            running: Some(running),
            read,
            buffer: BytesMut::new(),
            waiting: None,
            is_at_end: false,
        }
    }

    /// Ends the body: with an error where curl failed in the middle of it.
    fn finish(&mut self, end: Result<End, oneshot::error::RecvError>) -> Option<Error> {
        let running = self.running.take()?;
        let cut_short = |detail| {
            Some(Error::CutShort {
                url: ShownUrl(&running.about.url).to_string(),
                detail,
            })
        };
        match end {
            Ok(End::Exited(Ok(status), _)) if status.success() => None,
            Ok(End::Exited(Ok(status), words)) if words.is_empty() => {
                cut_short(exit::shown(status))
            }
            Ok(End::Exited(Ok(_), words)) => cut_short(words),
            Ok(End::Exited(Err(error), _)) => cut_short(error.to_string()),
            Ok(End::Fed(error)) => Some(error),
            Ok(End::Closed) | Err(_) => Some(Error::Closed),
        }
    }

    fn poll_running(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let Some(running) = &mut self.running else {
            return Poll::Ready(None);
        };
        if !self.is_at_end {
            self.buffer.reserve(PIECE);
            let stdout = Pin::new(&mut running.stdout);
            let length = ready!(poll_read_buf(stdout, cx, &mut self.buffer));
            if length.is_ok_and(|length| length > 0) {
                return Poll::Ready(Some(Ok(self.buffer.split().freeze())));
            }
            self.is_at_end = true;
        }
        let end = ready!(running.end.poll_unpin(cx));
        Poll::Ready(self.finish(end).map(Err))
    }

    fn time_out(&mut self) -> Option<Error> {
        let about = self.running.take()?.about;
        Some(Error::TimeOut {
            phase: Phase::Read,
            url: ShownUrl(&about.url).to_string(),
            after: about.patience.read,
        })
    }
}

impl Stream for ReplyBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.read.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.read))));
        }
        if let Poll::Ready(piece) = self.poll_running(cx) {
            self.waiting = None;
            return Poll::Ready(piece);
        }
        let patience = self
            .running
            .as_ref()
            .map(|running| running.about.patience.read);
        let patience = patience.unwrap_or_default();
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(self.time_out().map(Err))
    }
}
