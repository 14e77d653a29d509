//! Why a kept session has no answer.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::error::Error as RequestError;
use crate::login::LoginError;
use crate::record::WireError;
use crate::store::StoreError;
use crate::token_file::TokenTrouble;

/// Why a kept session has no answer, or no login.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum KeepError {
    /// The login is gone and was not renewed.
    #[error("session `{name}` is not logged in ({sign}): {why}")]
    LoggedOut {
        /// The session.
        name: String,
        /// How it was seen.
        sign: String,
        /// Why it was not renewed, and what to do.
        why: NoRenewal,
    },
    /// Logging in failed.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// A code was handed over for a login that waits for none.
    #[error("no login of session `{name}` waits for a code")]
    NobodyWaits {
        /// The session.
        name: String,
    },
    /// The login was renewed, but the request could not be sent again.
    #[error(
        "session `{name}` was logged in again, but the request's body was streamed and is gone; \
         send the request once more"
    )]
    NotReplayable {
        /// The session.
        name: String,
    },
    /// The request failed for another reason.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The session's token file can't be kept in step.
    #[error(transparent)]
    Tokens(#[from] TokenTrouble),
    /// There is no session of that name.
    #[error("there is no session `{name}` in {place}")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The store.
        place: String,
    },
    /// The stored bytes aren't a session that this program understands.
    #[error("session `{name}`: {why}")]
    Unreadable {
        /// The session.
        name: String,
        /// What is wrong with them.
        why: WireError,
    },
}

/// When a login that the site has refused is tried again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "by itself or not by itself")]
pub enum Again {
    /// When so much time has passed.
    After(Duration),
    /// When a person logs in.
    ByHand,
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(wait) => write!(f, "{} s have passed", wait.as_millis().div_ceil(1000)),
            Self::ByHand => f.write_str("you run `sessile login` again"),
        }
    }
}

/// Why a login that is gone was not renewed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum NoRenewal {
    /// Another process is at it for too long.
    #[error("another process has been logging in for {0} s; try again later")]
    Busy(u64),
    /// The program's runtime ended, or the renewal failed by a fault of this library.
    #[error("its renewal was interrupted; send the request again")]
    Interrupted,
    /// Nobody ever logged this session in.
    #[error("it has never been logged in; run `sessile login`")]
    NeverLoggedIn,
    /// No password is kept and nobody is there to ask.
    #[error(
        "its password isn't kept; run `sessile login` again, with --remember if it is to renew \
         itself"
    )]
    NoPassword,
    /// The login holds, but this page asks for one all the same.
    #[error("its login holds, so this page wants other rights than this user has")]
    OtherRights,
    /// A person logs it in, in a browser.
    #[error("a person logs it in, in a browser: run `sessile login` with --browser again")]
    PersonNeeded,
    /// The caller asked to change nothing.
    #[error("it isn't renewed, because the request was read-only")]
    ReadOnly,
    /// Another session of its pool has taken its place.
    #[error("another session of its pool has taken its place; lease one from the pool")]
    Replaced,
    /// The site refused the last login; asking again could lock the account.
    #[error("the site refused the last login ({message}); it isn't tried again before {again}")]
    Refused {
        /// In the site's words.
        message: String,
        /// When it is.
        again: Again,
    },
    /// The new login works, but this page still says that there is none.
    #[error("it was logged in again, but the page still asks for a login")]
    StillAsking,
    /// The site refuses a token that the provider has only just given.
    #[error("the site refuses a fresh access token too, so this page wants other rights")]
    TokenRefused,
}
