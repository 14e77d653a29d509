//! A target: what one line of a list asks for.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// What one request of a batch is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    name: String,
    url: Option<String>,
}

/// A line that can't be a target.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BadTarget {
    /// The target, or the line where that is all there is.
    pub target: String,
    /// What is wrong with it.
    pub why: TargetFault,
}

/// What is wrong with a target.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TargetFault {
    /// It would lead out of the place that the template has for it.
    Escapes,
    /// It stands for a host, and can't be one.
    NotAHost,
    /// It begins with `{` and isn't a JSON object with a `target`.
    NotJson(String),
    /// It isn't UTF-8.
    NotText,
    /// There is no template, and it isn't an http or https URL.
    NotAUrl(String),
    /// Its URL holds a user name or a password.
    Secret,
    /// It is longer than a target can be.
    TooLong,
}

/// The longest line of a list of targets, in bytes.
pub const LONGEST_TARGET: usize = 64 * 1024;

#[derive(Deserialize)]
struct Wire {
    target: Value,
    url: Option<String>,
}

impl Target {
    /// Reads a line; `None` where it is blank or a comment (`#`).
    ///
    /// # Errors
    ///
    /// [`BadTarget`] where it is something else.
    pub fn parse(line: &[u8]) -> Option<Result<Self, BadTarget>> {
        let shown = || {
            String::from_utf8_lossy(line)
                .trim()
                .chars()
                .take(200)
                .collect()
        };
        let bad = |why| BadTarget {
            target: shown(),
            why,
        };
        if line.len() > LONGEST_TARGET {
            return Some(Err(bad(TargetFault::TooLong)));
        }
        let Ok(text) = std::str::from_utf8(line) else {
            return Some(Err(bad(TargetFault::NotText)));
        };
        match text.trim() {
            "" => None,
            text if text.starts_with('#') => None,
            text if text.starts_with('{') => Some(of_json(text).map_err(bad)),
            text => Some(Ok(Self {
                name: text.to_owned(),
                url: None,
            })),
        }
    }

    /// What it is called: the line itself, or its `target`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address, where the line gives one of its own.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

fn of_json(text: &str) -> Result<Target, TargetFault> {
    let not_json = |why: &dyn fmt::Display| TargetFault::NotJson(why.to_string());
    let wire: Wire = serde_json::from_str(text).map_err(|why| not_json(&why))?;
    let name = match wire.target {
        Value::String(name) if !name.trim().is_empty() => name,
        Value::Number(number) => number.to_string(),
        _ => return Err(not_json(&"`target` is neither a text nor a number")),
    };
    Ok(Target {
        name,
        url: wire.url,
    })
}

impl fmt::Display for TargetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escapes => f.write_str("it would change the URL around its place"),
            Self::NotAHost => f.write_str("it stands for a host, and can't be one"),
            Self::NotAUrl(why) => write!(f, "it isn't an http or https URL: {why}"),
            Self::NotJson(why) => write!(f, "not a JSON object with a `target`: {why}"),
            Self::NotText => f.write_str("it is not UTF-8"),
            Self::Secret => {
                f.write_str("its URL holds a user or password, which is not sent from there")
            }
            Self::TooLong => write!(f, "it is longer than {LONGEST_TARGET} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_targets_comments_or_blank() {
        check("", None);
        check("  \r", None);
        check("# a comment", None);
        check(" 17 \r", Some(Ok(("17", None))));
        check("https://h/x?a=1#b", Some(Ok(("https://h/x?a=1#b", None))));
        check(r#"{"target":"a b"}"#, Some(Ok(("a b", None))));
        check(r#"{"target":17,"more":1}"#, Some(Ok(("17", None))));
        check(
            r#"{"target":"a","url":"http://h/"}"#,
            Some(Ok(("a", Some("http://h/")))),
        );
    }

    #[test]
    fn what_is_no_target_says_why() {
        check("{", Some(Err("not a JSON object with a `target`: EOF")));
        check("{}", Some(Err("missing field `target`")));
        check(
            r#"{"target":" "}"#,
            Some(Err("neither a text nor a number")),
        );
        check(
            r#"{"target":null}"#,
            Some(Err("neither a text nor a number")),
        );
        check(&"x".repeat(70_000), Some(Err("longer than 65536 bytes")));
        let bad = Target::parse(b"a\xff").unwrap().unwrap_err();
        assert_eq!(
            (bad.target.as_str(), bad.why),
            ("a\u{fffd}", TargetFault::NotText)
        );
    }

    #[track_caller]
    fn check(line: &str, expected: Option<Result<(&str, Option<&str>), &str>>) {
        match (Target::parse(line.as_bytes()), expected) {
            (None, None) => {}
            (Some(Ok(found)), Some(Ok(expected))) => {
                assert_eq!((found.name(), found.url()), expected, "{line}");
            }
            (Some(Err(found)), Some(Err(words))) => {
                let text = found.why.to_string();
                assert!(text.contains(words), "{line}: {text}");
            }
            (found, _) => panic!("{line}: {found:?}"),
        }
    }
}
