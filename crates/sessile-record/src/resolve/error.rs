//! Why a page's media wasn't found.

use sessile::ShownUrl;
use sessile::renew::KeepError;
use thiserror::Error;
use url::Url;

/// Why a page's media wasn't found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The address isn't one that media can be fetched from.
    #[error("{url} can't be media: {what}")]
    BadAddress {
        /// The address.
        url: String,
        /// Why not, in words.
        what: String,
    },
    /// Nobody is logged in, and no login could be had.
    #[error("{page} asks for a login: {why}")]
    LoggedOut {
        /// The page.
        page: String,
        /// What else was found wrong with it.
        why: Box<Self>,
    },
    /// There is no media.
    #[error("no media on {page}; looked for {}", looked.join(", "))]
    Nothing {
        /// The page.
        page: String,
        /// What was looked for.
        looked: Vec<String>,
    },
    /// The page refuses.
    #[error("{page} answered {status}")]
    Refused {
        /// The page.
        page: String,
        /// The status.
        status: u16,
    },
    /// The page couldn't be fetched, or the login is gone.
    #[error(transparent)]
    Request(#[from] KeepError),
    /// A rule of the site file found nothing.
    #[error("[media] of the site file: {what}, on {page}")]
    Rule {
        /// The page that it was to find something on.
        page: String,
        /// Which rule, and what was wrong.
        what: String,
    },
}

impl ResolveError {
    /// The same of a page that asks for a login.
    pub(super) fn of_login_page(self, page: &Url) -> Self {
        Self::LoggedOut {
            page: ShownUrl(page).to_string(),
            why: Box::new(self),
        }
    }

    /// Whether the same page may answer well a moment later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 408 | 425 | 429 | 500..),
            Self::Request(KeepError::Request(error)) => error.is_retry_sensible(),
            Self::Request(KeepError::Store(_)) => true,
            _ => false,
        }
    }
}

impl From<sessile::Error> for ResolveError {
    fn from(error: sessile::Error) -> Self {
        Self::Request(error.into())
    }
}
