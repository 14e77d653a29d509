//! Making a connection: name, TCP, proxy, TLS.
//!
//! Which version of HTTP to speak comes out of the TLS handshake; speaking it is the engine's.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::HeaderValue;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connections::Origin;
use super::proxy::{Proxy, ProxyKind};
use super::tls::Trouble;
use super::{ConnectOptions, engine, tls};
use crate::error::{Error, Obstacle};

/// A connected stream of bytes.
pub(super) type Io = Box<dyn ReadWrite>;

pub(super) trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for T {}

/// A connection to a server and how to speak on it.
pub(super) struct Connected {
    pub(super) io: Io,
    pub(super) protocol: Protocol,
    /// Where an HTTP proxy passes each request on.
    pub(super) passed_on: Option<PassedOn>,
    pub(super) refusal: Refusal,
}

/// What TLS said when it ended a connection, for those who only see that it ended.
///
/// In TLS 1.3 a server refuses a client's certificate after the handshake.
pub(super) type Refusal = Option<Arc<OnceLock<Trouble>>>;

/// The version of HTTP that both sides agreed on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// What an HTTP proxy wants to know with every plain request.
#[derive(Clone, Debug)]
pub(super) struct PassedOn {
    pub(super) authorization: Option<HeaderValue>,
}

/// How long an address may take before the next one is tried beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Makes the connections of one session.
#[derive(Debug)]
pub(super) struct Connector {
    options: Arc<ConnectOptions>,
    tls: OnceLock<Result<Arc<ClientConfig>, Error>>,
}

impl Connector {
    pub(super) fn new(options: Arc<ConnectOptions>) -> Self {
        Self {
            options,
            tls: OnceLock::new(),
        }
    }

