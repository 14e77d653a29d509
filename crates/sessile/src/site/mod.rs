//! The site file: how one site logs in, how to see that the login holds, and its limits.
//!
//! TOML, read into types that carry the rules; everything that is wrong comes out at once, each with
//! its place (`fault`). One file a kind of login; `schema` has the keys as a table, of which the
//! reference is made. How a login is carried out is in `login`; credentials are never in a site file.

mod browser;
mod check;
mod fault;
mod form;
mod http_auth;
mod json;
mod limits;
mod login;
mod media;
mod oauth2;
mod pattern;
mod perform;
mod pool;
mod read;
mod reference;
mod schema;
mod steps;
mod template;
mod token;
mod visit;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use toml::de::DeTable;
use url::Url;

use crate::profile::ProfileChoice;

pub use browser::BrowserLogin;
pub use check::{CheckRule, ExpiredRule, Seen, SiteCheck};
pub use fault::{SiteError, SiteErrors};
pub use form::{FieldNames, FormLogin};
pub use http_auth::{BearerLogin, HttpAuthLogin, HttpScheme};
pub use json::JsonLogin;
pub use limits::SiteLimits;
pub use login::SiteLogin;
pub use media::MediaRules;

pub use pattern::{Content, Css, JsonPath, Regex};
pub use perform::{Replied, take_all};
pub use pool::{Assignment, SiteCookies, SitePool, SiteTargets, TargetSource, WarmUp};
pub use reference::reference;
pub use steps::{Capture, CaptureFrom, Expectation, Step, StepBody, StepsLogin, UrlTemplate};
pub use template::{JsonTemplate, Template, TemplateFault, Values};
pub use token::{TokenFrom, TokenPlace};
pub use visit::VisitLogin;

use fault::Faults;
use read::Table;
use schema::{Key, Section};

/// The largest site file that is read.
pub const LARGEST: usize = 256 * 1024;

/// What a site file says.
///
/// ```
/// use sessile::site::Site;
///
/// let site = Site::parse(r#"
///     [login]
///     url = "https://shop.example/login"
/// "#, "shop.toml")?;
/// assert_eq!(site.login.url().as_str(), "https://shop.example/login");
///
/// let wrong = Site::parse("[login]\nulr = 1", "shop.toml").unwrap_err();
/// assert!(wrong.to_string().contains("did you mean `url`?"));
/// # Ok::<(), sessile::site::SiteErrors>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Site {
    /// The file's text.
    pub source: String,
    /// What the site is called. Defaults to the file's name without its end.
    pub name: String,
    /// Where relative addresses start.
    pub base_url: Option<Url>,
    /// How to log in.
    pub login: SiteLogin,
    /// How to see that the login holds.
    pub check: Option<SiteCheck>,
    /// What any reply of the site shows when the login is gone.
    pub expired: Vec<ExpiredRule>,
    /// When to log in again before the login is gone.
    pub renew: RenewRules,
    /// How often and how many at once.
    pub limits: SiteLimits,
    /// Many sessions of the site as one resource.
    pub pool: SitePool,
    /// The headers of a session that is made.
    pub profile: Option<ProfileChoice>,
    /// How to find the media of its pages.
    pub media: Option<MediaRules>,
}

/// When to renew before the login is gone.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RenewRules {
    /// The cookies that carry the login: when one of them is about to end, so is the login.
    pub cookies: Vec<String>,
    /// How long before that. Defaults to one minute.
    pub before: Duration,
}

impl Default for RenewRules {
    fn default() -> Self {
        Self {
            cookies: Vec::new(),
            before: Duration::from_secs(60),
        }
    }
}

impl Site {
    /// Reads a site file; `file` is what it is called in messages.
    ///
    /// # Errors
    ///
    /// [`SiteErrors`] with everything that is wrong.
    pub fn parse(text: &str, file: &str) -> Result<Self, SiteErrors> {
        let faults = Faults::default();
        let site = read(text, file, &faults);
        match (faults.told(file, text), site) {
            (None, Some(site)) => Ok(site),
            (Some(errors), _) => Err(errors),
            (None, None) => Err(SiteErrors {
                file: file.to_owned(),
                errors: Vec::new(),
            }),
        }
    }

    /// Reads the bytes of a site file.
    ///
    /// # Errors
    ///
    /// As [`Site::parse`]; also where the bytes are too many or no UTF-8.
    pub fn decode(bytes: &[u8], file: &str) -> Result<Self, SiteErrors> {
        let faults = Faults::default();
        let start = bytes.get(..LARGEST).unwrap_or(bytes);
        let text = String::from_utf8_lossy(start);
        if bytes.len() > LARGEST {
            let size = LARGEST / 1024;
            faults.note(&(0..0), format!("the file is larger than {size} KiB"));
        } else if let Err(fault) = std::str::from_utf8(bytes) {
            let at = fault.valid_up_to();
            faults.advise(
                &(at..at + 1),
                "this isn't UTF-8",
                "save the file in that encoding",
            );
        }
        match faults.told(file, &text) {
            Some(errors) => Err(errors),
            None => Self::parse(&text, file),
        }
    }
}

impl Site {
    /// Where the site is: what relative addresses are relative to, and where credentials go.
    pub fn home(&self) -> Url {
        if let Some(base) = &self.base_url {
            return base.clone();
        }
        let mut home = self.login.url().clone();
        home.set_path("/");
        home.set_query(None);
        home.set_fragment(None);
        home
    }

