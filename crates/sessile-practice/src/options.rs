//! What a practice site is started with.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Clock;
use crate::secret::Digest;

/// The name of the first user that is there by default.
pub const ADA: &str = "ada";
/// Ada's password.
pub const ADA_PASSWORD: &str = "analytical-engine";
/// The name of the second user that is there by default.
pub const GRACE: &str = "grace";
/// Grace's password, which only arrives whole if it is encoded rightly.
pub const GRACE_PASSWORD: &str = "one nanosecond = 30 cm & a \"bit\" 100%+";
/// The name of a user whose account is locked.
pub const LOCKED: &str = "locked";
/// The locked user's password. It is right, and still doesn't open the account.
pub const LOCKED_PASSWORD: &str = "no-way-in";

/// What a practice site is started with.
#[expect(
    clippy::exhaustive_structs,
    reason = "written with `..Options::default()`"
)]
#[derive(Clone)]
pub struct Options {
    /// The token that the `/_practice/kill` page asks for. Defaults to a
    /// random one, see [`Site::admin_token`](crate::Site::admin_token).
    pub admin_token: Option<String>,
    /// The site's clock. Defaults to the system's.
    pub clock: Clock,
    /// What a session's lifetime counts from. Defaults to [`Expiry::Fixed`].
    pub expiry: Expiry,
    /// How long a signed link to media is good. Defaults to five minutes.
    pub link_lifetime: Duration,
    /// Where to listen; port 0 picks a free one. Only loopback addresses are
    /// taken, since the passwords are known. Defaults to `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// The folder with the media: a `clip.mp4`, and a folder with an `index.m3u8` and its segments
    /// for each of the rows `plain`, `other`, `low`, `high`, `picture`, `sound`, `fmp4` and `wide`
    /// (these two with an `init.mp4`). Defaults to made-up bytes, the same each time.
    pub media: Option<PathBuf>,
    /// Whether a login ends the user's other sessions. Defaults to false.
    pub one_session_per_user: bool,
    /// How long the cookie is good that a page gives for its media. Defaults to five minutes.
    pub pass_lifetime: Duration,
    /// How long a session with "remember me" lives. Defaults to 30 days.
    pub remember_lifetime: Duration,
    /// How long a session lives. Defaults to two hours.
    pub session_lifetime: Duration,
    /// How long a bearer token lives. Defaults to one hour.
    pub token_lifetime: Duration,
    /// How long a code of the second factor is good, before and after which the next and the last
    /// one are. Defaults to 30 seconds.
    pub totp_period: Duration,
    /// Who may log in. Defaults to [`ADA`], [`GRACE`] and [`LOCKED`].
    pub users: Vec<User>,
}

/// What a session's lifetime counts from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Expiry {
    /// From the login.
    #[default]
    Fixed,
    /// From the last request.
    Sliding,
}

/// Somebody with an account. The password is kept as a digest.
#[derive(Clone)]
pub struct User {
    pub(crate) name: String,
    pub(crate) password: Digest,
    pub(crate) state: Account,
}

/// Whether an account may be entered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Account {
    Locked,
    Open,
}

impl User {
    /// A user with an open account.
    #[must_use]
    pub fn new(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: Digest::of(password),
            state: Account::Open,
        }
    }

    /// The same user with the account locked.
    #[must_use]
    pub fn locked(self) -> Self {
        Self {
            state: Account::Locked,
            ..self
        }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            admin_token: None,
            clock: Clock::system(),
            expiry: Expiry::default(),
            link_lifetime: Duration::from_secs(300),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            media: None,
            one_session_per_user: false,
            pass_lifetime: Duration::from_secs(300),
            remember_lifetime: Duration::from_secs(30 * 24 * 3600),
            session_lifetime: Duration::from_secs(2 * 3600),
            token_lifetime: Duration::from_secs(3600),
            totp_period: Duration::from_secs(30),
            users: vec![
                User::new(ADA, ADA_PASSWORD),
                User::new(GRACE, GRACE_PASSWORD),
                User::new(LOCKED, LOCKED_PASSWORD).locked(),
            ],
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("expiry", &self.expiry)
            .field("listen", &self.listen)
            .field("one_session_per_user", &self.one_session_per_user)
            .field("session_lifetime", &self.session_lifetime)
            .field("users", &self.users)
            .finish_non_exhaustive()
    }
}
