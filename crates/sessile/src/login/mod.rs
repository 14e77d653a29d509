//! Logging in with nothing but a URL, a user name and a password.
//!
//! `flow` decides the steps, this file takes them; the pages are understood by `page`, `find`,
//! `fill` and `messages`. Works on a copy of the session: only a login that worked is handed out.

mod code;
mod error;
mod extract;
pub mod fill;
pub mod find;
mod flow;
pub mod form;
mod html;
pub mod messages;
mod otp;
pub mod page;
mod score;
mod second_factor;
mod token;
pub mod tokens;
pub(crate) mod visit;
pub(crate) mod words;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use sessile_jar::{Api, Context, Jar, Timestamp};
use url::Url;

use crate::check::evidence::Evidence;
use crate::check::learn::{self, Judgement};
use crate::profile::ProfileChoice;
use crate::record::Check;
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::session::{self, Request, Session, SessionState};

pub use error::LoginError;
pub use find::NoLoginForm;
pub use otp::{OtpError, OtpSecret};
pub use second_factor::{AskCode, CodeWanted};
pub(crate) use second_factor::{AwaitCode, Factor};

use fill::Submission;
use flow::{Action, FormLogin};
use form::FormMethod;
use messages::Refusal;
use second_factor::CodeSource;
use visit::{Visit, visit};

/// How many pages a login may take.
const PAGES: usize = 12;

/// What is needed to log in.
#[derive(Clone)]
#[non_exhaustive]
pub struct Login {
    /// The login page, or any page that leads to it.
    pub url: Url,
    /// Who logs in.
    pub user: String,
    /// The password.
    pub password: Secret<String>,
    /// The secret that the codes of a second factor are made from. Defaults to none.
    pub otp: Option<OtpSecret>,
    /// Who is asked for a code that no secret makes. Defaults to nobody.
    pub code: Option<AskCode>,
    /// Whether a box is ticked by which the site asks for no code on this device again.
    /// Defaults to no.
    pub trust_device: bool,
    /// Whether the password is kept, sealed, for renewals. Defaults to no.
    pub remember: bool,
    /// The form's id, name or address, where a page has several. Defaults to the one that looks
    /// like a login.
    pub form: Option<String>,
    /// A page that only members see. Defaults to one that is found.
    pub check: Option<Url>,
    /// The headers of a session that is made. Defaults to `standard`.
    pub profile: ProfileChoice,
    /// Who hears of each step while it is done, also of those before a failure. Defaults to nobody.
    pub listener: Option<StepListener>,
}

/// Hears what a login does while it does it.
#[derive(Clone)]
pub struct StepListener(Arc<dyn Fn(&str) + Send + Sync>);

impl StepListener {
    /// Calls `hear` with each step, in words without secrets.
    pub fn new(hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    fn hear(&self, step: &str) {
        (self.0)(step);
    }
}

impl fmt::Debug for StepListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StepListener")
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("url", &ShownUrl(&self.url))
            .field("user", &self.user)
            .field("password", &self.password)
            .field("remember", &self.remember)
            .finish_non_exhaustive()
    }
}

