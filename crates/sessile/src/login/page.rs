//! An HTML page as plain data, read once.
//!
//! Only what questions about logins need is kept: forms, links, visible
//! texts with the place they stand in, the site's notices, and tokens.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use url::Url;

use super::extract;
use super::form::{Field, Form};
use super::html::{Document, Node, one_line};
use super::messages::{self, Notice};
use super::tokens::{self, PageToken};

/// A page that was read.
#[derive(Clone, Debug)]
pub struct Page {
    pub(crate) body_classes: Vec<String>,
    pub(crate) forms: Vec<Form>,
    pub(crate) links: Vec<Link>,
    pub(crate) loose: Vec<Field>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) noscript: String,
    pub(crate) posts_itself: bool,
    pub(crate) refresh: Option<Url>,
    pub(crate) root: Option<String>,
    pub(crate) scripts: usize,
    pub(crate) texts: Vec<Text>,
    pub(crate) title: Option<String>,
    pub(crate) token_names: Vec<String>,
    pub(crate) tokens: Vec<PageToken>,
    pub(crate) url: Url,
}

/// A link of a page.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Link {
    /// The place it stands in, as tag names with ids and classes.
    pub place: String,
    /// The words on it.
    pub text: String,
    /// Where it leads.
    pub url: Url,
}

/// A visible text of a page.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Text {
    /// The place it stands in, as tag names with ids and classes.
    pub place: String,
    /// The words, on one line.
    pub text: String,
}

impl Text {
    /// A text and its place.
    pub fn new(place: &str, text: &str) -> Self {
        Self {
            place: place.to_owned(),
            text: text.to_owned(),
        }
    }
}

impl Page {
    /// Reads a page that was fetched from `url`; its texts in the encoding the page names.
    ///
    /// Never fails: what is not HTML is a page without forms.
    pub fn parse(html: &str, url: &Url) -> Self {
        let document = Document::parse(html);
        let charset = meta_charset(&document).unwrap_or(UTF_8);
        Self::read(&document, url, charset)
    }

    /// Reads a page from its bytes, decoded by its byte order mark, the
    /// `Content-Type` header, its `<meta>`, or, where none of these says, as
    /// UTF-8 if it is that and windows-1252 if not.
    pub fn decode(bytes: &[u8], content_type: Option<&str>, url: &Url) -> Self {
        let (html, used) = decode(bytes, content_type);
        Self::read(&Document::parse(&html), url, used)
    }

    fn read(document: &Document, url: &Url, charset: &'static Encoding) -> Self {
        let base = base(document, url);
        let context = extract::Context {
            base: &base,
            charset,
            document,
            url,
        };
        let (forms, loose) = extract::forms(&context);
        let (tokens, token_names) = tokens::collect(document);
        Self {
            body_classes: body_classes(document),
            forms,
            links: links(document, &base),
            loose,
            notices: messages::collect(document),
            noscript: noscript(document),
            posts_itself: posts_itself(document),
            refresh: refresh(document, &base),
            root: empty_root(document),
            scripts: document
                .nodes()
                .filter(|(_, node)| node.name == "script")
                .count(),
            texts: texts(document),
            title: title(document),
            token_names,
            tokens,
            url: url.clone(),
        }
    }

    /// The classes of the page's body.
    pub fn body_classes(&self) -> &[String] {
        &self.body_classes
    }

    /// The forms, in page order.
    pub fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// The links, in page order.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Where the page sends its reader by `<meta http-equiv=refresh>` within ten seconds.
    pub fn refresh(&self) -> Option<&Url> {
        self.refresh.as_ref()
    }

    /// The visible texts, in page order.
    pub fn texts(&self) -> &[Text] {
        &self.texts
    }

    /// The title.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The tokens against forged requests that stand outside forms.
    pub fn tokens(&self) -> &[PageToken] {
        &self.tokens
    }

