//! `[media]`: how to find the media of a site's pages.
//!
//! The page itself is looked at first, then the requests are made one after the other; what they
//! capture makes the media's address. Who fetches and records is elsewhere.

use url::Url;

use super::read::{Entry, Placeholders};
use super::schema::{Key, Section};
use super::steps::{self, Capture, Step, UrlTemplate};
use super::template::Template;

/// How to find the media of a page.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MediaRules {
    /// What is kept of the page, by name.
    pub capture: Vec<(String, Capture)>,
    /// Requests after it.
    pub steps: Vec<Step>,
    /// The media's address.
    pub url: UrlTemplate,
    /// What the media is called. Defaults to the page's title.
    pub title: Option<Template>,
    /// What records it, `hls` or `mp4`. Defaults to what the address and its reply say.
    pub recorder: Option<&'static str>,
    /// Headers for the media's requests.
    pub headers: Vec<(String, Template)>,
}

/// What is known before anything was captured: the page's own address.
const FIXED: &[&str] = &["page"];

pub(super) fn read(entry: &Entry<'_>, base: Option<&Url>) -> Option<MediaRules> {
    let table = entry.table(&SECTION)?;
    let mut captured = Vec::new();
    let capture = table.get("capture");
    let capture = capture.map(|entry| steps::read_captures(&entry, FIXED, &mut captured));
    let tables = table.get("steps").map(|entry| entry.tables(&STEP));
    let tables = tables.unwrap_or_default();
    let steps = tables
        .iter()
        .map(|table| steps::read_step(table, base, FIXED, &mut captured));
    let steps: Vec<Option<Step>> = steps.collect();
    let known = Placeholders {
        fixed: FIXED,
        captured: &captured,
    };
    let url = table.need("url");
    let url = url.and_then(|entry| steps::read_url(&entry, base, known));
    let title = table.get("title").map(|entry| entry.template(known));
    let recorder = table
        .get("recorder")
        .map(|entry| entry.word(&[("hls", "hls"), ("mp4", "mp4")]));
    let headers = table.get("headers").map(|entry| entry.headers(known));
    Some(MediaRules {
        capture: capture.unwrap_or(Some(Vec::new()))?,
        steps: steps.into_iter().collect::<Option<_>>()?,
        url: url?,
        title: flat(title)?,
        recorder: flat(recorder)?,
        headers: headers.unwrap_or_default(),
    })
}

/// What isn't there, or was read; `None` where it was noted that it can't be read.
fn flat<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(read) => read.map(Some),
    }
}

static STEP: Section = Section {
    title: "[[media.steps]]",
    about: "As `[[login.steps]]`.",
    keys: &[steps::STEP_KEYS],
};

pub(super) static SECTION: Section = Section {
    title: "[media]",
    about: "How `resolve` and `record` find the media of a page where it isn't among what pages \
            commonly have. The page is looked at, then the requests are made in their order, through \
            the session; `{page}` is the page's address.",
    keys: &[&[
        Key {
            name: "url",
            takes: "address with placeholders",
            default: "required",
            about: "Where the media is. One placeholder alone is an address that was captured.",
            example: "url = \"{stream}\"",
        },
        Key {
            name: "capture",
            takes: "table of captures",
            default: "none",
            about: "What is kept of the page, by name; as `[login.steps.capture]`.",
            example: "capture.video = { css = \"[data-video]\", attribute = \"data-video\" }",
        },
        Key {
            name: "steps",
            takes: "list of tables",
            default: "none",
            about: "Requests after the page; as `[[login.steps]]`, without `{user}`, `{password}` and `{otp}`.",
            example: "steps = [{ url = \"/api/videos/{video}\", capture.stream = { jsonpath = \"$.hls\" } }]",
        },
        Key {
            name: "title",
            takes: "text with placeholders",
            default: "the page's title",
            about: "What the media is called; the file is named after it.",
            example: "title = \"{name}\"",
        },
        Key {
            name: "recorder",
            takes: "`hls`, `mp4`",
            default: "by the address and its reply",
            about: "What records it.",
            example: "recorder = \"hls\"",
        },
        Key {
            name: "headers",
            takes: "table of texts with placeholders",
            default: "none",
            about: "Headers for the media's requests.",
            example: "headers = { X-Player = \"3\" }",
        },
    ]],
};
