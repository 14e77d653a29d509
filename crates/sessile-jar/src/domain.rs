//! Hosts and domain matching (RFC 6265bis, sections 5.1.2 and 5.1.3).
//!
//! Matching expects both sides canonical; [`canonical`] makes a host so.
//! Public suffixes are not decided here; see `suffix`.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::punycode;

/// Whether a request to `host` belongs to `domain` or to a name below it.
pub(crate) fn domain_matches(host: &str, domain: &str) -> bool {
    if host == domain {
        return true;
    }
    // The dot keeps `notexample.com` out of `example.com`; an address has nothing below it.
    is_below(host, domain) && !is_address(host)
}

/// Whether the host is an IP address rather than a name.
pub(crate) fn is_address(host: &str) -> bool {
    if host.starts_with('[') {
        return true;
    }
    host.ends_with(|last: char| last.is_ascii_digit()) && host.parse::<Ipv4Addr>().is_ok()
}

/// The names a cookie's domain may have for this host: itself, then its parents.
pub(crate) fn self_and_parents(host: &str) -> impl Iterator<Item = &str> {
    let first = (!host.is_empty()).then_some(host);
    let only_one = is_address(host);
    std::iter::successors(first, move |name| {
        let parent = name.split_once('.').filter(|_| !only_one)?.1;
        (!parent.is_empty()).then_some(parent)
    })
}

/// The canonical form of a host (section 5.1.2); `None` if it has none.
///
/// Lower case, labels in ASCII, IPv6 in brackets and shortest form, a trailing dot kept.
pub(crate) fn canonical(host: &str) -> Option<Cow<'_, str>> {
    if is_plain_name(host) || is_plain_v4(host) {
        return Some(Cow::Borrowed(host));
    }
    if host.contains(':') {
        return canonical_v6(host);
    }
    // Steps 1 to 3 and 5: labels, each in ASCII.
    let name = if is_plain_lower(host) {
        Cow::Borrowed(host)
    } else {
        Cow::Owned(punycode::labels_to_ascii(host)?)
    };
    // Step 4: a label that claims to be encoded has to be.
    if !are_labels(&name) || has_fake_label(&name) {
        return None;
    }
    // A name that ends in a number is an IPv4 address or nothing.
    let bare = name.strip_suffix('.').unwrap_or(&name);
    let last = bare.rsplit('.').next().unwrap_or_default();
    if !last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(name);
    }
    bare.parse::<Ipv4Addr>().ok()?;
    Some(if bare.len() == name.len() {
        name
    } else {
        Cow::Owned(bare.to_owned())
    })
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.ends_with('.'))
}

/// Whether the host is a canonical name of the usual kind; others may be canonical, too.
fn is_plain_name(host: &str) -> bool {
    let mut last = b'.';
    for byte in host.bytes() {
        let fits = match byte {
            b'a'..=b'z' | b'0'..=b'9' => true,
            // No empty label, and nothing that could be an encoding.
            b'.' | b'-' => last != byte,
            _ => false,
        };
        if !fits {
            return false;
        }
        last = byte;
    }
    // An address ends in a digit.
    last.is_ascii_lowercase() && host.len() <= 253
}

/// Whether it is an IPv4 address as it is written, which is its canonical form.
fn is_plain_v4(host: &str) -> bool {
    host.as_bytes().first().is_some_and(u8::is_ascii_digit) && host.parse::<Ipv4Addr>().is_ok()
}

fn canonical_v6(host: &str) -> Option<Cow<'_, str>> {
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address: Ipv6Addr = inner.unwrap_or(host).parse().ok()?;
    // Written out by hand: `Display` puts the last part of some addresses in dotted form.
    let shown = shortest_v6(address);
    Some(if shown == host {
        Cow::Borrowed(host)
    } else {
        Cow::Owned(shown)
    })
}

