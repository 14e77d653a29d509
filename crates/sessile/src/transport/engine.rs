//! The direct transport: HTTP/1.1 and HTTP/2 over TCP and TLS.
//!
//! This module is the only one that names the HTTP engine. Each session has a [`Direct`] with
//! connections of its own: identity and proxy belong to the connection. What sessions share is the
//! [`Engine`], which owns every task. Making a connection is in `connect`, keeping idle ones and
//! all tasks of a session in `connections`.

mod body;
mod sender;
mod tunnel;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio::time::timeout;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use url::Url;

use super::connections::{Connections, Kind, Lent, Origin};
use super::{ConnectOptions, Incoming, Outgoing, Proxy, Transport};
use crate::error::{Error, Obstacle, Phase};
use crate::redact::ShownUrl;
use body::{ReplyBody, SendBody};
use sender::{Cause, Failure, Sender, explain};

pub(super) use tunnel::tunnel;

/// The engine can't name more.
const LONGEST_URL: usize = 65_000;

/// Owns the connections of all its sessions' transports.
///
/// Cheap to clone; one for a process is enough.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    tasks: TaskTracker,
}

impl Engine {
    /// An engine without connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// A transport for one session, with connections of its own.
    pub fn transport(&self, options: Arc<ConnectOptions>) -> Arc<dyn Transport> {
        let connections = Connections::new(options, self.tasks.clone());
        Arc::new(Direct(Arc::new(connections)))
    }

    /// Waits until no session of this engine has a connection any more: close them first.
    pub async fn wait(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }
}

/// The connections of one session.
#[derive(Debug)]
struct Direct(Arc<Connections<Sender>>);

impl Transport for Direct {
    fn send(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Error>> {
        exchange(&self.0, request).boxed()
    }

    fn connections(&self) -> usize {
        self.0.open()
    }

    fn close(&self) {
        self.0.close();
    }

    fn reconnect(&self, options: ConnectOptions) {
        self.0.renew(Arc::new(options));
    }

    fn proxy(&self) -> Option<Proxy> {
        self.0.options().proxy.clone()
    }

    fn route(&self, proxy: Option<Proxy>) {
        let mut options = ConnectOptions::clone(&self.0.options());
        if options.proxy != proxy {
            options.proxy = proxy;
            self.reconnect(options);
        }
    }

    fn sibling(&self) -> Option<Arc<dyn Transport>> {
        let engine = Engine {
            tasks: self.0.tasks().clone(),
        };
        Some(engine.transport(self.0.options()))
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        self.0.retire();
    }
}

/// Sends on a kept connection where there is one; a stale one that never saw the request is
/// replaced without anybody noticing.
async fn exchange(home: &Arc<Connections<Sender>>, request: Outgoing) -> Result<Incoming, Error> {
    let Outgoing {
        method,
        url,
        headers,
        body,
        patience,
    } = request;
    if url.as_str().len() > LONGEST_URL {
        return Err(Error::bad_request("the URL is longer than 64 KB"));
    }
    let mut request = Request::new(SendBody(body));
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    loop {
        let (mut lent, is_reused) = match home.take(&url) {
            // Some proxies end a connection after each reply without a word, and what can't be
            // repeated would be lost on it.
            Some(kept) if kept.connection.is_passed_on() && !request.method().is_idempotent() => {
                continue;
            }
            Some(kept) => (kept, true),
            // Boxed, so that an exchange that needs none stays small.
            None => (
                Box::pin(connect(home, &url, patience.connect)).await?,
                false,
            ),
        };
        if is_reused && !lent.connection.becomes_ready().await {
            continue;
        }
        match lent.connection.send(request, &url, patience.read).await {
            Ok(response) => return incoming(lent, response, url, patience.read),
            Err(Failure { unsent, .. }) if unsent.is_some() && is_reused && !lent.is_closed() => {
                request = *unsent.expect("asked above");
            }
            Err(failure) => return Err(fail(failure, &lent, &url, patience.read)),
        }
    }
}

fn incoming(
    lent: Lent<Sender>,
    response: Response<hyper::body::Incoming>,
    url: Arc<Url>,
    patience: Duration,
) -> Result<Incoming, Error> {
    let (head, body) = response.into_parts();
    if lent.connection.is_passed_on() && super::proxy::refuses(head.status, &head.headers) {
        return Err(Error::Connect {
            origin: lent.origin.to_string(),
            obstacle: Obstacle::ProxyRefused,
            detail: format!("it answered {}", head.status),
        });
    }
    Ok(Incoming {
        status: head.status,
        version: head.version,
        headers: head.headers,
        body: Box::pin(ReplyBody::new(body, lent, patience, url)),
    })
}

fn fail(failure: Failure, lent: &Lent<Sender>, url: &Url, patience: Duration) -> Error {
    if lent.is_closed() {
        return Error::Closed;
    }
    if let Some(trouble) = lent.connection.refusal() {
        return trouble.with(lent.origin.to_string());
    }
    match failure.cause {
        Cause::Engine(error) => explain(&error, lent.origin.to_string(), failure.unsent.is_none()),
        Cause::TimeOut => Error::TimeOut {
            phase: Phase::Read,
            url: ShownUrl(url).to_string(),
            after: patience,
        },
    }
}

/// A connection to the URL's origin: one's own, or one that another request has just made and that
/// carries several.
async fn connect(
    home: &Arc<Connections<Sender>>,
    url: &Url,
    patience: Duration,
) -> Result<Lent<Sender>, Error> {
    let origin = Origin::of(url).ok_or_else(|| Error::bad_request("the URL has no host"))?;
    let shown = || Error::TimeOut {
        phase: Phase::Connect,
        url: origin.to_string(),
        after: patience,
    };
    let connecting = async {
        let gate = origin.is_tls.then(|| home.gate(&origin));
        let Some(gate) = gate.filter(|gate| !gate.is_open()) else {
            return make(home, &origin).await;
        };
        let turn = gate.turn.lock().await;
        if let Some(lent) = home.take(url) {
            return Ok(lent);
        }
        if gate.is_open() {
            drop(turn);
            return make(home, &origin).await;
        }
        let lent = make(home, &origin).await?;
        if let Sender::Http1 { .. } = lent.connection {
            gate.open();
        }
        Ok(lent)
    };
    timeout(patience, connecting)
        .await
        .map_err(|_elapsed| shown())?
}

async fn make(home: &Arc<Connections<Sender>>, origin: &Origin) -> Result<Lent<Sender>, Error> {
    let (connector, epoch) = home.connector();
    let (home, origin) = (Arc::clone(home), origin.clone());
    let task = home.clone().spawn(Kind::Connecting, async move {
        let connected = connector.connect(&origin).await?;
        let sender = Sender::begin(connected, &home).await;
        let sender = sender.map_err(|error| explain(&error, origin.to_string(), false))?;
        Ok(home.lend(origin, sender, epoch))
    });
    let Some(task) = task else {
        return Err(Error::Closed);
    };
    // Who doesn't wait any longer doesn't connect any longer.
    match AbortOnDropHandle::new(task).await {
        Ok(result) => result,
        Err(failure) if failure.is_panic() => std::panic::resume_unwind(failure.into_panic()),
        Err(_closed) => Err(Error::Closed),
    }
}

/// The error's text with its causes, which say what the system said.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors tell their cause themselves.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
