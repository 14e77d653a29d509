//! Why a login did not come about.

use thiserror::Error;

use super::find::NoLoginForm;
use super::oauth2::OAuthError;
use crate::error::Error as RequestError;
use crate::session::Challenge;

/// Why a login did not come about. What was stored before is untouched.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Nothing on the pages after the login differs from what a stranger gets.
    #[error(
        "can't tell whether the login at {url} worked: the pages after it look the same as before; \
         name a page that only members see with --check"
    )]
    CanNotTell {
        /// The page where the login ended.
        url: String,
    },
    /// The site wants a puzzle solved that only a person can solve.
    #[error("{url} asks for a captcha: {message}; a person has to solve it")]
    Captcha {
        /// The page that asks.
        url: String,
        /// The site's own words.
        message: String,
    },
    /// A browser check stands before the login.
    #[error("{url}: {challenge}; a person has to pass it")]
    Challenged {
        /// Where.
        url: String,
        /// Who asks for it.
        challenge: Challenge,
    },
    /// Single sign-on asks whether the site may have what it wants of the account.
    #[error(
        "{url} asks {user} for consent (\"{message}\"); a person has to give it once, in a browser"
    )]
    Consent {
        /// The page that asks.
        url: String,
        /// Who wanted to log in.
        user: String,
        /// The site's own words.
        message: String,
    },
    /// The site is in trouble.
    #[error("{url} answered {status}: the site is in trouble, try again later")]
    Failing {
        /// The page that was looked at.
        url: String,
        /// Its status.
        status: u16,
    },
    /// No login form was found.
    #[error("{url}: {why}")]
    NoForm {
        /// The page that was looked at.
        url: String,
        /// What was found in its place.
        why: NoLoginForm,
    },
    /// The form can't be filled, or sending it would give the password away.
    #[error("{url}: {what}")]
    NotSafe {
        /// The page with the form.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// The provider gave no token.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// The site wants to be asked less often.
    #[error("{url} wants no more logins for now: {message}{}", seconds(*.wait))]
    RateLimited {
        /// Where.
        url: String,
        /// The site's own words.
        message: String,
        /// How long, in seconds, where the site says so.
        wait: Option<u64>,
    },
    /// The site refused the codes of the second factor.
    #[error("{url} refused {count} code{} of the second factor of {user}: {message}", plural(*.count))]
    CodeRefused {
        /// The page that refused.
        url: String,
        /// Who wanted to log in.
        user: String,
        /// How many codes it was sent.
        count: usize,
        /// The site's own words, or what it did.
        message: String,
    },
    /// The site refused the credentials.
    #[error("{url} refused the login of {user}: {message}")]
    Refused {
        /// The page that refused.
        url: String,
        /// Who wanted to log in.
        user: String,
        /// The site's own words, or what it did.
        message: String,
    },
    /// A page could not be fetched.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The site wants a second factor.
    #[error("{url} asks for a code of the second factor of {user}: {message}")]
    SecondFactor {
        /// The page that asks.
        url: String,
        /// Who wanted to log in.
        user: String,
        /// The site's own words.
        message: String,
    },
    /// A request was answered in a way that says nothing of the credentials: elsewhere than the site
    /// file says, or by nothing that knows logins.
    #[error("{url}: {what}")]
    Step {
        /// Where.
        url: String,
        /// What is not as it must be.
        what: String,
    },
    /// A person logs in here, in a browser, and nobody is there.
    #[error("{url}: here a person logs in, in a browser's window")]
    Unattended {
        /// The page that the window opens at.
        url: String,
    },
    /// The person in front of the window didn't log in.
    #[error("nobody has logged in at {url}: {why}")]
    Unfinished {
        /// The page that the window opened at.
        url: String,
        /// What happened in its place.
        why: String,
    },
    /// What the site file looks for doesn't show a login, and the site says nothing: the credentials
    /// are wrong, or the file is.
    #[error("nothing shows that {url} took the login of {user}: {what}")]
    Unproven {
        /// Where the login began.
        url: String,
        /// Who wanted to log in.
        user: String,
        /// What was looked for, and found in its place.
        what: String,
    },
}

impl LoginError {
    /// Whether only a person can go on from here.
    pub fn needs_person(&self) -> bool {
        match self {
            Self::Captcha { .. }
            | Self::Challenged { .. }
            | Self::Consent { .. }
            | Self::SecondFactor { .. }
            | Self::Unattended { .. }
            | Self::Unfinished { .. } => true,
            Self::OAuth(error) => error.needs_person(),
            Self::CanNotTell { .. }
            | Self::CodeRefused { .. }
            | Self::Failing { .. }
            | Self::NoForm { .. }
            | Self::NotSafe { .. }
            | Self::RateLimited { .. }
            | Self::Refused { .. }
            | Self::Request(_)
            | Self::Step { .. }
            | Self::Unproven { .. } => false,
        }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn seconds(wait: Option<u64>) -> String {
    wait.map(|wait| format!(" (for {wait} s)"))
        .unwrap_or_default()
}
