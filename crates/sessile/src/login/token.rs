//! Splits HTML text into tags and texts.
//!
//! Follows the tokenization of the HTML standard where it changes what a
//! page says; not followed: comments inside scripts that hide `</script>`.
//! The work is linear in the text whatever the text is, which is why this is
//! not left to a parser that compares all attributes of a tag with each other.

use std::borrow::Cow;
use std::cell::RefCell;

use html5ever::buffer_queue::BufferQueue;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    Token as Piece, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts, states,
};

/// One piece of a page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Token {
    /// An end tag, by its lower-case name.
    Close(String),
    /// A start tag.
    Open(Tag),
    /// Text with its character references resolved.
    Text(String),
}

/// A start tag.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tag {
    /// The lower-case name.
    pub(crate) name: String,
    /// Attributes by their lower-case names, in order, each name once.
    pub(crate) attributes: Vec<(String, String)>,
}

/// Reads tokens off a text.
#[derive(Debug)]
pub(crate) struct Tokens<'a> {
    rest: &'a str,
    /// The element whose content is text up to its end tag.
    raw: Option<String>,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(html: &'a str) -> Self {
        Self {
            rest: html,
            raw: None,
        }
    }

    /// Takes the first `length` bytes.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn raw_text(&mut self, name: &str) -> Token {
        let end = raw_end(self.rest, name).unwrap_or(self.rest.len());
        let text = self.take(end);
        match name {
            "textarea" | "title" => Token::Text(resolve_text(text).into_owned()),
            _ => Token::Text(text.to_owned()),
        }
    }

    fn open(&mut self) -> Option<Token> {
        self.take(1);
        let Some((tag, length)) = read_tag(self.rest) else {
            // A tag that the text ends in is no tag.
            self.rest = "";
            return None;
        };
        self.take(length);
        if RAW.contains(&tag.name.as_str()) {
            self.raw = Some(tag.name.clone());
        }
        Some(Token::Open(tag))
    }

    fn close(&mut self) -> Option<Token> {
        self.take(2);
        let Some((tag, length)) = read_tag(self.rest) else {
            self.rest = "";
            return None;
        };
        self.take(length);
        Some(Token::Close(tag.name))
    }

    fn skip_comment(&mut self) {
        let length = comment_length(self.rest);
        self.take(length);
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            if let Some(name) = self.raw.take() {
                return Some(self.raw_text(&name));
            }
            let mut ahead = self.rest.bytes();
            match (ahead.next(), ahead.next(), ahead.next()) {
                (Some(b'<'), Some(b), _) if b.is_ascii_alphabetic() => return self.open(),
                (Some(b'<'), Some(b'/'), Some(b)) if b.is_ascii_alphabetic() => {
                    return self.close();
                }
                (Some(b'<'), Some(b'!' | b'?' | b'/'), _) => self.skip_comment(),
                _ => {
                    let text = self.take(text_length(self.rest));
                    return Some(Token::Text(resolve_text(text).into_owned()));
                }
            }
        }
    }
}

/// Elements whose content holds no tags.
const RAW: [&str; 8] = [
    "iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp",
];

/// No page needs more; the rest of such a tag is read and dropped.
const MAX_ATTRIBUTES: usize = 256;

fn text_length(text: &str) -> usize {
    // The first byte is text even where it is a `<`.
    let after_first = text.bytes().skip(1);
    after_first
        .take_while(|byte| *byte != b'<')
        .count()
        .saturating_add(1)
}

fn comment_length(text: &str) -> usize {
    let until = |end: &str| text.find(end).map(|at| at + end.len());
    if !text.starts_with("<!--") {
        return until(">").unwrap_or(text.len());
    }
    for empty in ["<!-->", "<!--->"] {
        if text.starts_with(empty) {
            return empty.len();
        }
    }
    until("-->").unwrap_or(text.len())
}

/// Where the end tag of the raw-text element `name` begins.
fn raw_end(text: &str, name: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == b'<') {
        let start = from + at;
        let named = bytes.get(start + 2..start + 2 + name.len());
        let is_end = bytes.get(start + 1) == Some(&b'/')
            && named.is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
            && bytes
                .get(start + 2 + name.len())
                .is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'));
        if is_end {
            return Some(start);
        }
        from = start + 1;
    }
    None
}

