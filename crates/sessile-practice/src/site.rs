//! The handle of a running practice site.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::journal::LogLine;
use crate::media::{Fault, Media, Stream, Unreadable};
use crate::options::Options;
use crate::secret;
use crate::server;
use crate::totp;
use crate::world::World;

/// A running practice site. Dropped, it ends at once; [`Site::stop`] ends it
/// gracefully.
pub struct Site {
    address: SocketAddr,
    admin_token: String,
    clock: Clock,
    server: JoinSet<()>,
    stop: watch::Sender<()>,
    world: Arc<World>,
}

/// Why a site did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The address could not be listened on.
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the media folder could not be read.
    Media {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The address can be reached from outside, and the passwords are known.
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
}

impl Site {
    /// Binds the address and serves on it from now on.
    ///
    /// Fails when the address isn't a loopback address or can't be bound, and when the media
    /// can't be read.
    pub async fn start(mut options: Options) -> Result<Self, StartError> {
        let address = options.listen;
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback { address });
        }
        let failed = |source| StartError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let admin_token = options.admin_token.take().unwrap_or_else(secret::random);
        let clock = options.clock.clone();
        let media = Media::open(options.media.as_deref(), clock.now())?;
        let world = Arc::new(World::new(options, media, &admin_token));
        let (stop, stopped) = watch::channel(());
        let mut server = JoinSet::new();
        server.spawn(server::run(listener, Arc::clone(&world), stopped));
        Ok(Self {
            address,
            admin_token,
            clock,
            server,
            stop,
            world,
        })
    }

    /// Where the site is, such as `http://127.0.0.1:4711`: no slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bearer token for `POST /_practice/kill`, by which another process
    /// ends sessions.
    #[must_use]
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// Lets `time` go by on the site: what lives shorter has ended.
    pub fn advance(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Forgets every session, as a deploy or a reset does, and says how many.
    pub fn kill_sessions(&self) -> usize {
        self.world.state().sessions.revoke_all(|_| true)
    }

    /// Forgets the sessions of one user, and says how many.
    pub fn kill_session_of(&self, user: &str) -> usize {
        let mut state = self.world.state();
        state.sessions.revoke_all(|session| session.user == user)
    }

    /// Lets the visitors of `/members/held` go on, those who wait and those to come.
    pub fn let_go(&self) {
        self.world.let_go();
    }

    /// The secret of a link that logs `user` in once, for `/magic/SECRET` or `/app/magic/SECRET`.
    #[must_use]
    pub fn issue_link(&self, user: &str) -> String {
        self.world.open_link(user)
    }

    /// Has something go wrong with the media that are asked for from now on.
    pub fn add_fault(&self, fault: Fault) {
        self.world.media.add_fault(fault);
    }

    /// How often one of these faults has come.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.world.media.troubled()
    }

    /// What an exact recording of the stream has, byte for byte; nothing for a name that is none.
    #[must_use]
    pub fn original(&self, stream: &str) -> Option<Vec<u8>> {
        let media = &self.world.media;
        let stream = Stream::parse(stream)?;
        Some(stream.original(media.shelf(), media.edition()))
    }

    /// Forgets every bearer token, and says how many.
    pub fn kill_tokens(&self) -> usize {
        self.world.state().tokens.revoke_all(|_| true)
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.world.connections()
    }

    /// How many login attempts had a password checked or were refused as too many.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.world.state().attempts
    }

    /// How many codes of the second factor were sent.
    #[must_use]
    pub fn codes(&self) -> u64 {
        self.world.state().codes
    }

    /// The code of the second factor that is good at the site's time.
    #[must_use]
    pub fn code(&self) -> String {
        let step = totp::step(self.world.now(), self.world.totp_period());
        totp::code_of(step)
    }

    /// How many logins succeeded.
    #[must_use]
    pub fn logins(&self) -> u64 {
        self.world.state().logins
    }

    /// How many items were posted to `/api/items`.
    #[must_use]
    pub fn items(&self) -> usize {
        self.world.state().items.len()
    }

    /// How many sessions are alive.
    #[must_use]
    pub fn sessions(&self) -> usize {
        let now = self.world.now();
        self.world.state().sessions.alive(now)
    }

    /// How many requests each path had, those still under way with them.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.world.state().journal.counts().clone()
    }

    /// The last requests that were answered, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<LogLine> {
        self.world.state().journal.lines()
    }

    /// Takes no more connections, lets requests under way end, and waits for
    /// them, though not for longer than a few seconds.
    pub async fn stop(mut self) {
        // The server is still there to hear this: only dropping `self` ends it.
        let _ = self.stop.send(());
        while self.server.join_next().await.is_some() {}
    }
}

impl From<Unreadable> for StartError {
    fn from(unreadable: Unreadable) -> Self {
        let Unreadable { path, source } = unreadable;
        Self::Media { path, source }
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { address, .. } => write!(f, "can't listen on {address}"),
            Self::Media { path, .. } => write!(f, "can't read the media in {}", path.display()),
            Self::NotLoopback { address } => {
                write!(
                    f,
                    "{address} is not a loopback address, and this site's passwords are known"
                )
            }
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind { source, .. } | Self::Media { source, .. } => Some(source),
            Self::NotLoopback { .. } => None,
        }
    }
}
