//! A line of the output, as programs read it. This file owns the format.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// What came of one target.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line<'a> {
    pub(super) target: &'a str,
    /// Where the reply came from, or what was asked; values of its query are masked.
    pub(super) url: Option<String>,
    pub(super) status: Option<u16>,
    /// `valid`, `blocked`, `challenged`, `expired`, `failing` or `rateLimited`.
    pub(super) verdict: Option<&'static str>,
    /// The name of the session that it was sent with.
    pub(super) session: Option<String>,
    /// Present where it was sent without the session that was asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) fallback: bool,
    pub(super) attempts: u32,
    pub(super) elapsed_ms: u64,
    #[serde(flatten)]
    pub(super) body: Option<Body>,
    pub(super) error: Option<Fault>,
}

/// The body of a reply.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body_file: Option<String>,
    /// Present where only the beginning of the body is here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) body_truncated: bool,
}

/// Why a target failed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Fault {
    pub(super) kind: &'static str,
    pub(super) message: String,
}

impl<'a> Line<'a> {
    pub(super) fn new(target: &'a str) -> Self {
        Self {
            target,
            url: None,
            status: None,
            verdict: None,
            session: None,
            fallback: false,
            attempts: 0,
            elapsed_ms: 0,
            body: None,
            error: None,
        }
    }

    pub(super) fn without_reply(target: &'a str, fault: Fault) -> Self {
        Self {
            error: Some(fault),
            ..Self::new(target)
        }
    }

    /// The line with its end.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("texts and numbers can be written");
        bytes.push(b'\n');
        bytes
    }
}

/// What a later run has to know of a line.
#[derive(Debug, Deserialize)]
pub(super) struct Known<'a> {
    #[serde(borrow)]
    pub(super) target: Cow<'a, str>,
    error: Option<IgnoredAny>,
    #[serde(default)]
    fallback: bool,
    /// What every line of a batch has.
    #[serde(rename = "attempts")]
    _attempts: u32,
}

impl<'a> Known<'a> {
    /// Reads a line without its end; `None` where it isn't one of a batch.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// Whether a later run may do better: it failed, or had to do without a session of the pool.
    pub(super) fn is_lacking(&self) -> bool {
        self.has_failed() || self.fallback
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_programs_expect() {
        let line = Line {
            target: "a\n\"b\"",
            url: Some("http://h/?q=…".into()),
            status: Some(200),
            verdict: Some("valid"),
            session: Some("shop".into()),
            fallback: false,
            attempts: 2,
            elapsed_ms: 12,
            body: Some(Body {
                body: Some("hi\n".into()),
                body_base64: None,
                body_file: None,
                body_truncated: false,
            }),
            error: None,
        };
        assert_eq!(
            String::from_utf8(line.bytes()).unwrap(),
            concat!(
                r#"{"target":"a\n\"b\"","url":"http://h/?q=…","status":200,"verdict":"valid","#,
                r#""session":"shop","attempts":2,"elapsedMs":12,"body":"hi\n","error":null}"#,
                "\n"
            )
        );
        let bytes = line.bytes();
        let known = Known::read(&bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(
            (known.target.as_ref(), known.has_failed()),
            (line.target, false)
        );
    }

    #[test]
    fn a_failure_is_known_again() {
        let line = Line {
            target: "a",
            url: None,
            status: None,
            verdict: None,
            session: None,
            fallback: true,
            attempts: 3,
            elapsed_ms: 0,
            body: None,
            error: Some(Fault {
                kind: "connect",
                message: "m".into(),
            }),
        };
        let text = String::from_utf8(line.bytes()).unwrap();
        assert!(text.contains(r#""fallback":true"#), "{text}");
        assert!(
            text.contains(r#""error":{"kind":"connect","message":"m"}"#),
            "{text}"
        );
        let known = Known::read(text.trim_end().as_bytes()).unwrap();
        assert!(known.has_failed());
        let without_pool = r#"{"target":"a","attempts":1,"fallback":true,"error":null}"#;
        let known = Known::read(without_pool.as_bytes()).unwrap();
        assert!(known.is_lacking() && !known.has_failed());
        for other in [
            "",
            "{}",
            r#"{"target":"a"}"#,
            "[1]",
            r#"{"target":"a","atte"#,
        ] {
            assert!(Known::read(other.as_bytes()).is_none(), "{other}");
        }
    }
}
