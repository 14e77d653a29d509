//! Cookie paths (RFC 6265bis, section 5.1.4).
//!
//! Paths are compared as octets: case counts, `%6F` and `o` differ, and the
//! query is no part of them.

/// The path of a cookie that was set without a usable `Path`, for a request path.
pub(crate) fn default_path(request: &[u8]) -> &[u8] {
    // Steps 1 and 2: no path, or one that does not start at the root.
    if request.first() != Some(&b'/') {
        return b"/";
    }
    // Steps 3 and 4: up to the last slash, which is not taken along unless it is the first.
    match request.iter().rposition(|byte| *byte == b'/') {
        Some(last) if last > 0 => request.get(..last).unwrap_or(b"/"),
        _ => b"/",
    }
}

/// Whether a request to `request` may carry a cookie of the path `cookie`.
pub(crate) fn path_matches(request: &[u8], cookie: &[u8]) -> bool {
    let Some(rest) = request.strip_prefix(cookie) else {
        return false;
    };
    // Identical, or a prefix that ends in a slash, or one that a slash follows.
    rest.first()
        .is_none_or(|next| *next == b'/' || cookie.last() == Some(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_path_ends_before_the_last_slash() {
        check_default("", "/");
        check_default("/", "/");
        check_default("/a", "/");
        check_default("/a/", "/a");
        check_default("/a/b", "/a");
        check_default("/a/b/", "/a/b");
        check_default("//", "/");
        check_default("a/b", "/");
        check_default("*", "/");
    }

    #[test]
    fn prefixes_match_only_at_a_slash() {
        check("/", "/", true);
        check("/foo", "/", true);
        check("/foo", "/foo", true);
        check("/foo/", "/foo", true);
        check("/foo/bar", "/foo", true);
        check("/foobar", "/foo", false);
        check("/foo", "/foo/", false);
        check("/foo/bar", "/foo/", true);
        check("/FOO", "/foo", false);
        check("/f%6Fo", "/foo", false);
        check("", "/", false);
    }

    #[track_caller]
    fn check_default(request: &str, expected: &str) {
        let path = default_path(request.as_bytes());
        assert_eq!(path, expected.as_bytes(), "{request}");
    }

    #[track_caller]
    fn check(request: &str, cookie: &str, expected: bool) {
        let matches = path_matches(request.as_bytes(), cookie.as_bytes());
        assert_eq!(matches, expected, "{request} for {cookie}");
    }
}
