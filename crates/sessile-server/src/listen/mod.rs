//! Where the daemon listens: loopback, a Unix socket, or anywhere with TLS. Nowhere else.

mod tls;
mod unix;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

/// A place where the daemon takes connections.
pub struct Listener(Place);

enum Place {
    Tcp {
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
    },
    Unix {
        listener: UnixListener,
        socket: unix::Socket,
    },
}

/// The files of a certificate and its key, in PEM.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "TLS needs these two")]
pub struct TlsFiles {
    /// The certificate, and those that lead to its root.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// Why nobody can listen there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address can't be listened at.
    #[error("cannot listen at {place}: {why}")]
    Bind {
        /// The address or path.
        place: String,
        /// The operating system's words.
        why: io::Error,
    },
    /// A certificate or key can't be used.
    #[error("cannot use `{}` for TLS: {why}", path.display())]
    BadTls {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Tokens and cookies would cross the network in the clear.
    #[error(
        "{0} can be reached from other machines, and without TLS everybody on the way would read \
         tokens and cookies"
    )]
    Open(SocketAddr),
    /// There is something at the socket's path.
    #[error("`{}` {what}", path.display())]
    Taken {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
}

/// A connection before TLS, where there is any.
pub(crate) enum Accepted {
    Plain(Stream),
    /// TLS has yet to begin, which is the connection's task.
    Tls(TlsAcceptor, tokio::net::TcpStream),
}

pub(crate) type Stream = Pin<Box<dyn Bytes>>;

/// Bytes in both directions.
pub(crate) trait Bytes: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Bytes for T {}

impl Listener {
    /// Listens at an address; beyond loopback only with TLS.
    ///
    /// # Errors
    ///
    /// [`ListenError::Open`] for an address that others reach, without TLS.
    pub async fn tcp(address: SocketAddr, tls: Option<&TlsFiles>) -> Result<Self, ListenError> {
        if tls.is_none() && !address.ip().to_canonical().is_loopback() {
            return Err(ListenError::Open(address));
        }
        let tls = tls.map(tls::acceptor).transpose()?;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|why| ListenError::Bind {
            place: address.to_string(),
            why,
        })?;
        Ok(Self(Place::Tcp { listener, tls }))
    }

    /// Listens at a socket in the file system that only its owner may connect to. One that a
    /// killed process left is replaced.
    ///
    /// # Errors
    ///
    /// [`ListenError::Taken`] where somebody listens there, or where it is another kind of file.
    pub fn unix(path: &Path) -> Result<Self, ListenError> {
        let (listener, socket) = unix::bind(path)?;
        Ok(Self(Place::Unix { listener, socket }))
    }

    /// Where it is, as a URL or a path.
    pub fn place(&self) -> String {
        match &self.0 {
            Place::Tcp { listener, tls } => {
                let scheme = if tls.is_some() { "https" } else { "http" };
                let address = listener.local_addr().map(|address| address.to_string());
                format!("{scheme}://{}", address.unwrap_or_default())
            }
            Place::Unix { socket, .. } => socket.path().display().to_string(),
        }
    }

    /// Whether a page in a browser on this machine could reach it under another name.
    pub(crate) fn is_plain_loopback(&self) -> bool {
        matches!(&self.0, Place::Tcp { tls: None, .. })
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        match &self.0 {
            Place::Tcp { listener, tls } => {
                let (stream, _peer) = listener.accept().await?;
                // A reply is written as soon as it is there.
                _ = stream.set_nodelay(true);
                Ok(match tls {
                    Some(acceptor) => Accepted::Tls(acceptor.clone(), stream),
                    None => Accepted::Plain(Box::pin(stream)),
                })
            }
            Place::Unix { listener, .. } => {
                let (stream, _peer) = listener.accept().await?;
                Ok(Accepted::Plain(Box::pin(stream)))
            }
        }
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Listener").field(&self.place()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_loopback_it_wants_tls() {
        for open in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
            let refused = Listener::tcp(open.parse().unwrap(), None)
                .await
                .unwrap_err();
            assert!(matches!(refused, ListenError::Open(_)), "{open}: {refused}");
        }
        for loopback in ["127.0.0.1:0", "127.1.2.3:0"] {
            Listener::tcp(loopback.parse().unwrap(), None)
                .await
                .unwrap();
        }
    }

    #[tokio::test]
    async fn tls_wants_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let files = TlsFiles {
            certificate: file("cert.pem", "no certificate"),
            key: file("key.pem", ""),
        };
        let refused = Listener::tcp("0.0.0.0:0".parse().unwrap(), Some(&files)).await;
        assert!(refused.unwrap_err().to_string().contains("cert.pem"));
    }
}
