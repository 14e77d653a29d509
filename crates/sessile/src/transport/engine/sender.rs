//! The handle on which requests are sent, for either version of HTTP.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version, header};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::timeout;
use url::{Position, Url};

use super::body::SendBody;
use crate::error::Error;
use crate::transport::connect::{Connected, PassedOn, Protocol, Refusal};
use crate::transport::connections::{Connections, Kind, Reusable};
use crate::transport::tls::Trouble;

#[derive(Debug)]
pub(super) enum Sender {
    Http1 {
        sender: http1::SendRequest<SendBody>,
        passed_on: Option<Box<PassedOn>>,
        refusal: Refusal,
    },
    Http2 {
        sender: http2::SendRequest<SendBody>,
        refusal: Refusal,
    },
}

/// Why no reply came; the request is given back where no byte of it was written.
pub(super) struct Failure {
    pub(super) unsent: Option<Box<Request<SendBody>>>,
    pub(super) cause: Cause,
}

pub(super) enum Cause {
    Engine(hyper::Error),
    TimeOut,
}

impl Sender {
    /// Begins to speak HTTP; the connection runs until it ends or its session closes.
    pub(super) async fn begin(
        connected: Connected,
        home: &Arc<Connections<Self>>,
    ) -> Result<Self, hyper::Error> {
        let io = TokioIo::new(connected.io);
        Ok(match connected.protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::Builder::new().handshake(io).await?;
                home.spawn(Kind::Connection, connection);
                Self::Http1 {
                    sender,
                    passed_on: connected.passed_on.map(Box::new),
                    refusal: connected.refusal,
                }
            }
            Protocol::Http2 => {
                let builder = http2::Builder::new(TokioExecutor::new());
                let (sender, connection) = builder.handshake(io).await?;
                home.spawn(Kind::Connection, connection);
                Self::Http2 {
                    sender,
                    refusal: connected.refusal,
                }
            }
        })
    }

    pub(super) async fn becomes_ready(&mut self) -> bool {
        match self {
            Self::Http1 { sender, .. } => sender.ready().await.is_ok(),
            Self::Http2 { sender, .. } => sender.ready().await.is_ok(),
        }
    }

    /// What TLS said, where it ended the connection.
    pub(super) fn refusal(&self) -> Option<Trouble> {
        let (Self::Http1 { refusal, .. } | Self::Http2 { refusal, .. }) = self;
        refusal.as_ref()?.get().cloned()
    }

    /// Whether a proxy reads the requests.
    pub(super) fn is_passed_on(&self) -> bool {
        matches!(
            self,
            Self::Http1 {
                passed_on: Some(_),
                ..
            }
        )
    }

    pub(super) async fn send(
        &mut self,
        mut request: Request<SendBody>,
        url: &Url,
        patience: Duration,
    ) -> Result<Response<hyper::body::Incoming>, Failure> {
        self.address(&mut request, url);
        let sending = async {
            match self {
                Self::Http1 { sender, .. } => sender.try_send_request(request).await,
                Self::Http2 { sender, .. } => sender.try_send_request(request).await,
            }
        };
        match timeout(patience, sending).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(mut error)) => Err(Failure {
                unsent: error.take_message().map(Box::new),
                cause: Cause::Engine(error.into_error()),
            }),
            Err(_elapsed) => Err(Failure {
                unsent: None,
                cause: Cause::TimeOut,
            }),
        }
    }

    /// HTTP/1.1 names the host in a header, HTTP/2 and proxies in the request's target.
    fn address(&self, request: &mut Request<SendBody>, url: &Url) {
        match self {
            Self::Http1 { passed_on, .. } => {
                // It was taken out for an HTTP/2 connection that had gone.
                if !request.headers().contains_key(header::HOST) {
                    let host = HeaderValue::from_str(authority(url));
                    let host = host.expect("a parsed URL's host is a header's value");
                    request.headers_mut().insert(header::HOST, host);
                }
                match passed_on.as_deref() {
                    None => *request.uri_mut() = path(url),
                    Some(passed_on) => {
                        *request.uri_mut() = whole(url);
                        if let Some(value) = &passed_on.authorization {
                            let headers = request.headers_mut();
                            headers.insert(header::PROXY_AUTHORIZATION, value.clone());
                        }
                    }
                }
                *request.version_mut() = Version::HTTP_11;
            }
            Self::Http2 { .. } => {
                let headers = std::mem::take(request.headers_mut());
                *request.headers_mut() = without_connection(&headers);
                *request.uri_mut() = whole(url);
                *request.version_mut() = Version::HTTP_2;
            }
        }
    }
}

/// The path and the query, for the server itself.
fn path(url: &Url) -> Uri {
    let path = &url[Position::BeforePath..Position::AfterQuery];
    Uri::try_from(path).expect("a parsed URL's path is a request's target")
}

/// The whole URL without the user that it may name.
fn whole(url: &Url) -> Uri {
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let whole = if url.username().is_empty() && url.password().is_none() {
        Uri::try_from(&url[..Position::AfterQuery])
    } else {
        Uri::try_from(format!("{}://{}{path}", url.scheme(), authority(url)))
    };
    whole.expect("a parsed URL is a request's target")
}

fn authority(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

/// RFC 9113, section 8.2.2: what belongs to a connection isn't a field. The others keep their
/// order, which removing from a map would change.
fn without_connection(headers: &HeaderMap) -> HeaderMap {
    let fields = headers.iter().filter(|(name, _)| {
        !matches!(
            name.as_str(),
            "connection"
                | "host"
                | "keep-alive"
                | "proxy-connection"
                | "transfer-encoding"
                | "upgrade"
        )
    });
    fields
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

impl Reusable for Sender {
    fn is_usable(&self) -> bool {
        match self {
            Self::Http1 { sender, .. } => !sender.is_closed(),
            Self::Http2 { sender, .. } => !sender.is_closed(),
        }
    }

    /// An HTTP/2 connection carries many requests at once, so it stays in its place.
    fn share(&self) -> Option<Self> {
        match self {
            Self::Http1 { .. } => None,
            Self::Http2 { sender, refusal } => Some(Self::Http2 {
                sender: sender.clone(),
                refusal: refusal.clone(),
            }),
        }
    }
}

/// What hyper says, as our error; `sent` is whether the server can have seen the request.
pub(super) fn explain(error: &hyper::Error, origin: String, sent: bool) -> Error {
    let causes = || std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    // An error that our own body stream gave to the engine comes back as it was.
    if let Some(ours) = causes().find_map(|cause| cause.downcast_ref::<Error>()) {
        return ours.clone();
    }
    let detail = super::chain(error);
    if error.is_parse() {
        return Error::Protocol { origin, detail };
    }
    Error::Disconnect {
        origin,
        detail,
        sent,
    }
}
