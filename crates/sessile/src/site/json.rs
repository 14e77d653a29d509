//! `kind = "json"`: a request with JSON, answered by a token or cookies.

use http::Method;
use url::Url;

use super::login::COMMON;
use super::pattern::JsonPath;
use super::read::{CREDENTIALS, Table};
use super::schema::{Key, Section};
use super::template::{JsonTemplate, Template};
use super::token::{self, TokenFrom, TokenPlace};

/// A login by one request with JSON.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct JsonLogin {
    /// Where it goes.
    pub url: Url,
    /// Usually POST.
    pub method: Method,
    /// Headers beside the usual ones.
    pub headers: Vec<(String, Template)>,
    /// What is sent.
    pub body: JsonTemplate,
    /// Where the reply has the token; `None` where its cookies are the login.
    pub token: Option<TokenFrom>,
    /// Where the token goes.
    pub into: TokenPlace,
    /// Where the reply says how many seconds the token lives.
    pub expires_in: Option<JsonPath>,
}

impl JsonLogin {
    /// Whether a placeholder of this name is in the request.
    pub fn asks_for(&self, name: &str) -> bool {
        let mut headers = self.headers.iter();
        self.body.asks_for(name) || headers.any(|(_, value)| value.asks_for(name))
    }
}

pub(super) fn read(table: &Table<'_>, base: Option<&Url>) -> Option<JsonLogin> {
    let method = table.get("method").map(|entry| entry.word(&METHODS));
    let headers = table.get("headers").map(|entry| entry.headers(CREDENTIALS));
    let token = table.get("token");
    let into = token::read_into(table, token.is_some());
    let token = token.and_then(|entry| token::read_from(&entry));
    let expires_in = table.get("expires_in").and_then(|entry| entry.json_path());
    let body = table.need("body").and_then(|entry| {
        entry.free_table()?;
        entry.json(CREDENTIALS)
    });
    let url = table.need("url").and_then(|entry| entry.url(base));
    let method = match method {
        None | Some(Some(Verb::Post)) => Method::POST,
        Some(Some(Verb::Put)) => Method::PUT,
        Some(Some(Verb::Patch)) => Method::PATCH,
        Some(None) => return None,
    };
    Some(JsonLogin {
        url: url?,
        method,
        headers: headers.unwrap_or_default(),
        body: body?,
        token,
        into: into?,
        expires_in,
    })
}

#[derive(Clone, Copy)]
enum Verb {
    Patch,
    Post,
    Put,
}

const METHODS: [(&str, Verb); 3] = [
    ("POST", Verb::Post),
    ("PUT", Verb::Put),
    ("PATCH", Verb::Patch),
];

pub(super) static SECTION: Section = Section {
    title: "[login] of kind `json`",
    about: "One request with JSON, answered by a token or by cookies.",
    keys: &[
        COMMON,
        &[
            Key {
                name: "url",
                takes: "address",
                default: "required",
                about: "Where the request goes.",
                example: "url = \"/api/login\"",
            },
            Key {
                name: "method",
                takes: "`POST`, `PUT`, `PATCH`",
                default: "`POST`",
                about: "Its method.",
                example: "method = \"PUT\"",
            },
            Key {
                name: "headers",
                takes: "table of texts",
                default: "none",
                about: "Headers beside the usual ones.",
                example: "headers = { X-Requested-With = \"XMLHttpRequest\" }",
            },
            Key {
                name: "body",
                takes: "table",
                default: "required",
                about: "What is sent, as JSON; `{user}`, `{password}` and `{otp}` are filled in.",
                example: "body = { user = \"{user}\", password = \"{password}\" }",
            },
            Key {
                name: "token",
                takes: "JSONPath, or `header NAME`",
                default: "the reply's cookies are the login",
                about: "Where the reply has the token.",
                example: "token = \"$.token\"",
            },
            token::INTO,
            Key {
                name: "expires_in",
                takes: "JSONPath",
                default: "the token lives until it is refused",
                about: "Where the reply says how many seconds the token lives.",
                example: "expires_in = \"$.expires_in\"",
            },
        ],
    ],
};
