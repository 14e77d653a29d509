//! Logging in: what is asked for, which way it goes, and whether it worked.
//!
//! Each way is a module. The form's is `walk`, which takes the steps that `flow` decides; its pages
//! are understood by `page`, `find`, `fill` and `messages`. Whatever the way, `prove` says whether
//! it worked. Works on a copy of the session: only a login that worked is handed out.

mod answer;
mod browser;
mod code;
mod error;
mod extract;
pub mod fill;
pub mod find;
mod flow;
pub mod form;
mod html;
mod http_auth;
mod json;
pub mod messages;
pub mod oauth2;
mod otp;
pub mod page;
mod person;
mod prove;
mod score;
mod second_factor;
mod site;
mod steps;
mod token;
pub mod tokens;
mod trail;
pub(crate) mod visit;
mod walk;
pub(crate) mod words;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use url::Url;

use crate::profile::ProfileChoice;
use crate::record::{Check, Tokens};
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::session::{Session, SessionState};
use crate::site::{FieldNames, Site, SiteLogin, Template};

pub use error::LoginError;
pub use find::NoLoginForm;
pub use otp::{OtpError, OtpSecret};
pub use person::{
    AskCode, AskDone, AskPassword, AskVisit, CodeWanted, PageToVisit, PasswordWanted, Person,
    StepListener, Window,
};

pub(crate) use second_factor::{AwaitCode, Factor, NoteStep};
pub(crate) use trail::Trail;

use oauth2::OAuth2;
use visit::Visit;

/// How long a login may take: a site that answers a byte at a time must not hold all for ever.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);

/// A login, as somebody asks for it.
///
/// ```
/// use sessile::Secret;
/// use sessile::login::Login;
///
/// let password = Secret::from("wonderland".to_owned());
/// let mut login = Login::form("https://shop.example/login".parse()?, "ada", password);
/// login.remember = true;
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Login {
    /// Which way it goes.
    pub how: How,
    /// What it shows the site.
    pub credentials: Credentials,
    /// Whether the credentials are kept, sealed, for renewals. Defaults to no.
    pub remember: bool,
    /// A page that only members see. Defaults to one that is found.
    pub check: Option<Url>,
    /// The headers of a session that is made. Defaults to `standard`.
    pub profile: ProfileChoice,
    /// Who helps, and who hears of each step. Defaults to nobody.
    pub person: Person,
}

/// The way of a login, and all that is needed to go it again.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum How {
    /// A person logs in, in a browser's window; see [`Person::window`].
    Browser(BrowserPlace),
    /// Finds the form and fills it in.
    Form(FormPlace),
    /// As a site file says.
    Site(Arc<Site>),
}

/// Where a person logs in.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct BrowserPlace {
    /// The page that the window opens at.
    pub url: Url,
}

/// Where a login form is.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct FormPlace {
    /// The login page, or any page that leads to it.
    pub url: Url,
    /// The form's id, name or address, where a page has several. Defaults to the one that looks
    /// like a login.
    pub form: Option<String>,
    /// Whether a box is ticked by which the site asks for no code on this device again.
    /// Defaults to no.
    pub trusts_device: bool,
    /// The names of its fields, where a site file names them.
    pub(crate) fields: FieldNames,
    /// What else a site file has filled in.
    pub(crate) inputs: Vec<(String, Template)>,
}

/// What a login shows the site.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Credentials {
    /// Who logs in; empty where the way needs no name.
    pub user: String,
    /// The password, where the way needs one.
    pub password: Option<Secret<String>>,
    /// What the codes of a second factor are made from, where it is known.
    pub otp: Option<OtpSecret>,
}

impl Credentials {
    /// A name, and a password where the way needs one.
    pub fn new(user: impl Into<String>, password: Option<Secret<String>>) -> Self {
        Self {
            user: user.into(),
            password,
            otp: None,
        }
    }
}

impl Login {
    /// A login by the form at `url`, or the one that it leads to.
    pub fn form(url: Url, user: impl Into<String>, password: Secret<String>) -> Self {
        let how = How::Form(FormPlace::new(url));
        let credentials = Credentials {
            user: user.into(),
            password: Some(password),
            otp: None,
        };
        Self::new(how, credentials)
    }

    /// A login as a site file says.
    pub fn site(site: Arc<Site>, credentials: Credentials) -> Self {
        let profile = site.profile.clone();
        let login = Self::new(How::Site(site), credentials);
        Self {
            profile: profile.unwrap_or_default(),
            ..login
        }
    }

    /// A login by the person in front of `window`, which opens at `url`.
    pub fn browser(url: Url, window: Window) -> Self {
        let mut login = Self::new(How::Browser(BrowserPlace { url }), Credentials::default());
        login.person.window = Some(window);
        login
    }

    /// A login that goes this way.
    pub fn new(how: How, credentials: Credentials) -> Self {
        Self {
            how,
            credentials,
            remember: false,
            check: None,
            profile: ProfileChoice::default(),
            person: Person::default(),
        }
    }
}

impl Login {
    /// How long it may take at most.
    pub(crate) fn limit(&self) -> Duration {
        match &self.person.window {
            // A person who logs in in a window takes their time.
            Some(window) => LONGEST + window.patience,
            None => LONGEST,
        }
    }
}

