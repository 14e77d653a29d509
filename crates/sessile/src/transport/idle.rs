//! The idle connections of one session, and the count of its open ones.
//!
//! Knows nothing of HTTP: a connection is something that can be usable and, perhaps, shared.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::{Host, Url};

/// How long an idle connection is kept.
pub(super) const KEEP: Duration = Duration::from_secs(60);

/// How many idle connections a session keeps to one origin and all others together.
const MOST: usize = 64;

/// A server: scheme, host and port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Origin {
    pub(super) is_tls: bool,
    pub(super) host: Box<str>,
    pub(super) port: u16,
}

impl Origin {
    /// `None` where the URL has no host or an unknown scheme.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let host = match url.host()? {
            Host::Domain(name) => name.into(),
            Host::Ipv4(address) => address.to_string().into(),
            Host::Ipv6(address) => address.to_string().into(),
        };
        let port = url.port_or_known_default()?;
        Some(Self {
            is_tls: url.scheme() == "https",
            host,
            port,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// A connection as far as keeping it goes.
pub(super) trait Reusable: Sized {
    /// Whether it is still open as far as one knows.
    fn is_usable(&self) -> bool;
    /// A second handle, where a connection carries several requests at once.
    fn share(&self) -> Option<Self>;
}

/// The idle connections.
#[derive(Debug)]
pub(super) struct Idle<C> {
    kept: Mutex<Vec<Kept<C>>>,
    open: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Kept<C> {
    origin: Origin,
    since: Instant,
    connection: C,
}

impl<C> Default for Idle<C> {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            open: Arc::default(),
        }
    }
}

impl<C: Reusable> Idle<C> {
    /// The connection to `origin` that was used last; unusable ones are dropped on the way.
    pub(super) fn take(&self, origin: &Origin) -> Option<C> {
        let mut kept = self.lock();
        while let Some(at) = kept.iter().rposition(|kept| kept.origin == *origin) {
            if !kept[at].connection.is_usable() {
                kept.remove(at);
                continue;
            }
            if let Some(shared) = kept[at].connection.share() {
                return Some(shared);
            }
            return Some(kept.remove(at).connection);
        }
        None
    }

    /// Keeps a connection; answers whether it is the only one.
    pub(super) fn put(&self, origin: Origin, connection: C) -> bool {
        let mut kept = self.lock();
        if kept.len() == MOST {
            kept.remove(0);
        }
        kept.push(Kept {
            origin,
            since: Instant::now(),
            connection,
        });
        kept.len() == 1
    }

    /// Drops what was idle for [`KEEP`]; answers whether nothing is left.
    pub(super) fn drop_old(&self) -> bool {
        let mut kept = self.lock();
        kept.retain(|kept| kept.since.elapsed() < KEEP && kept.connection.is_usable());
        if kept.is_empty() {
            kept.shrink_to_fit();
        }
        kept.is_empty()
    }

    pub(super) fn clear(&self) {
        *self.lock() = Vec::new();
    }

    /// How many connections are open, idle or not.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Counts a connection as open until the answer is dropped.
    pub(super) fn count_open(&self) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(&self.open))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept<C>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
