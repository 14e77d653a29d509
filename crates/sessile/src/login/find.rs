//! Which form of a page is the login, by points for what speaks for and against.
//!
//! Nothing is sent here; a form that was found is filled in `fill`.

use std::fmt;

use url::Url;

use super::form::{FieldKind, Form, FormMethod, ScriptUse};
use super::page::Page;
use super::score::{
    Roles, Tally, best_submit, code_boxes, own_words, roles, weigh_fields, weigh_words,
};
use super::tokens::PageToken;
use super::words;
use crate::site::FieldNames;

/// A form that logs somebody in, with the roles of its fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoginForm {
    /// The fields that take one digit of the code each, by their places in the form, where it is
    /// typed so.
    pub code_boxes: Vec<usize>,
    /// The field for a code, or for its first digit, by its place in the form.
    pub code_field: Option<usize>,
    /// The form itself.
    pub form: Form,
    /// Whether a puzzle against robots stands in the form.
    pub has_captcha: bool,
    /// Which part of a login it asks for.
    pub kind: LoginKind,
    /// The page it stands on.
    pub page_url: Url,
    /// The field for the password, by its place in the form.
    pub password_field: Option<usize>,
    /// The button to press, by its place in the form.
    pub submit: Option<usize>,
    /// The field for the user name, by its place in the form.
    pub user_field: Option<usize>,
    /// Why this form was taken, in words.
    pub why: Vec<String>,
    pub(crate) token_names: Vec<String>,
    pub(crate) tokens: Vec<PageToken>,
}

/// Which part of a login a form asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LoginKind {
    /// The user name; the password is asked for later.
    NameFirst,
    /// A code of a second factor.
    OneTimeCode,
    /// The password; the name is known already.
    PasswordOnly,
    /// Nothing: its script sends it on to the next page at once, as single
    /// sign-on does.
    Relay,
    /// Name and password.
    Whole,
}

/// Why a page has no login form to use.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NoLoginForm {
    /// Two or more forms look equally like the login.
    Ambiguous {
        /// What they are called.
        forms: Vec<String>,
    },
    /// The site asks in the HTTP headers, as browsers do in a window of their own.
    HttpAuthentication {
        /// By which scheme, such as `Basic`.
        scheme: String,
    },
    /// The page builds or sends its form by script.
    NeedsJavaScript {
        /// What shows it.
        hint: ScriptHint,
    },
    /// No form at all.
    NoForm {
        /// Links that may lead to the login, best first.
        links: Vec<Url>,
    },
    /// Forms, but none of them a login.
    NoneIsLogin {
        /// What each looks like.
        forms: Vec<String>,
        /// Links that may lead to the login, best first.
        links: Vec<Url>,
    },
    /// The form that was asked for by name is not on the page.
    NoSuchForm {
        /// What was asked for.
        asked: String,
        /// What there is.
        forms: Vec<String>,
    },
}

/// What shows that a page needs JavaScript to log in.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ScriptHint {
    /// An element that only a script fills.
    EmptyRoot(String),
    /// A login form that the browser alone would not send rightly.
    Form(String, ScriptUse),
    /// A password field outside any form.
    LoosePassword,
    /// What the page says to readers without scripts.
    NoScriptText(String),
    /// Nothing but scripts.
    OnlyScripts(usize),
}

impl fmt::Display for ScriptHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyRoot(id) => write!(f, "element `{id}` is empty until a script fills it"),
            Self::Form(form, using) => write!(f, "form {form}: {using}"),
            Self::LoosePassword => f.write_str("a password field stands outside any form"),
            Self::NoScriptText(text) => write!(f, "the page says \"{text}\""),
            Self::OnlyScripts(count) => write!(f, "{count} scripts and hardly a word of text"),
        }
    }
}

