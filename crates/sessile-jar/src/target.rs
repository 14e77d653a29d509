//! Where a request goes: the parts of its URL that cookies depend on.
//!
//! This is no URL library: queries, ports and user names are read over, and nothing else of
//! a URL is kept.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;

use crate::domain::{canonical, is_address};

/// The host, path and security of a request.
///
/// ```
/// use sessile_jar::Target;
///
/// let target = Target::parse("https://Shop.example:8443/cart?item=1")?;
/// assert_eq!(target.host(), "shop.example");
/// assert_eq!(target.path(), b"/cart");
/// assert!(target.is_secure());
/// # Ok::<(), sessile_jar::BadUrl>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target<'a> {
    host: Cow<'a, str>,
    path: Cow<'a, [u8]>,
    is_encrypted: bool,
    is_secure: bool,
}

impl<'a> Target<'a> {
    /// A target from the parts of a URL that was parsed before.
    ///
    /// Nothing is allocated if the host is canonical already (lower case, labels in ASCII,
    /// IPv6 in brackets). The path is taken as it is; a query behind it is left out.
    ///
    /// # Errors
    /// Fails if the scheme has no cookies or the host is none.
    pub fn new(scheme: &str, host: &'a str, path: &'a str) -> Result<Self, BadUrl> {
        let is_encrypted = is_encrypted(scheme)?;
        let host = canonical(host).ok_or(BadUrl::Host)?;
        Ok(Self::from_parts(is_encrypted, host, without_query(path)))
    }

    /// A target from the text of a URL.
    ///
    /// Bytes that no URL may hold are percent-encoded in the path, and `.` and `..` in it are
    /// followed, as browsers do.
    ///
    /// # Errors
    /// Fails if the text is no `http`, `https`, `ws` or `wss` URL with a host.
    pub fn parse(url: &'a str) -> Result<Self, BadUrl> {
        let url = url.trim_ascii();
        let (scheme, rest) = url.split_once(':').ok_or(BadUrl::Scheme)?;
        let is_encrypted = is_encrypted(scheme)?;
        let rest = rest.strip_prefix("//").ok_or(BadUrl::Host)?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = canonical(host_of(authority)?).ok_or(BadUrl::Host)?;
        let mut target = Self::from_parts(is_encrypted, host, without_query(path));
        target.path = clean_path(target.path);
        Ok(target)
    }

    fn from_parts(is_encrypted: bool, host: Cow<'a, str>, path: &'a str) -> Self {
        let is_secure = is_encrypted || is_trusted(&host);
        Self {
            host,
            path: Cow::Borrowed(path.as_bytes()),
            is_encrypted,
            is_secure,
        }
    }

    /// The canonical host: lower case, labels in ASCII, IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path, without the query; possibly empty.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Whether the connection counts as secure: encrypted, or to this machine itself.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The scheme of the site, `https` or `http`.
    pub(crate) fn site_scheme(&self) -> &'static str {
        if self.is_encrypted { "https" } else { "http" }
    }
}

/// Why a URL is no place that cookies go to.
///
/// ```
/// use sessile_jar::{BadUrl, Target};
///
/// assert_eq!(Target::parse("mailto:me@shop.example"), Err(BadUrl::Scheme));
/// assert_eq!(Target::parse("https://shop..example/"), Err(BadUrl::Host));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum BadUrl {
    /// The host is missing or is neither a name nor an address.
    ///
    /// Names outside ASCII that need more than lower-casing are among these; the `xn--` form
    /// of such a name is fine.
    Host,
    /// The scheme is missing or is none of `http`, `https`, `ws` and `wss`.
    Scheme,
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "no host name or address that cookies could belong to",
            Self::Scheme => "not an http, https, ws or wss url",
        })
    }
}

impl std::error::Error for BadUrl {}

fn is_encrypted(scheme: &str) -> Result<bool, BadUrl> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    if is("https") || is("wss") {
        Ok(true)
    } else if is("http") || is("ws") {
        Ok(false)
    } else {
        Err(BadUrl::Scheme)
    }
}

