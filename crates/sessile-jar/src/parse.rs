//! Parsing a `Set-Cookie` field value (RFC 6265bis, section 5.6).
//!
//! Bytes in, slices of them out: nothing is copied, and every sequence of bytes has an
//! answer. What the attributes mean for a stored cookie is decided in `storage`.

use crate::date::parse_date;
use crate::{Refusal, SameSite, Timestamp};

/// The most bytes that name and value may have together.
pub(crate) const MAX_PAIR: usize = 4096;
/// The most bytes that an attribute's value may have.
pub(crate) const MAX_ATTRIBUTE: usize = 1024;

/// A `Set-Cookie` field value, taken apart.
///
/// ```
/// use sessile_jar::SetCookie;
///
/// let cookie = SetCookie::parse(b"id=a3f; Path=/; HttpOnly")?;
/// assert_eq!((cookie.name, cookie.value), (&b"id"[..], &b"a3f"[..]));
/// assert!(cookie.http_only && !cookie.secure);
/// # Ok::<(), sessile_jar::Refusal>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Default, Eq, PartialEq)]
pub struct SetCookie<'a> {
    /// The name, possibly empty.
    pub name: &'a [u8],
    /// The value, possibly empty.
    pub value: &'a [u8],
    /// The last `Domain` of bearable length, without its leading dot, in the case it came in.
    pub domain: Option<&'a [u8]>,
    /// The last `Path` of bearable length, whatever it holds.
    pub path: Option<&'a [u8]>,
    /// Whether a `Path` began with a slash, the last one or an earlier one.
    pub has_rooted_path: bool,
    /// The last `Expires` that is a date.
    pub expires: Option<Timestamp>,
    /// The last `Max-Age` that is a number of seconds, held within the range of its type.
    pub max_age: Option<i64>,
    /// The last `SameSite`.
    pub same_site: SameSite,
    /// Whether `Secure` was there.
    pub secure: bool,
    /// Whether `HttpOnly` was there.
    pub http_only: bool,
    /// Whether `Partitioned` was there.
    pub partitioned: bool,
}

impl<'a> SetCookie<'a> {
    /// Takes a field value apart.
    ///
    /// # Errors
    /// Fails if there is a control character in it, or if name and value are too long.
    pub fn parse(text: &'a [u8]) -> Result<Self, Refusal> {
        // Step 1: control characters other than TAB.
        if text.iter().fold(false, |has, byte| has | is_control(*byte)) {
            return Err(Refusal::ControlCharacter);
        }
        // Step 2: the pair ends at the first semicolon.
        let (pair, mut attributes) =
            split_once(text, b';').map_or((text, None), |(pair, rest)| (pair, Some(rest)));
        // Step 3: without an equals sign there is no name.
        let (name, value) = split_once(pair, b'=').unwrap_or((b"", pair));
        let mut cookie = Self {
            // Step 4: white space around both goes; step 6 names them.
            name: trim(name),
            value: trim(value),
            ..Self::default()
        };
        // Step 5: the size of both.
        if cookie.name.len() + cookie.value.len() > MAX_PAIR {
            return Err(Refusal::TooLong);
        }
        // Attribute steps 1 to 3 and 8: one after the other.
        while let Some(rest) = attributes {
            let (attribute, rest) =
                split_once(rest, b';').map_or((rest, None), |(one, rest)| (one, Some(rest)));
            cookie.take(attribute);
            attributes = rest;
        }
        Ok(cookie)
    }

    fn take(&mut self, attribute: &'a [u8]) {
        // Attribute step 4: name and value; step 5: white space around both goes.
        let (name, value) = split_once(attribute, b'=').unwrap_or((attribute, b""));
        let (name, value) = (trim(name), trim(value));
        // Attribute step 6: a value of more than 1,024 bytes makes it as if it were not there.
        if value.len() > MAX_ATTRIBUTE {
            return;
        }
        // Attribute step 7: the attributes, sections 5.6.1 to 5.6.7; unknown ones are ignored.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"path") => self.take_path(value),
            6 if name.eq_ignore_ascii_case(b"domain") => self.take_domain(value),
            6 if name.eq_ignore_ascii_case(b"secure") => self.secure = true,
            7 if name.eq_ignore_ascii_case(b"expires") => self.take_expires(value),
            7 if name.eq_ignore_ascii_case(b"max-age") => self.take_max_age(value),
            8 if name.eq_ignore_ascii_case(b"httponly") => self.http_only = true,
            8 if name.eq_ignore_ascii_case(b"samesite") => self.take_same_site(value),
            11 if name.eq_ignore_ascii_case(b"partitioned") => self.partitioned = true,
            _ => {}
        }
    }

    /// 5.6.1. The cap of 400 days (steps 3 and 4) needs the time and is put on in storage.
    fn take_expires(&mut self, value: &[u8]) {
        // Steps 1 and 2: no date, no attribute. Step 5: every date can be represented.
        // Step 6: the last one counts.
        if let Some(date) = parse_date(value) {
            self.expires = Some(date);
        }
    }

    /// 5.6.2. The cap of 400 days (steps 5 and 6) is put on in storage, as is step 7.
    fn take_max_age(&mut self, value: &[u8]) {
        // Step 8: the last one counts.
        if let Some(seconds) = max_age(value) {
            self.max_age = Some(seconds);
        }
    }

    /// 5.6.3. Lower case (step 3) is left to the comparison.
    fn take_domain(&mut self, value: &'a [u8]) {
        // Steps 1, 2 and 4.
        self.domain = Some(value.strip_prefix(b".").unwrap_or(value));
    }

    /// 5.6.4. What stands for a path that does not start at the root is decided in storage.
    fn take_path(&mut self, value: &'a [u8]) {
        self.path = Some(value);
        self.has_rooted_path |= value.first() == Some(&b'/');
    }

    /// 5.6.7.
    fn take_same_site(&mut self, value: &[u8]) {
        self.same_site = if value.eq_ignore_ascii_case(b"none") {
            SameSite::None
        } else if value.eq_ignore_ascii_case(b"strict") {
            SameSite::Strict
        } else if value.eq_ignore_ascii_case(b"lax") {
            SameSite::Lax
        } else {
            // Step 1: anything else is as if nothing had been said.
            SameSite::Default
        };
    }
}

