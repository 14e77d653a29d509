//! What a step of a site file is as a request, and what it makes of the reply. Sends nothing.

use http::{HeaderMap, Method};
use url::Url;

use super::pattern::Content;
use super::steps::{Capture, CaptureFrom, Expectation, Step, StepBody};
use super::template::{Template, Values};
use crate::secret::Secret;
use crate::session::{Redirects, Request};

/// A reply as the rules of a site file look at it.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever sends the request makes it"
)]
pub struct Replied<'a> {
    /// Its status.
    pub status: u16,
    /// Where the request ended.
    pub url: &'a Url,
    /// Where the reply leads, where redirects weren't followed.
    pub leads_to: Option<&'a Url>,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The session's cookies for that page.
    pub cookies: &'a [(String, Secret<String>)],
    /// Its body.
    pub content: Content<'a>,
}

impl Step {
    /// The request of the step, from the page where the steps are.
    ///
    /// # Errors
    ///
    /// The name of a placeholder that there is no value for.
    pub fn request(
        &self,
        url: &Url,
        here: Option<&Url>,
        values: &Values<'_>,
    ) -> Result<Request, String> {
        let mut request = Request::new(self.method.clone(), url.as_str()).keep_body_home();
        for (name, value) in &self.headers {
            request = request.header(name, value.fill(values)?.expose());
        }
        let has = |name: &str| {
            let mut headers = self.headers.iter();
            headers.any(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        // What browsers add, and frameworks check against forged requests.
        if self.method != Method::GET && !has("origin") {
            request = request.header("origin", &url.origin().ascii_serialization());
        }
        let here = here.filter(|here| here.origin() == url.origin());
        if let Some(here) = here.filter(|_| !has("referer")) {
            request = request.header("referer", here.as_str());
        }
        if !has("accept") {
            request = request.header("accept", accept(&self.body));
        }
        if !self.follow {
            request = request.redirects(Redirects::Stay);
        }
        fill_body(request, &self.body, values)
    }

    /// What the step keeps of its reply.
    ///
    /// # Errors
    ///
    /// What isn't as it must be, in words.
    pub fn take(&self, replied: &Replied<'_>) -> Result<Vec<(String, Secret<String>)>, String> {
        match self.expect.unmet(replied) {
            Some(what) => Err(what),
            None => take_all(&self.capture, replied),
        }
    }
}

/// Takes values out of a reply, by name.
///
/// # Errors
///
/// The first that isn't there, in words.
pub fn take_all(
    captures: &[(String, Capture)],
    replied: &Replied<'_>,
) -> Result<Vec<(String, Secret<String>)>, String> {
    let found = captures
        .iter()
        .map(|(name, capture)| match capture.take(replied) {
            Some(value) => Ok((name.clone(), Secret::new(value))),
            None => Err(format!(
                "nothing to capture as `{name}`: {}",
                capture.missing()
            )),
        });
    found.collect()
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

impl Expectation {
    /// What of the expectations doesn't hold, in words.
    pub fn unmet(&self, replied: &Replied<'_>) -> Option<String> {
        let status = replied.status;
        let is_expected = match self.status.is_empty() {
            true => status < 400,
            false => self.status.contains(&status),
        };
        if !is_expected {
            return Some(format!("the status is {status}"));
        }
        if let Some(path) = &self.redirect {
            let end = replied.leads_to.unwrap_or(replied.url);
            if end.path().trim_end_matches('/') != path.trim_end_matches('/') {
                return Some(format!("the request ends at {}, not at {path}", end.path()));
            }
        }
        let content = &replied.content;
        if let Some(text) = self.text.iter().find(|text| !content.says(text)) {
            return Some(format!("the page doesn't say \"{text}\""));
        }
        if let Some(text) = self.no_text.iter().find(|text| content.says(text)) {
            return Some(format!("the page says \"{text}\""));
        }
        let css = self.css.iter().find(|css| !content.has(css))?;
        Some(format!("nothing on the page is `{css}`"))
    }
}

impl Capture {
    /// The value, where the reply has it and it isn't empty.
    pub fn take(&self, replied: &Replied<'_>) -> Option<String> {
        let content = &replied.content;
        let found = match &self.from {
            CaptureFrom::Cookie(name) => {
                let mut cookies = replied.cookies.iter();
                let found = cookies.find(|(own, _)| own == name)?;
                found.1.expose().clone()
            }
            CaptureFrom::Css(css, attribute) => content.pick(css, attribute.as_deref())?,
            CaptureFrom::Header(name) => replied.headers.get(name)?.to_str().ok()?.to_owned(),
            CaptureFrom::JsonPath(path) => path.text(content.json()?)?,
            CaptureFrom::Regex(regex) => regex.find(content.text())?.to_owned(),
        };
        (!found.is_empty()).then_some(found)
    }

    /// What to say where there is none.
    pub fn missing(&self) -> String {
        match &self.from {
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
}
