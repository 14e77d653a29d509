//! `[check]` and `[expired]`: rules for replies. Pure; fetching is the caller's.

use std::fmt;

use url::Url;

use super::pattern::{Content, Css, JsonPath};
use super::read::{Entry, Table};
use super::schema::{Key, Section};
use crate::check::learn::{Finding, Judgement};
use crate::redact::ShownUrl;

/// A page, and what it shows to whoever is logged in.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct SiteCheck {
    /// The page.
    pub url: Url,
    /// All of these hold while the login does; there is at least one.
    pub rules: Vec<CheckRule>,
}

/// What holds while the login does.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CheckRule {
    /// The session has this cookie.
    Cookie(String),
    /// The page has such an element.
    Css(Css),
    /// The reply's JSON has such a value, neither null nor false.
    JsonPath(JsonPath),
    /// The page has no such element.
    NoCss(Css),
    /// The page doesn't say this.
    NoText(String),
    /// The request ends at this path.
    Redirect(String),
    /// The status is one of these.
    Status(Vec<u16>),
    /// The page says this.
    Text(String),
}

/// What shows on any reply that the login is gone.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ExpiredRule {
    /// The page has such an element.
    Css(Css),
    /// The reply's JSON has such a value, neither null nor false.
    JsonPath(JsonPath),
    /// The reply leads to this path.
    Redirect(String),
    /// The status is this.
    Status(u16),
    /// The page says this.
    Text(String),
}

/// What rules look at.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a reply has no more to look at")]
pub struct Seen<'a> {
    /// The status of the reply.
    pub status: u16,
    /// Where the request ended.
    pub url: &'a Url,
    /// The body.
    pub content: &'a Content<'a>,
    /// The names of the cookies that go to the page.
    pub cookies: &'a [String],
}

impl SiteCheck {
    /// What each rule says, in the order of the file.
    pub fn findings(&self, seen: &Seen<'_>) -> Vec<Finding> {
        let findings = self.rules.iter().map(|rule| Finding {
            rule: rule.to_string(),
            holds: rule.holds(seen),
        });
        findings.collect()
    }

    /// Whether the login holds.
    pub fn judge(&self, seen: &Seen<'_>) -> Judgement {
        let wants_status = |status| {
            let wants =
                |rule: &CheckRule| matches!(rule, CheckRule::Status(all) if all.contains(&status));
            self.rules.iter().any(wants)
        };
        // A site in trouble says nothing of the login, unless the file says that it does.
        if (seen.status >= 500 || seen.status == 429) && !wants_status(seen.status) {
            return Judgement::Unsure(format!("the status is {}", seen.status));
        }
        match self.rules.iter().find(|rule| !rule.holds(seen)) {
            Some(rule) => Judgement::Expired(rule.broken(seen)),
            None => {
                let words: Vec<String> = self.rules.iter().map(CheckRule::to_string).collect();
                Judgement::Valid(words.join(", and "))
            }
        }
    }
}

impl fmt::Debug for SiteCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiteCheck")
            .field("url", &ShownUrl(&self.url))
            .field("rules", &self.rules)
            .finish()
    }
}

impl CheckRule {
    fn holds(&self, seen: &Seen<'_>) -> bool {
        match self {
            Self::Cookie(name) => seen.cookies.contains(name),
            Self::Css(css) => seen.content.has(css),
            Self::JsonPath(path) => seen
                .content
                .json()
                .is_some_and(|json| path.find(json).is_some()),
            Self::NoCss(css) => !seen.content.has(css),
            Self::NoText(text) => !seen.content.says(text),
            Self::Redirect(path) => same_path(seen.url.path(), path),
            Self::Status(statuses) => statuses.contains(&seen.status),
            Self::Text(text) => seen.content.says(text),
        }
    }

