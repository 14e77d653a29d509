//! The direct transport: HTTP/1.1 and HTTP/2 over TCP and TLS.
//!
//! The only file that names the HTTP engine. Each session has a [`Direct`] with connections of its
//! own: identity and proxy belong to the connection. What sessions share is the [`Engine`], which
//! owns every connection task. Making a connection is in `connect`, keeping idle ones in `idle`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version, header};
use http_body::{Body, Frame, SizeHint};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::{Position, Url};

use super::connect::{Connector, Protocol};
use super::idle::{Idle, Origin, Reusable};
use super::{ConnectOptions, Incoming, Outgoing, OutgoingBody, Patience, Transport};
use crate::error::{Error, Phase};
use crate::redact::ShownUrl;

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
        Arc::new(Direct(Arc::new(Shared {
            connector: Connector::new(options),
            idle: Idle::default(),
            closed: CancellationToken::new(),
            tasks: self.tasks.clone(),
        })))
    }

    /// Waits until every connection that was closed is gone.
    pub async fn wait(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }
}

/// The connections of one session.
#[derive(Debug)]
struct Direct(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connector: Connector,
    idle: Idle<Sender>,
    closed: CancellationToken,
    tasks: TaskTracker,
}

impl Transport for Direct {
    fn send(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Error>> {
        exchange(&self.0, request).boxed()
    }

    fn connections(&self) -> usize {
        self.0.idle.open()
    }

    fn close(&self) {
        self.0.closed.cancel();
        self.0.idle.clear();
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        self.close();
    }
}

/// Sends on a kept connection where there is one; a stale one that never saw the request is
/// replaced without anybody noticing.
async fn exchange(shared: &Arc<Shared>, request: Outgoing) -> Result<Incoming, Error> {
    let Outgoing {
        method,
        url,
        headers,
        body,
        patience,
    } = request;
    let origin = Origin::of(&url).ok_or_else(|| Error::bad_request("the URL has no host"))?;
    let mut request = Request::new(SendBody(body));
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    loop {
        if shared.closed.is_cancelled() {
            return Err(Error::Closed);
        }
        let (mut sender, is_reused) = match shared.idle.take(&origin) {
            Some(kept) => (kept, true),
            None => (connect(shared, &origin, &patience).await?, false),
        };
        if is_reused && !sender.becomes_ready().await {
            continue;
        }
        match sender.send(request, &url, patience).await {
            Ok(response) => return Ok(incoming(shared, origin, sender, response, &url, patience)),
            Err(Failure {
                unsent: Some(unsent),
                ..
            }) if is_reused => request = *unsent,
            Err(Failure { unsent, cause }) => {
                return Err(explain(cause, &url, &origin, unsent.is_none()));
            }
        }
    }
}

async fn connect(
    shared: &Arc<Shared>,
    origin: &Origin,
    patience: &Patience,
) -> Result<Sender, Error> {
    let connecting = async {
        let (io, protocol) = shared.connector.connect(origin).await?;
        handshake(shared, TokioIo::new(io), protocol)
            .await
            .map_err(|error| explain_engine(&error, origin, false))
    };
    let sender = timeout(patience.connect, connecting)
        .await
        .map_err(|_elapsed| Error::TimeOut {
            phase: Phase::Connect,
            url: origin.to_string(),
            after: patience.connect,
        })??;
    if let Sender::Http2(shareable) = &sender {
        shared
            .idle
            .put(origin.clone(), Sender::Http2(shareable.clone()));
    }
    Ok(sender)
}

async fn handshake(
    shared: &Arc<Shared>,
    io: TokioIo<super::connect::Io>,
    protocol: Protocol,
) -> Result<Sender, hyper::Error> {
    Ok(match protocol {
        Protocol::Http1 => {
            let (sender, connection) = http1::Builder::new().handshake(io).await?;
            run_connection(shared, connection);
            Sender::Http1(sender)
        }
        Protocol::Http2 => {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .handshake(io)
                .await?;
            run_connection(shared, connection);
            Sender::Http2(sender)
        }
    })
}

/// Runs a connection on the engine's tracker until it ends or its session closes.
fn run_connection<C>(shared: &Arc<Shared>, connection: C)
where
    C: Future<Output = Result<(), hyper::Error>> + Send + 'static,
{
    let closed = shared.closed.clone();
    let open = shared.idle.count_open();
    shared.tasks.spawn(async move {
        let _open = open;
        // How a connection ended shows at the request that was on it.
        let _ended = closed.run_until_cancelled(connection).await;
    });
}

/// The handle on which requests are sent.
#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<SendBody>),
    Http2(http2::SendRequest<SendBody>),
}

