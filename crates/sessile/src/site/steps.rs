//! `kind = "steps"`: requests one after the other, for everything else.

use std::collections::BTreeMap;

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::check;
use super::login::COMMON;
use super::pattern::{Css, JsonPath, Regex};
use super::read::{Entry, Placeholders, Table};
use super::schema::{Key, Section};
use super::template::{JsonTemplate, Template, Values, is_name};
use super::token::{self, TokenPlace};

/// A login by requests one after the other.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StepsLogin {
    /// Where the first step goes.
    pub url: Url,
    /// At least one.
    pub steps: Vec<Step>,
    /// The token, made of what was captured; `None` where cookies are the login.
    pub token: Option<Template>,
    /// Where the token goes.
    pub into: TokenPlace,
}

/// One request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// What it is called in messages.
    pub name: Option<String>,
    /// Its method.
    pub method: Method,
    /// Where it goes.
    pub url: UrlTemplate,
    /// Headers beside the usual ones.
    pub headers: Vec<(String, Template)>,
    /// What is sent.
    pub body: StepBody,
    /// Whether redirects are followed.
    pub follow: bool,
    /// What is kept of the reply, by name.
    pub capture: Vec<(String, Capture)>,
    /// What the reply must be like.
    pub expect: Expectation,
}

/// What a request sends.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StepBody {
    /// Fields of a form.
    Form(Vec<(String, Template)>),
    /// JSON.
    Json(JsonTemplate),
    /// Nothing.
    Nothing,
    /// A text, of the type that the headers name.
    Text(Template),
}

/// A value taken out of a reply.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Capture {
    /// Where it is.
    pub from: CaptureFrom,
}

/// Where a value is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CaptureFrom {
    /// In a cookie of the session.
    Cookie(String),
    /// In an element: its attribute, or its text.
    Css(Css, Option<String>),
    /// In a header.
    Header(String),
    /// In the reply's JSON.
    JsonPath(JsonPath),
    /// Where a regular expression's first group is.
    Regex(Regex),
}

/// What a reply must be like.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Expectation {
    /// Its status; any below 400 where there are none.
    pub status: Vec<u16>,
    /// Where the request ends, or where the reply leads where redirects aren't followed.
    pub redirect: Option<String>,
    /// What the page says.
    pub text: Vec<String>,
    /// What the page doesn't say.
    pub no_text: Vec<String>,
    /// Elements that the page has.
    pub css: Vec<Css>,
}

/// An address with placeholders.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UrlTemplate {
    template: Template,
    base: Option<Url>,
}

impl Step {
    /// Whether a placeholder of this name is in its request.
    pub fn asks_for(&self, name: &str) -> bool {
        let in_body = match &self.body {
            StepBody::Form(fields) => fields.iter().any(|(_, value)| value.asks_for(name)),
            StepBody::Json(json) => json.asks_for(name),
            StepBody::Nothing => false,
            StepBody::Text(text) => text.asks_for(name),
        };
        let mut headers = self.headers.iter();
        in_body || headers.any(|(_, value)| value.asks_for(name)) || self.url.asks_for(name)
    }
}

/// What is written as it is in an address; everything else of a value is encoded.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl UrlTemplate {
    /// Whether a placeholder of this name is in it.
    pub fn asks_for(&self, name: &str) -> bool {
        self.template.asks_for(name)
    }

    /// The address, with its placeholders filled in and encoded. A template that is one placeholder
    /// and nothing else is an address by itself, from where `here` is.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub fn fill(&self, values: &Values<'_>, here: Option<&Url>) -> Result<Url, String> {
        let missing = |name: String| format!("there is no {{{name}}}");
        if self.template.is_placeholder() {
            let text = self.template.fill(values).map_err(missing)?;
            let base = here.or(self.base.as_ref());
            return join(base, text.expose());
        }
        let encode = |value: &str| utf8_percent_encode(value, KEPT).to_string();
        let text = self.template.fill_with(values, encode).map_err(missing)?;
        join(self.base.as_ref(), text.expose())
    }
}

