//! `kind = "oauth2"`: tokens of an OAuth 2 provider.

use url::Url;

use super::login::COMMON;
use super::read::Table;
use super::schema::{Key, Section};

/// A login at an OAuth 2 provider.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct OAuth2Login {
    /// Where tokens are asked for.
    pub url: Url,
}

pub(super) fn read(table: &Table<'_>, base: Option<&Url>) -> Option<OAuth2Login> {
    let url = table.need("token_url")?.url(base)?;
    Some(OAuth2Login { url })
}

pub(super) static SECTION: Section = Section {
    title: "[login] of kind `oauth2`",
    about: "Tokens of an OAuth 2 provider.",
    keys: &[
        COMMON,
        &[Key {
            name: "token_url",
            takes: "address",
            default: "required",
            about: "Where tokens are asked for.",
            example: "token_url = \"https://id.example/token\"",
        }],
    ],
};