    /// Where the page was fetched from.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

/// A page's text by its byte order mark, the `Content-Type` header, its `<meta>`, or, where none of
/// these says, as UTF-8 if it is that and windows-1252 if not.
pub(crate) fn decode<'a>(
    bytes: &'a [u8],
    content_type: Option<&str>,
) -> (Cow<'a, str>, &'static Encoding) {
    let start = bytes.get(..2048).unwrap_or(bytes);
    let named = Encoding::for_bom(bytes)
        .map(|(encoding, _)| encoding)
        .or_else(|| content_type.and_then(header_charset))
        .or_else(|| meta_charset(&Document::parse(&String::from_utf8_lossy(start))));
    let encoding = named.unwrap_or_else(|| match std::str::from_utf8(bytes) {
        Ok(_) => UTF_8,
        Err(_) => encoding_rs::WINDOWS_1252,
    });
    let (text, used, _) = encoding.decode(bytes);
    (text, used)
}

const MAX_LINKS: usize = 5_000;
const MAX_TEXTS: usize = 5_000;
const MAX_TEXT: usize = 200;
const MAX_URL: usize = 2_000;

fn meta_charset(document: &Document) -> Option<&'static Encoding> {
    let metas = document.nodes().filter(|(_, node)| node.name == "meta");
    for (_, meta) in metas.take(100) {
        let http = meta.filled("http-equiv").unwrap_or_default();
        let encoding = match meta.filled("charset") {
            Some(label) => Encoding::for_label(label.as_bytes()),
            None if http.eq_ignore_ascii_case("content-type") => {
                meta.filled("content").and_then(header_charset)
            }
            None => None,
        };
        if encoding.is_some() {
            return encoding;
        }
    }
    None
}

/// The encoding a `Content-Type` names.
fn header_charset(content_type: &str) -> Option<&'static Encoding> {
    let parameters = content_type.split(';').skip(1);
    let pairs = parameters.filter_map(|parameter| parameter.split_once('='));
    pairs
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .find_map(|(_, label)| {
            Encoding::for_label(label.trim().trim_matches(['"', '\'']).as_bytes())
        })
}

fn base(document: &Document, url: &Url) -> Url {
    document
        .nodes()
        .find(|(_, node)| node.name == "base" && node.has("href"))
        .and_then(|(_, node)| url.join(node.filled("href")?).ok())
        .filter(|base| !base.cannot_be_a_base())
        .unwrap_or_else(|| url.clone())
}

fn title(document: &Document) -> Option<String> {
    let (at, _) = document.nodes().find(|(_, node)| node.name == "title")?;
    let title = shorten(&one_line(document.raw_text(at)));
    Some(title).filter(|title| !title.is_empty())
}

fn body_classes(document: &Document) -> Vec<String> {
    let tops = document
        .nodes()
        .filter(|(_, node)| matches!(node.name.as_str(), "body" | "html"));
    let classes = tops.take(2).filter_map(|(_, node)| node.filled("class"));
    classes
        .flat_map(str::split_whitespace)
        .take(200)
        .map(str::to_owned)
        .collect()
}

fn links(document: &Document, base: &Url) -> Vec<Link> {
    let anchors = document.nodes().filter(|(_, node)| node.name == "a");
    anchors
        .take(MAX_LINKS)
        .filter_map(|(at, node)| {
            let mut url = base.join(node.filled("href")?).ok()?;
            if !matches!(url.scheme(), "http" | "https") || url.as_str().len() > MAX_URL {
                return None;
            }
            let fragment = url.fragment().map(str::to_owned);
            url.set_fragment(None);
            // A mere place on the same page is no link to another one.
            if fragment.is_some_and(|fragment| !fragment.starts_with('/')) && url == *base {
                return None;
            }
            let mut text = document.text(at, 80);
            if text.is_empty() {
                text = one_line(
                    node.filled("aria-label")
                        .or(node.filled("title"))
                        .unwrap_or(""),
                );
            }
            Some(Link {
                place: place(document, at),
                text: shorten(&text),
                url,
            })
        })
        .collect()
}

