//! `kind = "visit"`: a site without accounts, where a session is what a first visit sets.

use url::Url;

use super::login::COMMON;
use super::read::Table;
use super::schema::{Key, Section};

/// A session that is made by visiting a page.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct VisitLogin {
    /// The page that is visited.
    pub url: Url,
}

pub(super) fn read(table: &Table<'_>, base: Option<&Url>) -> Option<VisitLogin> {
    let url = table.need("url")?.url(base)?;
    Some(VisitLogin { url })
}

pub(super) static SECTION: Section = Section {
    title: "[login] of kind `visit`",
    about: "For sites without accounts: a page is visited, and the cookies that it sets are the session. \
            It is renewed by another visit.",
    keys: &[
        COMMON,
        &[Key {
            name: "url",
            takes: "address",
            default: "required",
            about: "The page that is visited.",
            example: "url = \"/\"",
        }],
    ],
};
