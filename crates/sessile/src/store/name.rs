//! Names of records, leases and holders: parsed once, then trusted.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::StoreError;

/// The name of a stored record.
///
/// 1 to 128 characters, none of them a control character, invisible, `/` or `\`; no space at either end and
/// no `-` or `.` at the start, so that a name is safe on a command line, in a terminal and as part of a path.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Arc<str>);

impl Name {
    /// Reads a name; fails with [`StoreError::BadName`] and the rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        match broken_name_rule(text) {
            None => Ok(Self(text.into())),
            Some(rule) => Err(bad("name", text, rule)),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the row beside this one in which a one-time code is handed over. No name that
    /// [`Name::parse`] takes starts with a dot.
    pub(crate) fn mailbox(&self) -> Self {
        Self(format!("{MAILBOX}{}", self.0).into())
    }

    /// Whether it names a row that isn't a session's.
    pub(crate) fn is_aside(&self) -> bool {
        self.0.starts_with('.')
    }

    /// Reads the name of a row that is there already, which may be one beside a session's.
    pub(crate) fn stored(text: &str) -> Result<Self, StoreError> {
        match text.strip_prefix(MAILBOX) {
            Some(name) => Self::parse(name).map(|name| name.mailbox()),
            None => Self::parse(text),
        }
    }

    /// The name of a note: a row that isn't anybody's record.
    pub(crate) fn of_note(number: u64) -> Self {
        Self(format!("{NOTE}{number}").into())
    }

    /// Whether it is the name of a note.
    pub(super) fn is_note(&self) -> bool {
        self.0.starts_with(NOTE)
    }

    /// Fails where it is the name of a note, which no record can have.
    pub(super) fn refuse_note(&self) -> Result<(), StoreError> {
        match self.is_note() {
            true => Err(bad(
                "name",
                &self.0,
                "names that begin so are the store's own",
            )),
            false => Ok(()),
        }
    }
}

/// The start of the name of a row for one-time codes.
const MAILBOX: &str = ".code.";
/// How the names of notes begin.
const NOTE: &str = "~note ";

/// What a lease is on: any printable text of 1 to 256 characters.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LeaseKey(Arc<str>);

impl LeaseKey {
    /// Reads a key; fails with [`StoreError::BadName`].
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        label("lease key", text).map(Self)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who holds a lease: any printable text of 1 to 256 characters, different for every holder.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HolderId(Arc<str>);

impl HolderId {
    /// Reads an id; fails with [`StoreError::BadName`].
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        label("holder", text).map(Self)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn broken_name_rule(text: &str) -> Option<&'static str> {
    if let Some(rule) = broken_label_rule(text, 128, "it must have 1 to 128 characters") {
        return Some(rule);
    }
    if text.contains(['/', '\\']) {
        return Some("it must not contain `/` or `\\`");
    }
    text.starts_with(['-', '.'])
        .then_some("it must not start with `-` or `.`")
}

fn broken_label_rule(text: &str, longest: usize, length: &'static str) -> Option<&'static str> {
    if text.is_empty() || text.chars().count() > longest {
        return Some(length);
    }
    if text.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Some("it must not contain control or invisible characters");
    }
    (text.trim() != text).then_some("it must not start or end with a space")
}

// Zero-width, direction and tag characters make two names look the same.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn label(kind: &'static str, text: &str) -> Result<Arc<str>, StoreError> {
    match broken_label_rule(text, 256, "it must have 1 to 256 characters") {
        None => Ok(text.into()),
        Some(rule) => Err(bad(kind, text, rule)),
    }
}

fn bad(kind: &'static str, text: &str, rule: &'static str) -> StoreError {
    let text = text.chars().take(140).collect();
    StoreError::BadName { kind, text, rule }
}

impl FromStr for Name {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        Self::parse(text)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for LeaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for LeaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for HolderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for HolderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_accepted() {
        for text in [
            "shop",
            "shop.alice",
            "a b",
            "käse@example.com",
            "日本",
            &"x".repeat(128),
        ] {
            assert_eq!(Name::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn rows_beside_sessions_are_told_from_them() {
        let shop = Name::parse("shop").unwrap();
        let beside = shop.mailbox();
        assert!(beside.is_aside() && !shop.is_aside());
        assert_eq!(Name::stored(beside.as_str()).unwrap(), beside);
        assert_eq!(Name::stored("shop").unwrap(), shop);
        assert!(Name::stored(".other.shop").is_err());
    }

    #[test]
    fn each_rule_is_named() {
        check("", "it must have 1 to 128 characters");
        check(&"x".repeat(129), "it must have 1 to 128 characters");
        check(
            "a\nb",
            "it must not contain control or invisible characters",
        );
        check(
            "a\u{202e}b",
            "it must not contain control or invisible characters",
        );
        check("a ", "it must not start or end with a space");
        check("../etc", "it must not contain `/` or `\\`");
        check("-rf", "it must not start with `-` or `.`");
        check(".hidden", "it must not start with `-` or `.`");
        check(".code.shop", "it must not start with `-` or `.`");
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        match Name::parse(text) {
            Err(StoreError::BadName { rule, .. }) => assert_eq!(rule, expected, "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
}
