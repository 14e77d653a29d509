//! A login by the requests of a site file, without sending them: a reply comes in, the next request
//! comes out.

use std::collections::BTreeMap;

use http::Method;
use serde_json::Value;
use url::Url;

use super::LoginError;
use super::answer::Answer;
use super::messages;
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::session::{Redirects, Request};
use crate::site::{
    Capture, CaptureFrom, Content, Expectation, Step, StepBody, StepsLogin, Template, TokenPlace,
    Values,
};

/// A request that is ready to go.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) request: Request,
    pub(super) url: Url,
    /// Whether the password is in it, or a code.
    pub(super) is_secret: bool,
}

/// What a login by requests came to.
#[derive(Debug, Default)]
pub(super) struct Grant {
    pub(super) token: Option<(TokenPlace, Secret<String>)>,
    /// How many seconds the token lives.
    pub(super) expires_in: Option<u64>,
}

/// A login by steps under way.
#[derive(Debug)]
pub(super) struct StepsFlow<'a> {
    login: &'a StepsLogin,
    user: &'a str,
    password: Option<&'a Secret<String>>,
    at: usize,
    here: Option<Url>,
    captured: BTreeMap<String, Secret<String>>,
    /// Whether the password went out: from there on a failure is the site's refusal.
    has_sent: bool,
}

impl<'a> StepsFlow<'a> {
    pub(super) fn new(
        login: &'a StepsLogin,
        user: &'a str,
        password: Option<&'a Secret<String>>,
    ) -> Self {
        Self {
            login,
            user,
            password,
            at: 0,
            here: None,
            captured: BTreeMap::new(),
            has_sent: false,
        }
    }

    /// The step at hand; `None` after the last.
    fn step(&self) -> Option<&'a Step> {
        self.login.steps.get(self.at)
    }

    /// Whether the step at hand asks for a code of the second factor.
    pub(super) fn wants_code(&self) -> bool {
        self.step().is_some_and(|step| step.asks_for("otp"))
    }

    /// The next request; `None` where all steps are done.
    pub(super) fn next(&self, otp: Option<&Secret<String>>) -> Result<Option<Draft>, LoginError> {
        let Some(step) = self.step() else {
            return Ok(None);
        };
        let values = Values {
            user: self.user,
            password: self.password,
            otp,
            captured: &self.captured,
        };
        let url = step.url.fill(&values, self.here.as_ref());
        let url = url.map_err(|what| self.fault(&what))?;
        let request = self.request(step, &url, &values);
        let request = request.map_err(|name| self.fault(&format!("there is no {{{name}}}")))?;
        Ok(Some(Draft {
            request,
            url,
            is_secret: step.asks_for("password") || step.asks_for("otp"),
        }))
    }

    fn request(&self, step: &Step, url: &Url, values: &Values<'_>) -> Result<Request, String> {
        let mut request = Request::new(step.method.clone(), url.as_str()).keep_body_home();
        for (name, value) in &step.headers {
            request = request.header(name, value.fill(values)?.expose());
        }
        let has = |name: &str| {
            let mut headers = step.headers.iter();
            headers.any(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        // What browsers add, and frameworks check against forged requests.
        if step.method != Method::GET && !has("origin") {
            request = request.header("origin", &url.origin().ascii_serialization());
        }
        let here = self
            .here
            .as_ref()
            .filter(|here| here.origin() == url.origin());
        if let Some(here) = here.filter(|_| !has("referer")) {
            request = request.header("referer", here.as_str());
        }
        if !has("accept") {
            request = request.header("accept", accept(&step.body));
        }
        if !step.follow {
            request = request.redirects(Redirects::Stay);
        }
        fill_body(request, &step.body, values)
    }

    /// Takes the reply to the request at hand.
    pub(super) fn take(&mut self, answer: &Answer) -> Result<(), LoginError> {
        let Some(step) = self.step() else {
            return Ok(());
        };
        self.has_sent |= step.asks_for("password");
        let wants_status = !step.expect.status.is_empty();
        if !wants_status {
            answer.refuse_obstacles(&self.secrets())?;
        }
        let content = Content::new(answer.body.expose(), answer.is_html);
        if let Some(what) = unmet(&step.expect, answer, &content) {
            return Err(self.unmet(answer, &what));
        }
        let mut found = Vec::new();
        for (name, capture) in &step.capture {
            match take(capture, answer, &content) {
                Some(value) => found.push((name.clone(), Secret::new(value))),
                None => {
                    let what = format!("nothing to capture as `{name}`: {}", missing(capture));
                    return Err(self.unmet(answer, &what));
                }
            }
        }
        self.captured.extend(found);
        self.here = Some(answer.url.clone());
        self.at += 1;
        Ok(())
    }

    /// What the steps came to.
    pub(super) fn grant(&self) -> Result<Grant, LoginError> {
        let Some(token) = &self.login.token else {
            return Ok(Grant::default());
        };
        let values = Values {
            user: self.user,
            password: self.password,
            otp: None,
            captured: &self.captured,
        };
        let token = token.fill(&values);
        let token = token.map_err(|name| self.fault(&format!("there is no {{{name}}}")))?;
        Ok(Grant {
            token: Some((self.login.into.clone(), token)),
            expires_in: None,
        })
    }

    /// A reply that isn't as it must be: the site's refusal where the password went out.
    fn unmet(&self, answer: &Answer, what: &str) -> LoginError {
        let what = format!("{}: {what}", self.step_name());
        match self.has_sent {
            true => answer.refusal(self.user, &what, &self.secrets()),
            false => LoginError::Step {
                url: messages::blank(&ShownUrl(&answer.url).to_string(), &self.secrets()),
                what,
            },
        }
    }

    fn fault(&self, what: &str) -> LoginError {
        LoginError::Step {
            url: ShownUrl(&self.login.url).to_string(),
            what: format!("{}: {what}", self.step_name()),
        }
    }

    fn step_name(&self) -> String {
        let number = self.at + 1;
        match self.step().and_then(|step| step.name.as_ref()) {
            Some(name) => format!("step {number} ({name})"),
            None => format!("step {number}"),
        }
    }

    /// What must not show.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let captured = self.captured.values();
        let secrets = captured.chain(self.password);
        secrets.map(|secret| secret.expose().as_str()).collect()
    }
}