impl How {
    /// Where it starts.
    pub fn start(&self) -> &Url {
        match self {
            Self::Browser(place) => &place.url,
            Self::Form(place) => &place.url,
            Self::Site(site) => site.login.url(),
        }
    }

    /// Whether it doesn't go without a password.
    pub fn needs_password(&self) -> bool {
        match self {
            Self::Browser(_) => false,
            Self::Form(_) => true,
            Self::Site(site) => site.login.asks_for("password"),
        }
    }

    /// Whether a person has to go it, in a browser's window.
    pub fn needs_window(&self) -> bool {
        match self {
            Self::Browser(_) => true,
            Self::Form(_) => false,
            Self::Site(site) => matches!(site.login, SiteLogin::Browser(_)),
        }
    }

    /// What a site file says.
    pub fn site(&self) -> Option<&Arc<Site>> {
        match self {
            Self::Browser(_) | Self::Form(_) => None,
            Self::Site(site) => Some(site),
        }
    }

    /// How tokens are had from a provider, where they are.
    pub(crate) fn oauth2(&self) -> Option<&OAuth2> {
        match &self.site()?.login {
            SiteLogin::OAuth2(oauth2) => Some(oauth2),
            _ => None,
        }
    }

    /// How a site file has it checked that the login holds.
    pub(crate) fn check(&self) -> Option<Check> {
        let check = self.site()?.check.as_ref()?;
        Some(Check::of_site(check))
    }
}

impl FormPlace {
    /// The form that looks like a login, on this page or one that it leads to.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            form: None,
            trusts_device: false,
            fields: FieldNames::default(),
            inputs: Vec::new(),
        }
    }
}

impl BrowserPlace {
    /// At this page.
    pub fn new(url: Url) -> Self {
        Self { url }
    }
}

impl fmt::Debug for BrowserPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrowserPlace")
            .field("url", &ShownUrl(&self.url))
            .finish()
    }
}

impl fmt::Debug for FormPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormPlace")
            .field("url", &ShownUrl(&self.url))
            .field("form", &self.form)
            .finish()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("password", &self.password)
            .field("otp", &self.otp)
            .finish()
    }
}

/// What a login did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoginReport {
    /// Step by step, in words without secrets.
    pub steps: Vec<String>,
    /// How to see later whether it still holds; `None` where nothing was found that shows it.
    pub check: Option<Check>,
    /// The names of the cookies that it set.
    pub cookies: Vec<String>,
    /// The count of logins.
    pub generation: u64,
    /// What came with an access token.
    pub tokens: Option<Tokens>,
    /// The origins that the password was sent to.
    pub(crate) sent_to: Vec<String>,
    /// The step of time of the last code that was sent.
    pub(crate) last_step: Option<u64>,
    /// The session's state after the login.
    pub(crate) state: SessionState,
}

/// What an earlier login to the same site has found out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) check: Option<Check>,
    pub(crate) login_pages: Vec<Url>,
    /// The origins that the password went to; it goes to no other without a person.
    pub(crate) sent_to: Vec<String>,
    /// What is known of the second factor.
    pub(crate) factor: Factor,
}

/// How a way through a login ended, before anybody has looked whether it worked.
#[derive(Debug)]
pub(crate) enum Landed {
    /// Requests were answered as they have to be where it does.
    Answered,
    /// It worked, and this shows it, where anything does.
    Found(Option<Check>),
    /// A check has said already that it did.
    Proven,
    /// On this page.
    On(Box<Visit>),
}

/// Logs in, starting from `state`, and finds out how to see that the login holds.
pub(crate) async fn log_in(
    session: &Session,
    state: SessionState,
    login: &Login,
    known: &Known,
) -> Result<LoginReport, LoginError> {
    let member = session.fork(state);
    let mut trail = Trail::new(login.person.clone(), known.sent_to.clone());
    let landed = match &login.how {
        How::Browser(place) => {
            browser::log_in(session, &member, place, login, &mut trail)
                .boxed()
                .await?
        }
        How::Form(place) => {
            http_auth::or_form(&member, place, &login.credentials, known, &mut trail).await?
        }
        How::Site(site) => {
            site::begin(&member, site);
            match &site.login {
                SiteLogin::Browser(own) => {
                    let url = own.url.clone();
                    browser::log_in(session, &member, &BrowserPlace { url }, login, &mut trail)
                        .boxed()
                        .await?
                }
                _ => site::log_in(&member, site, &login.credentials, known, &mut trail).await?,
            }
        }
    };
    let check = prove::check(session, &member, login, known, &landed, &mut trail).await?;
    trail.cookies.sort();
    trail.cookies.dedup();
    let mut state = member.state();
    state.signs.login_pages = trail.login_pages;
    if let Some(site) = login.how.site() {
        state.signs.login_pages.extend(site.ended_pages());
    }
    if state.signs.login_pages.is_empty() {
        state.signs.login_pages.clone_from(&known.login_pages);
    }
    if state.base_url.is_none() {
        state.set_base_url(home(login.how.start()));
    }
    Ok(LoginReport {
        steps: trail.steps,
        check,
        cookies: trail.cookies,
        generation: 0,
        tokens: trail.tokens,
        sent_to: trail.sent_to,
        last_step: trail.last_step,
        state,
    })
}

/// The first page of the site.
fn home(url: &Url) -> Url {
    let mut home = url.clone();
    home.set_path("/");
    home.set_query(None);
    home.set_fragment(None);
    home
}