    /// The pages that a reply leads to when the login is gone.
    pub(crate) fn ended_pages(&self) -> impl Iterator<Item = Url> {
        let home = self.home();
        self.expired.iter().filter_map(move |rule| match rule {
            ExpiredRule::Redirect(path) => home.join(path).ok(),
            ExpiredRule::Css(_)
            | ExpiredRule::JsonPath(_)
            | ExpiredRule::Status(_)
            | ExpiredRule::Text(_) => None,
        })
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("name", &self.name)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

fn read(text: &str, file: &str, faults: &Faults) -> Option<Site> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().unwrap_or(0..0);
        faults.note(&at, error.message().replace('\n', " "));
    }
    // What was recovered from a text that is no TOML would be called wrong for nothing.
    if !errors.is_empty() {
        return None;
    }
    let table = Table::root(&SITE, &document, faults);
    table.refuse_unknown(|name| {
        let is_login = login::is_key(name);
        is_login.then(|| format!("`{name}` belongs below [login]"))
    });
    let base_url = table.get("base_url").and_then(|entry| entry.url(None));
    let base = base_url.as_ref();
    let name = table.get("name").and_then(|entry| entry.text());
    let login = table
        .need("login")
        .and_then(|entry| login::read(&entry, base));
    let login_url = login.as_ref().map(|login| login.url().clone());
    let check = table
        .get("check")
        .and_then(|entry| check::read(&entry, base.or(login_url.as_ref())));
    Some(Site {
        source: text.to_owned(),
        name: name.unwrap_or_else(|| stem(file)).to_owned(),
        check,
        expired: table
            .get("expired")
            .map(|entry| check::read_expired(&entry))
            .unwrap_or_default(),
        renew: table.get("renew").map(renew).unwrap_or_default(),
        limits: table.get("limits").map(limits::read).unwrap_or_default(),
        pool: table
            .get("pool")
            .map(|entry| pool::read(&entry, base.or(login_url.as_ref())))
            .unwrap_or_default(),
        profile: table.get("profile").and_then(|entry| profile(&entry)),
        media: table
            .get("media")
            .and_then(|entry| media::read(&entry, base.or(login_url.as_ref()))),
        login: login?,
        base_url,
    })
}

/// `examples/shop.toml` is called `shop`.
fn stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.strip_suffix(".toml").unwrap_or(name)
}

fn renew(entry: read::Entry<'_>) -> RenewRules {
    let Some(table) = entry.table(&RENEW) else {
        return RenewRules::default();
    };
    let cookies = table.get("cookies");
    let before = table.get("before").and_then(|entry| entry.duration());
    RenewRules {
        cookies: cookies
            .map(|entry| entry.one_or_more(|item| item.text().map(str::to_owned)))
            .unwrap_or_default(),
        before: before.unwrap_or(RenewRules::default().before),
    }
}

fn profile(entry: &read::Entry<'_>) -> Option<ProfileChoice> {
    let text = entry.text()?;
    match text.parse() {
        Ok(choice) => Some(choice),
        Err(_unknown) => {
            let known = ["none", "standard", "browser", "chrome", "firefox", "safari"];
            entry.advise(
                format!("`{text}` is no profile"),
                fault::did_you_mean(text, known.into_iter()),
            );
            None
        }
    }
}

static SITE: Section = Section {
    title: "the file's top",
    about: "Before the first table.",
    keys: &[&[
        Key {
            name: "name",
            takes: "text",
            default: "the file's name",
            about: "What the site is called.",
            example: "name = \"shop\"",
        },
        Key {
            name: "base_url",
            takes: "address",
            default: "none",
            about: "Where relative addresses of this file start, and later those of requests.",
            example: "base_url = \"https://shop.example\"",
        },
        Key {
            name: "profile",
            takes: "`none`, `standard`, `browser`, `chrome`, `firefox`, `safari`, or a browser in full",
            default: "`standard`",
            about: "The headers of a session that is made.",
            example: "profile = \"browser\"",
        },
        Key {
            name: "login",
            takes: "table",
            default: "required",
            about: "How to log in.",
            example: "[login]",
        },
        Key {
            name: "check",
            takes: "table",
            default: "learned at the login",
            about: "How to see that the login holds.",
            example: "[check]",
        },
        Key {
            name: "expired",
            takes: "table",
            default: "a 401, or a redirect to the login page",
            about: "What any reply shows when the login is gone.",
            example: "[expired]",
        },
        Key {
            name: "renew",
            takes: "table",
            default: "when the login is gone",
            about: "When to log in again before that.",
            example: "[renew]",
        },
        Key {
            name: "limits",
            takes: "table",
            default: "none",
            about: "How often and how many at once.",
            example: "[limits]",
        },
        Key {
            name: "media",
            takes: "table",
            default: "what pages commonly have",
            about: "How to find the media of its pages.",
            example: "[media]",
        },
        Key {
            name: "pool",
            takes: "table",
            default: "ten sessions",
            about: "Many sessions of the site as one resource.",
            example: "[pool]",
        },
    ]],
};

static RENEW: Section = Section {
    title: "[renew]",
    about: "The login is renewed before it ends, where a cookie says when that is.",
    keys: &[&[
        Key {
            name: "cookies",
            takes: "text or list of texts",
            default: "none",
            about: "The cookies that carry the login.",
            example: "cookies = [\"sessionid\"]",
        },
        Key {
            name: "before",
            takes: "length of time",
            default: "`1m`",
            about: "How long before the first of them ends.",
            example: "before = \"10m\"",
        },
    ]],
};
