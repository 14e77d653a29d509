//! Host names outside ASCII (RFC 3492, RFC 5890).
//!
//! Deliberately careful rather than complete: a label is encoded only if lower-casing it is
//! all the mapping it needs; for the rest (compatibility forms, combining marks) there is no
//! answer, and the caller passes the `xn--` form that a URL library made. Whole IDNA tables
//! are larger than this crate.

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 128;

/// A host name with every label lower-cased and in ASCII; `None` if one can't be.
pub(crate) fn labels_to_ascii(host: &str) -> Option<String> {
    let mut name = String::with_capacity(host.len() + 8);
    for (index, label) in host.split(is_dot).enumerate() {
        if index > 0 {
            name.push('.');
        }
        if label.is_ascii() {
            name.push_str(&label.to_ascii_lowercase());
        } else {
            let lower: Vec<char> = label.chars().flat_map(char::to_lowercase).collect();
            // Hyphens in the third and fourth place are kept for encodings.
            let is_reserved = lower.get(2..4) == Some(&['-', '-']);
            if is_reserved || !lower.iter().copied().all(needs_no_mapping) {
                return None;
            }
            // A Kelvin sign is a K.
            if lower.iter().all(char::is_ascii) {
                name.extend(lower);
                continue;
            }
            name.push_str("xn--");
            encode(&lower, &mut name)?;
        }
    }
    Some(name)
}

/// Whether the part after `xn--` is what encoding some label gives.
pub(crate) fn is_encoded(text: &str) -> bool {
    let Some(label) = decode(text) else {
        return false;
    };
    let mut again = String::with_capacity(text.len());
    label.iter().any(|letter| !letter.is_ascii())
        && encode(&label, &mut again).is_some()
        && again == text
}

/// The full stop and the three other characters that IDNA takes for it.
fn is_dot(letter: char) -> bool {
    matches!(letter, '.' | '\u{3002}' | '\u{FF0E}' | '\u{FF61}')
}

/// Whether a lower-case letter stands for itself in every normalisation form.
fn needs_no_mapping(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_alphanumeric() || letter == '-';
    }
    // Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic, Persian, Devanagari, Tamil, Thai,
    // Georgian, kana, Han, Hangul: the parts without compatibility forms, and without marks
    // that a letter could be written with or without.
    matches!(
        letter,
        '\u{DF}'..='\u{F6}'
        | '\u{F8}'..='\u{131}'
        | '\u{134}'..='\u{13E}'
        | '\u{142}'..='\u{148}'
        | '\u{14A}'..='\u{17E}'
        | '\u{3AC}'..='\u{3CE}'
        | '\u{430}'..='\u{45F}'
        | '\u{461}'..='\u{481}'
        | '\u{561}'..='\u{586}'
        | '\u{5D0}'..='\u{5EA}'
        | '\u{620}'..='\u{63F}'
        | '\u{641}'..='\u{64A}'
        | '\u{67E}'
        | '\u{686}'
        | '\u{698}'
        | '\u{6A9}'
        | '\u{6AF}'
        | '\u{6BE}'
        | '\u{6CC}'
        | '\u{904}'..='\u{928}'
        | '\u{92A}'..='\u{930}'
        | '\u{932}'..='\u{933}'
        | '\u{935}'..='\u{939}'
        | '\u{93E}'..='\u{94D}'
        | '\u{B85}'..='\u{B91}'
        | '\u{B93}'
        | '\u{B95}'..='\u{BC2}'
        | '\u{BC8}'
        | '\u{BCD}'
        | '\u{E01}'..='\u{E32}'
        | '\u{10D0}'..='\u{10FA}'
        | '\u{1EA0}'..='\u{1EF9}'
        | '\u{3041}'..='\u{3096}'
        | '\u{30A1}'..='\u{30FA}'
        | '\u{30FC}'
        | '\u{4E00}'..='\u{9FFC}'
        | '\u{AC00}'..='\u{D7A3}'
    )
}

