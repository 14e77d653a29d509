//! From a target to its request: where `{target}` stands, the target goes in.
//!
//! In a path, a query or a fragment it is percent-encoded, so that it can't change anything around
//! it; as a host it has to be one (`address`). In headers, fields and texts it goes in as it is.

mod address;

use std::path::PathBuf;

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::target::{Target, TargetFault};
use crate::error::Error;
use crate::session::{Multipart, Part, Request};

use address::{UrlTemplate, own_address};

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
            url.as_str().split(['?', '#']).next().unwrap_or_default()
        });
        format!("{} {url}", self.method)
    }

    /// What tells one template from another: no values of headers, which may be secrets.
    pub(super) fn outline(&self) -> String {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let url = self.url.as_ref().map(UrlTemplate::as_str);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
}