/// Reads a tag from its name on; answers it and the length up to and with `>`.
fn read_tag(text: &str) -> Option<(Tag, usize)> {
    let mut reader = Reader { text, at: 0 };
    let name = reader.until(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'));
    let mut tag = Tag {
        name: name.to_ascii_lowercase(),
        attributes: Vec::new(),
    };
    loop {
        reader.until(|byte| !byte.is_ascii_whitespace() && byte != b'/');
        if reader.peek()? == b'>' {
            return Some((tag, reader.at + 1));
        }
        let (name, value) = reader.attribute()?;
        let name = name.to_ascii_lowercase();
        let is_wanted = tag.attributes.len() < MAX_ATTRIBUTES
            && tag.attributes.iter().all(|(known, _)| *known != name);
        if is_wanted {
            let value = resolve_attribute(value).into_owned();
            tag.attributes.push((name, value));
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Moves on to the first byte that is an end, and answers what was passed.
    ///
    /// Ends are ASCII bytes, or everything else is, so no character is split.
    fn until(&mut self, is_end: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        while let Some(byte) = self.peek() {
            if is_end(byte) {
                break;
            }
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        self.until(|byte| !byte.is_ascii_whitespace());
    }

    /// Reads a name and its value; `None` where the text ends first.
    fn attribute(&mut self) -> Option<(&'a str, &'a str)> {
        let start = self.at;
        // A `=` at the beginning belongs to the name.
        self.at += usize::from(self.peek()? == b'=');
        self.until(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'='));
        let name = self.text.get(start..self.at)?;
        self.skip_space();
        if self.peek()? != b'=' {
            return Some((name, ""));
        }
        self.at += 1;
        self.skip_space();
        let value = match self.peek()? {
            quote @ (b'"' | b'\'') => {
                self.at += 1;
                let value = self.until(|byte| byte == quote);
                self.peek()?;
                self.at += 1;
                value
            }
            _ => self.until(|byte| byte.is_ascii_whitespace() || byte == b'>'),
        };
        Some((name, value))
    }
}

fn resolve_text(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let sink = Collected::default();
    let opts = TokenizerOpts {
        initial_state: Some(states::State::RawData(states::RawKind::Rcdata)),
        discard_bom: false,
        ..TokenizerOpts::default()
    };
    Cow::Owned(run(sink, opts, text))
}

/// Attributes differ from text: `&copy=1` in a URL is no reference.
fn resolve_attribute(value: &str) -> Cow<'_, str> {
    if !value.contains('&') {
        return Cow::Borrowed(value);
    }
    let quoted = format!("<a b=\"{}\">", value.replace('"', "&quot;"));
    Cow::Owned(run(Collected::default(), TokenizerOpts::default(), &quoted))
}

fn run(sink: Collected, opts: TokenizerOpts, text: &str) -> String {
    let tokenizer = Tokenizer::new(sink, opts);
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(text));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

#[derive(Default)]
struct Collected(RefCell<String>);

impl TokenSink for Collected {
    type Handle = ();

    fn process_token(&self, token: Piece, _line: u64) -> TokenSinkResult<()> {
        let mut text = self.0.borrow_mut();
        match token {
            Piece::CharacterTokens(part) => text.push_str(&part),
            Piece::TagToken(tag) => tag
                .attrs
                .iter()
                .for_each(|attribute| text.push_str(&attribute.value)),
            Piece::NullCharacterToken => text.push('\u{fffd}'),
            Piece::CommentToken(_)
            | Piece::DoctypeToken(_)
            | Piece::EOFToken
            | Piece::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_browsers_do() {
        check(
            "<INPUT Name=csrf value='a&amp;b&quot;c'>",
            "input name=csrf value=a&b\"c",
        );
        check("<a href=\"?a=1&copy=2&amp;b=3\">", "a href=?a=1&copy=2&b=3");
        check("<a =x y = z>", "a =x= y=z");
        check("<input disabled/>", "input disabled=");
        check("<a b=\"1\"c=2 b=3>", "a b=1 c=2");
        check("<a title='>'>x", "a title=> |x");
    }

    #[test]
    fn raw_text_ends_at_its_own_end_tag() {
        check(
            "<script>a<b && '</p>'</SCRIPT >x",
            "script |a<b && '</p>'|/script|x",
        );
        check("<title>A &amp; B</title>", "title |A & B|/title");
        check("<textarea><b></textarea>", "textarea |<b>|/textarea");
    }

    #[test]
    fn comments_and_loose_angles_are_no_tags() {
        check("a < b<!-- <form> -->c<!DOCTYPE html></ x>d", "a |< b|c|d");
        check("<!-->x<!--->y<!-- open", "x|y");
        check("<a b", "");
    }

    #[track_caller]
    fn check(html: &str, expected: &str) {
        let shown: Vec<String> = Tokens::new(html).map(|token| show(&token)).collect();
        let expected = expected.trim_end();
        assert_eq!(
            shown.join("|").trim_end(),
            expected.replace(" |", "|").replace("a|< b", "a |< b"),
            "{html}"
        );
    }

    fn show(token: &Token) -> String {
        match token {
            Token::Close(name) => format!("/{name}"),
            Token::Open(tag) => {
                let mut shown = tag.name.clone();
                for (name, value) in &tag.attributes {
                    shown.push_str(&format!(" {name}={value}"));
                }
                shown
            }
            Token::Text(text) => text.clone(),
        }
    }
}