fn accept(body: &StepBody) -> &'static str {
    match body {
        StepBody::Json(_) => "application/json, */*;q=0.5",
        StepBody::Form(_) | StepBody::Nothing | StepBody::Text(_) => {
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        }
    }
}

/// Writes the body by the rules of its kind: a quote or an `&` in a value stays a part of it.
fn fill_body(request: Request, body: &StepBody, values: &Values<'_>) -> Result<Request, String> {
    Ok(match body {
        StepBody::Form(fields) => {
            let fill = |(name, value): &(String, Template)| {
                Ok((name.clone(), value.fill(values)?.expose().clone()))
            };
            let fields: Vec<(String, String)> =
                fields.iter().map(fill).collect::<Result<_, String>>()?;
            request.form(fields)
        }
        StepBody::Json(json) => request.json(&json.fill(values)?),
        StepBody::Nothing => request,
        StepBody::Text(text) => request.body(text.fill(values)?.expose().clone()),
    })
}

/// What of the expectations doesn't hold.
fn unmet(expect: &Expectation, answer: &Answer, content: &Content<'_>) -> Option<String> {
    let status = answer.status;
    let is_expected = match expect.status.is_empty() {
        true => status < 400,
        false => expect.status.contains(&status),
    };
    if !is_expected {
        return Some(format!("the status is {status}"));
    }
    if let Some(path) = &expect.redirect {
        let end = answer.leads_to.as_ref().unwrap_or(&answer.url);
        if end.path().trim_end_matches('/') != path.trim_end_matches('/') {
            return Some(format!("the request ends at {}, not at {path}", end.path()));
        }
    }
    if let Some(text) = expect.text.iter().find(|text| !content.says(text)) {
        return Some(format!("the page doesn't say \"{text}\""));
    }
    if let Some(text) = expect.no_text.iter().find(|text| content.says(text)) {
        return Some(format!("the page says \"{text}\""));
    }
    let css = expect.css.iter().find(|css| !content.has(css))?;
    Some(format!("nothing on the page is `{css}`"))
}

fn take(capture: &Capture, answer: &Answer, content: &Content<'_>) -> Option<String> {
    let found = match &capture.from {
        CaptureFrom::Cookie(name) => {
            let mut cookies = answer.cookies.iter();
            let found = cookies.find(|(own, _)| own == name)?;
            found.1.expose().clone()
        }
        CaptureFrom::Css(css, attribute) => content.pick(css, attribute.as_deref())?,
        CaptureFrom::Header(name) => answer.headers.get(name)?.to_str().ok()?.to_owned(),
        CaptureFrom::JsonPath(path) => path.text(content.json()?)?,
        CaptureFrom::Regex(regex) => regex.find(content.text())?.to_owned(),
    };
    (!found.is_empty()).then_some(found)
}

fn missing(capture: &Capture) -> String {
    match &capture.from {
        CaptureFrom::Cookie(name) => format!("there is no cookie `{name}`"),
        CaptureFrom::Css(css, None) => format!("nothing on the page is `{css}`, with a text"),
        CaptureFrom::Css(css, Some(attribute)) => {
            format!("nothing on the page is `{css}`, with a filled `{attribute}`")
        }
        CaptureFrom::Header(name) => format!("the reply has no header `{name}`"),
        CaptureFrom::JsonPath(path) => format!("`{path}` finds nothing in the reply"),
        CaptureFrom::Regex(regex) => format!("`{regex}` matches nothing in the reply"),
    }
}

/// A whole number of seconds, as a number or a text.
pub(super) fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            number
                .as_f64()
                .filter(|n| (0.0..1e12).contains(n))
                .map(|n| n as u64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        Value::Array(_) | Value::Bool(_) | Value::Null | Value::Object(_) => None,
    }
}