/// Why no reply came; the request is given back where no byte of it was written.
struct Failure {
    unsent: Option<Box<Request<SendBody>>>,
    cause: Cause,
}

enum Cause {
    Engine(hyper::Error),
    TimeOut(Patience),
}

impl Sender {
    async fn becomes_ready(&mut self) -> bool {
        match self {
            Self::Http1(sender) => sender.ready().await.is_ok(),
            Self::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    async fn send(
        &mut self,
        mut request: Request<SendBody>,
        url: &Url,
        patience: Patience,
    ) -> Result<Response<hyper::body::Incoming>, Failure> {
        self.address(&mut request, url)?;
        let sending = async {
            match self {
                Self::Http1(sender) => sender.try_send_request(request).await,
                Self::Http2(sender) => sender.try_send_request(request).await,
            }
        };
        match timeout(patience.read, sending).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(mut error)) => Err(Failure {
                unsent: error.take_message().map(Box::new),
                cause: Cause::Engine(error.into_error()),
            }),
            Err(_elapsed) => Err(Failure {
                unsent: None,
                cause: Cause::TimeOut(patience),
            }),
        }
    }

    /// HTTP/1.1 names the host in a header, HTTP/2 in the request's target.
    fn address(&self, request: &mut Request<SendBody>, url: &Url) -> Result<(), Failure> {
        let (from, version) = match self {
            Self::Http1(_) => (Position::BeforePath, Version::HTTP_11),
            Self::Http2(_) => (Position::BeforeScheme, Version::HTTP_2),
        };
        if let Self::Http2(_) = self {
            let headers = std::mem::take(request.headers_mut());
            *request.headers_mut() = for_http2(headers);
        } else if !request.headers().contains_key(header::HOST) {
            // Given back by an HTTP/2 connection that had gone.
            if let Ok(host) = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort])
            {
                request.headers_mut().insert(header::HOST, host);
            }
        }
        let target = &url[from..Position::AfterQuery];
        *request.uri_mut() = Uri::try_from(target).expect("a parsed URL is a request target");
        *request.version_mut() = version;
        Ok(())
    }
}

/// The headers without those of the connection (section 8.2.2 of RFC 9113).
fn for_http2(mut headers: HeaderMap) -> HeaderMap {
    if !headers.contains_key(header::CONNECTION) {
        headers.remove(header::HOST);
        return headers;
    }
    // A profile that names the connection is a browser's, whose order counts: removing from the
    // map would put the last header in the place of the removed one.
    let of_connection = [header::CONNECTION, header::HOST];
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers
        .iter()
        .filter(|(name, _)| !of_connection.contains(*name))
    {
        kept.append(name.clone(), value.clone());
    }
    kept
}

impl Reusable for Sender {
    fn is_usable(&self) -> bool {
        match self {
            Self::Http1(sender) => !sender.is_closed(),
            Self::Http2(sender) => !sender.is_closed(),
        }
    }

    /// An HTTP/2 connection carries many requests at once, so it stays in its place.
    fn share(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(sender) => Some(Self::Http2(sender.clone())),
        }
    }
}

fn incoming(
    shared: &Arc<Shared>,
    origin: Origin,
    sender: Sender,
    response: Response<hyper::body::Incoming>,
    url: &Url,
    patience: Patience,
) -> Incoming {
    let (head, body) = response.into_parts();
    let mut body = ReplyBody {
        body,
        lent: Some((Arc::clone(shared), origin, sender)),
        patience,
        url: url.clone(),
        waiting: None,
    };
    if body.body.is_end_stream() {
        body.give_back();
    }
    Incoming {
        status: head.status,
        version: head.version,
        headers: head.headers,
        body: Box::pin(body),
    }
}

