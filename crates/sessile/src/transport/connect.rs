//! Making a connection: name, TCP, TLS.
//!
//! Which version of HTTP to speak comes out of the TLS handshake; speaking it is the engine's.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

use super::ConnectOptions;
use super::idle::Origin;
use super::tls;
use crate::error::{Error, Obstacle};

/// A connected stream of bytes.
pub(super) type Io = Box<dyn ReadWrite>;

pub(super) trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for T {}

/// The version of HTTP that both sides agreed on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

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

    pub(super) async fn connect(&self, origin: &Origin) -> Result<(Io, Protocol), Error> {
        let stream = self.dial(origin).await?;
        if !origin.is_tls {
            return Ok((Box::new(stream), Protocol::Http1));
        }
        // Only a session that meets https pays for a TLS configuration.
        let config = self
            .tls
            .get_or_init(|| tls::client_config(&self.options.tls))
            .clone()?;
        let name = ServerName::try_from(origin.host.to_string())
            .map_err(|error| tls_error(origin, error.to_string()))?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| tls_error(origin, error.to_string()))?;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            Some(_) | None => Protocol::Http1,
        };
        Ok((Box::new(stream), protocol))
    }

    /// Tries the host's addresses one after the other; the last failure is the one reported.
    async fn dial(&self, origin: &Origin) -> Result<TcpStream, Error> {
        let addresses: Vec<SocketAddr> = lookup_host((&*origin.host, origin.port))
            .await
            .map_err(|error| obstacle(origin, Obstacle::NoSuchHost, &error))?
            .collect();
        let mut failure = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // A request is written at once; waiting for more would only delay it.
                    let _unsupported = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => failure = Some(error),
            }
        }
        let Some(error) = failure else {
            let none = io::Error::other("the name has no address");
            return Err(obstacle(origin, Obstacle::NoSuchHost, &none));
        };
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => Obstacle::Refused,
            _ => Obstacle::Unreachable,
        };
        Err(obstacle(origin, kind, &error))
    }
}

fn obstacle(origin: &Origin, obstacle: Obstacle, error: &io::Error) -> Error {
    Error::Connect {
        origin: origin.to_string(),
        obstacle,
        detail: error.to_string(),
    }
}

fn tls_error(origin: &Origin, detail: String) -> Error {
    Error::Tls {
        origin: origin.to_string(),
        detail,
    }
}
