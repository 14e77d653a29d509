//! Where the browser is led back to: an address of this machine (RFC 8252, section 7.3).

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// An address of this machine; its port is a free one unless the provider wants to know it before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Redirect(Url);

/// Why an address can't be where the browser is led back to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NotLoopback {
    /// It has a query or a fragment, which the provider would mix up with its answer.
    Extra,
    /// It isn't a URL.
    Malformed,
    /// It is another machine's, or doesn't start with `http://`.
    OtherMachine,
}

impl Redirect {
    /// The address with a port that was bound.
    pub(super) fn with_port(&self, port: u16) -> Url {
        let mut url = self.0.clone();
        url.set_port(Some(port))
            .expect("an http address takes any port");
        url
    }

    /// The address to listen at; port 0 where any will do.
    pub(super) fn listen_at(&self) -> (&str, u16) {
        let host = match self.0.host() {
            Some(Host::Ipv6(_)) => "::1",
            // `localhost` may be either; the provider knows it by name, so the usual one.
            Some(Host::Domain(_) | Host::Ipv4(_)) | None => "127.0.0.1",
        };
        (host, self.0.port().unwrap_or(0))
    }

    pub(super) fn path(&self) -> &str {
        self.0.path()
    }
}

impl Default for Redirect {
    fn default() -> Self {
        let url = Url::parse("http://127.0.0.1/callback");
        Self(url.expect("a constant that is a URL"))
    }
}

impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Redirect {
    type Err = NotLoopback;

    fn from_str(text: &str) -> Result<Self, NotLoopback> {
        let url = Url::parse(text).map_err(|_malformed| NotLoopback::Malformed)?;
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
            Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
            None => false,
        };
        if url.scheme() != "http" || !is_here {
            return Err(NotLoopback::OtherMachine);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(NotLoopback::Extra);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for NotLoopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Extra => "it has a query or a fragment",
            Self::Malformed => "it isn't a URL",
            Self::OtherMachine => {
                "the browser has to come back to this machine: http://127.0.0.1/callback, or with a \
                 port of its own"
            }
        })
    }
}

impl std::error::Error for NotLoopback {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_will_do() {
        check("http://127.0.0.1/callback", Ok(("127.0.0.1", 0)));
        check("http://localhost:8912/cb", Ok(("127.0.0.1", 8912)));
        check("http://[::1]:8912/", Ok(("::1", 8912)));
        check(
            "http://example.com/callback",
            Err(NotLoopback::OtherMachine),
        );
        check("http://10.0.0.1/callback", Err(NotLoopback::OtherMachine));
        check("https://127.0.0.1/callback", Err(NotLoopback::OtherMachine));
        check("http://127.0.0.1/callback?x=1", Err(NotLoopback::Extra));
        check("/callback", Err(NotLoopback::Malformed));
    }

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, u16), NotLoopback>) {
        let parsed = text.parse::<Redirect>();
        let found = parsed.as_ref().map(Redirect::listen_at).map_err(|why| *why);
        assert_eq!(found, expected, "{text}");
    }
}