/// A reply's body; at its end the connection goes back to the idle ones.
struct ReplyBody {
    body: hyper::body::Incoming,
    lent: Option<(Arc<Shared>, Origin, Sender)>,
    patience: Patience,
    url: Url,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl ReplyBody {
    fn give_back(&mut self) {
        if let Some((shared, origin, sender @ Sender::Http1(_))) = self.lent.take()
            && !shared.closed.is_cancelled()
        {
            let is_first = shared.idle.put(origin, sender);
            if is_first {
                watch_idle(&shared);
            }
        }
    }

    fn fail(&mut self, error: &hyper::Error) -> Error {
        let url = ShownUrl(&self.url).to_string();
        let closed = self
            .lent
            .take()
            .is_some_and(|(shared, ..)| shared.closed.is_cancelled());
        if closed {
            return Error::Closed;
        }
        Error::CutShort {
            url,
            detail: chain(error),
        }
    }
}

/// Idle connections are dropped in the background while there are any.
fn watch_idle(shared: &Arc<Shared>) {
    let weak = Arc::downgrade(shared);
    let closed = shared.closed.clone();
    shared.tasks.spawn(async move {
        let watch = async {
            loop {
                sleep(super::idle::KEEP).await;
                let Some(shared) = weak.upgrade() else { return };
                if shared.idle.drop_old() {
                    return;
                }
            }
        };
        closed.run_until_cancelled(watch).await;
    });
}

impl Stream for ReplyBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.waiting = None;
                    let is_end = self.body.is_end_stream();
                    if is_end {
                        self.give_back();
                    }
                    // Trailers end a body and carry nothing that a session uses.
                    let Ok(piece) = frame.into_data() else {
                        continue;
                    };
                    return Poll::Ready(Some(Ok(piece)));
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(self.fail(&error))));
                }
                Poll::Ready(None) => {
                    self.give_back();
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    let after = self.patience.read;
                    let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(after)));
                    ready!(waiting.as_mut().poll(cx));
                    self.lent = None;
                    let url = ShownUrl(&self.url).to_string();
                    return Poll::Ready(Some(Err(Error::TimeOut {
                        phase: Phase::Read,
                        url,
                        after,
                    })));
                }
            }
        }
    }
}

/// Our body as the engine wants it.
#[derive(Debug)]
struct SendBody(OutgoingBody);

impl Body for SendBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.0 {
            OutgoingBody::Empty => Poll::Ready(None),
            OutgoingBody::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            OutgoingBody::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            OutgoingBody::Stream(stream) => {
                let piece = ready!(stream.as_mut().poll_next(cx));
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            OutgoingBody::Bytes(bytes) => bytes.is_empty(),
            OutgoingBody::Empty => true,
            OutgoingBody::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            OutgoingBody::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            OutgoingBody::Empty => SizeHint::with_exact(0),
            OutgoingBody::Stream(_) => SizeHint::default(),
        }
    }
}

fn explain(cause: Cause, url: &Url, origin: &Origin, sent: bool) -> Error {
    match cause {
        Cause::Engine(error) => explain_engine(&error, origin, sent),
        Cause::TimeOut(patience) => Error::TimeOut {
            phase: Phase::Read,
            url: ShownUrl(url).to_string(),
            after: patience.read,
        },
    }
}

fn explain_engine(error: &hyper::Error, origin: &Origin, sent: bool) -> Error {
    let origin = origin.to_string();
    let detail = chain(error);
    if let Some(ours) = source_of_ours(error) {
        return ours;
    }
    if error.is_parse() {
        return Error::Protocol { origin, detail };
    }
    Error::Disconnect {
        origin,
        detail,
        sent,
    }
}

/// An error that our own body stream gave to the engine comes back as it was.
fn source_of_ours(error: &hyper::Error) -> Option<Error> {
    use std::error::Error as _;
    error
        .source()
        .and_then(|source| source.downcast_ref::<Error>())
        .cloned()
}

/// The error's text with its causes, which say what the system said.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
