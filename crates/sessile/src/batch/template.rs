//! From a target to its request: where `{target}` stands, the target goes in.
//!
//! In a path, a query or a fragment it is percent-encoded, so that it can't change anything around
//! it; as a host it has to be one. In headers, fields and texts it goes in as it is.

use std::path::PathBuf;

use bytes::Bytes;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use super::target::{Target, TargetFault};
use crate::error::Error;
use crate::session::{Multipart, Part, Request};

/// What stands for the target.
pub const PLACEHOLDER: &str = "{target}";

/// A request with places for a target.
///
/// ```
/// use sessile::batch::Template;
///
/// let template = Template::get()
///     .url("https://shop.example/items/{target}")?
///     .header("X-Item", "{target}");
/// # Ok::<(), sessile::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Template {
    method: Method,
    url: Option<UrlTemplate>,
    headers: Vec<(String, Option<String>)>,
    query: Vec<(String, String)>,
    body: Content,
    is_repeatable: bool,
}

/// One field of a form with files.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Field {
    /// A file, sent as it is.
    File {
        /// The field's name.
        name: String,
        /// Where it is.
        path: PathBuf,
        /// Its type, where it isn't guessed by its name.
        media_type: Option<String>,
    },
    /// A text, the target filled in.
    Text {
        /// The field's name.
        name: String,
        /// The text.
        text: String,
    },
}

#[derive(Clone, Debug)]
enum Content {
    Bytes(Bytes),
    Empty,
    Form(Vec<(String, String)>),
    Json(Value),
    Multipart(Vec<Field>),
    Text(String),
}

impl Template {
    /// A request by any method; the targets are URLs, unless [`Template::url`] says otherwise.
    pub fn new(method: Method) -> Self {
        Self {
            is_repeatable: method.is_idempotent(),
            method,
            url: None,
            headers: Vec::new(),
            query: Vec::new(),
            body: Content::Empty,
        }
    }

    /// A `GET`.
    pub fn get() -> Self {
        Self::new(Method::GET)
    }

    /// The address, which may be relative to the session's base URL.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] where it isn't a URL with places for a target.
    pub fn url(mut self, text: &str) -> Result<Self, Error> {
        self.url = Some(UrlTemplate::parse(text)?);
        Ok(self)
    }

    /// Sends a header in place of the session's.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// Leaves one of the session's headers out.
    pub fn without_header(mut self, name: impl Into<String>) -> Self {
        self.headers.push((name.into(), None));
        self
    }

    /// Adds a pair to the query.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// A JSON body; the target goes into every text in it.
    pub fn json(mut self, value: Value) -> Self {
        self.body = Content::Json(value);
        self
    }

    /// A form body.
    pub fn form(mut self, pairs: Vec<(String, String)>) -> Self {
        self.body = Content::Form(pairs);
        self
    }

    /// A form with files.
    pub fn multipart(mut self, fields: Vec<Field>) -> Self {
        self.body = Content::Multipart(fields);
        self
    }