fn join(base: Option<&Url>, text: &str) -> Result<Url, String> {
    let url = match base {
        Some(base) => base.join(text),
        None => Url::parse(text),
    };
    let url = url.map_err(|fault| format!("the address can't be used: {fault}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!("the address starts with {other}:")),
    }
}

pub(super) const FIXED: &[&str] = &["user", "password", "otp"];

pub(super) fn read(table: &Table<'_>, base: Option<&Url>) -> Option<StepsLogin> {
    let mut captured = Vec::new();
    let mut steps = Vec::new();
    let entry = table.need("steps");
    let tables = entry.map(|entry| entry.tables(&STEP)).unwrap_or_default();
    if let Some(entry) = entry.filter(|_| tables.is_empty()) {
        entry.refuse("`steps` has no step");
    }
    for step in &tables {
        steps.push(read_step(step, base, FIXED, &mut captured));
    }
    let token = table.get("token");
    let into = token::read_into(table, token.is_some());
    let known = Placeholders {
        fixed: &[],
        captured: &captured,
    };
    let token = match token {
        Some(entry) => Some(entry.template(known)?),
        None => None,
    };
    let steps: Vec<Step> = steps.into_iter().collect::<Option<_>>()?;
    let url = start(tables.first()?, &steps.first()?.url)?;
    Some(StepsLogin {
        url,
        steps,
        token,
        into: into?,
    })
}

/// Where the first step goes, as far as that is known before anybody logs in.
fn start(table: &Table<'_>, url: &UrlTemplate) -> Option<Url> {
    let nobody = Values {
        user: "",
        password: None,
        otp: None,
        captured: &BTreeMap::new(),
    };
    let is_known = |name| name == "user";
    let entry = table.get("url")?;
    if !url.template.names().all(is_known) {
        entry.refuse("the first address can have no placeholder but {user}");
        return None;
    }
    url.fill(&nobody, None)
        .map_err(|why| entry.refuse(why))
        .ok()
}

/// Reads a step; what it captures is added to what is known.
pub(super) fn read_step(
    table: &Table<'_>,
    base: Option<&Url>,
    fixed: &'static [&'static str],
    captured: &mut Vec<String>,
) -> Option<Step> {
    let known = Placeholders { fixed, captured };
    let name = table.get("name").and_then(|entry| entry.text());
    let headers = table.get("headers").map(|entry| entry.headers(known));
    let body = read_body(table, known);
    let method = method(table, body.as_ref());
    let url = table
        .need("url")
        .and_then(|entry| read_url(&entry, base, known));
    let follow = table.get("follow").map(|entry| entry.boolean());
    let expect = table.get("expect").map(|entry| read_expect(&entry));
    // What this step captures is known from the next one on.
    let capture = table.get("capture");
    let capture = capture.map(|entry| read_captures(&entry, fixed, captured));
    Some(Step {
        name: name.map(str::to_owned),
        method: method?,
        url: url?,
        headers: headers.unwrap_or_default(),
        body: body?,
        follow: follow.unwrap_or(Some(true))?,
        capture: capture.unwrap_or(Some(Vec::new()))?,
        expect: expect.unwrap_or(Some(Expectation::default()))?,
    })
}

/// Reads captures by name and adds the names to what is known.
pub(super) fn read_captures(
    entry: &Entry<'_>,
    fixed: &[&str],
    captured: &mut Vec<String>,
) -> Option<Vec<(String, Capture)>> {
    let mut captures = Vec::new();
    for entry in entry.free_table().unwrap_or_default() {
        let read = read_capture(&entry, fixed);
        if !captured.iter().any(|known| known == entry.key) {
            captured.push(entry.key.to_owned());
        }
        captures.push(read.map(|read| (entry.key.to_owned(), read)));
    }
    captures.into_iter().collect()
}

pub(super) fn read_url(
    entry: &Entry<'_>,
    base: Option<&Url>,
    known: Placeholders<'_>,
) -> Option<UrlTemplate> {
    let template = entry.template(known)?;
    if !template.names().all(|name| known.knows(name)) {
        return None;
    }
    if template.asks_for("password") {
        entry.refuse("the password would stand in the address, and in every log");
        return None;
    }
    // One without placeholders shows now what is wrong with it.
    if template.names().next().is_none() {
        entry.url(base)?;
    }
    Some(UrlTemplate {
        template,
        base: base.cloned(),
    })
}

/// The body; `None` where it was noted that it can't be read.
fn read_body(table: &Table<'_>, known: Placeholders<'_>) -> Option<StepBody> {
    let form = table.get("form");
    let json = table.get("json");
    let text = table.get("body");
    let given: Vec<Entry<'_>> = [form, json, text].into_iter().flatten().collect();
    if let [_, second, ..] = given.as_slice() {
        let hint = "write one of `form`, `json` and `body`";
        second.refuse_key("a step sends one body", hint);
        return None;
    }
    Some(match (form, json, text) {
        (Some(entry), _, _) => StepBody::Form(entry.templates(known)),
        (_, Some(entry), _) => StepBody::Json(entry.json(known)?),
        (_, _, Some(entry)) => StepBody::Text(entry.template(known)?),
        (None, None, None) => StepBody::Nothing,
    })
}

