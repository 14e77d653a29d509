//! `kind = "browser"`: a person logs in in a window.

use url::Url;

use super::login::COMMON;
use super::read::Table;
use super::schema::{Key, Section};

/// A login by a person in a window.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BrowserLogin {
    /// The page that is opened.
    pub url: Url,
}

pub(super) fn read(table: &Table<'_>, base: Option<&Url>) -> Option<BrowserLogin> {
    let url = table.need("url")?.url(base)?;
    Some(BrowserLogin { url })
}

pub(super) static SECTION: Section = Section {
    title: "[login] of kind `browser`",
    about: "A window is opened and a person logs in.",
    keys: &[
        COMMON,
        &[Key {
            name: "url",
            takes: "address",
            default: "required",
            about: "The page that is opened.",
            example: "url = \"/login\"",
        }],
    ],
};