impl fmt::Display for NoLoginForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous { forms } => write!(
                f,
                "{} forms look equally like the login: {}; name one of them with --form",
                forms.len(),
                forms.join(", ")
            ),
            Self::HttpAuthentication { scheme } => write!(
                f,
                "the site asks for HTTP authentication ({scheme}) and has no form; requests \
                 carry it with --auth-type and --auth-user"
            ),
            Self::NeedsJavaScript { hint } => write!(
                f,
                "the login form needs JavaScript ({hint}); give the address of a page whose \
                 form works without scripts"
            ),
            Self::NoForm { links } => {
                f.write_str("the page has no form; ")?;
                advise(f, links)
            }
            Self::NoneIsLogin { forms, links } => {
                let count = forms.len();
                let noun = if count == 1 {
                    "form, which is"
                } else {
                    "forms, of which"
                };
                let verb = if count == 1 {
                    "no login"
                } else {
                    "none is a login"
                };
                write!(
                    f,
                    "the page has {count} {noun} {verb}: {}; ",
                    forms.join(", ")
                )?;
                advise(f, links)
            }
            Self::NoSuchForm { asked, forms } => {
                write!(
                    f,
                    "the page has no form `{asked}`; it has: {}",
                    forms.join(", ")
                )
            }
        }
    }
}

fn advise(f: &mut fmt::Formatter<'_>, links: &[Url]) -> fmt::Result {
    match links.first() {
        Some(link) => write!(f, "its link to {} may lead to the login", link.path()),
        None => f.write_str("give the address of the page that asks for the password"),
    }
}

impl std::error::Error for NoLoginForm {}

/// Finds the login form of a page.
///
/// Fails with the reason, and with links to follow where the page has some.
pub fn find(page: &Page) -> Result<LoginForm, NoLoginForm> {
    let mut found: Vec<(i32, LoginForm)> = page
        .forms
        .iter()
        .filter_map(|form| assess(page, form))
        .collect();
    // Stable: among equals the first of the page stays first.
    found.sort_by_key(|(points, _)| -points);
    let mut found = found.into_iter();
    let Some((points, best)) = found.next() else {
        return relay(page).ok_or_else(|| why_none(page));
    };
    let rivals: Vec<LoginForm> = found
        .filter(|(other, login)| *other == points && !is_same(&login.form, &best.form))
        .map(|(_, login)| login)
        .collect();
    if !rivals.is_empty() {
        let forms = std::iter::once(&best).chain(&rivals);
        return Err(NoLoginForm::Ambiguous {
            forms: forms.map(|login| login.form.label()).collect(),
        });
    }
    usable(best)
}

/// Takes the form with this id, name or address path, whatever it looks like.
///
/// Fails if the page has no such form, or if nothing in it can be filled.
pub fn find_named(page: &Page, asked: &str) -> Result<LoginForm, NoLoginForm> {
    let is_asked = |form: &&Form| {
        form.id.as_deref() == Some(asked)
            || form.name.as_deref() == Some(asked)
            || form
                .action
                .as_ref()
                .is_some_and(|action| action.path() == asked)
    };
    let form = page.forms.iter().find(is_asked);
    let roles = form.and_then(|form| Some((form, roles(page, form)?)));
    let Some((form, roles)) = roles else {
        return Err(NoLoginForm::NoSuchForm {
            asked: asked.to_owned(),
            forms: page.forms.iter().map(describe).collect(),
        });
    };
    let why = vec![format!("form `{asked}` was asked for")];
    usable(login_form(page, form, roles, why))
}

