//! The steps of a form login, without sending anything: a page comes in, what to do next comes out.

use url::Url;

use super::LoginError;
use super::fill::{Filled, Submission};
use super::find::{self, LoginForm, LoginKind};
use super::messages;
use super::visit::Visit;
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::session::Verdict;

/// How many links and refreshes are followed in search of the form.
const DETOURS: usize = 4;

/// What to do next.
#[derive(Debug)]
pub(super) enum Action {
    /// The form was sent and no login form came back: see whether it worked.
    Done,
    /// Fetch this page.
    Fetch(Url),
    /// Send this form.
    Submit(Submission),
}

/// Where in the login we are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// Looking for the form.
    Seek,
    /// The name was sent on its own; the password is asked for next.
    NameSent,
    /// Name and password were sent.
    PasswordSent,
}

/// A form login under way.
#[derive(Debug)]
pub(super) struct FormLogin {
    user: String,
    password: Secret<String>,
    stage: Stage,
    detours: usize,
    seen: Vec<Url>,
    /// The pages with the form: a redirect to one of them says later that the login is gone.
    pub(super) login_pages: Vec<Url>,
    /// What was done, in words.
    pub(super) steps: Vec<String>,
}

impl FormLogin {
    pub(super) fn new(user: String, password: Secret<String>) -> Self {
        Self {
            user,
            password,
            stage: Stage::Seek,
            detours: 0,
            seen: Vec::new(),
            login_pages: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Looks at a page and says what to do next.
    pub(super) fn next(&mut self, visit: &Visit, cookies: &[(String, String)]) -> Result<Action, LoginError> {
        self.steps.push(visit.words.clone());
        self.seen.push(visit.url.clone());
        refuse_obstacles(visit)?;
        if let Some(next) = self.refresh(visit) {
            return Ok(Action::Fetch(next));
        }
        match (self.stage, find::find(&visit.page)) {
            (_, Ok(form)) if form.kind() == LoginKind::OneTimeCode => {
                Err(LoginError::SecondFactor {
                    url: ShownUrl(&visit.url).to_string(),
                    user: self.user.clone(),
                    message: self.words_of(visit).unwrap_or_else(|| "a code".to_owned()),
                })
            }
            (Stage::Seek, Ok(form)) => self.fill(visit, &form, cookies),
            (Stage::NameSent, Ok(form)) if form.kind() != LoginKind::NameFirst => {
                self.fill(visit, &form, cookies)
            }
            (Stage::NameSent | Stage::PasswordSent, Ok(_)) => Err(self.refused(visit)),
            (Stage::Seek, Err(why)) => match self.login_link(visit) {
                Some(link) => Ok(Action::Fetch(link)),
                None => Err(LoginError::NoForm { url: ShownUrl(&visit.url).to_string(), why }),
            },
            (Stage::NameSent, Err(_)) => Err(self.refused(visit)),
            (Stage::PasswordSent, Err(_)) if visit.status >= 400 => Err(self.refused(visit)),
            (Stage::PasswordSent, Err(_)) => Ok(Action::Done),
        }
    }

    fn fill(
        &mut self,
        visit: &Visit,
        form: &LoginForm,
        cookies: &[(String, String)],
    ) -> Result<Action, LoginError> {
        let filled = Filled { user: &self.user, password: &self.password, code: None };
        let submission = form.submission(&filled, &visit.page, cookies).map_err(|what| {
            LoginError::NotSafe { url: ShownUrl(&visit.url).to_string(), what: what.to_string() }
        })?;
        self.steps.push(format!("found {}", form.description()));
        self.login_pages.push(visit.url.clone());
        self.stage = match form.kind() {
            LoginKind::NameFirst => Stage::NameSent,
            _ => Stage::PasswordSent,
        };
        Ok(Action::Submit(submission))
    }

    /// A page that sends one on by itself.
    fn refresh(&mut self, visit: &Visit) -> Option<Url> {
        let next = visit.page.refresh()?.clone();
        self.detour(next)
    }

    /// A page without a form may lead to one.
    fn login_link(&mut self, visit: &Visit) -> Option<Url> {
        let next = find::login_links(&visit.page).into_iter().find(|url| !self.seen.contains(url))?;
        self.detour(next)
    }

    fn detour(&mut self, next: Url) -> Option<Url> {
        if self.detours >= DETOURS || self.seen.contains(&next) {
            return None;
        }
        self.detours += 1;
        Some(next)
    }

    fn refused(&self, visit: &Visit) -> LoginError {
        let message = self.words_of(visit).unwrap_or_else(|| match visit.status {
            200..400 => "the login form came back without a word".to_owned(),
            status => format!("it answered {status} without a word"),
        });
        LoginError::Refused {
            url: ShownUrl(&visit.url).to_string(),
            user: self.user.clone(),
            message,
        }
    }

    /// The site's own words.
    pub(super) fn words_of(&self, visit: &Visit) -> Option<String> {
        let secrets = [self.password.expose().as_str()];
        let words = messages::error_messages(&visit.page, &secrets);
        (!words.is_empty()).then(|| words.join(" "))
    }
}

/// What stands before the login and says nothing of the credentials.
fn refuse_obstacles(visit: &Visit) -> Result<(), LoginError> {
    let url = || ShownUrl(&visit.url).to_string();
    match &visit.verdict {
        Verdict::Challenged(challenge) => {
            Err(LoginError::Challenged { url: url(), challenge: *challenge })
        }
        Verdict::RateLimited { wait } => {
            let wait = wait.map(|wait| wait.as_secs());
            Err(LoginError::RateLimited { url: url(), wait })
        }
        Verdict::Blocked | Verdict::Expired(_) | Verdict::Failing(_) | Verdict::Valid => Ok(()),
    }
}