/// POST where something is sent, else GET, unless the file says otherwise.
fn method(table: &Table<'_>, body: Option<&StepBody>) -> Option<Method> {
    const METHODS: [(&str, u8); 7] = [
        ("GET", 0),
        ("POST", 1),
        ("PUT", 2),
        ("PATCH", 3),
        ("DELETE", 4),
        ("HEAD", 5),
        ("OPTIONS", 6),
    ];
    let Some(entry) = table.get("method") else {
        return Some(match body {
            None | Some(StepBody::Nothing) => Method::GET,
            Some(StepBody::Form(_) | StepBody::Json(_) | StepBody::Text(_)) => Method::POST,
        });
    };
    entry.word(&METHODS)?;
    Method::from_bytes(entry.text()?.as_bytes()).ok()
}

fn read_capture(entry: &Entry<'_>, fixed: &[&str]) -> Option<Capture> {
    if fixed.contains(&entry.key) || !is_name(entry.key) {
        entry.refuse_key(
            format!("`{}` can't be the name of a capture", entry.key),
            format!(
                "use letters, digits and `_`, and none of `{}`",
                fixed.join("`, `")
            ),
        );
        return None;
    }
    let table = entry.table(&CAPTURE)?;
    let given: Vec<Entry<'_>> = table
        .entries()
        .into_iter()
        .filter(|entry| SOURCES.contains(&entry.key))
        .collect();
    let [source] = given.as_slice() else {
        let message = format!("the capture `{}` needs one place to look", entry.key);
        table.refuse(
            message,
            "write one of `css`, `jsonpath`, `regex`, `header`, `cookie`",
        );
        return None;
    };
    let attribute = table.get("attribute");
    if let Some(attribute) = attribute.filter(|_| source.key != "css") {
        attribute.refuse_key("`attribute` goes with `css`", "leave it out");
        return None;
    }
    let attribute = attribute.and_then(|entry| entry.text());
    let from = match source.key {
        "css" => CaptureFrom::Css(source.css()?, attribute.map(str::to_owned)),
        "jsonpath" => CaptureFrom::JsonPath(source.json_path()?),
        "regex" => CaptureFrom::Regex(source.regex()?),
        "header" => CaptureFrom::Header(source.header_name()?),
        _ => CaptureFrom::Cookie(source.text()?.to_owned()),
    };
    Some(Capture { from })
}

const SOURCES: [&str; 5] = ["cookie", "css", "header", "jsonpath", "regex"];

fn read_expect(entry: &Entry<'_>) -> Option<Expectation> {
    let table = entry.table(&EXPECT)?;
    let texts = |key| {
        let entry = table.get(key);
        let texts = entry.map(|entry| entry.one_or_more(|item| item.text().map(str::to_owned)));
        texts.unwrap_or_default()
    };
    let status = table.get("status");
    let css = table.get("css");
    Some(Expectation {
        status: status
            .map(|entry| entry.one_or_more(check::status))
            .unwrap_or_default(),
        redirect: table.get("redirect").and_then(|entry| check::path(&entry)),
        text: texts("text"),
        no_text: texts("no_text"),
        css: css
            .map(|entry| entry.one_or_more(Entry::css))
            .unwrap_or_default(),
    })
}

pub(super) static SECTION: Section = Section {
    title: "[login] of kind `steps`",
    about: "Requests one after the other, for everything else.",
    keys: &[
        COMMON,
        &[
            Key {
                name: "steps",
                takes: "list of tables",
                default: "required",
                about: "The requests.",
                example: "[[login.steps]]",
            },
            Key {
                name: "token",
                takes: "text with placeholders",
                default: "the site's cookies are the login",
                about: "A token, made of what was captured.",
                example: "token = \"{access}\"",
            },
            token::INTO,
        ],
    ],
};

pub(super) static STEP: Section = Section {
    title: "[[login.steps]]",
    about: "One request. `{user}`, `{password}`, `{otp}` and what earlier steps captured are filled \
            in; `{{` and `}}` stand for braces. Every value is written by the rules of its place: a \
            quote in a password doesn't break JSON, nor an `&` a form.",
    keys: &[STEP_KEYS],
};