    /// A text as the whole body.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.body = Content::Text(text.into());
        self
    }

    /// Bytes as the whole body, the same for every target.
    pub fn bytes(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body = Content::Bytes(bytes.into());
        self
    }

    /// Doing it twice does no more than doing it once, whatever the method.
    pub fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    pub(super) fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }

    /// Whether requests differ by their target at all.
    pub fn has_place(&self) -> bool {
        let has = |text: &str| text.contains(PLACEHOLDER);
        self.url.as_ref().is_none_or(UrlTemplate::has_place)
            || self
                .headers
                .iter()
                .any(|(_, value)| value.as_deref().is_some_and(has))
            || self.query.iter().any(|(_, value)| has(value))
            || match &self.body {
                Content::Bytes(_) | Content::Empty => false,
                Content::Form(pairs) => pairs.iter().any(|(_, value)| has(value)),
                Content::Json(value) => has(&value.to_string()),
                Content::Multipart(fields) => fields
                    .iter()
                    .any(|field| matches!(field, Field::Text { text, .. } if has(text))),
                Content::Text(text) => has(text),
            }
    }

    /// The address of the target.
    pub(super) fn address(&self, target: &Target) -> Result<String, TargetFault> {
        match (target.url(), &self.url) {
            (Some(url), _) => own_address(url, self.url.is_some()),
            (None, Some(template)) => template.fill(target.name()),
            (None, None) => own_address(target.name(), false),
        }
    }

    /// The request for the target, to its address.
    pub(super) fn request(&self, target: &str, address: &str) -> Result<Request, Error> {
        let fill = |text: &str| text.replace(PLACEHOLDER, target);
        let mut request = Request::new(self.method.clone(), address);
        for (name, value) in &self.query {
            request = request.query(name, fill(value));
        }
        for (name, value) in &self.headers {
            request = match value {
                Some(value) => request.header(name, &fill(value)),
                None => request.without_header(name),
            };
        }
        if self.is_repeatable {
            request = request.repeatable();
        }
        Ok(match &self.body {
            Content::Bytes(bytes) => request.body(bytes.clone()),
            Content::Empty => request,
            Content::Form(pairs) => {
                request.form(pairs.iter().map(|(name, value)| (name, fill(value))))
            }
            Content::Json(value) => request.json(&fill_json(value, &fill)),
            Content::Multipart(fields) => request.multipart(fill_fields(fields, &fill)?),
            Content::Text(text) => request.body(fill(text)),
        })
    }

    /// What it is, for people: no values that may be secrets.
    pub(super) fn shown(&self) -> String {
        let url = self.url.as_ref().map_or("the targets' URLs", |url| {
            url.text.split(['?', '#']).next().unwrap_or_default()
        });
        format!("{} {url}", self.method)
    }

    /// What tells one template from another: no values of headers, which may be secrets.
    pub(super) fn outline(&self) -> String {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let url = self.url.as_ref().map(|url| url.text.as_str());
        format!(
            "{} {url:?} {names:?} {:?} {:?}",
            self.method, self.query, self.body
        )
    }
}

fn fill_json(value: &Value, fill: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| fill_json(item, fill)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), fill_json(value, fill)))
            .collect(),
        Value::String(text) => Value::String(fill(text)),
        Value::Bool(_) | Value::Null | Value::Number(_) => value.clone(),
    }
}

fn fill_fields(fields: &[Field], fill: &impl Fn(&str) -> String) -> Result<Multipart, Error> {
    let mut form = Multipart::new();
    for field in fields {
        form = match field {
            Field::File {
                name,
                path,
                media_type,
            } => {
                let part = Part::file(path)?;
                form.part(
                    name,
                    match media_type {
                        Some(media_type) => part.content_type(media_type),
                        None => part,
                    },
                )
            }
            Field::Text { name, text } => form.text(name, &fill(text)),
        };
    }
    Ok(form)
}

/// An address that a target brings with it.
fn own_address(text: &str, may_be_relative: bool) -> Result<String, TargetFault> {
    match Url::parse(text) {
        Ok(url) if has_user(&url) => Err(TargetFault::Secret),
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text.to_owned()),
        Ok(url) => Err(TargetFault::NotAUrl(format!(
            "its scheme is `{}`",
            url.scheme()
        ))),
        Err(url::ParseError::RelativeUrlWithoutBase) if may_be_relative => Ok(text.to_owned()),
        Err(why) => Err(TargetFault::NotAUrl(why.to_string())),
    }
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// An address with places for a target.
#[derive(Clone, Debug)]
struct UrlTemplate {
    text: String,
    /// Each text, and what stands after it.
    pieces: Vec<(String, Option<Place>)>,
    /// How many segments of its path mean another one (`.` and `..`), whatever the target.
    dots: Option<usize>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// In the host or the port.
    Authority,
    /// In the path, the query or the fragment.
    Behind,
    /// At the very start: the target begins the URL.
    Start,
}