/// Takes the form with fields of these names; `None` where there is none, or none was named.
pub(crate) fn find_with(page: &Page, names: &FieldNames) -> Option<LoginForm> {
    let place = |form: &Form, name: &Option<String>| {
        let name = name.as_deref()?;
        form.fields.iter().position(|field| field.name == name)
    };
    page.forms.iter().find_map(|form| {
        let found = roles(page, form);
        let own = found.as_ref();
        let user = place(form, &names.user);
        let password = place(form, &names.password);
        let code = place(form, &names.otp);
        user.or(password).or(code)?;
        let user = user.or(own.and_then(|roles| roles.user));
        let password = password.or(own.and_then(|roles| roles.password));
        let code = code.or(own.and_then(|roles| roles.code));
        let kind = match (user, password) {
            (Some(_), Some(_)) => LoginKind::Whole,
            (None, Some(_)) => LoginKind::PasswordOnly,
            (_, None) if code.is_some() => LoginKind::OneTimeCode,
            (_, None) => LoginKind::NameFirst,
        };
        let roles = Roles {
            code,
            kind,
            password,
            user,
        };
        let why = vec!["the site file names its fields".to_owned()];
        Some(login_form(page, form, roles, why))
    })
}

/// What a page says that asks for consent: a form with nothing to fill in but a button, and words
/// of permissions around it.
pub(crate) fn consent(page: &Page) -> Option<String> {
    let asks = |form: &Form| {
        form.method == FormMethod::Post
            && !form.submits.is_empty()
            && form.fields.iter().all(|field| !field.is_typed())
    };
    let form = page.forms.iter().find(|form| asks(form))?;
    let title = page.title.as_deref().unwrap_or_default();
    let heading = form.heading.as_deref().unwrap_or(title);
    let buttons = form.submits.iter().map(|submit| submit.label.as_str());
    let said: Vec<&str> = [title, heading].into_iter().chain(buttons).collect();
    let speaks = |words: &&&str| words::has(&words.to_lowercase(), words::CONSENT);
    let message = said.iter().find(speaks)?;
    Some((*message).to_owned())
}

/// The links of a page that may lead to a login, best first, none twice.
pub fn login_links(page: &Page) -> Vec<Url> {
    let mut links: Vec<(i32, &Url)> = Vec::new();
    let candidates = page
        .links
        .iter()
        .map(|link| (link.text.as_str(), &link.url));
    let refresh = page.refresh.iter().map(|url| ("", url));
    for (text, url) in candidates.chain(refresh) {
        let points = link_points(page, text, url);
        let is_known = links.iter().any(|(_, known)| *known == url);
        if points > 0 && !is_known && *url != page.url {
            links.push((points, url));
        }
    }
    links.sort_by_key(|(points, _)| -points);
    links
        .into_iter()
        .take(10)
        .map(|(_, url)| url.clone())
        .collect()
}

fn usable(login: LoginForm) -> Result<LoginForm, NoLoginForm> {
    match &login.form.script {
        Some(using) => Err(NoLoginForm::NeedsJavaScript {
            hint: ScriptHint::Form(login.form.label(), using.clone()),
        }),
        None => Ok(login),
    }
}

fn is_same(form: &Form, other: &Form) -> bool {
    form.action == other.action
}

/// Points and the form, if it is a login at all.
fn assess(page: &Page, form: &Form) -> Option<(i32, LoginForm)> {
    let roles = roles(page, form)?;
    let mut tally = Tally::default();
    weigh_fields(form, roles, &mut tally);
    weigh_words(page, form, roles, &mut tally);
    if tally.points <= 0 {
        return None;
    }
    Some((tally.points, login_form(page, form, roles, tally.why)))
}

fn login_form(page: &Page, form: &Form, roles: Roles, why: Vec<String>) -> LoginForm {
    LoginForm {
        code_boxes: code_boxes(form),
        code_field: roles.code,
        has_captcha: form.has_captcha,
        kind: roles.kind,
        page_url: page.url.clone(),
        password_field: roles.password,
        submit: best_submit(form),
        user_field: roles.user,
        why,
        token_names: page.token_names.clone(),
        tokens: page.tokens.clone(),
        form: form.clone(),
    }
}