/// RFC 3492, section 6.3.
fn encode(label: &[char], out: &mut String) -> Option<()> {
    let basic = label.iter().filter(|letter| letter.is_ascii());
    out.extend(basic.clone());
    let basic_count = u32::try_from(basic.count()).ok()?;
    if basic_count > 0 {
        out.push('-');
    }
    let total = u32::try_from(label.len()).ok()?;
    let (mut n, mut delta, mut bias) = (INITIAL_N, 0_u32, INITIAL_BIAS);
    let mut handled = basic_count;
    while handled < total {
        let next = label
            .iter()
            .map(|letter| u32::from(*letter))
            .filter(|code| *code >= n)
            .min()?;
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for code in label.iter().map(|letter| u32::from(*letter)) {
            if code < n {
                delta = delta.checked_add(1)?;
            }
            if code == n {
                push_number(delta, bias, out)?;
                bias = adapt(delta, handled + 1, handled == basic_count);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        n += 1;
    }
    Some(())
}

fn push_number(number: u32, bias: u32, out: &mut String) -> Option<()> {
    let mut rest = number;
    let mut k = BASE;
    loop {
        let threshold = threshold(k, bias);
        if rest < threshold {
            out.push(digit(rest)?);
            return Some(());
        }
        out.push(digit(threshold + (rest - threshold) % (BASE - threshold))?);
        rest = (rest - threshold) / (BASE - threshold);
        k += BASE;
    }
}

/// RFC 3492, section 6.2.
fn decode(text: &str) -> Option<Vec<char>> {
    let (basic, rest) = text.rsplit_once('-').unwrap_or(("", text));
    let mut label: Vec<char> = basic.chars().collect();
    let (mut n, mut i, mut bias) = (INITIAL_N, 0_u32, INITIAL_BIAS);
    let mut digits = rest.bytes().peekable();
    while digits.peek().is_some() {
        let before = i;
        let (mut weight, mut k) = (1_u32, BASE);
        loop {
            let value = digit_value(digits.next()?)?;
            i = i.checked_add(value.checked_mul(weight)?)?;
            let threshold = threshold(k, bias);
            if value < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            k += BASE;
        }
        let count = u32::try_from(label.len()).ok()? + 1;
        bias = adapt(i - before, count, before == 0);
        n = n.checked_add(i / count)?;
        i %= count;
        label.insert(usize::try_from(i).ok()?, char::from_u32(n)?);
        i += 1;
    }
    Some(label)
}

fn threshold(k: u32, bias: u32) -> u32 {
    k.saturating_sub(bias).clamp(T_MIN, T_MAX)
}

/// RFC 3492, section 6.1.
fn adapt(delta: u32, count: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / DAMP } else { delta / 2 };
    delta += delta / count;
    let mut k = 0;
    while delta > ((BASE - T_MIN) * T_MAX) / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

fn digit(value: u32) -> Option<char> {
    char::from_digit(value, 36).map(|_| {
        let value = u8::try_from(value).unwrap_or_default();
        char::from(if value < 26 {
            b'a' + value
        } else {
            b'0' + value - 26
        })
    })
}

fn digit_value(byte: u8) -> Option<u32> {
    match byte {
        b'a'..=b'z' => Some(u32::from(byte - b'a')),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_encoded_as_the_samples_say() {
        check("bücher", Some("xn--bcher-kva"));
        check("пример", Some("xn--e1afmkfd"));
        check("例え", Some("xn--r8jz45g"));
        check("δοκιμή", Some("xn--jxalpdlp"));
        check("한국", Some("xn--3e0b707e"));
        check("परीक्षा", Some("xn--11b5bs3a9aj6g"));
        check("பரிட்சை", Some("xn--hlcj6aya9esc7a"));
        check("آزمایشی", Some("xn--hgbk6aj7f53bba"));
        check("إختبار", Some("xn--kgbechtv"));
        check("테스트", Some("xn--9t4b11yi5a"));
        check("straße", Some("xn--strae-oqa"));
        check("a。b", Some("a.b"));
        check("ﬁ", None);
        check("e\u{301}", None);
    }

    #[test]
    fn encoded_labels_are_told_from_fakes() {
        for text in ["bcher-kva", "e1afmkfd", "lve-6lad"] {
            assert!(is_encoded(text), "{text}");
        }
        for text in ["", "abc-", "99999999", "é", "bcher-kvA"] {
            assert!(!is_encoded(text), "{text}");
        }
    }

    /// Whatever is encoded here is encoded the same way by full IDNA tables.
    #[test]
    fn every_single_letter_agrees_with_full_idna() {
        for letter in '\u{80}'..='\u{FFFF}' {
            // Beside letters of both directions, since labels don't mix them.
            for host in [format!("{letter}.test"), format!("a{letter}a.test")] {
                let Some(ours) = labels_to_ascii(&host) else {
                    continue;
                };
                let Ok(full) = idna::domain_to_ascii(&host) else {
                    continue;
                };
                assert_eq!(ours, full, "{host:?} {}", u32::from(letter));
            }
        }
    }

    proptest::proptest! {
        /// Letters that are taken one by one are taken together, too.
        #[test]
        fn words_agree_with_full_idna(
            word in "[a-zßà-žά-ώа-яא-תءا-ي\u{904}-\u{94D}\u{B85}-\u{BCD}ก-าぁ-んァ-ヶ一-丿가-각]{1,6}",
        ) {
            let host = format!("{word}.test");
            if let (Some(ours), Ok(full)) = (labels_to_ascii(&host), idna::domain_to_ascii(&host)) {
                proptest::prop_assert_eq!(ours, full);
            }
        }
    }

    #[track_caller]
    fn check(host: &str, expected: Option<&str>) {
        assert_eq!(labels_to_ascii(host).as_deref(), expected, "{host}");
    }
}
