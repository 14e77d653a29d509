//! Texts with placeholders: `Bearer {token}`. `{{` and `}}` stand for the braces themselves.
//!
//! What a placeholder is filled with is never looked at again for placeholders, and the caller
//! writes the result as JSON, form or header by the rules of that place.

use std::collections::BTreeMap;
use std::fmt;

use crate::secret::Secret;

/// A text with placeholders.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    Placeholder(String),
    Text(String),
}

/// Why a text is no template.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TemplateFault {
    /// `}` without `{`.
    LoneClose,
    /// `{` that no name and `}` follow.
    LoneOpen,
}

/// What the placeholders are filled with.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Values<'a> {
    /// `{user}`.
    pub user: &'a str,
    /// `{password}`, where there is one.
    pub password: Option<&'a Secret<String>>,
    /// `{otp}`, where one was asked for.
    pub otp: Option<&'a Secret<String>>,
    /// What earlier steps have captured, by name.
    pub captured: &'a BTreeMap<String, Secret<String>>,
}

/// JSON with templates in the place of its texts.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum JsonTemplate {
    /// `[…]`
    Array(Vec<Self>),
    /// Whatever holds no text.
    Literal(serde_json::Value),
    /// `{…}`
    Object(Vec<(String, Self)>),
    /// A text.
    Text(Template),
}

impl Template {
    /// Reads a text with placeholders.
    ///
    /// # Errors
    ///
    /// [`TemplateFault`] where braces don't pair up around a name.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else if let Some(after) = from.strip_prefix('{') {
                let (name, after) = after.split_once('}').ok_or(TemplateFault::LoneOpen)?;
                if !is_name(name) {
                    return Err(TemplateFault::LoneOpen);
                }
                push_text(&mut pieces, &mut plain);
                pieces.push(Piece::Placeholder(name.to_owned()));
                rest = after;
            } else {
                return Err(TemplateFault::LoneClose);
            }
        }
        plain.push_str(rest);
        push_text(&mut pieces, &mut plain);
        Ok(Self { pieces })
    }

    /// The names of its placeholders.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Whether a placeholder of this name is in it.
    pub fn asks_for(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Whether it is one placeholder and nothing else.
    pub(super) fn is_placeholder(&self) -> bool {
        matches!(self.pieces.as_slice(), [Piece::Placeholder(_)])
    }

    /// The text with its placeholders filled in.
    ///
    /// # Errors
    ///
    /// The name of a placeholder that there is no value for.
    pub fn fill(&self, values: &Values<'_>) -> Result<Secret<String>, String> {
        self.fill_with(values, str::to_owned)
    }

    /// The same, each value written by `write`.
    pub(super) fn fill_with(
        &self,
        values: &Values<'_>,
        write: impl Fn(&str) -> String,
    ) -> Result<Secret<String>, String> {
        let mut filled = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Placeholder(name) => {
                    let value = values.value(name).ok_or_else(|| name.clone())?;
                    filled.push_str(&write(value));
                }
                Piece::Text(text) => filled.push_str(text),
            }
        }
        Ok(Secret::new(filled))
    }
}

fn push_text(pieces: &mut Vec<Piece>, plain: &mut String) {
    if !plain.is_empty() {
        pieces.push(Piece::Text(std::mem::take(plain)));
    }
}

/// What a placeholder may be called.
pub(super) fn is_name(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl<'a> Values<'a> {
    /// A name and a password, before anything was captured.
    pub fn of(user: &'a str, password: Option<&'a Secret<String>>) -> Self {
        static NOTHING: BTreeMap<String, Secret<String>> = BTreeMap::new();
        Self {
            user,
            password,
            otp: None,
            captured: &NOTHING,
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        match name {
            "user" => Some(self.user),
            "password" => self.password.map(|secret| secret.expose().as_str()),
            "otp" => self.otp.map(|secret| secret.expose().as_str()),
            _ => self
                .captured
                .get(name)
                .map(|secret| secret.expose().as_str()),
        }
    }
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl JsonTemplate {
    /// The JSON with its placeholders filled in; a quote in a value stays inside its text.
    ///
    /// # Errors
    ///
    /// The name of a placeholder that there is no value for.
    pub fn fill(&self, values: &Values<'_>) -> Result<serde_json::Value, String> {
        Ok(match self {
            Self::Array(items) => {
                let items = items.iter().map(|item| item.fill(values));
                serde_json::Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Literal(value) => value.clone(),
            Self::Object(entries) => {
                let entries = entries
                    .iter()
                    .map(|(name, item)| Ok((name.clone(), item.fill(values)?)));
                serde_json::Value::Object(entries.collect::<Result<_, String>>()?)
            }
            Self::Text(template) => {
                serde_json::Value::String(template.fill(values)?.expose().clone())
            }
        })
    }

    /// Whether a placeholder of this name is in it.
    pub fn asks_for(&self, name: &str) -> bool {
        match self {
            Self::Array(items) => items.iter().any(|item| item.asks_for(name)),
            Self::Literal(_) => false,
            Self::Object(entries) => entries.iter().any(|(_, item)| item.asks_for(name)),
            Self::Text(template) => template.asks_for(name),
        }
    }
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LoneClose => "a `}` without a `{` before it; write `}}` for the brace itself",
            Self::LoneOpen => {
                "a `{` that isn't followed by a name and `}`; write `{{` for the brace itself"
            }
        })
    }
}

impl std::error::Error for TemplateFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_braces_kept() {
        check("{user}", Ok("ada"));
        check("a{user}b{n}", Ok("aadab{user}"));
        check("{{user}} {{{user}}}", Ok("{user} {ada}"));
        check("", Ok(""));
        check("{nobody}", Err("nobody"));
    }

    #[test]
    fn braces_pair_up_around_a_name() {
        for (text, fault) in [
            ("{", TemplateFault::LoneOpen),
            ("{}", TemplateFault::LoneOpen),
            ("{a b}", TemplateFault::LoneOpen),
            ("{\"user\": 1}", TemplateFault::LoneOpen),
            ("a}", TemplateFault::LoneClose),
        ] {
            assert_eq!(Template::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_quote_stays_inside_its_text() {
        let captured = BTreeMap::from([("n".to_owned(), Secret::from("\"}\\".to_owned()))]);
        let template = JsonTemplate::Text(Template::parse("{n}").unwrap());
        let json = template.fill(&values(&captured)).unwrap().to_string();
        assert_eq!(json, r#""\"}\\""#);
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let captured = BTreeMap::from([("n".to_owned(), Secret::from("{user}".to_owned()))]);
        let filled = Template::parse(text).unwrap().fill(&values(&captured));
        let filled = filled.map(|text| text.expose().clone());
        assert_eq!(filled, expected.map(str::to_owned).map_err(str::to_owned));
    }

    fn values(captured: &BTreeMap<String, Secret<String>>) -> Values<'_> {
        Values {
            user: "ada",
            password: None,
            otp: None,
            captured,
        }
    }
}
