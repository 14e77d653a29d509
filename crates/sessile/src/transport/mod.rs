//! The seam between a session and whatever sends its requests.
//!
//! One exchange at a time: no redirects, no retries, no cookies, no decoding. Those are the
//! session's, so that every transport follows the same rules.

mod browser;
mod connect;
mod connections;
mod curl;
mod engine;
mod proxy;
#[cfg(any(test, feature = "test-util"))]
mod scripted;
mod tls;

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode, Version};
use url::Url;

use crate::error::Error;
use crate::redact::{ShownHeaders, ShownUrl};

pub use browser::Chromium;
pub(crate) use browser::Luggage;
pub use curl::Curl;
pub use engine::Engine;
pub use proxy::{Proxy, ProxyKind};
#[cfg(any(test, feature = "test-util"))]
pub use scripted::{ScriptedReply, ScriptedTransport, Sent};
#[cfg(feature = "postgres")]
pub(crate) use tls::client_config;
pub use tls::{ClientIdentity, TlsOptions, Trust};

/// How a session connects; given to its transport once.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// Addresses of hosts, in place of what their names would be looked up to. A proxy that looks
    /// names up itself doesn't know them. Defaults to none.
    pub hosts: Vec<(String, Vec<IpAddr>)>,
    /// The address of this machine to connect from. Defaults to the system's choice.
    pub local_address: Option<IpAddr>,
    /// What stands in between; the session keeps it in its state. Defaults to what the state says,
    /// which is nothing in an empty one.
    pub proxy: Option<Proxy>,
    /// Whom to trust and who we are.
    pub tls: TlsOptions,
}

impl ConnectOptions {
    /// The defaults, made once for all sessions.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<ConnectOptions>> = OnceLock::new();
        SHARED.get_or_init(Arc::default).clone()
    }
}

/// Sends one request and answers its reply.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends the request and returns when the reply's head is there; the body streams.
    ///
    /// # Errors
    ///
    /// [`Error::Disconnect`] with `sent: false` and [`Error::Connect`] promise that the server has
    /// not seen the request.
    fn send(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Error>>;

    /// How many connections are open.
    fn connections(&self) -> usize;

    /// Drops every connection; requests that come later fail with [`Error::Closed`].
    fn close(&self);

    /// Connects in another way from the next request on; no connection made before is used again.
    ///
    /// What sends without connections of its own does nothing.
    fn reconnect(&self, _options: ConnectOptions) {}

    /// The proxy that it connects through, where there is one.
    fn proxy(&self) -> Option<Proxy> {
        None
    }

    /// Connects through this proxy, or through none, from the next request on; no connection made
    /// before is used again, unless it is the same proxy still.
    ///
    /// What sends without connections of its own does nothing.
    fn route(&self, _proxy: Option<Proxy>) {}

    /// Another transport that connects in the same way and has no connection in common with this
    /// one; `None` where there is nothing that a server could recognize.
    fn sibling(&self) -> Option<Arc<dyn Transport>> {
        None
    }
}

/// A request as it goes out: every header in its final order, cookies included.
#[expect(
    clippy::exhaustive_structs,
    reason = "the seam's own value; both sides are ours"
)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// The absolute URL; its fragment and user info aren't sent.
    pub url: Arc<Url>,
    /// The headers, in order, with `Host`.
    pub headers: HeaderMap,
    /// The body.
    pub body: OutgoingBody,
    /// How long connecting and each read may take.
    pub patience: Patience,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("method", &self.method)
            .field("url", &ShownUrl(&self.url))
            .field("headers", &ShownHeaders(&self.headers))
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// The limits of one exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the seam's own value; both sides are ours"
)]
pub struct Patience {
    /// For making the connection, TLS included. Defaults to 10 s.
    pub connect: Duration,
    /// For the head of the reply and between two pieces of its body. Defaults to 30 s.
    pub read: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(30),
        }
    }
}

/// Pieces of a body.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// The body of an outgoing request.
#[expect(
    clippy::exhaustive_enums,
    reason = "the seam's own value; both sides are ours"
)]
pub enum OutgoingBody {
    /// The whole body.
    Bytes(Bytes),
    /// No body and no `Content-Length`.
    Empty,
    /// A body of unknown length; it can be sent once.
    Stream(ByteStream),
}

impl fmt::Debug for OutgoingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Empty => f.write_str("empty"),
            Self::Stream(_) => f.write_str("stream"),
        }
    }
}

/// The head of a reply, and its body as it arrives.
#[expect(
    clippy::exhaustive_structs,
    reason = "the seam's own value; both sides are ours"
)]
pub struct Incoming {
    /// The status.
    pub status: StatusCode,
    /// The HTTP version spoken.
    pub version: Version,
    /// The headers as they came.
    pub headers: HeaderMap,
    /// The body as it arrives, still encoded.
    pub body: ByteStream,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({:?} {})", self.version, self.status)
    }
}