fn texts(document: &Document) -> Vec<Text> {
    let mut texts = Vec::new();
    for (at, node) in document.nodes() {
        if !node.name.is_empty() || texts.len() >= MAX_TEXTS {
            continue;
        }
        let text = one_line(&node.text);
        let Some(parent) = node.parent else {
            if !text.is_empty() {
                texts.push(Text {
                    place: String::new(),
                    text: shorten(&text),
                });
            }
            continue;
        };
        let is_shown = !text.is_empty()
            && !matches!(
                document.node(parent).name.as_str(),
                "option" | "textarea" | "title"
            )
            && !document.is_concealed(at, None);
        if is_shown {
            texts.push(Text {
                place: place(document, at),
                text: shorten(&text),
            });
        }
    }
    texts
}

/// The tags around a node with their ids and classes, innermost last.
///
/// Names with digits are left out: they are often made up on every load.
fn place(document: &Document, at: usize) -> String {
    let is_stable = |name: &&str| !name.bytes().any(|byte| byte.is_ascii_digit());
    let step = |node: &Node| {
        let mut step = node.name.clone();
        if let Some(id) = node.filled("id").filter(is_stable) {
            step.push('#');
            step.push_str(id);
        }
        let classes = node.attribute("class").unwrap_or_default();
        for class in classes.split_whitespace().filter(is_stable).take(4) {
            step.push('.');
            step.push_str(class);
        }
        step
    };
    let own = document.node(at);
    let own = (!own.name.is_empty()).then(|| step(own));
    let around = document.ancestors(at).take(5).map(|(_, node)| step(node));
    let mut steps: Vec<String> = own.into_iter().chain(around).collect();
    steps.reverse();
    steps.join(">")
}

fn noscript(document: &Document) -> String {
    let mut words = String::new();
    for (at, _) in document
        .nodes()
        .filter(|(_, node)| node.name == "noscript")
        .take(20)
    {
        let text = document.text(at, MAX_TEXT);
        super::html::push_words(&mut words, &text);
    }
    shorten(&words)
}

/// Whether a script sends the page's form as soon as it is there.
fn posts_itself(document: &Document) -> bool {
    let sends = |code: &str| code.contains(".submit()") && code.contains("document");
    document.nodes().any(|(at, node)| match node.name.as_str() {
        "body" => node
            .attribute("onload")
            .is_some_and(|code| code.contains("submit")),
        "script" => document.raw_text(at).len() < 1_000 && sends(document.raw_text(at)),
        _ => false,
    })
}

fn refresh(document: &Document, base: &Url) -> Option<Url> {
    let is_refresh = |node: &Node| {
        let http = node.filled("http-equiv").unwrap_or_default();
        node.name == "meta" && http.eq_ignore_ascii_case("refresh")
    };
    let (_, node) = document.nodes().find(|(_, node)| is_refresh(node))?;
    let (delay, target) = node.filled("content")?.split_once([';', ','])?;
    if delay.trim().parse::<f64>().ok()? > 10.0 {
        return None;
    }
    let target = target.trim();
    let is_named = target
        .get(..3)
        .is_some_and(|name| name.eq_ignore_ascii_case("url"));
    let target = match target.split_once('=') {
        Some((_, url)) if is_named => url,
        _ => target,
    };
    base.join(target.trim().trim_matches(['"', '\''])).ok()
}

/// The id of an element that is empty until a script fills it.
fn empty_root(document: &Document) -> Option<String> {
    let is_root = |node: &Node| {
        let id = node.filled("id").unwrap_or_default().to_ascii_lowercase();
        ROOTS.contains(&id.as_str()) || node.name == "app-root" || node.has("ng-view")
    };
    let (at, node) = document.nodes().find(|(_, node)| is_root(node))?;
    let has_controls = document
        .inside(at)
        .any(|(_, node)| matches!(node.name.as_str(), "a" | "input"));
    let name = node.filled("id").unwrap_or(&node.name);
    (!has_controls).then(|| shorten(name))
}

const ROOTS: [&str; 14] = [
    "__next",
    "__nuxt",
    "app",
    "app-mount",
    "app-root",
    "application",
    "content-root",
    "main-app",
    "mount",
    "react-root",
    "reactroot",
    "root",
    "svelte",
    "vue-app",
];

/// At most so much of a text as is worth keeping.
fn shorten(text: &str) -> String {
    let cut = text.floor_char_boundary(MAX_TEXT);
    text.get(..cut).unwrap_or(text).to_owned()
}