    /// What is there in its place.
    fn broken(&self, seen: &Seen<'_>) -> String {
        match self {
            Self::Cookie(name) => format!("the cookie `{name}` is gone"),
            Self::Css(css) => format!("nothing on the page is `{css}`"),
            Self::JsonPath(path) if seen.content.json().is_none() => {
                format!("the reply is no JSON, so `{path}` finds nothing in it")
            }
            Self::JsonPath(path) => format!("`{path}` finds nothing in the reply"),
            Self::NoCss(css) => format!("the page has `{css}`"),
            Self::NoText(text) => format!("the page says \"{text}\""),
            Self::Redirect(path) => {
                format!("the request ends at {}, not at {path}", seen.url.path())
            }
            Self::Status(_) => format!("the status is {}", seen.status),
            Self::Text(text) => format!("the page doesn't say \"{text}\""),
        }
    }
}

impl fmt::Display for CheckRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cookie(name) => write!(f, "the session has the cookie `{name}`"),
            Self::Css(css) => write!(f, "the page has `{css}`"),
            Self::JsonPath(path) => write!(f, "`{path}` finds something in the reply"),
            Self::NoCss(css) => write!(f, "nothing on the page is `{css}`"),
            Self::NoText(text) => write!(f, "the page doesn't say \"{text}\""),
            Self::Redirect(path) => write!(f, "the request ends at {path}"),
            Self::Status(statuses) => {
                let words: Vec<String> = statuses.iter().map(u16::to_string).collect();
                write!(f, "the status is {}", words.join(" or "))
            }
            Self::Text(text) => write!(f, "the page says \"{text}\""),
        }
    }
}

impl ExpiredRule {
    /// Whether it looks at more than the head of a reply.
    pub fn reads_body(&self) -> bool {
        match self {
            Self::Css(_) | Self::JsonPath(_) | Self::Text(_) => true,
            Self::Redirect(_) | Self::Status(_) => false,
        }
    }

    /// Whether a reply shows that the login is gone; a redirect is seen before it is followed.
    pub fn shows_in(&self, seen: &Seen<'_>) -> bool {
        match self {
            Self::Css(css) => seen.content.has(css),
            Self::JsonPath(path) => seen
                .content
                .json()
                .is_some_and(|json| path.find(json).is_some()),
            Self::Redirect(path) => same_path(seen.url.path(), path),
            Self::Status(status) => *status == seen.status,
            Self::Text(text) => seen.content.says(text),
        }
    }
}

impl fmt::Display for ExpiredRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Css(css) => write!(f, "the page has `{css}`"),
            Self::JsonPath(path) => write!(f, "`{path}` finds something in the reply"),
            Self::Redirect(path) => write!(f, "redirected to {path}"),
            Self::Status(status) => write!(f, "the status is {status}"),
            Self::Text(text) => write!(f, "the page says \"{text}\""),
        }
    }
}

/// A slash at the end makes no other page.
fn same_path(found: &str, wanted: &str) -> bool {
    found.trim_end_matches('/') == wanted.trim_end_matches('/')
}

pub(super) fn read(entry: &Entry<'_>, base: Option<&Url>) -> Option<SiteCheck> {
    let table = entry.table(&CHECK)?;
    let url = table.need("url").and_then(|entry| entry.url(base));
    let mut rules = Vec::new();
    if let Some(entry) = table.get("status") {
        let statuses = entry.one_or_more(status);
        rules.push(CheckRule::Status(statuses));
    }
    if let Some(path) = table.get("redirect").and_then(|entry| path(&entry)) {
        rules.push(CheckRule::Redirect(path));
    }
    let texts = |key| all(&table, key, |entry| entry.text().map(str::to_owned));
    rules.extend(texts("cookies").into_iter().map(CheckRule::Cookie));
    rules.extend(
        all(&table, "css", Entry::css)
            .into_iter()
            .map(CheckRule::Css),
    );
    let paths = all(&table, "jsonpath", Entry::json_path).into_iter();
    rules.extend(paths.map(CheckRule::JsonPath));
    rules.extend(texts("text").into_iter().map(CheckRule::Text));
    let absent = all(&table, "no_css", Entry::css).into_iter();
    rules.extend(absent.map(CheckRule::NoCss));
    rules.extend(texts("no_text").into_iter().map(CheckRule::NoText));
    let url = url?;
    if rules.is_empty() {
        rules.push(CheckRule::Status((200..300).collect()));
        rules.push(CheckRule::Redirect(url.path().to_owned()));
    }
    Some(SiteCheck { url, rules })
}

