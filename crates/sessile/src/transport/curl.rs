//! The system's curl as a transport: one child process for each exchange.
//!
//! Nothing of a request is on the command line, where every user of the machine could read it:
//! curl gets a configuration through a pipe (`config`) and the body through another. Redirects and
//! cookies stay the session's. What its exit code means is in `exit`, its reply is read in `head`.

mod child;
mod config;
mod exit;
mod head;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::BytesMut;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tempfile::NamedTempFile;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ConnectOptions, Incoming, Outgoing, Proxy, ProxyKind, Transport, Trust, proxy};
use crate::error::{Error, Obstacle, Phase};
use crate::redact::ShownUrl;
use child::{Exchange, ReplyBody};

/// Sends with the system's curl, a process for each request.
///
/// Needs curl 7.75 or later and a Unix system. A body has no trailers of its own: curl gives them
/// as the body's end.
#[derive(Debug)]
pub struct Curl {
    program: PathBuf,
    options: Mutex<Arc<Options>>,
    children: TaskTracker,
    stop: CancellationToken,
}

/// How to connect, and the file for curl with the authorities that are trusted.
#[derive(Debug)]
struct Options {
    connect: Arc<ConnectOptions>,
    authorities: OnceLock<Result<NamedTempFile, Error>>,
}

impl Curl {
    /// The `curl` that is found in the search path.
    ///
    /// A client certificate can't be handed on: its key would have to be in a clear file.
    pub fn new(options: Arc<ConnectOptions>) -> Self {
        Self {
            program: PathBuf::from("curl"),
            options: Mutex::new(Options::new(options)),
            children: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Another program that understands curl's options. Defaults to `curl`.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    fn options(&self) -> Arc<Options> {
        let options = self.options.lock();
        Arc::clone(&options.unwrap_or_else(PoisonError::into_inner))
    }

    async fn exchange(&self, request: Outgoing) -> Result<Incoming, Error> {
        if self.stop.is_cancelled() {
            return Err(Error::Closed);
        }
        let options = self.options();
        let config = config::write(&request, &options.connect, options.authorities()?)?;
        let Outgoing {
            url,
            body,
            patience,
            ..
        } = request;
        let mut exchange = Exchange {
            program: self.program.display().to_string(),
            url: Arc::clone(&url),
            patience,
            proxy: options.connect.proxy.clone(),
        }
        .start(&self.children, &self.stop, config, body)?;

        let limit = patience.connect + patience.read;
        let mut read = BytesMut::new();
        let head = match timeout(limit, exchange.head(&mut read)).await {
            Ok(head) => head?,
            Err(_elapsed) => {
                return Err(Error::TimeOut {
                    phase: Phase::Read,
                    url: ShownUrl(&url).to_string(),
                    after: limit,
                });
            }
        };
        let is_passed_on = url.scheme() == "http"
            && matches!(&options.connect.proxy, Some(proxy) if proxy.kind() == ProxyKind::Http);
        if is_passed_on && proxy::refuses(head.status, &head.headers) {
            return Err(Error::Connect {
                origin: exit::origin(&url),
                obstacle: Obstacle::ProxyRefused,
                detail: format!("it answered {}", head.status),
            });
        }
        Ok(Incoming {
            status: head.status,
            version: head.version,
            headers: head.headers,
            body: Box::pin(ReplyBody::new(exchange, read.freeze())),
        })
    }
}

impl Options {
    fn new(connect: Arc<ConnectOptions>) -> Arc<Self> {
        Arc::new(Self {
            connect,
            authorities: OnceLock::new(),
        })
    }

    /// The certificates are nobody's secret, so they may be in a file while the transport lives.
    fn authorities(&self) -> Result<Option<&NamedTempFile>, Error> {
        let Trust::SystemAnd(pem) = &self.connect.tls.trust else {
            return Ok(None);
        };
        let file = self.authorities.get_or_init(|| {
            let written = NamedTempFile::new().and_then(|file| {
                std::fs::write(file.path(), pem)?;
                Ok(file)
            });
            written.map_err(|error| {
                Error::bad_request(format!("the CA file can't be written for curl: {error}"))
            })
        });
        file.as_ref().map(Some).map_err(Error::clone)
    }
}

impl Transport for Curl {
    fn send(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Error>> {
        self.exchange(request).boxed()
    }

    fn connections(&self) -> usize {
        self.children.len()
    }

    fn close(&self) {
        self.stop.cancel();
    }

    fn reconnect(&self, options: ConnectOptions) {
        let mut current = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Options::new(Arc::new(options));
    }

    fn proxy(&self) -> Option<Proxy> {
        self.options().connect.proxy.clone()
    }

    fn route(&self, proxy: Option<Proxy>) {
        let mut connect = ConnectOptions::clone(&self.options().connect);
        if connect.proxy != proxy {
            connect.proxy = proxy;
            self.reconnect(connect);
        }
    }

    fn sibling(&self) -> Option<Arc<dyn Transport>> {
        let sibling = Self::new(Arc::clone(&self.options().connect));
        Some(Arc::new(sibling.program(self.program.clone())))
    }
}
