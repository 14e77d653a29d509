//! The items after the URL of a request, in HTTPie's syntax, parsed into types.
//!
//! Files are only named here; `commands::body` reads them.

use std::fmt;
use std::path::PathBuf;

/// One item of a request: what it adds, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Item {
    /// `@file`, `@-`: the whole body.
    Body(Source),
    /// `name=value`, `name:=json`: a field of the JSON object or of the form.
    Field { name: String, value: FieldValue },
    /// `name@file`: a file of a multipart form.
    File(FilePart),
    /// `Name:value`, `Name;`, `Name:`: a header.
    Header { name: String, value: HeaderValue },
    /// `name==value`: a parameter of the URL's query.
    Query { name: String, value: Text },
}

/// The value of a field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum FieldValue {
    /// `name:=json`, already parsed.
    Json(serde_json::Value),
    /// `name:=@file`: JSON in a file.
    JsonFile(Source),
    /// `name=value`, `name=@file`.
    Text(Text),
}

/// The value of a header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum HeaderValue {
    /// `Name:`: the session's own header of that name is left out of this request.
    Remove,
    /// `Name:value`, `Name;` (empty), `Name:@file`.
    Set(Text),
}

/// A text given in place or read from somewhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Text {
    From(Source),
    Here(String),
}

/// Where bytes come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    File(PathBuf),
    /// `-`
    StandardInput,
}

impl Source {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "" => None,
            "-" => Some(Self::StandardInput),
            path => Some(Self::File(PathBuf::from(path))),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::StandardInput => f.write_str("standard input"),
        }
    }
}

/// A file to be sent as a part of a form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct FilePart {
    pub(crate) name: String,
    pub(crate) source: Source,
    /// After `;type=`.
    pub(crate) media_type: Option<String>,
}

/// Why an item was not understood. Its value, which may be a secret, is never shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BadItem {
    item: String,
    problem: Problem,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Problem {
    BadHeaderName,
    EmptyHeaderName,
    Json(String),
    NoFile,
    NoSeparator,
    Url,
}

impl fmt::Display for BadItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item `{}`: ", self.item)?;
        match &self.problem {
            Problem::BadHeaderName => f.write_str("a header's name can't hold that character"),
            Problem::EmptyHeaderName => f.write_str("a header needs a name before the colon"),
            Problem::Json(why) => write!(f, "not JSON: {why}"),
            Problem::NoFile => f.write_str("no file is named after the @"),
            Problem::NoSeparator => f.write_str("it has none of the signs that say what it is"),
            Problem::Url => {
                f.write_str("this looks like a URL, and the URL comes before the items")
            }
        }
    }
}

impl BadItem {
    /// What to do about it.
    pub(crate) fn advice(&self) -> &'static str {
        match self.problem {
            Problem::BadHeaderName => {
                "put a backslash before the colon if it belongs to a field's name: 'a\\:b=c'"
            }
            Problem::EmptyHeaderName => {
                "write Name:value, Name: to leave one out, Name; for an empty one"
            }
            Problem::Json(_) => {
                "name:=value takes JSON, as in n:=5 or tags:='[\"a\"]'; name=value takes text"
            }
            Problem::NoFile => "write @FILE or name@FILE, and - for standard input",
            Problem::NoSeparator => {
                "write name=text, name:=json, name==query, Name:header, name@file or @body-file"
            }
            Problem::Url => "quote it as 'name=https://…' if it is a value",
        }
    }
}

/// Reads the items in the order given.
pub(crate) fn parse_all(items: &[String]) -> Result<Vec<Item>, BadItem> {
    items.iter().map(|item| parse(item)).collect()
}

/// Reads one item: the first separator decides, the longest where two begin together.
pub(crate) fn parse(text: &str) -> Result<Item, BadItem> {
    let Some(Split {
        name,
        separator,
        value,
    }) = split(text)
    else {
        return Err(bad(text, Problem::NoSeparator));
    };
    // Where the file's name is missing, the item has no value to hide.
    let file = |value| Source::parse(value).ok_or_else(|| bad(text, Problem::NoFile));
    Ok(match separator {
        Separator::Body if name.is_empty() => Item::Body(file(&value)?),
        Separator::Body => {
            let (path, media_type) = part(&value);
            let source = file(path)?;
            Item::File(FilePart {
                name,
                source,
                media_type,
            })
        }
        Separator::Field => field(name, FieldValue::Text(Text::Here(value))),
        Separator::FieldFile => field(name, FieldValue::Text(Text::From(file(&value)?))),
        Separator::Header if is_url(&name, &value) => return Err(bad(text, Problem::Url)),
        Separator::Header if value.is_empty() => header(name, HeaderValue::Remove)?,
        Separator::EmptyHeader | Separator::Header => {
            header(name, HeaderValue::Set(Text::Here(value)))?
        }
        Separator::HeaderFile => header(name, HeaderValue::Set(Text::From(file(&value)?)))?,
        Separator::Json => json(name, &value)?,
        Separator::JsonFile => field(name, FieldValue::JsonFile(file(&value)?)),
        Separator::Query => query(name, Text::Here(value)),
        Separator::QueryFile => query(name, Text::From(file(&value)?)),
    })
}

