//! A reply to a request of a login, as a value; and what the site says in it where it refuses.

use http::{HeaderMap, header};
use serde_json::Value;
use url::Url;

use super::LoginError;
use super::messages::{self, Refusal};
use super::page::Page;
use super::visit;
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::session::{Request, Session, Verdict};
use crate::site::{Content, Replied};

/// How much of a reply is looked at.
const LOOK_AT: u64 = 4 * 1024 * 1024;

/// The longest message that is passed on.
const LONGEST_MESSAGE: usize = 300;

/// A reply that was read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Where the request ended.
    pub(super) url: Url,
    /// Where the reply leads, where redirects weren't followed.
    pub(super) leads_to: Option<Url>,
    pub(super) headers: HeaderMap,
    pub(super) is_html: bool,
    pub(super) body: Secret<String>,
    pub(super) verdict: Verdict,
    pub(super) cookies_set: Vec<String>,
    /// By how many milliseconds the site's clock is ahead of ours, where it tells the time.
    pub(super) clock_ahead: Option<i64>,
    /// The session's cookies for the page after it.
    pub(super) cookies: Vec<(String, Secret<String>)>,
    /// How to say it to a person: method, address, status.
    pub(super) words: String,
}

/// Sends a request and reads the reply.
pub(super) async fn exchange(member: &Session, request: Request) -> Result<Answer, LoginError> {
    let method = request.method().clone();
    let mut reply = member.send(request).await?;
    let first = reply.history().first().map_or(reply.url(), |hop| &hop.url);
    let status = reply
        .history()
        .first()
        .map_or(reply.status(), |hop| hop.status);
    let mut words = format!("{method} {} → {}", ShownUrl(first), status.as_u16());
    if first != reply.url() {
        words.push_str(&format!(" to {}", ShownUrl(reply.url())));
    }
    let url = reply.url().clone();
    let headers = reply.headers().clone();
    let location = headers
        .get(header::LOCATION)
        .filter(|_| reply.status().is_redirection());
    let leads_to = location
        .and_then(|location| location.to_str().ok())
        .and_then(|location| url.join(location).ok());
    let (is_html, verdict) = (reply.is_html(), reply.verdict().clone());
    let status = reply.status().as_u16();
    let cookies_set = reply.cookies_set().to_vec();
    let clock_ahead = visit::clock_ahead(&headers, member.now());
    let body = visit::text(&mut reply, LOOK_AT).await?;
    Ok(Answer {
        status,
        leads_to,
        headers,
        is_html,
        body: Secret::new(body),
        verdict,
        cookies_set,
        clock_ahead,
        cookies: member.cookies_for(&url),
        words,
        url,
    })
}

