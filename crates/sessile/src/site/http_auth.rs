//! `kind = "basic"`, `"digest"`, `"bearer"`: what goes into the `Authorization` header.

use url::Url;

use super::login::COMMON;
use super::read::Table;
use super::schema::{Key, Section};
use super::token::{self, TokenPlace};

/// A login by name and password in a header.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HttpAuthLogin {
    /// A page that asks for it.
    pub url: Url,
    /// How name and password are written.
    pub scheme: HttpScheme,
}

/// How name and password are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the two that have a name and a password"
)]
pub enum HttpScheme {
    /// RFC 7617.
    Basic,
    /// RFC 7616.
    Digest,
}

/// A token that a person has, such as an API key; it is given in the place of a password.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BearerLogin {
    /// A page that asks for it.
    pub url: Url,
    /// Where it goes.
    pub into: TokenPlace,
}

pub(super) fn read(
    table: &Table<'_>,
    base: Option<&Url>,
    scheme: HttpScheme,
) -> Option<HttpAuthLogin> {
    let url = table.need("url")?.url(base)?;
    Some(HttpAuthLogin { url, scheme })
}

pub(super) fn read_bearer(table: &Table<'_>, base: Option<&Url>) -> Option<BearerLogin> {
    let into = token::read_into(table, true);
    let url = table.need("url")?.url(base)?;
    Some(BearerLogin { url, into: into? })
}

const URL: Key = Key {
    name: "url",
    takes: "address",
    default: "required",
    about: "A page that asks for it.",
    example: "url = \"/reports\"",
};

pub(super) static BASIC: Section = Section {
    title: "[login] of kind `basic`",
    about: "Name and password in every request (RFC 7617).",
    keys: &[COMMON, &[URL]],
};

pub(super) static DIGEST: Section = Section {
    title: "[login] of kind `digest`",
    about: "An answer to the server's challenge in every request (RFC 7616).",
    keys: &[COMMON, &[URL]],
};

pub(super) static BEARER: Section = Section {
    title: "[login] of kind `bearer`",
    about: "A token that you have, such as an API key: it is asked for in the place of a password.",
    keys: &[COMMON, &[URL, token::INTO]],
};
