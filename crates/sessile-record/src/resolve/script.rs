//! Addresses of media in a page's scripts, found without running them.

/// The longest address.
const LONGEST: usize = 8 * 1024;

/// Texts that end like media files, before a query; escapes are undone.
pub(super) fn addresses(script: &str) -> Vec<String> {
    const ENDS: [&str; 5] = [".m3u8", ".mp4", ".m4v", ".webm", ".mpd"];
    let mut found: Vec<(usize, String)> = ENDS
        .iter()
        .flat_map(|end| script.match_indices(end))
        .filter_map(|(at, end)| Some((at, around(script, at, at + end.len())?)))
        .collect();
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, text)| text).collect()
}

/// The text around a place, to the quotes or spaces on both sides.
fn around(script: &str, at: usize, end: usize) -> Option<String> {
    let is_edge = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '(' | ')')
    };
    let start = script.get(..at)?.rfind(is_edge);
    // Every edge is one byte long but white space of other scripts.
    let start = start.map_or(0, |at| {
        at + script.get(at..).and_then(first_len).unwrap_or(1)
    });
    let rest = script.get(end..)?;
    let stop = rest.find(is_edge).map_or(script.len(), |stop| end + stop);
    let text = script.get(start..stop)?;
    // What goes on after the end is a query or nothing, else it is another name.
    let goes_on = rest.chars().next().unwrap_or('"');
    let is_whole = is_edge(goes_on) || matches!(goes_on, '?' | '#' | '\\' | '&' | ',' | ';');
    let is_address = is_whole && text.len() < LONGEST && text.contains(['/', '\\', '.']);
    is_address.then(|| unescape(text))
}

fn first_len(text: &str) -> Option<usize> {
    text.chars().next().map(char::len_utf8)
}

/// Undoes the escapes of JavaScript and JSON that addresses have.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let digits = match after.as_bytes().first() {
            Some(b'u') => after.get(1..5),
            Some(b'x') => after.get(1..3),
            _ => None,
        };
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match (code.and_then(char::from_u32), digits) {
            (Some(character), Some(digits)) => {
                plain.push(character);
                rest = after.get(1 + digits.len()..).unwrap_or_default();
            }
            _ => {
                // An escaped slash or quote is itself; a quote ends the address.
                if after.starts_with(['"', '\'']) {
                    return plain;
                }
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_quotes() {
        check("var s = \"/a/b.m3u8?x=1\";", &["/a/b.m3u8?x=1"]);
        check(
            "{\"u\":\"https:\\/\\/a.test\\/b.mp4\"}",
            &["https://a.test/b.mp4"],
        );
        check(
            "'//a.test/b.mp4?x=1\\u0026y=2'",
            &["//a.test/b.mp4?x=1&y=2"],
        );
        check("x='{\\\"u\\\":\\\"/b.mp4\\\"}'", &["/b.mp4"]);
        check("`${base}/b.mp4`; load(b.mp4)", &["${base}/b.mp4", "b.mp4"]);
        check("if (x.mp4Supported) y = '.mp4'", &[".mp4"]);
        check("\u{3000}/ü.mp4\u{3000}", &["/ü.mp4"]);
        check("", &[]);
    }

    #[track_caller]
    fn check(script: &str, expected: &[&str]) {
        assert_eq!(addresses(script), expected, "{script}");
    }
}
