//! Fills a login form and writes the request that a browser would send.
//!
//! Sending is the caller's; so are the standard headers beside those that the
//! form itself calls for.

use std::fmt;

use encoding_rs::{Encoding, UTF_8};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::find::{LoginForm, LoginKind};
use super::form::{FieldKind, Form, FormEncoding, FormMethod};
use super::score::joined_code;
use super::tokens::{TokenSource, is_token_name};
use super::words;
use crate::secret::Secret;

/// What to write into a login form.
#[derive(Clone, Copy, Default)]
pub struct Filled<'a> {
    code: Option<&'a str>,
    /// What else is filled in, by the field's name.
    inputs: &'a [(String, Secret<String>)],
    password: Option<&'a str>,
    trusts_device: bool,
    user: Option<&'a str>,
}

impl<'a> Filled<'a> {
    /// A name and a password.
    pub fn new(user: &'a str, password: &'a str) -> Self {
        Self {
            password: Some(password),
            trusts_device: false,
            user: Some(user),
            ..Self::default()
        }
    }

    /// A name alone.
    pub fn without_password(user: &'a str) -> Self {
        Self {
            user: Some(user),
            ..Self::default()
        }
    }

    /// The same with other fields filled in, by their names.
    pub(crate) fn with_inputs(self, inputs: &'a [(String, Secret<String>)]) -> Self {
        Self { inputs, ..self }
    }

    /// The same with a code of a second factor.
    #[must_use]
    pub fn with_code(self, code: &'a str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    /// The same with the box ticked by which the site asks for no code on this device again.
    #[must_use]
    pub fn trusting_device(self) -> Self {
        Self {
            trusts_device: true,
            ..self
        }
    }
}

impl fmt::Debug for Filled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filled([secret])")
    }
}

/// The request that sends a filled form.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Submission {
    /// The body; empty for a GET.
    pub body: Secret<Vec<u8>>,
    /// The `Content-Type` of the body; `None` for a GET.
    pub content_type: Option<String>,
    /// Headers that carry a token.
    pub headers: Vec<(String, Secret<String>)>,
    /// GET or POST.
    pub method: FormMethod,
    /// What was done beyond filling in, in words.
    pub notes: Vec<String>,
    /// The `Origin` a browser would name.
    pub origin: String,
    /// The page the form stands on, for `Referer`.
    pub referer: Url,
    /// Where it goes.
    pub url: Url,
}

/// Why a form is not filled and sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FillError {
    /// The code has more or fewer digits than the form has boxes for it.
    CodeLength {
        /// How many boxes there are.
        boxes: usize,
    },
    /// A page over TLS would have the password sent without.
    Downgrade,
    /// The form asks for something that was not given.
    Missing(Wanted),
    /// The form has no address that can be sent to.
    NoAddress,
    /// The form would write the password into the URL.
    PasswordInUrl,
}

/// What a form asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Wanted {
    /// A code of a second factor.
    Code,
    /// The password.
    Password,
    /// The user name.
    User,
}

impl fmt::Display for FillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CodeLength { boxes } => {
                return write!(f, "the login form has {boxes} boxes for the code's digits");
            }
            Self::Downgrade => {
                "the login form leads from https to http: the password would travel in the clear"
            }
            Self::Missing(Wanted::Code) => {
                "the login form asks for a code of a second factor; give one, or its TOTP secret"
            }
            Self::Missing(Wanted::Password) => "the login form asks for a password; give one",
            Self::Missing(Wanted::User) => "the login form asks for a user name; give one",
            Self::NoAddress => "the login form has no address that can be sent to",
            Self::PasswordInUrl => {
                "the login form is a GET: the password would stand in the URL and in every log"
            }
        })
    }
}

impl std::error::Error for FillError {}