pub(super) fn read_expired(entry: &Entry<'_>) -> Vec<ExpiredRule> {
    let Some(table) = entry.table(&EXPIRED) else {
        return Vec::new();
    };
    let mut rules = Vec::new();
    let statuses = all(&table, "status", status).into_iter();
    rules.extend(statuses.map(ExpiredRule::Status));
    let paths = all(&table, "redirect", path).into_iter();
    rules.extend(paths.map(ExpiredRule::Redirect));
    let css = all(&table, "css", Entry::css).into_iter();
    rules.extend(css.map(ExpiredRule::Css));
    let paths = all(&table, "jsonpath", Entry::json_path).into_iter();
    rules.extend(paths.map(ExpiredRule::JsonPath));
    let texts = all(&table, "text", |entry| entry.text().map(str::to_owned));
    rules.extend(texts.into_iter().map(ExpiredRule::Text));
    rules
}

fn all<'a, T>(table: &Table<'a>, key: &str, read: impl Fn(&Entry<'a>) -> Option<T>) -> Vec<T> {
    let entry = table.get(key);
    entry
        .map(|entry| entry.one_or_more(read))
        .unwrap_or_default()
}

pub(super) fn status(entry: &Entry<'_>) -> Option<u16> {
    u16::try_from(entry.number(100..600)?).ok()
}

/// A path, as redirects are compared.
pub(super) fn path(entry: &Entry<'_>) -> Option<String> {
    let text = entry.text()?;
    if !text.starts_with('/') {
        let message = format!("`{text}` is no path");
        entry.advise(message, "write it from its first slash on, as in `/login`");
        return None;
    }
    Some(text.to_owned())
}

pub(super) static CHECK: Section = Section {
    title: "[check]",
    about: "A page, and what it shows to whoever is logged in. All rules have to hold; without \
            any, the page has to answer itself, with a status of 200 to 299.",
    keys: &[&[
        Key {
            name: "url",
            takes: "address",
            default: "required",
            about: "The page; a cheap one.",
            example: "url = \"/account\"",
        },
        Key {
            name: "status",
            takes: "number or list of numbers",
            default: "not looked at",
            about: "The status, or any of them.",
            example: "status = 200",
        },
        Key {
            name: "redirect",
            takes: "path",
            default: "not looked at",
            about: "Where the request ends.",
            example: "redirect = \"/home\"",
        },
        Key {
            name: "cookies",
            takes: "text or list of texts",
            default: "not looked at",
            about: "Cookies that the session has.",
            example: "cookies = [\"sessionid\"]",
        },
        Key {
            name: "css",
            takes: "selector or list of selectors",
            default: "not looked at",
            about: "An element that the page has.",
            example: "css = \"a[href='/logout']\"",
        },
        Key {
            name: "jsonpath",
            takes: "JSONPath or list of them",
            default: "not looked at",
            about: "A value that the reply has, neither null nor false.",
            example: "jsonpath = \"$.user\"",
        },
        Key {
            name: "text",
            takes: "text or list of texts",
            default: "not looked at",
            about: "What the page says, where it is seen.",
            example: "text = \"Log out\"",
        },
        Key {
            name: "no_css",
            takes: "selector or list of selectors",
            default: "not looked at",
            about: "An element that the page doesn't have.",
            example: "no_css = \"input[type=password]\"",
        },
        Key {
            name: "no_text",
            takes: "text or list of texts",
            default: "not looked at",
            about: "What the page doesn't say.",
            example: "no_text = \"Please log in\"",
        },
    ]],
};

