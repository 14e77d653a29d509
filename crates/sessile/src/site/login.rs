//! `[login]`: which kind it is, and the keys that all kinds share.

use url::Url;

use super::browser::{self, BrowserLogin};
use super::form::{self, FormLogin};
use super::http_auth::{self, BearerLogin, HttpAuthLogin, HttpScheme};
use super::json::{self, JsonLogin};
use super::oauth2;
use super::read::Entry;
use super::schema::{Key, Section};
use super::steps::{self, StepsLogin};
use super::visit::{self, VisitLogin};
use crate::login::oauth2::OAuth2;

/// How a site logs in.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SiteLogin {
    /// A token that is given.
    Bearer(BearerLogin),
    /// A person, in a window.
    Browser(BrowserLogin),
    /// A form on a page.
    Form(FormLogin),
    /// RFC 7617 or 7616.
    HttpAuth(HttpAuthLogin),
    /// A request with JSON.
    Json(JsonLogin),
    /// OAuth 2.
    OAuth2(Box<OAuth2>),
    /// Requests one after the other.
    Steps(StepsLogin),
    /// A visit, for sites without accounts.
    Visit(VisitLogin),
}

impl SiteLogin {
    /// Where it starts.
    pub fn url(&self) -> &Url {
        match self {
            Self::Bearer(login) => &login.url,
            Self::Browser(login) => &login.url,
            Self::Form(login) => &login.url,
            Self::HttpAuth(login) => &login.url,
            Self::Json(login) => &login.url,
            Self::OAuth2(login) => &login.site,
            Self::Steps(login) => &login.url,
            Self::Visit(login) => &login.url,
        }
    }

    /// Whether it needs the user's name (`user`), a password (`password`) or a code of the second
    /// factor (`otp`) from the start.
    pub fn asks_for(&self, name: &str) -> bool {
        match self {
            Self::Bearer(_) => name == "password",
            Self::Browser(_) | Self::Visit(_) => false,
            Self::Form(_) | Self::HttpAuth(_) => matches!(name, "password" | "user"),
            Self::Json(login) => login.asks_for(name),
            Self::OAuth2(login) => name == "password" && login.needs_secret(),
            Self::Steps(login) => login.steps.iter().any(|step| step.asks_for(name)),
        }
    }

    /// The word for it in a site file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bearer(_) => "bearer",
            Self::Browser(_) => "browser",
            Self::Form(_) => "form",
            Self::HttpAuth(login) => match login.scheme {
                HttpScheme::Basic => "basic",
                HttpScheme::Digest => "digest",
            },
            Self::Json(_) => "json",
            Self::OAuth2(_) => "oauth2",
            Self::Steps(_) => "steps",
            Self::Visit(_) => "visit",
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Basic,
    Bearer,
    Browser,
    Digest,
    Form,
    Json,
    OAuth2,
    Steps,
    Visit,
}

const KINDS: [(&str, Kind); 9] = [
    ("form", Kind::Form),
    ("json", Kind::Json),
    ("oauth2", Kind::OAuth2),
    ("basic", Kind::Basic),
    ("digest", Kind::Digest),
    ("bearer", Kind::Bearer),
    ("browser", Kind::Browser),
    ("steps", Kind::Steps),
    ("visit", Kind::Visit),
];

impl Kind {
    fn section(self) -> &'static Section {
        match self {
            Self::Basic => &http_auth::BASIC,
            Self::Bearer => &http_auth::BEARER,
            Self::Browser => &browser::SECTION,
            Self::Digest => &http_auth::DIGEST,
            Self::Form => &form::SECTION,
            Self::Json => &json::SECTION,
            Self::OAuth2 => &oauth2::SECTION,
            Self::Steps => &steps::SECTION,
            Self::Visit => &visit::SECTION,
        }
    }
}

/// Every kind's keys, for the reference.
pub(super) fn sections() -> impl Iterator<Item = &'static Section> {
    KINDS.iter().map(|(_, kind)| kind.section())
}

/// Whether some kind of login has such a key.
pub(super) fn is_key(name: &str) -> bool {
    sections().any(|section| section.knows(name))
}

/// What every kind has.
pub(super) const COMMON: &[Key] = &[Key {
    name: "kind",
    takes: "`form`, `json`, `oauth2`, `basic`, `digest`, `bearer`, `browser`, `steps`, `visit`",
    default: "`form`",
    about: "How the site logs in.",
    example: "kind = \"json\"",
}];

pub(super) fn read(entry: &Entry<'_>, base: Option<&Url>) -> Option<SiteLogin> {
    let open = entry.open_table(&ANY)?;
    let kind = match open.get("kind") {
        Some(kind) => kind.word(&KINDS)?,
        None => Kind::Form,
    };
    let table = open.with(kind.section());
    table.refuse_unknown(|name| other_kind(name).map(|other| elsewhere(name, other)));
    let table = &table;
    Some(match kind {
        Kind::Basic => SiteLogin::HttpAuth(http_auth::read(table, base, HttpScheme::Basic)?),
        Kind::Bearer => SiteLogin::Bearer(http_auth::read_bearer(table, base)?),
        Kind::Browser => SiteLogin::Browser(browser::read(table, base)?),
        Kind::Digest => SiteLogin::HttpAuth(http_auth::read(table, base, HttpScheme::Digest)?),
        Kind::Form => SiteLogin::Form(form::read(table, base)?),
        Kind::Json => SiteLogin::Json(json::read(table, base)?),
        Kind::OAuth2 => SiteLogin::OAuth2(Box::new(oauth2::read(table, base)?)),
        Kind::Steps => SiteLogin::Steps(steps::read(table, base)?),
        Kind::Visit => SiteLogin::Visit(visit::read(table, base)?),
    })
}

fn other_kind(name: &str) -> Option<&'static str> {
    let knows = |(_, kind): &&(&str, Kind)| kind.section().knows(name);
    KINDS.iter().find(knows).map(|(word, _)| *word)
}

fn elsewhere(name: &str, kind: &str) -> String {
    format!("`{name}` is a key of `kind = \"{kind}\"`")
}

static ANY: Section = Section {
    title: "[login]",
    about: "",
    keys: &[COMMON],
};
