//! Where a token comes from, and where it goes in later requests.

use std::fmt;

use super::pattern::JsonPath;
use super::read::{Entry, Table};
use super::schema::Key;

/// Where a reply has the token.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TokenFrom {
    /// In its JSON.
    Body(JsonPath),
    /// In this header.
    Header(String),
}

/// Where the token goes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TokenPlace {
    /// `Authorization: Bearer …`
    Bearer,
    /// A cookie of this name.
    Cookie(String),
    /// A header of this name.
    Header(String),
}

impl fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer => f.write_str("bearer"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
            Self::Header(name) => write!(f, "header {name}"),
        }
    }
}

impl fmt::Display for TokenFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(path) => write!(f, "{path}"),
            Self::Header(name) => write!(f, "header {name}"),
        }
    }
}

/// Where tokens go.
pub(super) const INTO: Key = Key {
    name: "into",
    takes: "`bearer`, `header NAME`, `cookie NAME`",
    default: "`bearer`",
    about: "Where the token goes in later requests.",
    example: "into = \"header X-Auth-Token\"",
};

pub(super) fn read_from(entry: &Entry<'_>) -> Option<TokenFrom> {
    match entry.text()?.split_once(' ') {
        Some(("header", name)) => header(entry, name).map(TokenFrom::Header),
        _ => entry.json_path().map(TokenFrom::Body),
    }
}

/// `into`, where there is a token to put there.
pub(super) fn read_into(table: &Table<'_>, has_token: bool) -> Option<TokenPlace> {
    let Some(entry) = table.get("into") else {
        return Some(TokenPlace::Bearer);
    };
    if !has_token {
        entry.refuse_key(
            "`into` without `token`",
            "say with `token` where the reply has it",
        );
        return None;
    }
    let text = entry.text()?;
    match text.split_once(' ') {
        None if text == "bearer" => Some(TokenPlace::Bearer),
        Some(("header", name)) => header(&entry, name).map(TokenPlace::Header),
        Some(("cookie", name)) if is_cookie_name(name.trim()) => {
            Some(TokenPlace::Cookie(name.trim().to_owned()))
        }
        _ => {
            entry.advise(
                format!("`{text}` is no value of `into`"),
                "write `bearer`, `header NAME` or `cookie NAME`",
            );
            None
        }
    }
}

fn header(entry: &Entry<'_>, name: &str) -> Option<String> {
    let name = name.trim();
    let is_good = http::HeaderName::from_bytes(name.as_bytes()).is_ok();
    if !is_good {
        entry.refuse(format!("`{name}` can't be the name of a header"));
    }
    is_good.then(|| name.to_owned())
}

/// RFC 6265, section 4.1.1: a cookie's name is a token, as a header's is.
fn is_cookie_name(name: &str) -> bool {
    http::HeaderName::from_bytes(name.as_bytes()).is_ok()
}