pub(super) static EXPIRED: Section = Section {
    title: "[expired]",
    about: "What any reply of the site shows when the login is gone; one sign is enough.",
    keys: &[&[
        Key {
            name: "status",
            takes: "number or list of numbers",
            default: "401",
            about: "A status, beside 401.",
            example: "status = [419, 440]",
        },
        Key {
            name: "redirect",
            takes: "path or list of paths",
            default: "the page of the login",
            about: "Where the reply leads, beside the login's own page.",
            example: "redirect = \"/session-ended\"",
        },
        Key {
            name: "css",
            takes: "selector or list of selectors",
            default: "none",
            about: "An element of the page.",
            example: "css = \"form#signin\"",
        },
        Key {
            name: "jsonpath",
            takes: "JSONPath or list of them",
            default: "none",
            about: "A value of the reply, neither null nor false.",
            example: "jsonpath = \"$[?@.error=='expired']\"",
        },
        Key {
            name: "text",
            takes: "text or list of texts",
            default: "none",
            about: "What the page says.",
            example: "text = \"Your session has ended\"",
        },
    ]],
};

#[cfg(test)]
mod tests {
    use super::super::Site;
    use super::*;

    const PAGE: &str = "<h1>Hello,\n <b>Ada</b></h1><a href='/out'>Log out</a>\
                        <script>var a = 'Please log in';</script>";

    #[test]
    fn all_rules_have_to_hold() {
        check(
            "css = \"a[href='/out']\"\ntext = \"Hello, Ada\"",
            200,
            PAGE,
            "valid",
        );
        check("no_text = \"Please log in\"", 200, PAGE, "valid");
        check(
            "text = \"Hello\"\nno_css = \"a\"",
            200,
            PAGE,
            "the page has `a`",
        );
        check(
            "css = [\"a\", \"form\"]",
            200,
            PAGE,
            "nothing on the page is `form`",
        );
        check("status = 200", 403, PAGE, "the status is 403");
        check("status = 200", 503, PAGE, "unsure");
        check("status = [200, 503]", 503, PAGE, "valid");
        check("redirect = \"/me/\"", 200, PAGE, "valid");
        check(
            "redirect = \"/\"",
            200,
            PAGE,
            "the request ends at /me, not at /",
        );
        check("cookies = [\"sid\"]", 200, PAGE, "valid");
        check(
            "cookies = \"other\"",
            200,
            PAGE,
            "the cookie `other` is gone",
        );
        check("", 204, "", "valid");
        check("", 302, "", "the status is 302");
    }

    #[test]
    fn json_is_looked_into() {
        let user = "jsonpath = \"$.user\"";
        check(user, 200, "{\"user\": \"ada\"}", "valid");
        let nothing = "`$.user` finds nothing in the reply";
        check(user, 200, "{\"user\": null}", nothing);
        check(user, 200, "{\"user\": false}", nothing);
        let no_json = "the reply is no JSON, so `$.user` finds nothing in it";
        check(user, 200, "<p>", no_json);
    }

    #[test]
    fn a_page_without_end_is_not_climbed_into() {
        let deep = "<div>".repeat(200_000);
        check(
            "css = \"div div p\"",
            200,
            &deep,
            "nothing on the page is `div div p`",
        );
        let flat = "<p><br>a<svg><path d=''/><g/></svg>".repeat(2_000);
        check("css = \"p\"", 200, &flat, "valid");
    }

    #[track_caller]
    fn check(rules: &str, status: u16, body: &str, expected: &str) {
        let text = format!("[login]\nurl = \"http://a.test/\"\n[check]\nurl = \"/me\"\n{rules}");
        let site = Site::parse(&text, "f.toml").unwrap();
        let rules = site.check.unwrap();
        let is_html = !body.starts_with('{');
        let told = match rules.judge(&Seen {
            status,
            url: &rules.url,
            content: &Content::new(body, is_html),
            cookies: &["sid".to_owned()],
        }) {
            Judgement::Valid(_) => "valid".to_owned(),
            Judgement::Unsure(_) => "unsure".to_owned(),
            Judgement::Expired(why) => why,
        };
        assert_eq!(told, expected, "{text}");
    }
}
