//! Paths of rules: their one spelling, and what they match (RFC 9309, section 2.2.2).

/// The one spelling of a path: unreserved characters plain, all others that aren't ASCII or were
/// encoded as `%` and upper-case digits.
pub(super) fn normal(path: &[u8]) -> Vec<u8> {
    let mut normal = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match encoded(rest) {
            Some(byte) if *first == b'%' => {
                rest = &rest[2..];
                if is_unreserved(byte) {
                    normal.push(byte);
                } else {
                    encode(byte, &mut normal);
                }
            }
            _ if first.is_ascii() => normal.push(*first),
            _ => encode(*first, &mut normal),
        }
    }
    normal
}

fn encoded(digits: &[u8]) -> Option<u8> {
    let digits = digits
        .get(..2)
        .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn encode(byte: u8, into: &mut Vec<u8>) {
    into.extend_from_slice(format!("%{byte:02X}").as_bytes());
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Whether the path begins as the pattern says; `*` is any run of characters, and `$` at the
/// pattern's end is the path's end.
pub(super) fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let (pattern, is_whole) = match pattern.strip_suffix(b"$") {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut runs = pattern.split(|byte| *byte == b'*');
    let first = runs.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let mut last: Option<&[u8]> = None;
    // The earliest place leaves the most for the runs after it.
    for run in runs {
        if let Some(run) = last.replace(run) {
            match find(rest, run) {
                Some(at) => rest = &rest[at + run.len()..],
                None => return false,
            }
        }
    }
    match last {
        None => !is_whole || rest.is_empty(),
        Some(run) if is_whole => rest.ends_with(run),
        Some(run) => find(rest, run).is_some(),
    }
}

fn find(text: &[u8], run: &[u8]) -> Option<usize> {
    if run.is_empty() {
        return Some(0);
    }
    text.windows(run.len()).position(|window| window == run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns() {
        check("/", "/a", true);
        check("/fish", "/fish.html", true);
        check("/fish", "/Fish", false);
        check("/fish/", "/fish", false);
        check("/*.php", "/a/b.php?x", true);
        check("/*.php$", "/a.php?x", false);
        check("/*.php$", "/a.php.php", true);
        check("/a*b*c", "/axbybzc", true);
        check("/a*b*c$", "/abcb", false);
        check("/$", "/", true);
        check("/$", "/a", false);
        check("/a$b", "/a$b", true);
        check("*", "/", true);
        check("/a**b$", "/ab", true);
        check("/ab*ab$", "/ab", false);
        check("$", "/", false);
    }

    #[track_caller]
    fn check(pattern: &str, path: &str, expected: bool) {
        assert_eq!(
            matches(pattern.as_bytes(), path.as_bytes()),
            expected,
            "{pattern} {path}"
        );
    }

    /// The definition, without any thought of time.
    fn matches_slowly(pattern: &[u8], path: &[u8]) -> bool {
        match pattern {
            [] => true,
            b"$" => path.is_empty(),
            [b'*', rest @ ..] => (0..=path.len()).any(|from| matches_slowly(rest, &path[from..])),
            [byte, rest @ ..] => path.first() == Some(byte) && matches_slowly(rest, &path[1..]),
        }
    }

    proptest! {
        #[test]
        fn the_definition_agrees(pattern in "/[ab/*$]{0,6}", path in "/[ab/]{0,7}") {
            let (pattern, path) = (pattern.as_bytes(), path.as_bytes());
            prop_assert_eq!(matches(pattern, path), matches_slowly(pattern, path));
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_quick() {
        let pattern = "/".to_owned() + &"*a".repeat(10_000) + "$";
        let path = "/".to_owned() + &"a".repeat(20_000) + "b";
        assert!(!matches(pattern.as_bytes(), path.as_bytes()));
    }

    #[test]
    fn spellings() {
        let spell = |path: &str| String::from_utf8(normal(path.as_bytes())).unwrap();
        assert_eq!(spell("/a%2fb%7E%61"), "/a%2Fb~a");
        assert_eq!(spell("/ü%"), "/%C3%BC%");
        assert_eq!(spell("/%zz%4"), "/%zz%4");
    }
}