impl LoginForm {
    /// Writes the request that sends this form filled with `filled`.
    ///
    /// `cookies` are the names and values the form's address would get: some
    /// sites keep their token against forged requests in one.
    pub fn submission(
        &self,
        filled: &Filled<'_>,
        cookies: &[(&str, &str)],
    ) -> Result<Submission, FillError> {
        let button = self.submit.and_then(|at| self.form.submits.get(at));
        let pick = |own: Option<FormMethod>| own.unwrap_or(self.form.method);
        let method = pick(button.and_then(|button| button.method));
        let own = button.and_then(|button| button.encoding);
        let encoding = own.unwrap_or(self.form.encoding);
        let action = button.and_then(|button| button.action.as_ref());
        let url = action
            .or(self.form.action.as_ref())
            .ok_or(FillError::NoAddress)?;
        if method == FormMethod::Get && self.password_field.is_some() {
            return Err(FillError::PasswordInUrl);
        }
        if self.page_url.scheme() == "https" && url.scheme() == "http" {
            return Err(FillError::Downgrade);
        }
        let mut draft = Draft::default();
        self.write_fields(filled, &mut draft)?;
        // What this site keeps in a cookie against forged requests is no other site's business.
        let is_at_home = url.origin() == self.page_url.origin();
        self.write_tokens(if is_at_home { cookies } else { &[] }, &mut draft);
        if let Some(button) = button {
            draft.entries.extend(button.entries());
        }
        if url.origin() != self.page_url.origin() {
            let host = url.host_str().unwrap_or_default();
            draft
                .notes
                .push(format!("the form is sent to another site, {host}"));
        }
        let charset = Encoding::for_label(self.form.charset.as_bytes()).unwrap_or(UTF_8);
        Ok(self.write(draft, charset, (method, encoding, url)))
    }

    fn write_fields(&self, filled: &Filled<'_>, draft: &mut Draft) -> Result<(), FillError> {
        let mut given = Vec::new();
        for (field, value, wanted) in [
            (self.user_field, filled.user, Wanted::User),
            (self.password_field, filled.password, Wanted::Password),
            (self.code_field, filled.code, Wanted::Code),
        ] {
            let Some(at) = field else { continue };
            let is_optional = wanted == Wanted::Code && self.password_field.is_some();
            match value {
                Some(value) => given.push((at, value)),
                None if is_optional && !self.form.fields[at].is_required => {}
                None => return Err(FillError::Missing(wanted)),
            }
        }
        given.retain(|(at, _)| !self.code_boxes.contains(at));
        let digits = self.digits(filled.code)?;
        let digits = digits.iter().map(|(at, digit)| (*at, digit.as_str()));
        given.extend(digits);
        if filled.code.is_some() {
            given.extend(self.device());
        }
        let remembered = self.remember_box(filled.trusts_device);
        for (at, name, value) in with_box(&self.form, remembered) {
            let given = given.iter().find(|(field, _)| *field == at);
            let value = given.map_or(value, |(_, given)| (*given).to_owned());
            if !filled.inputs.iter().any(|(own, _)| *own == name) {
                draft.entries.push((name, value));
            }
        }
        for (name, value) in filled.inputs {
            draft.entries.push((name.clone(), value.expose().clone()));
        }
        if let Some(at) = remembered {
            let name = &self.form.fields[at].name;
            draft
                .notes
                .push(format!("`{name}` is ticked, for a session that lasts"));
        }
        Ok(())
    }

    /// What goes into the boxes of a code that is typed digit by digit.
    fn digits(&self, code: Option<&str>) -> Result<Vec<(usize, Zeroizing<String>)>, FillError> {
        let boxes = self.code_boxes.len();
        let Some(code) = code.filter(|_| boxes > 0) else {
            return Ok(Vec::new());
        };
        if code.chars().count() != boxes {
            return Err(FillError::CodeLength { boxes });
        }
        let digits = code.chars().map(|digit| Zeroizing::new(digit.to_string()));
        let mut filled: Vec<_> = self.code_boxes.iter().copied().zip(digits).collect();
        if let Some(at) = joined_code(&self.form, &self.code_boxes) {
            filled.push((at, Zeroizing::new(code.to_owned())));
        }
        Ok(filled)
    }

    /// The device that the code is of, where a list asks for it and offers no other.
    fn device(&self) -> Option<(usize, &str)> {
        let fields = self.form.fields.iter().enumerate();
        let mut devices = fields.filter_map(|(at, field)| {
            let FieldKind::Select { chosen, offered } = &field.kind else {
                return None;
            };
            let is_open = chosen.iter().all(String::is_empty);
            let mut named = offered.iter().filter(|value| !value.is_empty());
            match (is_open, named.next(), named.next()) {
                (true, Some(only), None) => Some((at, only.as_str())),
                _ => None,
            }
        });
        devices.next()
    }

