//! Public suffixes: which domains belong to everybody.
//!
//! The list is behind a trait, so that a program may bring a fresher one.
//! Hosts are asked about without their trailing dot.

use crate::domain::is_address;

/// A public suffix list.
///
/// ```
/// use sessile_jar::{PublicSuffixes, SuffixList};
///
/// assert_eq!(PublicSuffixes.suffix_len("shop.example.co.uk"), "co.uk".len());
/// ```
pub trait SuffixList: Send + Sync {
    /// The length in bytes of the public suffix that `host` ends in.
    ///
    /// The host is canonical: lower case, labels in ASCII, no trailing dot. A list without a
    /// rule for it answers with the length of its last label.
    fn suffix_len(&self, host: &str) -> usize;
}

/// Mozilla's public suffix list as compiled into the program, private section included.
///
/// ```
/// use sessile_jar::{PublicSuffixes, SuffixList};
///
/// assert_eq!(PublicSuffixes.suffix_len("user.github.io"), "github.io".len());
/// ```
#[expect(clippy::exhaustive_structs, reason = "it has nothing to hold")]
#[derive(Clone, Copy, Debug, Default)]
pub struct PublicSuffixes;

impl SuffixList for PublicSuffixes {
    fn suffix_len(&self, host: &str) -> usize {
        psl::suffix(host.as_bytes()).map_or(0, |suffix| suffix.as_bytes().len())
    }
}

/// No list: every domain is taken for somebody's own. For closed networks and tests.
///
/// ```
/// use std::sync::Arc;
/// use sessile_jar::{Jar, NoSuffixes, Options};
///
/// let mut options = Options::default();
/// options.suffixes = Arc::new(NoSuffixes);
/// let jar = Jar::with(options);
/// # let _ = jar;
/// ```
#[expect(clippy::exhaustive_structs, reason = "it has nothing to hold")]
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSuffixes;

impl SuffixList for NoSuffixes {
    fn suffix_len(&self, _host: &str) -> usize {
        0
    }
}

/// Whether the domain as a whole is a public suffix.
pub(crate) fn is_public_suffix(list: &dyn SuffixList, domain: &str) -> bool {
    let bare = domain.strip_suffix('.').unwrap_or(domain);
    !is_address(bare) && list.suffix_len(bare) >= bare.len()
}

/// The registrable domain of a host: its public suffix and one label more.
///
/// A host without one (an address, a public suffix, any host for an empty list) stands for
/// itself.
pub(crate) fn registrable<'a>(list: &dyn SuffixList, host: &'a str) -> &'a str {
    let bare = host.strip_suffix('.').unwrap_or(host);
    if is_address(bare) {
        return bare;
    }
    let suffix = list.suffix_len(bare);
    if suffix == 0 {
        return bare;
    }
    let Some(before) = bare
        .len()
        .checked_sub(suffix + 1)
        .and_then(|end| bare.get(..end))
    else {
        return bare;
    };
    let label = before.rsplit('.').next().unwrap_or(before);
    bare.get(before.len() - label.len()..).unwrap_or(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_told_from_domains() {
        check("com", true);
        check("co.uk", true);
        check("co.uk.", true);
        check("github.io", true);
        check("localhost", true);
        check("example.com", false);
        check("user.github.io", false);
        check("127.0.0.1", false);
        check("[::1]", false);
        // Wildcard and exception rules.
        check("anything.ck", true);
        check("www.ck", false);
        // A rule for a name outside ASCII, asked in its encoded form.
        check("xn--p1ai", true);
        check("xn--55qx5d.cn", true);
    }

    #[test]
    fn sites_are_one_label_longer_than_suffixes() {
        let site = |host| registrable(&PublicSuffixes, host);
        assert_eq!(site("a.b.example.com"), "example.com");
        assert_eq!(site("example.com"), "example.com");
        assert_eq!(site("a.user.github.io."), "user.github.io");
        assert_eq!(site("com"), "com");
        assert_eq!(site("10.1.2.3"), "10.1.2.3");
        assert_eq!(site("[::1]"), "[::1]");
        assert_eq!(registrable(&NoSuffixes, "a.example.com"), "a.example.com");
    }

    #[track_caller]
    fn check(domain: &str, expected: bool) {
        assert_eq!(
            is_public_suffix(&PublicSuffixes, domain),
            expected,
            "{domain}"
        );
    }
}