/// Everything but what never has a meaning of its own (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl UrlTemplate {
    fn parse(text: &str) -> Result<Self, Error> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(PLACEHOLDER) {
            let offset = text.len() - rest.len() + before.len();
            pieces.push((before.to_owned(), Some(place(text, offset)?)));
            rest = after;
        }
        pieces.push((rest.to_owned(), None));
        let mut template = Self {
            text: text.to_owned(),
            pieces,
            dots: None,
        };
        template.dots = template.check()?;
        Ok(template)
    }

    /// Tries it with a target that fits everywhere; answers how many such segments its path has.
    fn check(&self) -> Result<Option<usize>, Error> {
        if self
            .pieces
            .first()
            .is_some_and(|(_, place)| *place == Some(Place::Start))
        {
            return Ok(None);
        }
        let bad = |what: &str| Error::BadRequest {
            what: format!("the URL of the targets {what}"),
        };
        let text = self.text.replace(PLACEHOLDER, "1");
        let url = resolve(&text).map_err(|why| bad(&format!("isn't a URL: {why}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("isn't an http or https URL"));
        }
        if has_user(&url) {
            return Err(bad(
                "holds a user or password, which is not sent from there",
            ));
        }
        Ok(Some(dot_segments(&text)))
    }

    fn has_place(&self) -> bool {
        self.pieces.len() > 1
    }

    fn fill(&self, target: &str) -> Result<String, TargetFault> {
        let mut filled = String::with_capacity(self.text.len() + target.len());
        for (text, place) in &self.pieces {
            filled.push_str(text);
            match place {
                None => {}
                Some(Place::Authority) if is_host(target) => filled.push_str(target),
                Some(Place::Authority) => return Err(TargetFault::NotAHost),
                Some(Place::Behind) => filled.extend(utf8_percent_encode(target, ENCODED)),
                Some(Place::Start) => {
                    own_address(target, false)?;
                    filled.push_str(target);
                }
            }
        }
        let Some(dots) = self.dots else {
            return own_address(&filled, false);
        };
        resolve(&filled).map_err(|why| TargetFault::NotAUrl(why.to_string()))?;
        match dot_segments(&filled) == dots {
            true => Ok(filled),
            false => Err(TargetFault::Escapes),
        }
    }
}

/// How many segments of the path mean another one. Encoding doesn't take that meaning away.
fn dot_segments(url: &str) -> usize {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let segments = path.split('/');
    segments
        .map(|segment| segment.to_ascii_lowercase().replace("%2e", "."))
        .filter(|segment| matches!(segment.as_str(), "." | ".."))
        .count()
}

/// The URL, a relative one as on some host.
fn resolve(text: &str) -> Result<Url, url::ParseError> {
    match Url::parse(text) {
        Err(url::ParseError::RelativeUrlWithoutBase) => Url::parse("http://host/")?.join(text),
        parsed => parsed,
    }
}

/// Where in a URL an offset is.
fn place(text: &str, offset: usize) -> Result<Place, Error> {
    if offset == 0 {
        return Ok(match text.strip_prefix(PLACEHOLDER) {
            Some(rest) if !rest.is_empty() && !rest.starts_with(['/', '?', '#']) => {
                return Err(Error::BadRequest {
                    what: format!("after a {PLACEHOLDER} that begins the URL comes /, ? or #"),
                });
            }
            _ => Place::Start,
        });
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok(Place::Behind);
    };
    if scheme.contains(['/', '?', '#']) {
        return Ok(Place::Behind);
    }
    if offset < scheme.len() {
        return Err(Error::BadRequest {
            what: format!("{PLACEHOLDER} can't stand for a part of the scheme"),
        });
    }
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Ok(match offset < scheme.len() + "://".len() + authority {
        true => Place::Authority,
        false => Place::Behind,
    })
}

/// A host's name or address, with a port perhaps, or a part of a name.
fn is_host(text: &str) -> bool {
    let fits = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    !text.is_empty() && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_target_is_encoded_for_its_place() {
        check(
            "http://h/i/{target}",
            "a/b c?d#e%",
            Ok("http://h/i/a%2Fb%20c%3Fd%23e%25"),
        );
        check(
            "http://h/?q={target}&x=1",
            "a&b=c+d",
            Ok("http://h/?q=a%26b%3Dc%2Bd&x=1"),
        );
        check("http://h/#{target}", "é", Ok("http://h/#%C3%A9"));
        check("/i/{target}/{target}", "7", Ok("/i/7/7"));
        check("i?id={target}", "../x", Ok("i?id=..%2Fx"));
        check(
            "http://{target}/x",
            "a.example:8080",
            Ok("http://a.example:8080/x"),
        );
        check(
            "https://{target}.example",
            "bücher",
            Ok("https://bücher.example"),
        );
        check("http://h:{target}/", "81", Ok("http://h:81/"));
        check("{target}/robots.txt", "http://h", Ok("http://h/robots.txt"));
        check("http://h/fixed", "a", Ok("http://h/fixed"));
    }

    #[test]
    fn a_target_stays_in_its_place() {
        check("http://h/i/{target}", "..", Err(TargetFault::Escapes));
        check("http://h/i/{target}?q", ".", Err(TargetFault::Escapes));
        check("http://h/i/%2E{target}", ".", Err(TargetFault::Escapes));
        check("http://h/i?q={target}", "..", Ok("http://h/i?q=.."));
        check("http://h/v{target}", "..", Ok("http://h/v.."));
        check("/a/{target}/b", "..", Err(TargetFault::Escapes));
        for host in ["a/b", "a@b", "a?b", "a#b", "a\\b", "a b", "a%2fb"] {
            check("http://{target}/", host, Err(TargetFault::NotAHost));
        }
        check(
            "http://h:{target}/",
            "x",
            Err(TargetFault::NotAUrl("invalid port number".into())),
        );
        check("{target}/x", "http://ada:pw@h", Err(TargetFault::Secret));
    }

    #[test]
    fn a_template_that_makes_no_url_is_refused() {
        for (text, words) in [
            ("http://ada:pw@{target}/", "user or password"),
            ("http://[{target}/", "isn't a URL"),
            ("ftp://h/{target}", "http or https"),
            ("ht{target}://h/", "scheme"),
            ("{target}.example/", "comes /, ? or #"),
        ] {
            let error = Template::get().url(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_target_without_a_template_is_a_url() {
        let address = |line: &str| {
            let target = Target::parse(line.as_bytes()).unwrap().unwrap();
            Template::get().address(&target)
        };
        assert_eq!(address("http://h/x").unwrap(), "http://h/x");
        assert_eq!(
            address(r#"{"target":1,"url":"http://h/"}"#).unwrap(),
            "http://h/"
        );
        assert_eq!(address("http://a:b@h/"), Err(TargetFault::Secret));
        assert!(matches!(address("17"), Err(TargetFault::NotAUrl(_))));
        assert!(matches!(
            address("mailto:a@b"),
            Err(TargetFault::NotAUrl(_))
        ));
    }

    #[test]
    fn a_template_without_a_place_is_known() {
        let fixed = || Template::get().url("http://h/").unwrap();
        assert!(!fixed().has_place());
        assert!(!fixed().header("A", "b").bytes("{target}").has_place());
        assert!(Template::get().has_place());
        assert!(fixed().header("A", "{target}").has_place());
        assert!(fixed().query("a", "{target}").has_place());
        assert!(fixed().json(json!({"a": ["{target}"]})).has_place());
        assert!(fixed().text("<{target}>").has_place());
    }

    #[test]
    fn an_outline_has_no_header_values() {
        let template = Template::get().header("Authorization", "Bearer hunter2");
        assert!(!template.outline().contains("hunter2"));
        assert_ne!(template.outline(), Template::get().outline());
    }

    #[track_caller]
    fn check(template: &str, target: &str, expected: Result<&str, TargetFault>) {
        let template = UrlTemplate::parse(template).unwrap();
        let filled = template.fill(target);
        assert_eq!(filled, expected.map(str::to_owned), "{target}");
    }
}