#[derive(Clone, Copy)]
enum Separator {
    Body,
    EmptyHeader,
    Field,
    FieldFile,
    Header,
    HeaderFile,
    Json,
    JsonFile,
    Query,
    QueryFile,
}

/// Longer signs come before the shorter ones they begin with.
const SEPARATORS: [(&str, Separator); 10] = [
    (":=@", Separator::JsonFile),
    ("==@", Separator::QueryFile),
    (":=", Separator::Json),
    ("==", Separator::Query),
    ("=@", Separator::FieldFile),
    (":@", Separator::HeaderFile),
    ("=", Separator::Field),
    (":", Separator::Header),
    ("@", Separator::Body),
    (";", Separator::EmptyHeader),
];

struct Split {
    name: String,
    separator: Separator,
    value: String,
}

/// Splits at the first separator that no backslash precedes. A backslash before any
/// other character stands for itself, so that paths and regular expressions survive.
fn split(text: &str) -> Option<Split> {
    let mut name = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((escaped, after)) = escape(rest) {
            name.push(escaped);
            rest = after;
            continue;
        }
        if let Some((separator, value)) = separator(rest) {
            let value = unescape(value);
            return Some(Split {
                name,
                separator,
                value,
            });
        }
        name.push(first);
        rest = rest.strip_prefix(first)?;
    }
    None
}

/// The separator that `text` begins with, and what follows it.
fn separator(text: &str) -> Option<(Separator, &str)> {
    SEPARATORS.iter().find_map(|&(sign, separator)| {
        let value = text.strip_prefix(sign)?;
        // A semicolon says something at the end of an item only.
        let counts = !matches!(separator, Separator::EmptyHeader) || value.is_empty();
        counts.then_some((separator, value))
    })
}

/// The separator's character after a backslash, and what follows it.
fn escape(text: &str) -> Option<(char, &str)> {
    let after = text.strip_prefix('\\')?;
    let escaped = after.chars().next()?;
    let is_sign = matches!(escaped, '=' | ':' | '@' | ';');
    is_sign.then_some(())?;
    Some((escaped, after.strip_prefix(escaped)?))
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (next, after) = match escape(rest) {
            Some(escaped) => escaped,
            None => (first, rest.strip_prefix(first).unwrap_or_default()),
        };
        plain.push(next);
        rest = after;
    }
    plain
}

fn bad(item: &str, problem: Problem) -> BadItem {
    BadItem {
        item: item.to_owned(),
        problem,
    }
}

fn field(name: String, value: FieldValue) -> Item {
    Item::Field { name, value }
}

fn query(name: String, value: Text) -> Item {
    Item::Query { name, value }
}

fn header(name: String, value: HeaderValue) -> Result<Item, BadItem> {
    if name.is_empty() {
        return Err(bad(":", Problem::EmptyHeaderName));
    }
    // RFC 9110, 5.6.2: a token.
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !name.chars().all(is_token) {
        return Err(bad(&name, Problem::BadHeaderName));
    }
    Ok(Item::Header { name, value })
}

fn json(name: String, value: &str) -> Result<Item, BadItem> {
    match serde_json::from_str(value) {
        Ok(value) => Ok(field(name, FieldValue::Json(value))),
        Err(why) => Err(bad(&format!("{name}:=…"), Problem::Json(why.to_string()))),
    }
}

/// The path and the media type of `file;type=image/png`.
fn part(value: &str) -> (&str, Option<String>) {
    match value.split_once(";type=") {
        Some((path, media_type)) => (path, Some(media_type.to_owned())),
        None => (value, None),
    }
}

