//! What stands between a session and the servers it talks to.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;
use url::{Host, Url};

use crate::error::Error;
use crate::secret::Secret;

/// A proxy and what it asks for.
///
/// Its text is a URL; user name and password are percent-encoded there. Neither is ever shown.
///
/// ```
/// use sessile::transport::Proxy;
///
/// let proxy: Proxy = "http://ada:s%40crete@proxy.example:3128".parse()?;
/// assert_eq!(proxy.to_string(), "http://proxy.example:3128");
/// # Ok::<(), sessile::Error>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Proxy {
    kind: ProxyKind,
    host: Box<str>,
    port: u16,
    login: Option<Login>,
}

#[derive(Clone, Eq, PartialEq)]
struct Login {
    user: String,
    password: Secret<String>,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProxyKind {
    /// HTTP (`http://`): plain requests with their whole URL, a tunnel for https.
    Http,
    /// SOCKS 5 (`socks5://`); names are looked up here.
    Socks5,
    /// SOCKS 5 (`socks5h://`); the proxy looks names up.
    Socks5h,
}

impl Proxy {
    /// How it is spoken to.
    pub fn kind(&self) -> ProxyKind {
        self.kind
    }

    /// Its name or address.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Its URL with user name and password, from which it can be read again.
    pub fn url(&self) -> Secret<String> {
        let text = self.to_string();
        let Some(Login { user, password }) = &self.login else {
            return Secret::from(text);
        };
        let (scheme, place) = text.split_once("://").expect("written with its scheme");
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let (user, password) = (encoded(user), encoded(password.expose()));
        Secret::from(format!("{scheme}://{user}:{password}@{place}"))
    }

    /// User name and password, where it asks for them.
    pub(super) fn login(&self) -> Option<(String, Secret<String>)> {
        let login = self.login.as_ref()?;
        Some((login.user.clone(), login.password.clone()))
    }

    /// The `Proxy-Authorization` field, where there is a login.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let login = self.login.as_ref()?;
        let pair = Secret::from(format!("{}:{}", login.user, login.password.expose()));
        let text = format!("Basic {}", Base64::encode_string(pair.expose().as_bytes()));
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Asks a SOCKS proxy for a connection; fails with its answer in words.
    pub(super) async fn socks(
        &self,
        stream: TcpStream,
        target: (&str, u16),
    ) -> Result<TcpStream, tokio_socks::Error> {
        let through = match &self.login {
            Some(Login { user, password }) => {
                let password = password.expose();
                Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await
            }
            None => Socks5Stream::connect_with_socket(stream, target).await,
        };
        through.map(Socks5Stream::into_inner)
    }
}

impl FromStr for Proxy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mistake = |what: &str| Error::bad_request(format!("the proxy's address: {what}"));
        let how = "write it as http://host:port, socks5://host:port or socks5h://host:port";
        let url = Url::parse(text).map_err(|_unreadable| mistake(how))?;
        let (kind, usual_port) = match url.scheme() {
            "http" => (ProxyKind::Http, 80),
            "socks5" => (ProxyKind::Socks5, 1080),
            "socks5h" => (ProxyKind::Socks5h, 1080),
            _ => return Err(mistake(how)),
        };
        if !url.has_host() {
            return Err(mistake(how));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(mistake("nothing may follow the port"));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.into(),
            Some(Host::Ipv4(address)) => address.to_string().into(),
            Some(Host::Ipv6(address)) => address.to_string().into(),
            Some(Host::Domain(_)) | None => return Err(mistake(how)),
        };
        let login = login(&url, kind).map_err(mistake)?;
        let port = url.port().unwrap_or(usual_port);
        Ok(Self {
            kind,
            host,
            port,
            login,
        })
    }
}

/// Whether it is the proxy that refuses a request which it was to pass on, not the site.
///
/// tinyproxy answers a wrong password with the status of a site (401) in place of 407. Such a
/// reply is told from a site's by the server that it names, and by naming nobody that it came
/// through.
pub(super) fn refuses(status: StatusCode, headers: &HeaderMap) -> bool {
    let is_tinyproxys = || {
        let server = headers.get(header::SERVER).map(HeaderValue::as_bytes);
        server.is_some_and(|name| name.starts_with(b"tinyproxy/"))
            && !headers.contains_key(header::VIA)
    };
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => true,
        StatusCode::UNAUTHORIZED => is_tinyproxys(),
        _ => false,
    }
}

