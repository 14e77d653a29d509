//! What is in a token file: one JSON object. What isn't a token stays as it was written.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::decide::InFile;

/// The entries of the object, in their order.
#[derive(Default)]
pub(super) struct Content(Vec<(String, Box<RawValue>)>);

/// Where and why bytes aren't an object of tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Corrupt {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) what: String,
}

impl Content {
    /// Reads a file's bytes; nothing at all is an object without entries.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Corrupt> {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(bytes).map_err(|error| Corrupt::from(&error))
    }

    /// The names whose values are tokens.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let tokens = self.0.iter().filter(|(_, raw)| token(raw).is_ok());
        tokens.map(|(name, _)| name.as_str())
    }

    /// The token of that name; of several the last counts, as for most readers.
    pub(super) fn token(&self, name: &str) -> Result<Option<InFile>, String> {
        let found = self.0.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, raw)| token(raw)).transpose()
    }

    /// Gives a token a value in its place, or takes it away.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) {
        let Some(value) = value else {
            self.0.retain(|(known, _)| known != name);
            return;
        };
        let text = serde_json::to_string(value).expect("a string is always JSON");
        let raw = RawValue::from_string(text).expect("it was just written as JSON");
        let mut found = self.0.iter_mut().rev().filter(|(known, _)| known == name);
        match found.next() {
            Some((_, old)) => *old = raw,
            None => self.0.push((name.to_owned(), raw)),
        }
    }

    /// The file's bytes, one entry a line.
    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut text = Zeroizing::new(String::from("{"));
        for (index, (name, raw)) in self.0.iter().enumerate() {
            let name = serde_json::to_string(name).expect("a string is always JSON");
            let comma = if index == 0 { "" } else { "," };
            text.push_str(comma);
            text.push_str("\n  ");
            text.push_str(&name);
            text.push_str(": ");
            text.push_str(raw.get());
        }
        text.push_str(if self.0.is_empty() { "}\n" } else { "\n}\n" });
        Zeroizing::new(text.as_bytes().to_vec())
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn token(raw: &RawValue) -> Result<InFile, String> {
    match raw.get() {
        "null" => Ok(InFile::Null),
        text => serde_json::from_str(text)
            .map(|text| InFile::Text(Zeroizing::new(text)))
            .map_err(|_other| "its value in the file is neither a string nor null".to_owned()),
    }
}

impl From<&serde_json::Error> for Corrupt {
    fn from(error: &serde_json::Error) -> Self {
        // The library's words may quote what it found, which may be a token.
        let what = match error.classify() {
            serde_json::error::Category::Data => "not an object of names and tokens",
            serde_json::error::Category::Eof => "it ends early",
            serde_json::error::Category::Io | serde_json::error::Category::Syntax => {
                "this isn't JSON"
            }
        };
        Self {
            line: error.line(),
            column: error.column(),
            what: what.to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Content(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_token_stays_as_it_was_written() {
        let text = r#"{"n": 12345678901234567890.10, "b": {"x" : [1]}, "a": "1"}"#;
        let mut content = Content::parse(text.as_bytes()).unwrap();
        assert_eq!(content.names().collect::<Vec<_>>(), ["a"]);
        content.set("a", Some("2\"\n"));
        content.set("c", Some("ü"));
        assert_eq!(
            String::from_utf8(content.to_bytes().to_vec()).unwrap(),
            "{\n  \"n\": 12345678901234567890.10,\n  \"b\": {\"x\" : [1]},\n  \"a\": \"2\\\"\\n\",\n  \"c\": \"ü\"\n}\n"
        );
        content.set("c", None);
        let again = Content::parse(&content.to_bytes()).unwrap();
        assert_eq!(again.names().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn nothing_is_an_object_without_entries() {
        for text in ["", " \n", "{}", "\u{feff}{}", "\u{feff}"] {
            let content = Content::parse(text.as_bytes()).unwrap();
            assert_eq!(content.names().count(), 0, "{text:?}");
            assert_eq!(content.to_bytes().as_slice(), b"{}\n");
        }
    }

    #[test]
    fn what_is_corrupt_is_said_with_its_place() {
        check("{\"a\": \"1\",\n \"b\" \"2\"}", (2, 6, "this isn't JSON"));
        check("{\"a\": \"1\"", (1, 9, "it ends early"));
        check("[\"a\"]", (1, 0, "not an object of names and tokens"));
        check("{\"a\": \"1\"} x", (1, 12, "this isn't JSON"));
        check("a=1", (1, 1, "this isn't JSON"));
    }

    #[track_caller]
    fn check(text: &str, expected: (usize, usize, &str)) {
        let Err(found) = Content::parse(text.as_bytes()) else {
            panic!("{text}")
        };
        let found = (found.line, found.column, found.what);
        assert_eq!(
            found,
            (expected.0, expected.1, expected.2.to_owned()),
            "{text}"
        );
    }
}
