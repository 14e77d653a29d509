//! Variables of a playlist (`EXT-X-DEFINE`): `{$name}` stands for a value.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// The longest text that comes of replacing.
const LONGEST: usize = 16 * 1024;

/// The most variables of one playlist.
const MOST: usize = 256;

/// Names and their values.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Adds one; answers whether there was room.
    pub(super) fn define(&mut self, name: &str, value: &str) -> bool {
        let has_room = self.0.len() < MOST && value.len() <= LONGEST;
        if has_room {
            self.0.insert(name.to_owned(), value.to_owned());
        }
        has_room
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The text with its variables filled in; `None` where one isn't defined, or it gets too long.
    pub(super) fn fill<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        if !text.contains("{$") {
            return Some(Cow::Borrowed(text));
        }
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{$") {
            filled.push_str(before);
            let (name, after) = after.split_once('}')?;
            filled.push_str(self.value(name)?);
            if filled.len() > LONGEST {
                return None;
            }
            rest = after;
        }
        filled.push_str(rest);
        Some(Cow::Owned(filled))
    }
}