fn is_url(name: &str, value: &str) -> bool {
    value.starts_with("//") && matches!(name, "http" | "https")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_sign_makes_its_item() {
        check("a=b", Ok(text_field("a", "b")));
        check("a=", Ok(text_field("a", "")));
        check("a=b=c", Ok(text_field("a", "b=c")));
        check("n:=5", Ok(json_field("n", json!(5))));
        check("o:={\"k\":[1]}", Ok(json_field("o", json!({"k": [1]}))));
        check("q==x y", Ok(query_item("q", "x y")));
        check(
            "Accept:text/html",
            Ok(header_item("Accept", set("text/html"))),
        );
        check("Accept:", Ok(header_item("Accept", HeaderValue::Remove)));
        check("Accept;", Ok(header_item("Accept", set(""))));
        check("@-", Ok(Item::Body(Source::StandardInput)));
        check("@a.bin", Ok(Item::Body(path("a.bin"))));
        check("up@a.png", Ok(file_part("up", "a.png", None)));
        check(
            "up@a;type=image/png",
            Ok(file_part("up", "a", Some("image/png"))),
        );
        let text = FieldValue::Text(Text::From(path("note.txt")));
        check("n=@note.txt", Ok(field("n".into(), text)));
        let json = FieldValue::JsonFile(path("o.json"));
        check("o:=@o.json", Ok(field("o".into(), json)));
        let secret = HeaderValue::Set(Text::From(path("token")));
        check("X-Token:@token", Ok(header_item("X-Token", secret)));
    }

    #[test]
    fn the_first_sign_decides_and_the_longest_wins() {
        check("time=12:30", Ok(text_field("time", "12:30")));
        check(
            "Referer:http://a/?b=c",
            Ok(header_item("Referer", set("http://a/?b=c"))),
        );
        check("mail=a@b.example", Ok(text_field("mail", "a@b.example")));
        check("a==b:=c", Ok(query_item("a", "b:=c")));
    }

    #[test]
    fn a_backslash_takes_a_sign_s_meaning_and_nothing_else() {
        check(r"a\=b=c", Ok(text_field("a=b", "c")));
        check(r"a\:b=c\=d", Ok(text_field("a:b", "c=d")));
        check(r"a\@b==c", Ok(query_item("a@b", "c")));
        check(r"dir=C:\new\x", Ok(text_field("dir", r"C:\new\x")));
        check(r"a=b\", Ok(text_field("a", r"b\")));
    }

    #[test]
    fn a_bad_item_is_named_without_its_value() {
        check(
            "word",
            Err("item `word`: it has none of the signs that say what it is"),
        );
        check(
            r"a\=b",
            Err(r"item `a\=b`: it has none of the signs that say what it is"),
        );
        check(
            ":x",
            Err("item `:`: a header needs a name before the colon"),
        );
        check(
            "a b:x",
            Err("item `a b`: a header's name can't hold that character"),
        );
        check("@", Err("item `@`: no file is named after the @"));
        check("up@", Err("item `up@`: no file is named after the @"));
        check(
            "pin:=hunter2",
            Err("item `pin:=…`: not JSON: expected value at line 1 column 1"),
        );
        check(
            "https://a.example/",
            Err(
                "item `https://a.example/`: this looks like a URL, and the URL comes before the items",
            ),
        );
        check("a;b=c", Ok(text_field("a;b", "c")));
        check(
            "a;b",
            Err("item `a;b`: it has none of the signs that say what it is"),
        );
    }

    #[track_caller]
    fn check(text: &str, expected: Result<Item, &str>) {
        let found = parse(text).map_err(|bad| bad.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{text}");
    }

    fn text_field(name: &str, value: &str) -> Item {
        field(name.into(), FieldValue::Text(Text::Here(value.into())))
    }

    fn json_field(name: &str, value: serde_json::Value) -> Item {
        field(name.into(), FieldValue::Json(value))
    }

    fn query_item(name: &str, value: &str) -> Item {
        query(name.into(), Text::Here(value.into()))
    }

    fn header_item(name: &str, value: HeaderValue) -> Item {
        Item::Header {
            name: name.into(),
            value,
        }
    }

    fn set(value: &str) -> HeaderValue {
        HeaderValue::Set(Text::Here(value.into()))
    }

    fn path(name: &str) -> Source {
        Source::File(name.into())
    }

    fn file_part(name: &str, file: &str, media_type: Option<&str>) -> Item {
        Item::File(FilePart {
            name: name.into(),
            source: path(file),
            media_type: media_type.map(str::to_owned),
        })
    }
}