    pub(super) async fn connect(&self, origin: &Origin) -> Result<Connected, Error> {
        let stream = match &self.options.proxy {
            None => self.dial(origin).await?,
            Some(proxy) => self.through(proxy, origin).await?,
        };
        if !origin.is_tls {
            return Ok(Connected {
                io: Box::new(stream),
                protocol: Protocol::Http1,
                passed_on: self.passed_on(),
                refusal: None,
            });
        }
        let stream = self.secure(stream, origin).await?;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            Some(_) | None => Protocol::Http1,
        };
        let refusal = Arc::<OnceLock<Trouble>>::default();
        let noting = Noting {
            stream,
            refusal: Arc::clone(&refusal),
        };
        Ok(Connected {
            io: Box::new(noting),
            protocol,
            passed_on: None,
            refusal: Some(refusal),
        })
    }

    fn passed_on(&self) -> Option<PassedOn> {
        let proxy = self.options.proxy.as_ref()?;
        match proxy.kind() {
            ProxyKind::Http => Some(PassedOn {
                authorization: proxy.authorization(),
            }),
            ProxyKind::Socks5 | ProxyKind::Socks5h => None,
        }
    }

    async fn secure(
        &self,
        stream: TcpStream,
        origin: &Origin,
    ) -> Result<TlsStream<TcpStream>, Error> {
        // Only a session that meets https pays for a TLS configuration.
        let config = self
            .tls
            .get_or_init(|| tls::client_config(&self.options.tls))
            .clone()?;
        let name = ServerName::try_from(origin.host().to_owned())
            .map_err(|_invalid| Error::bad_request("the URL's host can't have a certificate"))?;
        TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| match tls::explain(&error) {
                Some(trouble) => trouble.with(origin.to_string()),
                None => Error::Disconnect {
                    origin: origin.to_string(),
                    detail: format!("in the TLS handshake: {error}"),
                    sent: false,
                },
            })
    }

    async fn through(&self, proxy: &Proxy, origin: &Origin) -> Result<TcpStream, Error> {
        let failed = |obstacle, detail: String| Error::Connect {
            origin: origin.to_string(),
            obstacle,
            detail: format!("{proxy}: {detail}"),
        };
        let to_proxy = Origin::plain(proxy.host(), proxy.port());
        let stream = self.dial(&to_proxy).await.map_err(|error| match error {
            Error::Connect {
                obstacle, detail, ..
            } => failed(Obstacle::Proxy, format!("{obstacle} ({detail})")),
            other => other,
        })?;
        match proxy.kind() {
            ProxyKind::Http if origin.is_tls => engine::tunnel(stream, proxy, origin)
                .await
                .map_err(|(obstacle, detail)| failed(obstacle, detail)),
            ProxyKind::Http => Ok(stream),
            ProxyKind::Socks5 | ProxyKind::Socks5h => {
                let host = self.name_for(proxy, origin).await?;
                let through = proxy.socks(stream, (&host, origin.port)).await;
                through.map_err(|error| failed(socks_obstacle(&error), error.to_string()))
            }
        }
    }

    /// What a SOCKS proxy is told: a name where it looks names up, else an address.
    async fn name_for(&self, proxy: &Proxy, origin: &Origin) -> Result<String, Error> {
        if proxy.kind() == ProxyKind::Socks5h {
            return Ok(origin.host().to_owned());
        }
        let addresses = self.look_up(origin).await?;
        Ok(addresses[0].ip().to_string())
    }

    /// The host's addresses, at least one.
    async fn look_up(&self, origin: &Origin) -> Result<Vec<SocketAddr>, Error> {
        let options = &self.options;
        let entry = options
            .hosts
            .iter()
            .find(|(host, _)| host.eq_ignore_ascii_case(origin.host()));
        let addresses: Vec<_> = match entry {
            Some((_, addresses)) => {
                let addresses = addresses.iter();
                addresses
                    .map(|ip| SocketAddr::new(*ip, origin.port))
                    .collect()
            }
            None => lookup_host((origin.host(), origin.port))
                .await
                .map_err(|error| obstacle(origin, Obstacle::NoSuchHost, &error))?
                .collect(),
        };
        if addresses.is_empty() {
            let none = io::Error::other("the name has no address");
            return Err(obstacle(origin, Obstacle::NoSuchHost, &none));
        }
        Ok(addresses)
    }

    /// Tries the host's addresses, each with a head start before the next; the first connection
    /// wins, and the last failure is the one reported.
    async fn dial(&self, origin: &Origin) -> Result<TcpStream, Error> {
        let mut waiting = self.look_up(origin).await?.into_iter();
        let mut attempts = FuturesUnordered::new();
        let mut failure = None;
        loop {
            match waiting.next() {
                Some(address) => attempts.push(connect(address, self.options.local_address)),
                None if attempts.is_empty() => break,
                None => {}
            }
            let is_last = waiting.len() == 0;
            let limit = if is_last { Duration::MAX } else { HEAD_START };
            match timeout(limit, attempts.next()).await {
                Ok(Some(Ok(stream))) => {
                    // A request is written at once; waiting for more would only delay it.
                    let _unsupported = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Some(Err(error))) => failure = Some(error),
                Ok(None) | Err(_) => {}
            }
        }
        let error = failure.expect("there is at least one address");
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => Obstacle::Refused,
            _ => Obstacle::Unreachable,
        };
        Err(obstacle(origin, kind, &error))
    }
}

/// A TLS connection that notes why it ended.
struct Noting {
    stream: TlsStream<TcpStream>,
    refusal: Arc<OnceLock<Trouble>>,
}

impl AsyncRead for Noting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Err(error)) = &read
            && let Some(why) = tls::explain(error)
        {
            self.refusal.get_or_init(|| why);
        }
        read
    }
}

impl AsyncWrite for Noting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

async fn connect(address: SocketAddr, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(local) = local else {
        return TcpStream::connect(address).await;
    };
    if local.is_ipv4() != address.is_ipv4() {
        return Err(io::Error::other(format!(
            "{} can't be reached from the local address {local}",
            address.ip()
        )));
    }
    let socket = if local.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.bind(SocketAddr::new(local, 0))?;
    socket.connect(address).await
}

fn obstacle(origin: &Origin, obstacle: Obstacle, error: &io::Error) -> Error {
    Error::Connect {
        origin: origin.to_string(),
        obstacle,
        detail: error.to_string(),
    }
}

/// Whether a SOCKS proxy said no, or something else went wrong.
fn socks_obstacle(error: &tokio_socks::Error) -> Obstacle {
    use tokio_socks::Error as Socks;
    match error {
        Socks::AuthorizationRequired
        | Socks::CommandNotSupported
        | Socks::AddressTypeNotSupported
        | Socks::ConnectionNotAllowedByRuleset
        | Socks::NoAcceptableAuthMethods
        | Socks::PasswordAuthFailure(_) => Obstacle::ProxyRefused,
        _ => Obstacle::Proxy,
    }
}