    /// A box that makes the session last, not ticked by the page. Beside a code it makes the site
    /// ask for no code the next time, which weakens the login: that is asked for.
    fn remember_box(&self, trusts_device: bool) -> Option<usize> {
        let is_beside_code = self.kind == LoginKind::OneTimeCode;
        if is_beside_code && !trusts_device {
            return None;
        }
        self.form.fields.iter().position(|field| {
            let said = format!("{} {}", field.names(), field.label.to_lowercase());
            field.kind == (FieldKind::CheckBox { checked: false })
                && !field.name.is_empty()
                && (words::has(&said, words::REMEMBER)
                    || (is_beside_code && words::has(&said, words::TRUST)))
        })
    }

    /// Sends along a token that a script would have put into the form.
    fn write_tokens(&self, cookies: &[(&str, &str)], draft: &mut Draft) {
        let is_token = |name: &String, value: &String| is_token_name(name) && !value.is_empty();
        if draft
            .entries
            .iter()
            .any(|(name, value)| is_token(name, value))
        {
            return;
        }
        let Some(token) = self.token(cookies) else {
            return;
        };
        let empty = draft
            .entries
            .iter_mut()
            .find(|(name, _)| is_token_name(name));
        if let Some((name, value)) = empty {
            value.clone_from(&token.value);
            draft
                .notes
                .push(format!("token {} goes into `{name}`", token.whence));
        } else {
            for name in &token.fields {
                draft.entries.push((name.clone(), token.value.clone()));
            }
            draft
                .notes
                .push(format!("token {} is sent along", token.whence));
        }
        for header in &token.headers {
            draft
                .headers
                .push((header.clone(), Secret::new(token.value.clone())));
        }
    }

    fn token(&self, cookies: &[(&str, &str)]) -> Option<Chosen> {
        let on_page = self.tokens.iter().min_by_key(|token| match token.source {
            TokenSource::Meta => 0,
            TokenSource::Attribute => 1,
            TokenSource::Script => 2,
        });
        if let Some(token) = on_page {
            let (mut fields, headers) = self.token_targets(&token.name);
            if fields.is_empty() {
                fields = field_names(&token.name);
            }
            return Some(Chosen {
                fields,
                headers,
                value: token.value.expose().clone(),
                whence: format!("`{}` of the page", token.name),
            });
        }
        let (name, value) = cookies.iter().find(|(name, _)| is_token_name(name))?;
        let (fields, headers) = match name.to_ascii_lowercase().as_str() {
            "csrftoken" => (
                vec!["csrfmiddlewaretoken".to_owned()],
                vec!["X-CSRFToken".to_owned()],
            ),
            "xsrf-token" => (Vec::new(), vec!["X-XSRF-TOKEN".to_owned()]),
            _ => (vec![(*name).to_owned()], vec!["X-CSRF-Token".to_owned()]),
        };
        // The scripts that copy a cookie into a header decode it first.
        let value = percent_decoded(value);
        Some(Chosen {
            fields,
            headers,
            value,
            whence: format!("of the cookie `{name}`"),
        })
    }

    /// The fields and headers that the page's scripts name for their token.
    fn token_targets(&self, name: &str) -> (Vec<String>, Vec<String>) {
        let is_header = |name: &&String| name.to_ascii_lowercase().starts_with("x-");
        let named = |wanted: bool| {
            let names = self.token_names.iter();
            names.filter(move |name| is_header(name) == wanted).cloned()
        };
        let fields: Vec<String> = named(false).filter(|field| field != name).collect();
        let mut headers: Vec<String> = named(true).collect();
        if headers.is_empty() {
            headers.push("X-CSRF-Token".to_owned());
        }
        (fields, headers)
    }

    fn write(
        &self,
        draft: Draft,
        charset: &'static Encoding,
        target: (FormMethod, FormEncoding, &Url),
    ) -> Submission {
        let (method, encoding, url) = target;
        let mut url = url.clone();
        let (content_type, body) = match (method, encoding) {
            (FormMethod::Get, _) => {
                url.set_query(Some(&urlencoded(&draft.entries, charset)));
                (None, Vec::new())
            }
            (FormMethod::Post, FormEncoding::Multipart) => multipart(&self.form, &draft, charset),
            (FormMethod::Post, FormEncoding::TextPlain) => (
                Some("text/plain".to_owned()),
                text_plain(&draft.entries, charset),
            ),
            (FormMethod::Post, FormEncoding::Urlencoded) => (
                Some("application/x-www-form-urlencoded".to_owned()),
                urlencoded(&draft.entries, charset).into_bytes(),
            ),
        };
        let mut referer = self.page_url.clone();
        referer.set_fragment(None);
        // Only a URL that names no user may be shown to the site.
        let _ = referer.set_username("");
        let _ = referer.set_password(None);
        // Another site learns which site sends the form, not which page: a query may hold a token.
        if url.origin() != referer.origin() {
            referer.set_path("/");
            referer.set_query(None);
        }
        Submission {
            body: Secret::new(body),
            content_type,
            headers: draft.headers,
            method,
            notes: draft.notes,
            origin: self.page_url.origin().ascii_serialization(),
            referer,
            url,
        }
    }
}