impl Answer {
    /// The reply as the rules of a site file look at it.
    pub(super) fn replied(&self) -> Replied<'_> {
        Replied {
            status: self.status,
            url: &self.url,
            leads_to: self.leads_to.as_ref(),
            headers: &self.headers,
            cookies: &self.cookies,
            content: Content::new(self.body.expose(), self.is_html),
        }
    }

    /// What stands before the login and says nothing of the credentials.
    pub(super) fn refuse_obstacles(&self, secrets: &[&str]) -> Result<(), LoginError> {
        let url = ShownUrl(&self.url).to_string();
        match &self.verdict {
            Verdict::Challenged(challenge) => Err(LoginError::Challenged {
                url,
                challenge: *challenge,
            }),
            Verdict::RateLimited { wait } => Err(LoginError::RateLimited {
                url,
                message: self.message("it asks to wait", secrets),
                wait: wait.map(|wait| wait.as_secs()),
            }),
            Verdict::Failing(status) => Err(LoginError::Failing {
                url,
                status: status.as_u16(),
            }),
            Verdict::Blocked | Verdict::Expired(_) | Verdict::Valid => Ok(()),
        }
    }

    /// Why the site refused the credentials, in its own words where it has some.
    pub(super) fn refusal(&self, user: &str, silence: &str, secrets: &[&str]) -> LoginError {
        let url = messages::blank(&ShownUrl(&self.url).to_string(), secrets);
        let user = user.to_owned();
        let words = self.site_words(secrets);
        let message = self.message(silence, secrets);
        // Programs are told `invalid_credentials` where people are told "Invalid credentials".
        let spaced: Vec<String> = words
            .iter()
            .map(|word| word.replace(['_', '-'], " "))
            .collect();
        let is_elsewhere = matches!(self.status, 404 | 405 | 410);
        match messages::classify_refusal(&spaced) {
            // Whoever says neither yes nor no may have said yes.
            Refusal::Other if words.is_empty() && self.status < 400 => {
                let what = message;
                LoginError::Unproven { url, user, what }
            }
            // Nothing is there that could have looked at the credentials.
            Refusal::Other if is_elsewhere => LoginError::Step { url, what: message },
            Refusal::Captcha => LoginError::Captcha { url, message },
            Refusal::NeedsSecondFactor => LoginError::SecondFactor { url, user, message },
            Refusal::TooManyAttempts => LoginError::RateLimited {
                url,
                message,
                wait: None,
            },
            Refusal::Locked | Refusal::Other | Refusal::StaleForm | Refusal::WrongCredentials => {
                LoginError::Refused { url, user, message }
            }
        }
    }

    /// The site's own words, or `silence`.
    pub(super) fn message(&self, silence: &str, secrets: &[&str]) -> String {
        let words = self.site_words(secrets);
        match words.is_empty() {
            true => silence.to_owned(),
            false => words.join(" "),
        }
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_str(self.body.expose()).ok()
    }

    fn site_words(&self, secrets: &[&str]) -> Vec<String> {
        if self.is_html {
            let page = Page::parse(self.body.expose(), &self.url);
            return messages::error_messages(&page, secrets);
        }
        let Some(json) = self.json() else {
            return Vec::new();
        };
        let mut words = Vec::new();
        collect_words(&json, 0, &mut words);
        let words = words.iter().map(|word| messages::blank(word, secrets));
        words.collect()
    }
}

/// The names under which interfaces put what went wrong, those for people first.
const MESSAGES: [&str; 11] = [
    "error_description",
    "message",
    "detail",
    "details",
    "error",
    "errors",
    "non_field_errors",
    "error_message",
    "reason",
    "msg",
    "title",
];

/// The texts under such names, at most three levels down.
fn collect_words(json: &Value, depth: usize, words: &mut Vec<String>) {
    const MOST: usize = 3;
    let before = words.len();
    if depth > 3 || before >= MOST {
        return;
    }
    match json {
        Value::Array(items) => {
            for item in items.iter().take(MOST) {
                match item {
                    Value::String(text) => push(text, words),
                    other => collect_words(other, depth + 1, words),
                }
            }
        }
        Value::Object(entries) => {
            for name in MESSAGES {
                match entries.get(name) {
                    Some(Value::String(text)) => push(text, words),
                    Some(inner @ (Value::Array(_) | Value::Object(_))) => {
                        collect_words(inner, depth + 1, words);
                    }
                    Some(_) | None => {}
                }
                // What people are told says it; the rest is for programs.
                if words.len() > before {
                    return;
                }
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

fn push(text: &str, words: &mut Vec<String>) {
    let text = text.trim();
    let cut = text.floor_char_boundary(LONGEST_MESSAGE);
    if let Some(text) = text.get(..cut).filter(|text| !text.is_empty()) {
        words.push(text.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sites_own_words_are_found_in_json() {
        check(r#"{"error": "invalid_credentials"}"#, "invalid_credentials");
        check(r#"{"error": "x", "error_description": "Wrong."}"#, "Wrong.");
        check(r#"{"error": {"code": 7, "message": "Wrong."}}"#, "Wrong.");
        check(r#"{"errors": [{"detail": "a"}, {"detail": "b"}]}"#, "a b");
        check(
            r#"{"non_field_errors": ["Unable to log in."]}"#,
            "Unable to log in.",
        );
        check(r#"{"detail": [{"loc": ["a"], "msg": "Bad."}]}"#, "Bad.");
        check(r#"{"ok": false}"#, "");
        check(r#"[1]"#, "");
    }

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let mut words = Vec::new();
        collect_words(&serde_json::from_str(json).unwrap(), 0, &mut words);
        assert_eq!(words.join(" "), expected, "{json}");
    }
}