fn login(url: &Url, kind: ProxyKind) -> Result<Option<Login>, &'static str> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        let text = text.map_err(|_not_text| "its user name and password aren't UTF-8")?;
        if text.chars().any(char::is_control) {
            return Err("its user name or password has a control character");
        }
        Ok(text.into_owned())
    };
    let user = decoded(url.username())?;
    let password = Secret::from(decoded(url.password().unwrap_or(""))?);
    match kind {
        ProxyKind::Http if user.contains(':') => Err("its user name can't contain a colon"),
        // RFC 1929: one byte says how long each is, and neither is empty.
        ProxyKind::Socks5 | ProxyKind::Socks5h
            if !(1..=255).contains(&user.len())
                || !(1..=255).contains(&password.expose().len()) =>
        {
            Err("for SOCKS both user name and password have 1 to 255 bytes")
        }
        ProxyKind::Http | ProxyKind::Socks5 | ProxyKind::Socks5h => {
            Ok(Some(Login { user, password }))
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            ProxyKind::Http => "http",
            ProxyKind::Socks5 => "socks5",
            ProxyKind::Socks5h => "socks5h",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        check("http://proxy.test:3128", Ok("http://proxy.test:3128"));
        check("http://proxy.test", Ok("http://proxy.test:80"));
        check("http://ada:pw@proxy.test:1/", Ok("http://proxy.test:1"));
        check("socks5://127.0.0.1", Ok("socks5://127.0.0.1:1080"));
        check("socks5h://a:b@[::1]:9", Ok("socks5h://[::1]:9"));
    }

    #[test]
    fn mistakes_are_named_and_nothing_else() {
        let how = "write it as http://host:port, socks5://host:port or socks5h://host:port";
        check("proxy.test:3128", Err(how));
        check("https://ada:pw@proxy.test", Err(how));
        check("http://", Err(how));
        check("socks5:ada:pw@x", Err(how));
        check("http://proxy.test/x", Err("nothing may follow the port"));
        check(
            "http://a%3Ab:c@proxy.test",
            Err("its user name can't contain a colon"),
        );
        check(
            "http://a%0Ab:c@proxy.test",
            Err("its user name or password has a control character"),
        );
        let both = "for SOCKS both user name and password have 1 to 255 bytes";
        check("socks5://ada@proxy.test", Err(both));
    }

    #[test]
    fn logins_are_decoded_and_not_shown() {
        let proxy: Proxy = "http://ada:s%40crete@proxy.test".parse().unwrap();
        assert_eq!(proxy.authorization().unwrap(), "Basic YWRhOnNAY3JldGU=");
        assert_eq!(format!("{proxy:?}"), "Proxy(http://proxy.test:80)");
        let whole = "http://ada:s%40crete@proxy.test:80";
        assert_eq!(proxy.url().expose(), whole);
        assert_eq!(format!("{:?}", proxy.authorization().unwrap()), "Sensitive");
    }

    #[test]
    fn what_is_kept_is_read_again() {
        for text in [
            "http://proxy.test:3128",
            "http://ada:s%40c%3Are%25te%20%C3%A9@proxy.test:80",
            "socks5h://a:b@[::1]:9",
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!(proxy.url().expose().parse::<Proxy>().unwrap(), proxy);
        }
    }

    #[test]
    fn a_proxys_refusal_is_no_sites() {
        for (status, server, via, expected) in [
            (407, "nginx", "", true),
            (401, "tinyproxy/1.11.1", "", true),
            (401, "tinyproxy/1.11.1", "1.1 proxy", false),
            (401, "nginx", "", false),
            (403, "tinyproxy/1.11.1", "", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::SERVER, server.parse().unwrap());
            if !via.is_empty() {
                headers.insert(header::VIA, via.parse().unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                refuses(status, &headers),
                expected,
                "{status} {server} {via}"
            );
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let found = text.parse::<Proxy>().map(|proxy| proxy.to_string());
        let found = found.map_err(|error| error.to_string());
        let expected = expected.map(str::to_owned);
        let expected = expected.map_err(|what| format!("the proxy's address: {what}"));
        assert_eq!(found, expected, "{text}");
    }
}