#[derive(Default)]
struct Draft {
    entries: Vec<(String, String)>,
    headers: Vec<(String, Secret<String>)>,
    notes: Vec<String>,
}

struct Chosen {
    fields: Vec<String>,
    headers: Vec<String>,
    value: String,
    whence: String,
}

/// The form's entries with one more box ticked, in page order.
fn with_box(form: &Form, ticked: Option<usize>) -> Vec<(usize, String, String)> {
    let mut entries = form.entries();
    if let Some(at) = ticked {
        let field = &form.fields[at];
        let place = entries.partition_point(|(other, _, _)| *other < at);
        entries.insert(place, (at, field.name.clone(), field.value.clone()));
    }
    entries
}

/// `csrfToken` is sent by scripts as it is or as `csrf_token`.
fn field_names(name: &str) -> Vec<String> {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(if c == '-' {
            '_'
        } else {
            c.to_ascii_lowercase()
        });
    }
    let plain = name
        .eq_ignore_ascii_case("csrf-token")
        .then(|| "_token".to_owned());
    let mut names = vec![name.to_owned()];
    names.extend((snake != name).then_some(snake));
    names.extend(plain);
    names
}

fn percent_decoded(value: &str) -> String {
    // A lone plus is itself in a cookie; only percent signs are escapes.
    let escaped = format!("v={}", value.replace('+', "%2B").replace('&', "%26"));
    let decoded = form_urlencoded::parse(escaped.as_bytes()).next();
    decoded.map_or_else(|| value.to_owned(), |(_, value)| value.into_owned())
}

/// Line ends as forms send them.
fn crlf(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .replace('\n', "\r\n")
}

fn urlencoded(entries: &[(String, String)], charset: &'static Encoding) -> String {
    let encode = |text: &str| {
        let text = crlf(text);
        // What the encoding has no letter for goes out as a character reference.
        let (bytes, _, _) = charset.encode(&text);
        form_urlencoded::byte_serialize(&bytes).collect::<String>()
    };
    let pairs = entries
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn text_plain(entries: &[(String, String)], charset: &'static Encoding) -> Vec<u8> {
    let lines = entries
        .iter()
        .map(|(name, value)| format!("{}={}\r\n", crlf(name), crlf(value)));
    charset.encode(&lines.collect::<String>()).0.into_owned()
}

fn multipart(form: &Form, draft: &Draft, charset: &'static Encoding) -> (Option<String>, Vec<u8>) {
    let is_file = |name: &str| {
        let mut fields = form.fields.iter();
        fields.any(|field| field.kind == FieldKind::File && field.name == name)
    };
    let mut parts = Vec::new();
    for (name, value) in &draft.entries {
        let escaped = crlf(name).replace("\r\n", "%0D%0A").replace('"', "%22");
        let file = if is_file(name) {
            "; filename=\"\"\r\nContent-Type: application/octet-stream"
        } else {
            ""
        };
        let head = format!("Content-Disposition: form-data; name=\"{escaped}\"{file}\r\n\r\n");
        let text = format!("{head}{}\r\n", crlf(value));
        parts.push(charset.encode(&text).0.into_owned());
    }
    let boundary = boundary(&parts);
    let mut body = Vec::new();
    for part in &parts {
        body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        body.extend_from_slice(part);
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (
        Some(format!("multipart/form-data; boundary={boundary}")),
        body,
    )
}

/// A line that stands in none of the parts.
fn boundary(parts: &[Vec<u8>]) -> String {
    let mut number = 0;
    loop {
        let boundary = format!("----FormBoundary{number:016}");
        let is_inside = |part: &Vec<u8>| {
            part.windows(boundary.len())
                .any(|seen| seen == boundary.as_bytes())
        };
        if !parts.iter().any(is_inside) {
            return boundary;
        }
        number += 1;
    }
}