/// Whether plain connections to the host count as secure: they don't leave this machine.
fn is_trusted(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    if name == "localhost" || name.ends_with(".localhost") || host == "[::1]" {
        return true;
    }
    is_address(host)
        && host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

fn without_query(path: &str) -> &str {
    path.bytes()
        .position(|byte| matches!(byte, b'?' | b'#'))
        .and_then(|end| path.get(..end))
        .unwrap_or(path)
}

fn host_of(authority: &str) -> Result<&str, BadUrl> {
    let place = authority.rsplit('@').next().unwrap_or(authority);
    if place.starts_with('[') {
        let end = place.find(']').ok_or(BadUrl::Host)?;
        let (host, port) = place.split_at(end + 1);
        return is_port(port).then_some(host).ok_or(BadUrl::Host);
    }
    let end = place.find(':').unwrap_or(place.len());
    let (host, port) = place.split_at(end);
    is_port(port).then_some(host).ok_or(BadUrl::Host)
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The path as a browser would send it.
fn clean_path(path: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let has_dots = path
        .split(|byte| *byte == b'/')
        .any(|segment| is_dots(segment, 1) || is_dots(segment, 2));
    if !has_dots
        && !path
            .iter()
            .any(|byte| needs_encoding(*byte) || *byte == b'\\')
    {
        return path;
    }
    let mut clean: Vec<u8> = Vec::with_capacity(path.len());
    let segments = path.split(|byte| matches!(byte, b'/' | b'\\')).skip(1);
    let mut ends_open = false;
    for segment in segments {
        ends_open = false;
        if is_dots(segment, 2) {
            let end = clean.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            clean.truncate(end);
            ends_open = true;
        } else if is_dots(segment, 1) {
            ends_open = true;
        } else {
            clean.push(b'/');
            push_encoded(segment, &mut clean);
        }
    }
    if ends_open || clean.is_empty() {
        clean.push(b'/');
    }
    Cow::Owned(clean)
}

/// Whether the segment is so many dots, some of them perhaps percent-encoded.
fn is_dots(segment: &[u8], count: usize) -> bool {
    let mut rest = segment;
    for _ in 0..count {
        let after = rest
            .strip_prefix(b".")
            .or_else(|| rest.strip_prefix(b"%2e"))
            .or_else(|| rest.strip_prefix(b"%2E"));
        let Some(after) = after else { return false };
        rest = after;
    }
    rest.is_empty()
}

fn push_encoded(segment: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in segment {
        if needs_encoding(*byte) {
            out.push(b'%');
            out.push(HEX.get(usize::from(byte >> 4)).copied().unwrap_or(b'0'));
            out.push(HEX.get(usize::from(byte & 15)).copied().unwrap_or(b'0'));
        } else {
            out.push(*byte);
        }
    }
}

fn needs_encoding(byte: u8) -> bool {
    !byte.is_ascii_graphic() || matches!(byte, b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_paths_are_found() {
        check("http://example.com", "example.com", "");
        check("HTTP://EXAMPLE.com/", "example.com", "/");
        check(
            "https://u:p@example.com:8443/a/b?c#d",
            "example.com",
            "/a/b",
        );
        check("http://u@x:p@example.com/", "example.com", "/");
        check("http://example.com?x=/y", "example.com", "");
        check("http://[2001:DB8::1]:80/x", "[2001:db8::1]", "/x");
        check("wss://example.com./x", "example.com.", "/x");
        check("http://example.com\\a", "example.com", "/a");
    }

    #[test]
    fn paths_are_what_a_browser_sends() {
        check("http://a.example/a/../b", "a.example", "/b");
        check("http://a.example/a/./b/.", "a.example", "/a/b/");
        check("http://a.example/../..", "a.example", "/");
        check("http://a.example/a/%2E%2e/b", "a.example", "/b");
        check("http://a.example/é x", "a.example", "/%C3%A9%20x");
        check("http://a.example/%6f", "a.example", "/%6f");
        check("http://a.example/.well-known", "a.example", "/.well-known");
        check("http://a.example/a//b/", "a.example", "/a//b/");
    }

    #[test]
    fn what_has_no_cookies_is_refused() {
        check_bad("example.com", BadUrl::Scheme);
        check_bad("", BadUrl::Scheme);
        check_bad("ftp://example.com/", BadUrl::Scheme);
        check_bad("file:///etc", BadUrl::Scheme);
        check_bad("http:/example.com", BadUrl::Host);
        check_bad("http:///x", BadUrl::Host);
        check_bad("http://a b/", BadUrl::Host);
        check_bad("http://a:b/", BadUrl::Host);
        check_bad("http://[::1/", BadUrl::Host);
    }

    #[test]
    fn this_machine_is_secure() {
        for url in [
            "http://localhost",
            "http://a.localhost.",
            "http://127.1.2.3",
            "http://[::1]/",
        ] {
            assert!(Target::parse(url).unwrap().is_secure(), "{url}");
        }
        for url in [
            "http://example.com",
            "http://notlocalhost",
            "http://128.0.0.1",
        ] {
            assert!(!Target::parse(url).unwrap().is_secure(), "{url}");
        }
    }

    #[test]
    fn canonical_parts_are_borrowed() {
        let target = Target::new("https", "example.com", "/a?b").unwrap();
        assert!(matches!(target.host, Cow::Borrowed("example.com")));
        assert!(matches!(target.path, Cow::Borrowed(b"/a")));
    }

    #[track_caller]
    fn check(url: &str, host: &str, path: &str) {
        let target = Target::parse(url).unwrap();
        assert_eq!(target.host(), host, "{url}");
        assert_eq!(target.path(), path.as_bytes(), "{url}");
    }

    #[track_caller]
    fn check_bad(url: &str, expected: BadUrl) {
        assert_eq!(Target::parse(url), Err(expected), "{url}");
    }
}
