//! A login by one request with JSON, without sending it.

use serde_json::Value;

use super::LoginError;
use super::answer::Answer;
use super::steps::{Draft, Grant, seconds};
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::session::Request;
use crate::site::{JsonLogin, JsonPath, TokenFrom, Values};

/// The request.
pub(super) fn draft(login: &JsonLogin, values: &Values<'_>) -> Result<Draft, LoginError> {
    let fault = |name: String| LoginError::Step {
        url: ShownUrl(&login.url).to_string(),
        what: format!("there is no {{{name}}}"),
    };
    let mut request = Request::new(login.method.clone(), login.url.as_str()).keep_body_home();
    for (name, value) in &login.headers {
        request = request.header(name, value.fill(values).map_err(fault)?.expose());
    }
    let has = |name: &str| {
        let mut headers = login.headers.iter();
        headers.any(|(own, _)| own.eq_ignore_ascii_case(name))
    };
    if !has("accept") {
        request = request.header("accept", "application/json, */*;q=0.5");
    }
    if !has("origin") {
        request = request.header("origin", &login.url.origin().ascii_serialization());
    }
    Ok(Draft {
        request: request.json(&login.body.fill(values).map_err(fault)?),
        url: login.url.clone(),
        is_secret: true,
    })
}

/// A token is a text or a number; what else stands there is none.
fn token_at(path: &JsonPath, json: &Value) -> Option<String> {
    match path.find(json)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(_) | Value::Bool(_) | Value::Null | Value::Object(_) => None,
    }
}

/// What a reply has at its top, by name, for whoever looks for a token in it.
fn names(json: Option<&Value>) -> String {
    const MOST: usize = 8;
    let Some(Value::Object(entries)) = json else {
        return "no names".to_owned();
    };
    let names = entries.keys().take(MOST).map(|name| format!("`{name}`"));
    match entries.len() {
        0 => "nothing in it".to_owned(),
        1..=MOST => names.collect::<Vec<_>>().join(", "),
        count => format!(
            "{} and {} more",
            names.collect::<Vec<_>>().join(", "),
            count - MOST
        ),
    }
}

/// What the reply grants.
pub(super) fn grant(
    login: &JsonLogin,
    answer: &Answer,
    user: &str,
    secrets: &[&str],
) -> Result<Grant, LoginError> {
    answer.refuse_obstacles(secrets)?;
    if answer.status >= 400 {
        let silence = format!("it answered {} without a word", answer.status);
        return Err(answer.refusal(user, &silence, secrets));
    }
    let Some(from) = &login.token else {
        return Ok(Grant::default());
    };
    let json = answer.json();
    let found = match from {
        TokenFrom::Body(path) => json.as_ref().and_then(|json| token_at(path, json)),
        TokenFrom::Header(name) => {
            let value = answer.headers.get(name);
            value
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        }
    };
    if let (TokenFrom::Body(path), None) = (from, &json) {
        // A page for people, as of a site that is being worked on, says nothing of the credentials.
        return Err(LoginError::Step {
            url: ShownUrl(&answer.url).to_string(),
            what: format!("the reply is no JSON, so `{path}` finds no token in it"),
        });
    }
    let Some(token) = found.filter(|token| !token.is_empty()) else {
        let silence = match from {
            TokenFrom::Body(path) => {
                let names = names(json.as_ref());
                format!("`{path}` finds no token in the reply, which has {names}")
            }
            TokenFrom::Header(name) => format!("the reply has no header `{name}`"),
        };
        return Err(answer.refusal(user, &silence, secrets));
    };
    if token.chars().any(char::is_control) {
        return Err(LoginError::Step {
            url: ShownUrl(&answer.url).to_string(),
            what: "the token that the site gave has a line break or another control character"
                .to_owned(),
        });
    }
    let lives = login.expires_in.as_ref().zip(json.as_ref());
    Ok(Grant {
        token: Some((login.into.clone(), Secret::new(token))),
        expires_in: lives.and_then(|(path, json)| seconds(path.find(json)?)),
    })
}