/// The keys of a request, whatever it is for.
pub(super) const STEP_KEYS: &[Key] = &[
    Key {
        name: "name",
        takes: "text",
        default: "its number",
        about: "What the step is called in messages.",
        example: "name = \"open the form\"",
    },
    Key {
        name: "url",
        takes: "address with placeholders",
        default: "required",
        about: "Where the request goes. One placeholder alone is an address that was captured.",
        example: "url = \"/session/{id}\"",
    },
    Key {
        name: "method",
        takes: "`GET`, `POST`, `PUT`, `PATCH`, `DELETE`, `HEAD`, `OPTIONS`",
        default: "`POST` with a body, else `GET`",
        about: "Its method.",
        example: "method = \"PUT\"",
    },
    Key {
        name: "headers",
        takes: "table of texts with placeholders",
        default: "none",
        about: "Headers beside the usual ones.",
        example: "headers = { X-CSRF-Token = \"{csrf}\" }",
    },
    Key {
        name: "form",
        takes: "table of texts with placeholders",
        default: "nothing is sent",
        about: "Fields of a form.",
        example: "form = { name = \"{user}\", word = \"{password}\" }",
    },
    Key {
        name: "json",
        takes: "anything, texts with placeholders",
        default: "nothing is sent",
        about: "JSON.",
        example: "json = { user = \"{user}\", password = \"{password}\" }",
    },
    Key {
        name: "body",
        takes: "text with placeholders",
        default: "nothing is sent",
        about: "A text as it is; name its type with a `Content-Type` header.",
        example: "body = \"<login>{user}</login>\"",
    },
    Key {
        name: "follow",
        takes: "true or false",
        default: "`true`",
        about: "Whether redirects are followed.",
        example: "follow = false",
    },
    Key {
        name: "capture",
        takes: "table of captures",
        default: "none",
        about: "What is kept of the reply, by name.",
        example: "capture.csrf = { css = \"meta[name=csrf]\", attribute = \"content\" }",
    },
    Key {
        name: "expect",
        takes: "table",
        default: "a status below 400",
        about: "What the reply must be like.",
        example: "expect = { status = 200, text = \"Welcome\" }",
    },
];

pub(super) static CAPTURE: Section = Section {
    title: "[login.steps.capture]",
    about: "One value of a reply, by a name of its own. Exactly one place to look.",
    keys: &[&[
        Key {
            name: "css",
            takes: "selector",
            default: "",
            about: "In the first such element.",
            example: "css = \"meta[name=csrf]\"",
        },
        Key {
            name: "attribute",
            takes: "text",
            default: "the element's text",
            about: "Which attribute of that element.",
            example: "attribute = \"content\"",
        },
        Key {
            name: "jsonpath",
            takes: "JSONPath",
            default: "",
            about: "In the reply's JSON.",
            example: "jsonpath = \"$.csrf\"",
        },
        Key {
            name: "regex",
            takes: "regular expression",
            default: "",
            about: "What its first group catches.",
            example: "regex = 'nonce: \"([^\"]+)\"'",
        },
        Key {
            name: "header",
            takes: "text",
            default: "",
            about: "In this header of the reply.",
            example: "header = \"X-CSRF-Token\"",
        },
        Key {
            name: "cookie",
            takes: "text",
            default: "",
            about: "In this cookie of the session.",
            example: "cookie = \"XSRF-TOKEN\"",
        },
    ]],
};

pub(super) static EXPECT: Section = Section {
    title: "[login.steps.expect]",
    about: "What the reply must be like; all of it.",
    keys: &[&[
        Key {
            name: "status",
            takes: "number or list of numbers",
            default: "below 400",
            about: "The status, or any of them.",
            example: "status = [200, 204]",
        },
        Key {
            name: "redirect",
            takes: "path",
            default: "not looked at",
            about: "Where the request ends; with `follow = false`, where the reply leads.",
            example: "redirect = \"/home\"",
        },
        Key {
            name: "text",
            takes: "text or list of texts",
            default: "not looked at",
            about: "What the page says.",
            example: "text = \"Welcome\"",
        },
        Key {
            name: "no_text",
            takes: "text or list of texts",
            default: "not looked at",
            about: "What the page doesn't say.",
            example: "no_text = \"Wrong password\"",
        },
        Key {
            name: "css",
            takes: "selector or list of selectors",
            default: "not looked at",
            about: "An element that the page has.",
            example: "css = \"a[href='/logout']\"",
        },
    ]],
};
