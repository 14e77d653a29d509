//! Single signs by which a load of a page is known.

use std::fmt;

use super::evidence::Evidence;
use crate::login::words;

/// One thing that a load of a page shows or does not.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Mark {
    /// The body has this class.
    BodyClass(String),
    /// The request ends at this path.
    LandsAt(String),
    /// The page has a link to this address.
    Link(String),
    /// The page asks for a login.
    LoginForm,
    /// The page has a link or button that logs out.
    LogoutLink(String),
    /// The reply has this status.
    Status(u16),
    /// The page says this.
    Text(String),
    /// The page names the user.
    UserName(String),
}

impl Mark {
    /// Whether `evidence` shows this mark.
    pub fn shows_in(&self, evidence: &Evidence) -> bool {
        match self {
            Self::BodyClass(class) => evidence.body_classes.contains(class),
            Self::LandsAt(path) => evidence.landing() == *path,
            Self::Link(key) | Self::LogoutLink(key) => evidence.has_link(key),
            Self::LoginForm => evidence.has_login_form,
            Self::Status(status) => evidence.status == *status,
            Self::Text(text) => evidence.has_text(text),
            Self::UserName(name) => evidence.has_name(name),
        }
    }

    /// Whether the mark holds on any page of any site, not only by comparison.
    pub(crate) fn is_strong(&self) -> bool {
        match self {
            Self::BodyClass(_)
            | Self::LandsAt(_)
            | Self::LoginForm
            | Self::LogoutLink(_)
            | Self::Status(_)
            | Self::UserName(_) => true,
            Self::Link(key) => words::has(&key.to_lowercase(), words::LOGIN),
            Self::Text(text) => words::has_whole(&text.to_lowercase(), words::LOGIN),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BodyClass(class) => write!(f, "the page's body has the class `{class}`"),
            Self::LandsAt(path) => write!(f, "the request ends at {path}"),
            Self::Link(key) => write!(f, "the page has a link to {key}"),
            Self::LoginForm => f.write_str("the page has a login form"),
            Self::LogoutLink(key) => write!(f, "the page can log out at {key}"),
            Self::Status(status) => write!(f, "the status is {status}"),
            Self::Text(text) => write!(f, "the page says \"{text}\""),
            Self::UserName(name) => write!(f, "the page names `{name}`"),
        }
    }
}