/// The form that a page sends on by itself.
fn relay(page: &Page) -> Option<LoginForm> {
    let is_carried = |form: &&Form| {
        form.method == FormMethod::Post
            && !form.fields.is_empty()
            && form
                .fields
                .iter()
                .all(|field| field.kind == FieldKind::Hidden)
    };
    let form = page
        .forms
        .iter()
        .find(is_carried)
        .filter(|_| page.posts_itself)?;
    let roles = Roles {
        code: None,
        kind: LoginKind::Relay,
        password: None,
        user: None,
    };
    let why = vec!["its script sends it on at once".to_owned()];
    Some(login_form(page, form, roles, why))
}

fn why_none(page: &Page) -> NoLoginForm {
    let links = login_links(page);
    if page
        .loose
        .iter()
        .any(|field| field.kind == FieldKind::Password)
    {
        return NoLoginForm::NeedsJavaScript {
            hint: ScriptHint::LoosePassword,
        };
    }
    if let Some(hint) = script_hint(page)
        && links.is_empty()
    {
        return NoLoginForm::NeedsJavaScript { hint };
    }
    if page.forms.is_empty() {
        return NoLoginForm::NoForm { links };
    }
    NoLoginForm::NoneIsLogin {
        forms: page.forms.iter().take(10).map(describe).collect(),
        links,
    }
}

fn script_hint(page: &Page) -> Option<ScriptHint> {
    let said = page.noscript.to_lowercase();
    let said_so = words::has(&said, &["javascript", "java script", "scripting"]);
    let length: usize = page.texts.iter().map(|text| text.text.len()).sum();
    let is_bare = length.saturating_sub(page.noscript.len()) < 400;
    match (&page.root, page.scripts) {
        (_, 0) => None,
        (Some(root), _) => Some(ScriptHint::EmptyRoot(root.clone())),
        (None, _) if said_so && is_bare => Some(ScriptHint::NoScriptText(page.noscript.clone())),
        (None, count) if length < 100 && page.forms.is_empty() => {
            Some(ScriptHint::OnlyScripts(count))
        }
        (None, _) => None,
    }
}

/// What a form looks like, for a message.
fn describe(form: &Form) -> String {
    let own = own_words(form);
    let passwords = form
        .fields
        .iter()
        .filter(|field| field.kind == FieldKind::Password)
        .count();
    let kind = if passwords > 1 || (passwords > 0 && words::has(&own, words::REGISTER)) {
        "registration or new password"
    } else if form.role.as_deref() == Some("search")
        || words::has(&own, words::SEARCH)
        || form.fields.iter().any(|field| {
            field.kind == FieldKind::Search || matches!(field.name.as_str(), "q" | "s")
        })
    {
        "search"
    } else if words::has(&own, words::RESET) {
        "lost password"
    } else if words::has(&own, words::NEWSLETTER) {
        "newsletter or message"
    } else if words::has(&own, words::REGISTER) {
        "registration"
    } else {
        "no password field"
    };
    format!("{} ({kind})", form.label())
}

fn link_points(page: &Page, text: &str, url: &Url) -> i32 {
    let address = format!("{} {}", url.path(), url.query().unwrap_or_default()).to_lowercase();
    let text = text.to_lowercase();
    let mut points = 0;
    if words::has_whole(&text, words::LOGIN) {
        points += 20 - i32::try_from(text.len().min(60) / 6).unwrap_or(10);
    }
    if words::has(&address, words::LOGIN) {
        points += 10;
    }
    if url.origin() == page.url.origin() && points > 0 {
        points += 8;
    }
    for away in [words::LOGOUT, words::REGISTER, words::RESET] {
        let is_away = words::has(&text, away) || words::has(&address, away);
        // `?next=/register` is no reason against a link that says "log in".
        if is_away && !words::has_whole(&text, words::LOGIN) {
            points -= 40;
        }
    }
    if words::has_whole(
        &text,
        &[
            "google",
            "facebook",
            "github",
            "apple",
            "microsoft",
            "twitter",
        ],
    ) {
        points -= 15;
    }
    points
}