/// The shortest form: hexadecimal groups, the longest run of zeros left out.
fn shortest_v6(address: Ipv6Addr) -> String {
    let groups = address.segments();
    let (mut start, mut length) = (0, 0);
    let mut run = 0;
    for (index, group) in groups.iter().enumerate() {
        run = if *group == 0 { run + 1 } else { 0 };
        if run > length {
            (start, length) = (index + 1 - run, run);
        }
    }
    let hex = |part: &[u16]| {
        let texts: Vec<_> = part.iter().map(|group| format!("{group:x}")).collect();
        texts.join(":")
    };
    if length < 2 {
        return format!("[{}]", hex(&groups));
    }
    let (head, tail) = groups.split_at(start);
    format!(
        "[{}::{}]",
        hex(head),
        hex(tail.get(length..).unwrap_or_default())
    )
}

fn is_plain_lower(host: &str) -> bool {
    host.bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}

/// Whether these are labels of letters, digits, `-` and `_`, none of them empty or too long.
fn are_labels(name: &str) -> bool {
    let bare = name.strip_suffix('.').unwrap_or(name);
    // Names in use go past 63 and 253 octets in tests only, but a limit keeps work bounded.
    bare.len() <= 1024
        && bare.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
}

fn has_fake_label(name: &str) -> bool {
    name.contains("xn--")
        && name
            .split('.')
            .filter_map(|label| label.strip_prefix("xn--"))
            .any(|rest| !punycode::is_encoded(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_match_only_at_a_dot() {
        check("example.com", "example.com", true);
        check("a.example.com", "example.com", true);
        check("notexample.com", "example.com", false);
        check("example.com", "a.example.com", false);
        check("example.com.", "example.com", false);
        check("example.com", "example.com.", false);
    }

    #[test]
    fn addresses_match_only_themselves() {
        check("10.0.0.1", "10.0.0.1", true);
        check("10.0.0.1", "0.0.1", false);
        check("[::1]", "[::1]", true);
    }

    #[test]
    fn parents_come_nearest_first() {
        let names: Vec<_> = self_and_parents("a.b.c").collect();
        assert_eq!(names, ["a.b.c", "b.c", "c"]);
        let names: Vec<_> = self_and_parents("b.c.").collect();
        assert_eq!(names, ["b.c.", "c."]);
        assert_eq!(self_and_parents("127.0.0.1").count(), 1);
    }

    #[test]
    fn hosts_become_canonical() {
        check_canonical("Example.COM", Some("example.com"));
        check_canonical("example.com.", Some("example.com."));
        check_canonical("élève.example", Some("xn--lve-6lad.example"));
        check_canonical("ÉLÈVE.example", Some("xn--lve-6lad.example"));
        check_canonical("xn--lve-6lad.example", Some("xn--lve-6lad.example"));
        check_canonical("under_score.example", Some("under_score.example"));
        check_canonical("127.0.0.1", Some("127.0.0.1"));
        check_canonical("127.0.0.1.", Some("127.0.0.1"));
        check_canonical("::1", Some("[::1]"));
        check_canonical("[0:0:0:0:0:0:0:1]", Some("[::1]"));
        check_canonical("[2001:DB8::0:1]", Some("[2001:db8::1]"));
        check_canonical("[::ffff:1.2.3.4]", Some("[::ffff:102:304]"));
        check_canonical("[::]", Some("[::]"));
        check_canonical("[1:0:3:4:5:6:7:8]", Some("[1:0:3:4:5:6:7:8]"));
    }

    #[test]
    fn what_is_no_host_has_no_canonical_form() {
        for host in [
            "",
            ".",
            "a..b",
            "a b",
            "a/b",
            "256.0.0.1",
            "1.2.3",
            "xn--",
            "xn--é",
        ] {
            check_canonical(host, None);
        }
        for host in ["[::1", "::g", "xn--abc-", "a@b", "ａ\u{301}.example"] {
            check_canonical(host, None);
        }
    }

    #[track_caller]
    fn check(host: &str, domain: &str, expected: bool) {
        assert_eq!(domain_matches(host, domain), expected, "{host} in {domain}");
    }

    #[track_caller]
    fn check_canonical(host: &str, expected: Option<&str>) {
        assert_eq!(canonical(host).as_deref(), expected, "{host}");
    }
}
