//! Why a provider gave no token.

use thiserror::Error;

use crate::error::Error as RequestError;

/// Why a provider gave no token. Endpoints appear without their queries' values.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum OAuthError {
    /// The provider is in trouble.
    #[error("{url} answered {status}: the provider is in trouble, try again later")]
    Failing {
        /// The endpoint.
        url: String,
        /// Its status.
        status: u16,
    },
    /// The port that the browser is to be led back to can't be had.
    #[error("can't listen at {at} for the browser to come back: {detail}")]
    Listen {
        /// The address.
        at: String,
        /// The operating system's words.
        detail: String,
    },
    /// It isn't known where to ask.
    #[error("{what}")]
    NoEndpoint {
        /// Which endpoint, and what was looked at.
        what: String,
    },
    /// A person has to log in at the provider, and nobody is there.
    #[error("a person has to log in at {url}; run `sessile login`")]
    Nobody {
        /// The page that would have to be opened.
        url: String,
    },
    /// An address that would give secrets away.
    #[error("{url} isn't asked: {what}")]
    NotSafe {
        /// The endpoint.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// The answer isn't what a provider answers.
    #[error("{url} doesn't answer as an OAuth 2 provider does: {what}")]
    NotUnderstood {
        /// The endpoint.
        url: String,
        /// What came in place of it; no value of it is shown.
        what: String,
    },
    /// The provider wants to be asked less often.
    #[error("{url} wants to be asked less often{}", seconds(*.wait))]
    RateLimited {
        /// The endpoint.
        url: String,
        /// How long, in seconds, where the provider says so.
        wait: Option<u64>,
    },
    /// The provider says no.
    #[error("{url} refused: {error}{}", in_its_words(.description.as_deref()))]
    Refused {
        /// The endpoint.
        url: String,
        /// The error's name, as RFC 6749 has them: `invalid_grant`, `access_denied`, ….
        error: String,
        /// The provider's own words.
        description: Option<String>,
    },
    /// An endpoint can't be reached.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The person didn't come back in time.
    #[error("nobody logged in at {url} within {after} s")]
    TimeOut {
        /// The page that was to be opened.
        url: String,
        /// The limit.
        after: u64,
    },
}

impl OAuthError {
    /// Whether only a person can go on from here.
    pub fn needs_person(&self) -> bool {
        matches!(self, Self::Nobody { .. } | Self::TimeOut { .. })
    }

    /// Whether the refresh token is of no use any more: expired, revoked, or used before.
    pub(crate) fn is_dead_grant(&self) -> bool {
        matches!(self, Self::Refused { error, .. } if error == "invalid_grant")
    }

    /// Whether the provider or the way to it is in trouble, which says nothing of the token.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Failing { .. } | Self::RateLimited { .. } | Self::Request(_)
        )
    }
}

fn seconds(wait: Option<u64>) -> String {
    wait.map(|wait| format!(" (for {wait} s)"))
        .unwrap_or_default()
}

fn in_its_words(words: Option<&str>) -> String {
    words.map(|words| format!(" ({words})")).unwrap_or_default()
}
