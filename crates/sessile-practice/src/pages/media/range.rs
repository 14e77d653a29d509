//! Ranges of a file (RFC 9110, section 14).

use std::ops::Range;

/// What a `Range` header asks for of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    Part(Range<usize>),
    Unsatisfiable,
    Whole,
}

/// One range of bytes; a header that means several, or that can't be read, means the whole.
pub(super) fn wanted(header: Option<&str>, length: usize) -> Wanted {
    let range = header.and_then(|header| header.strip_prefix("bytes="));
    let range = range.filter(|range| !range.contains(','));
    let Some((first, last)) = range.and_then(|range| range.trim().split_once('-')) else {
        return Wanted::Whole;
    };
    let (first, last) = (number(first), number(last));
    let (start, end) = match (first, last) {
        (Ok(Some(first)), Ok(last)) => {
            let end = last.map_or(length, |last| last.saturating_add(1).min(length));
            if last.is_some_and(|last| last < first) {
                return Wanted::Whole;
            }
            (first, end)
        }
        (Ok(None), Ok(Some(suffix))) => (length.saturating_sub(suffix), length),
        _ => return Wanted::Whole,
    };
    match start < end {
        true => Wanted::Part(start..end),
        false => Wanted::Unsatisfiable,
    }
}

fn number(text: &str) -> Result<Option<usize>, ()> {
    match text {
        "" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_book_says() {
        check(None, &Wanted::Whole);
        check(Some("bytes=0-"), &Wanted::Part(0..100));
        check(Some("bytes=10-19"), &Wanted::Part(10..20));
        check(Some("bytes=90-1000"), &Wanted::Part(90..100));
        check(Some("bytes=-5"), &Wanted::Part(95..100));
        check(Some("bytes=-500"), &Wanted::Part(0..100));
        check(Some("bytes=100-"), &Wanted::Unsatisfiable);
        check(Some("bytes=-0"), &Wanted::Unsatisfiable);
        check(Some("bytes=9-3"), &Wanted::Whole);
        check(Some("bytes=1-2,5-6"), &Wanted::Whole);
        check(Some("lines=1-2"), &Wanted::Whole);
        check(Some("bytes=x-2"), &Wanted::Whole);
    }

    #[track_caller]
    fn check(header: Option<&str>, expected: &Wanted) {
        assert_eq!(&wanted(header, 100), expected, "{header:?}");
    }
}
