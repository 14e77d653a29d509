//! A file's name from a title that came from outside: one name in one folder, on every system.

/// The longest name, in bytes; what is put after it has room.
const LONGEST: usize = 180;

/// The title as a file's name without its end.
pub(crate) fn safe(title: &str) -> String {
    let shown = title.chars().map(|c| match c {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '-',
        c if c.is_control() || is_invisible(c) => ' ',
        c => c,
    });
    let text: String = shown.collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    // A dot or a dash at the beginning hides a file, or makes an option of it; systems drop dots and
    // spaces at the end.
    let text = text.trim_start_matches(['.', '-', '~', ' ']);
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text
        .get(..end)
        .unwrap_or_default()
        .trim_end_matches(['.', ' ']);
    match text.is_empty() || is_reserved(text) {
        true => format!("media{}{text}", if text.is_empty() { "" } else { " " }),
        false => text.to_owned(),
    }
}

/// What turns the direction of text around, or isn't seen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Names that are devices on Windows, whatever comes after a dot.
fn is_reserved(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim()
        .to_ascii_uppercase();
    let numbered = ["COM", "LPT"].iter().any(|device| {
        let number = stem.strip_prefix(device);
        number.is_some_and(|number| {
            number.len() == 1 && number != "0" && number.as_bytes()[0].is_ascii_digit()
        })
    });
    numbered || ["AUX", "CON", "NUL", "PRN"].contains(&stem.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn titles_become_names() {
        check("A talk: part 1/2", "A talk- part 1-2");
        check("../../etc/passwd", "etc-passwd");
        check("..", "media");
        check("", "media");
        check("-rf", "rf");
        check("a\u{0}b\nc\u{202e}gpj", "a b c gpj");
        check("  x  .. ", "x");
        check("nul.tar", "media nul.tar");
        check("Über 日本", "Über 日本");
    }

    #[track_caller]
    fn check(title: &str, expected: &str) {
        assert_eq!(safe(title), expected, "{title:?}");
    }

    proptest! {
        #[test]
        fn a_name_is_one_name(title in "\\PC{0,300}|(\\.|/|\\\\| |-|\n){0,20}") {
            let name = safe(&title);
            prop_assert!(!name.is_empty() && name.len() <= LONGEST + 6);
            prop_assert!(!name.contains(['/', '\\', '\0', '\n']));
            prop_assert!(!name.starts_with(['.', '-']));
        }
    }
}
