//! The headers that a session starts with, chosen once and kept for its life.

use std::fmt;
use std::str::FromStr;

use http::{HeaderMap, HeaderValue, header};

use crate::error::Error;
use crate::session::decode::ACCEPTED;

/// A set of default headers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Profile {
    /// Nothing but what HTTP asks for.
    None,
    /// A plain client that says what it is.
    #[default]
    Standard,
}

impl Profile {
    /// The headers, in the order in which they are sent.
    pub fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match self {
            Self::None => {}
            Self::Standard => {
                let agent = concat!("sessile/", env!("CARGO_PKG_VERSION"));
                headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
                headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
            }
        }
        headers
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Standard => "standard",
        })
    }
}

impl FromStr for Profile {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "none" => Ok(Self::None),
            "standard" => Ok(Self::Standard),
            _ => Err(Error::bad_request(format!(
                "there is no profile `{}`; the profiles are none and standard",
                name.escape_debug()
            ))),
        }
    }
}
