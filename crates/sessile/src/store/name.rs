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

    /// The name of a row of another kind that goes by this name. No name that [`Name::parse`] takes
    /// starts with a dot, so it is no session's, and no list of sessions has it.
    pub fn beside(&self, room: Room) -> Self {
        Self(format!("{}{}", room.prefix(), self.0).into())
    }

    /// Which room the row of this name is in, and the name that it goes by there; `None` for a
    /// session's.
    pub fn room(&self) -> Option<(Room, Self)> {
        let (room, name) = Room::of(&self.0)?;
        Some((room, Self(name.into())))
    }

    /// Whether it names a row that isn't a session's.
    pub(crate) fn is_aside(&self) -> bool {
        self.0.starts_with('.')
    }

    /// Reads the name of a row that is there already, which may be one beside a session's.
    pub(crate) fn stored(text: &str) -> Result<Self, StoreError> {
        match Room::of(text) {
            Some((room, name)) => Self::parse(name).map(|name| name.beside(room)),
            None => Self::parse(text),
        }
    }

    /// A place in the order of names, which need not be anybody's.
    pub(super) fn place(text: &str) -> Self {
        Self(text.into())
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

/// What else than sessions is kept in a store: rows of these kinds, sealed as sessions are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Room {
    /// Who may ask a daemon for what.
    Access,
    /// One-time codes on their way to a login.
    Code,
    /// What a pool is made of.
    Pool,
    /// The places in a pool, each with what holds it.
    Seat,
}

impl Room {
    const ALL: [Self; 4] = [Self::Access, Self::Code, Self::Pool, Self::Seat];

    /// How the names of its rows begin.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Access => ".access.",
            Self::Code => ".code.",
            Self::Pool => ".pool.",
            Self::Seat => ".seat.",
        }
    }

    fn of(text: &str) -> Option<(Self, &str)> {
        let mut rooms = Self::ALL.into_iter();
        rooms.find_map(|room| Some((room, text.strip_prefix(room.prefix())?)))
    }
}

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
        for room in Room::ALL {
            let beside = shop.beside(room);
            assert!(beside.is_aside() && !shop.is_aside());
            assert_eq!(Name::stored(beside.as_str()).unwrap(), beside);
            assert_eq!(beside.room(), Some((room, shop.clone())));
        }
        assert_eq!(shop.room(), None);
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