impl Login {
    /// A login by form.
    pub fn new(url: Url, user: impl Into<String>, password: Secret<String>) -> Self {
        Self {
            url,
            user: user.into(),
            password,
            otp: None,
            code: None,
            trust_device: false,
            remember: false,
            form: None,
            check: None,
            profile: ProfileChoice::default(),
            listener: None,
        }
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
    pub(crate) factor: Factor,
}

/// Logs in, starting from `state`, and finds out how to see that the login holds.
pub(crate) async fn log_in(
    session: &Session,
    state: SessionState,
    login: &Login,
    known: &Known,
) -> Result<LoginReport, LoginError> {
    let member = session.fork(state);
    let mut flow = FormLogin::new(login.clone(), known.sent_to.clone());
    let mut cookies = Vec::new();
    let mut codes = CodeSource::new(login, &known.factor);
    let landed = match walk(&member, login, &mut flow, &mut codes, &mut cookies).await {
        Ok(landed) => Some(landed),
        // The cookies alone may have opened the door, as single sign-on does.
        Err(error @ LoginError::NoForm { .. }) => {
            if !holds(&member, known, &mut flow).await? {
                return Err(error);
            }
            None
        }
        Err(error) => return Err(error),
    };
    let check = match &landed {
        None => known.check.clone(),
        Some(_) if holds(&member, known, &mut flow).await? => known.check.clone(),
        Some(landed) => learn(session, &member, login, landed, &mut flow).await?,
    };
    cookies.sort();
    cookies.dedup();
    let mut state = member.state();
    state.signs.login_pages = flow.login_pages;
    if state.signs.login_pages.is_empty() {
        state.signs.login_pages.clone_from(&known.login_pages);
    }
    if state.base_url.is_none() {
        let mut base = login.url.clone();
        base.set_path("/");
        base.set_query(None);
        base.set_fragment(None);
        state.set_base_url(base);
    }
    Ok(LoginReport {
        steps: flow.steps,
        check,
        cookies,
        generation: 0,
        sent_to: flow.sent_to,
        last_step: codes.last_step(),
        state,
    })
}

/// Goes from page to page until the form was sent; answers the page it led to.
async fn walk(
    member: &Session,
    login: &Login,
    flow: &mut FormLogin,
    codes: &mut CodeSource<'_>,
    cookies: &mut Vec<String>,
) -> Result<Visit, LoginError> {
    let mut page = visit(member, Request::get(login.url.as_str())).await?;
    for _page in 0..PAGES {
        cookies.extend(page.cookies_set.iter().cloned());
        let jar = member.read(|state| state.jar().clone());
        let visible = visible(&jar, &page.url, member.now());
        let request = match flow.next(&page, &visible)? {
            Action::AskCode(wanted) => {
                let code = codes.next(member, wanted, page.clock_ahead, flow).await;
                request(&flow.send_code(&page, code, &visible)?)
            }
            Action::Done => return Ok(page),
            Action::Fetch(url) => Request::get(url.as_str()),
            Action::Submit(submission) => request(&submission),
        };
        page = visit(member, request).await?;
    }
    let url = ShownUrl(&page.url).to_string();
    Err(LoginError::CanNotTell { url })
}

/// Whether the check of an earlier login says that this one holds.
async fn holds(member: &Session, known: &Known, flow: &mut FormLogin) -> Result<bool, LoginError> {
    let Some(check) = &known.check else {
        return Ok(false);
    };
    let Judgement::Valid(why) = check.learned.judge(&evidence(member, &check.url).await?) else {
        return Ok(false);
    };
    let shown = ShownUrl(&check.url).to_string();
    flow.say(format!("logged in: at {shown} {why}"));
    Ok(true)
}

/// Finds a page that shows whether one is logged in, by comparing it with what strangers get.
async fn learn(
    session: &Session,
    member: &Session,
    login: &Login,
    landed: &Visit,
    flow: &mut FormLogin,
) -> Result<Option<Check>, LoginError> {
    for url in candidates(login, landed, &flow.login_pages) {
        let ours = evidence(member, &url).await?;
        let strangers = [
            evidence(&session.stranger(), &url).await?,
            evidence(&session.stranger(), &url).await?,
        ];
        let names = [login.user.as_str()];
        let learned = learn::learn(&ours, [&strangers[0], &strangers[1]], &names);
        // What a second look doesn't bear out was chance.
        let again = evidence(member, &url).await?;
        if let Some(learned) = learned.and_then(|learned| learned.confirm(&again)) {
            let shown = ShownUrl(&url).to_string();
            let shows = learned.member.first().map_or_else(
                || format!("strangers get something else ({learned})"),
                |mark| format!("{mark}, which strangers don't see"),
            );
            flow.say(format!("logged in as {}: at {shown} {shows}", login.user));
            return Ok(Some(Check { url, learned }));
        }
    }
    // Nothing to check by later; whether it worked shows at least in what the site handed out.
    let url = ShownUrl(&landed.url).to_string();
    if flow.refusal(landed) != Refusal::Other {
        let message = flow.message(landed, "");
        return Err(LoginError::Refused {
            url,
            user: login.user.clone(),
            message,
        });
    }
    if landed.cookies_set.is_empty() || login.check.is_some() {
        return Err(LoginError::CanNotTell { url });
    }
    flow.say(format!(
        "logged in as {}, it seems: the site set {}, but no page was found that shows it",
        login.user,
        landed.cookies_set.join(", ")
    ));
    Ok(None)
}

/// Pages that may show it, best first.
fn candidates(login: &Login, landed: &Visit, login_pages: &[Url]) -> Vec<Url> {
    if let Some(url) = &login.check {
        return vec![url.clone()];
    }
    let mut root = landed.url.clone();
    root.set_path("/");
    root.set_query(None);
    let started_at_form = login_pages
        .iter()
        .any(|page| page.path() == login.url.path());
    let mut urls = if started_at_form {
        vec![landed.url.clone(), root, login.url.clone()]
    } else {
        vec![login.url.clone(), landed.url.clone(), root]
    };
    for url in &mut urls {
        url.set_fragment(None);
    }
    urls.dedup();
    urls
}

async fn evidence(session: &Session, url: &Url) -> Result<Evidence, LoginError> {
    let request = visit::page_request(Request::get(url.as_str()));
    let mut reply = session.send(request).await?;
    Ok(visit::evidence(&mut reply).await?)
}

/// The form as a request, with the headers that a browser adds and frameworks check.
fn request(submission: &Submission) -> Request {
    let mut request = match submission.method {
        FormMethod::Get => Request::get(submission.url.as_str()),
        FormMethod::Post => Request::post(submission.url.as_str())
            .keep_body_home()
            .header("origin", &submission.origin)
            .body(submission.body.expose().clone()),
    };
    request = request.header("referer", submission.referer.as_str());
    if let Some(kind) = &submission.content_type {
        request = request.header("content-type", kind);
    }
    for (name, value) in &submission.headers {
        request = request.header(name, value.expose());
    }
    request
}

/// The cookies that a script on the page could read; some forms send one of them back.
fn visible(jar: &Jar, url: &Url, now: Timestamp) -> Vec<(String, String)> {
    let Some(target) = session::target(url) else {
        return Vec::new();
    };
    let mut script = Context::default();
    script.api = Api::NonHttp;
    let cookies = jar.select(&target, &script, now);
    cookies
        .map(|cookie| {
            (
                cookie.name_lossy().into_owned(),
                cookie.value_lossy().into_owned(),
            )
        })
        .collect()
}