/// Shows no value: cookies are secrets.
impl std::fmt::Debug for SetCookie<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetCookie")
            .field("name", &String::from_utf8_lossy(self.name))
            .finish_non_exhaustive()
    }
}

/// A number of seconds as `Max-Age` has it (5.6.2).
pub(crate) fn max_age(value: &[u8]) -> Option<i64> {
    // Steps 1 to 3: an optional minus and digits, nothing else.
    let (sign, digits) = value
        .strip_prefix(b"-")
        .map_or((1, value), |digits| (-1, digits));
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Step 4: the number, held within the range of its type.
    let number = digits.iter().fold(0_i64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    Some(sign * number)
}

/// `%x00-08 / %x0A-1F / %x7F`
pub(crate) fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7F
}

/// Without the white space at both ends: spaces and TABs, nothing else.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let mut text = text;
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// What stands before and after the first such byte.
pub(crate) fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let index = text.iter().position(|byte| *byte == at)?;
    let (before, from) = text.split_at(index);
    Some((before, from.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_cut_at_the_first_equals_sign() {
        check_pair("a=b", "a", "b");
        check_pair(" a\t=\t b c \t; x", "a", "b c");
        check_pair("a=b=c", "a", "b=c");
        check_pair("=b", "", "b");
        check_pair("b", "", "b");
        check_pair("a=", "a", "");
        check_pair("a=\"b;c\"", "a", "\"b");
        check_pair("a=%3B,\u{e9}", "a", "%3B,\u{e9}");
        check_pair("", "", "");
    }

    #[test]
    fn control_characters_refuse_the_whole() {
        for byte in (0..=255).filter(|byte| is_control(*byte)) {
            for place in [0, 1, 3, 6] {
                let mut text = b"a=b; c".to_vec();
                text.insert(place, byte);
                assert_eq!(SetCookie::parse(&text), Err(Refusal::ControlCharacter));
            }
        }
        assert!(SetCookie::parse(b"a=\tb\tc; d\t").is_ok());
    }

    #[test]
    fn name_and_value_have_4096_bytes_together() {
        let text = [b"abcd=".as_slice(), &[b'x'; 4092]].concat();
        assert!(SetCookie::parse(&text).is_ok());
        let text = [text.as_slice(), b"x"].concat();
        assert_eq!(SetCookie::parse(&text), Err(Refusal::TooLong));
    }

    #[test]
    fn the_last_attribute_counts() {
        let cookie = parse("a=b; Domain=.A.example; domain = b.example; Path=/x; path=y");
        assert_eq!(cookie.domain, Some(b"b.example".as_slice()));
        assert_eq!(cookie.path, Some(b"y".as_slice()));
        assert!(cookie.has_rooted_path);
        let cookie = parse("a=b; SameSite=Lax; samesite=Whatever; SECURE=no; httponly=no");
        assert_eq!(cookie.same_site, SameSite::Default);
        assert!(cookie.secure && cookie.http_only && !cookie.partitioned);
    }

    #[test]
    fn attributes_that_are_too_long_are_not_there() {
        let long = "x".repeat(1025);
        let text = format!("a=b; Path=/short; Path=/{long}; Domain={long}; Secure={long}");
        let cookie = parse(&text);
        assert_eq!(cookie.path, Some(b"/short".as_slice()));
        assert_eq!(cookie.domain, None);
        assert!(!cookie.secure);
    }

    #[test]
    fn max_age_is_digits_with_an_optional_minus() {
        for (text, expected) in [
            ("5", Some(5)),
            ("-5", Some(-5)),
            ("007", Some(7)),
            ("", None),
            ("-", None),
            ("+5", None),
            ("5.0", None),
            ("1,0", None),
            ("99999999999999999999", Some(i64::MAX)),
            ("-99999999999999999999", Some(-i64::MAX)),
        ] {
            let line = format!("a=b; Max-Age={text}");
            assert_eq!(parse(&line).max_age, expected, "{text}");
        }
        assert_eq!(parse("a=b; Max-Age=5; Max-Age=x").max_age, Some(5));
    }

    #[test]
    fn only_attributes_of_exactly_the_name_count() {
        let cookie = parse("a=b; \"Secure\"; Secure x; =Secure; Max Age=5; HttpOnly\u{e9}");
        assert_eq!(cookie, parse("a=b"));
    }

    #[track_caller]
    fn parse(text: &str) -> SetCookie<'_> {
        SetCookie::parse(text.as_bytes()).unwrap()
    }

    #[track_caller]
    fn check_pair(text: &str, name: &str, value: &str) {
        let cookie = parse(text);
        assert_eq!(cookie.name, name.as_bytes(), "{text:?}");
        assert_eq!(cookie.value, value.as_bytes(), "{text:?}");
    }
}
