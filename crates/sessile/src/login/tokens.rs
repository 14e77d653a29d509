//! Tokens against forged requests that stand outside the form.
//!
//! They are found in `<meta>` elements, in `data-` attributes and as strings
//! in inline scripts. Where they go is decided in `fill`.

use super::html::Document;
use crate::secret::Secret;

/// A token and where it was found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PageToken {
    /// What the page calls it.
    pub name: String,
    /// Where it was found.
    pub source: TokenSource,
    /// The token.
    pub value: Secret<String>,
}

/// Where a page keeps a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TokenSource {
    /// In an attribute of some element.
    Attribute,
    /// In a `<meta>` element.
    Meta,
    /// In an inline script.
    Script,
}

/// The tokens of a page, and the names under which its scripts may send them.
pub(crate) fn collect(document: &Document) -> (Vec<PageToken>, Vec<String>) {
    let mut tokens = Vec::new();
    let mut names = Vec::new();
    for (at, node) in document.nodes() {
        match node.name.as_str() {
            "meta" => {
                let name = node.filled("name").or(node.filled("property"));
                let (Some(name), Some(content)) = (name, node.filled("content")) else {
                    continue;
                };
                // The pair names the field and gives its value.
                if is_param_name(name) {
                    names.push(content.to_owned());
                } else if is_token_name(name) {
                    push(&mut tokens, name, TokenSource::Meta, content);
                }
            }
            "script" if !node.has("src") => scan(document.raw_text(at), &mut tokens, &mut names),
            _ => {
                for (name, value) in node.attributes() {
                    if name.starts_with("data-") && is_token_name(name) {
                        let name = name.trim_start_matches("data-");
                        push(&mut tokens, name, TokenSource::Attribute, value);
                    }
                }
            }
        }
    }
    names.sort();
    names.dedup();
    names.truncate(8);
    (tokens, names)
}

/// Whether a name is one that sites give to such tokens.
pub(crate) fn is_token_name(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    WORDS.iter().any(|word| plain.contains(word)) || plain == "token"
}

fn is_param_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    is_token_name(&name)
        && ["param", "header", "field"]
            .iter()
            .any(|end| name.contains(end))
}

const WORDS: [&str; 12] = [
    "authenticitytoken",
    "csrf",
    "formhash",
    "formkey",
    "formtoken",
    "logintoken",
    "requesttoken",
    "requestverificationtoken",
    "securitytoken",
    "sectok",
    "xsrf",
    "wpnonce",
];

const MAX_SCRIPT: usize = 512 << 10;
const MAX_TOKENS: usize = 16;

fn push(tokens: &mut Vec<PageToken>, name: &str, source: TokenSource, value: &str) {
    let is_known = tokens.iter().any(|token| token.name == name);
    if is_known || tokens.len() >= MAX_TOKENS || !is_token_value(value) {
        return;
    }
    tokens.push(PageToken {
        name: name.to_owned(),
        source,
        value: Secret::new(value.to_owned()),
    });
}

fn is_token_value(value: &str) -> bool {
    (8..=1024).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"<>\"'`{}".contains(&byte))
        && !is_token_name(value)
}

/// Looks for `name = "value"` and `"name": "value"` in a script.
fn scan(script: &str, tokens: &mut Vec<PageToken>, names: &mut Vec<String>) {
    let cut = script.floor_char_boundary(MAX_SCRIPT);
    let mut rest = script.get(..cut).unwrap_or(script);
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphanumeric() || "_$".contains(c)) {
        let before = rest.get(..at).unwrap_or_default();
        let is_quoted = before.ends_with(['"', '\'']);
        rest = rest.get(at..).unwrap_or_default();
        let length = word_length(rest);
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        rest = after;
        if !is_token_name(word) || word.len() > 64 {
            continue;
        }
        match assigned(after) {
            Some(value) if is_token_value(&value) => {
                push(tokens, word, TokenSource::Script, &value)
            }
            _ if is_quoted && after.starts_with(['"', '\'']) && names.len() < 64 => {
                names.push(word.to_owned());
            }
            _ => {}
        }
    }
}

fn word_length(text: &str) -> usize {
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"_$-".contains(byte);
    text.as_bytes()
        .iter()
        .take_while(|byte| inside(byte))
        .count()
}

/// The string that what stands before is set to.
fn assigned(after: &str) -> Option<String> {
    let after = after.trim_start_matches(['"', '\'', ']']).trim_start();
    let after = after.strip_prefix([':', '='])?.trim_start();
    let quote = after
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let (value, _) = after.get(1..)?.split_once(quote)?;
    (value.len() <= 1024).then(|| unescape(value))
}

/// Undoes the escapes that templates write into script strings.
fn unescape(value: &str) -> String {
    let mut text = value.replace("\\/", "/");
    for (escape, plain) in [
        ("\\u002B", "+"),
        ("\\u002b", "+"),
        ("\\u002F", "/"),
        ("\\u002f", "/"),
    ] {
        text = text.replace(escape, plain);
    }
    for (escape, plain) in [
        ("\\u003D", "="),
        ("\\u003d", "="),
        ("\\x3D", "="),
        ("\\u002D", "-"),
    ] {
        text = text.replace(escape, plain);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_where_sites_keep_them() {
        check(
            "<meta name=csrf-token content=abcdefgh1>",
            "csrf-token=abcdefgh1",
        );
        check(
            "<meta name=csrf-param content=authenticity_token>",
            "[authenticity_token]",
        );
        check(
            "<script>window.csrfToken = \"abcdefgh1\";</script>",
            "csrfToken=abcdefgh1",
        );
        check(
            "<script>var c={\"csrf_token\":\"ab\\/cdefg\"}</script>",
            "csrf_token=ab/cdefg",
        );
        check(
            "<head data-requesttoken='abc:defgh='>",
            "requesttoken=abc:defgh=",
        );
        check(
            "<script>x.setRequestHeader('X-CSRFToken', t)</script>",
            "[X-CSRFToken]",
        );
        check("<script>if (csrf == 'abcdefghi') {}</script>", "");
    }

    #[track_caller]
    fn check(html: &str, expected: &str) {
        let (tokens, names) = collect(&Document::parse(html));
        let mut shown: Vec<String> = tokens
            .iter()
            .map(|token| format!("{}={}", token.name, token.value.expose()))
            .collect();
        shown.extend(names.iter().map(|name| format!("[{name}]")));
        assert_eq!(shown.join(" "), expected, "{html}");
    }
}
