//! The steps of a form login, without sending anything: a page comes in, what to do next comes out.

mod second_factor;

use url::Url;

use super::fill::{Filled, Submission};
use super::find::{self, LoginForm, LoginKind, NoLoginForm};
use super::form::FieldKind;
use super::messages::{self, Refusal};
use super::visit::Visit;
use super::{CodeWanted, Credentials, FormPlace, LoginError, Trail};
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::session::Verdict;
use crate::site::Values;

/// How many links and refreshes are followed in search of the form.
const DETOURS: usize = 4;

/// What to do next.
#[derive(Debug)]
pub(super) enum Action {
    /// Get a code of the second factor, for [`FormLogin::send_code`].
    AskCode(CodeWanted),
    /// The form was sent and no login form came back: see whether it worked.
    Done,
    /// Fetch this page.
    Fetch(Url),
    /// Send this form.
    Submit(Box<Submission>),
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
    /// A code of the second factor was sent.
    CodeSent,
}

/// A form login under way.
#[derive(Debug)]
pub(super) struct FormLogin<'a> {
    place: &'a FormPlace,
    credentials: &'a Credentials,
    pub(super) trail: &'a mut Trail,
    stage: Stage,
    detours: usize,
    /// Why the page that was given has no login, where the site's usual places are looked at.
    dead_end: Option<LoginError>,
    /// Whether a form was sent again because its token was stale.
    has_started_over: bool,
    has_captcha: bool,
    /// The form that a code is wanted for.
    code_form: Option<Box<LoginForm>>,
    /// The codes that were sent.
    codes: Vec<Secret<String>>,
    seen: Vec<Url>,
}

impl<'a> FormLogin<'a> {
    pub(super) fn new(
        place: &'a FormPlace,
        credentials: &'a Credentials,
        trail: &'a mut Trail,
    ) -> Self {
        Self {
            place,
            credentials,
            trail,
            stage: Stage::Seek,
            detours: 0,
            dead_end: None,
            has_started_over: false,
            has_captcha: false,
            code_form: None,
            codes: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// The page to begin with.
    pub(super) fn start(&self) -> &Url {
        &self.place.url
    }

    /// Looks at a page and says what to do next.
    pub(super) fn next(
        &mut self,
        visit: &Visit,
        cookies: &[(String, String)],
    ) -> Result<Action, LoginError> {
        self.trail.say(visit.words.clone());
        self.trail.cookies.extend(visit.cookies_set.iter().cloned());
        self.seen.push(visit.url.clone());
        self.refuse_obstacles(visit)?;
        if let Some(next) = visit
            .page
            .refresh()
            .cloned()
            .and_then(|url| self.detour(url))
        {
            return Ok(Action::Fetch(next));
        }
        match (self.stage, self.find(visit)) {
            (_, Ok(form)) if form.kind == LoginKind::OneTimeCode => self.want_code(visit, form),
            (_, Ok(form)) if form.kind == LoginKind::Relay => self.fill(visit, &form, cookies),
            (Stage::Seek, Ok(form)) => self.begin(visit, form, cookies),
            (Stage::NameSent, Ok(form)) if form.kind != LoginKind::NameFirst => {
                self.begin(visit, form, cookies)
            }
            (_, Ok(form)) if self.asks_again_for_code(visit, &form) => self.want_code(visit, form),
            (Stage::NameSent | Stage::PasswordSent | Stage::CodeSent, Ok(form)) => {
                self.refused(visit, form.has_captcha)
            }
            (Stage::Seek, Err(why)) => self.seek(visit, why),
            (Stage::NameSent, Err(_)) => self.refused(visit, false),
            (Stage::PasswordSent | Stage::CodeSent, Err(_)) if visit.status >= 400 => {
                self.refused(visit, false)
            }
            (Stage::PasswordSent | Stage::CodeSent, Err(_)) => self.refuse_consent(visit),
        }
    }

    fn find(&self, visit: &Visit) -> Result<LoginForm, NoLoginForm> {
        if let Some(form) = find::find_with(&visit.page, &self.place.fields) {
            return Ok(form);
        }
        match (&self.place.form, self.stage) {
            (Some(asked), Stage::Seek) => find::find_named(&visit.page, asked),
            _ => find::find(&visit.page),
        }
    }

    /// A page without a form may lead to one; else the site has usual places for it.
    fn seek(&mut self, visit: &Visit, why: NoLoginForm) -> Result<Action, LoginError> {
        if visit.status >= 500 {
            return Err(LoginError::Failing {
                url: ShownUrl(&visit.url).to_string(),
                status: visit.status,
            });
        }
        let is_chosen = matches!(
            why,
            NoLoginForm::Ambiguous { .. } | NoLoginForm::NoSuchForm { .. }
        );
        let no_form = |why| LoginError::NoForm {
            url: ShownUrl(&visit.url).to_string(),
            why,
        };
        let error = match (&visit.auth_scheme, self.dead_end.take()) {
            (Some(scheme), _) => no_form(NoLoginForm::HttpAuthentication {
                scheme: scheme.clone(),
            }),
            (None, Some(first)) => first,
            (None, None) => no_form(why),
        };
        let mut places = find::login_links(&visit.page);
        if !is_chosen {
            places.extend(usual_places(&self.place.url));
        }
        let next = places.into_iter().find(|url| !self.seen.contains(url));
        match next.and_then(|url| self.detour(url)) {
            Some(url) => {
                self.dead_end = Some(error);
                Ok(Action::Fetch(url))
            }
            None => Err(error),
        }
    }

    fn detour(&mut self, next: Url) -> Option<Url> {
        if self.detours >= DETOURS || self.seen.contains(&next) {
            return None;
        }
        self.detours += 1;
        Some(next)
    }

    fn fill(
        &mut self,
        visit: &Visit,
        form: &LoginForm,
        cookies: &[(String, String)],
    ) -> Result<Action, LoginError> {
        let submission = self.fill_with(visit, form, cookies, None)?;
        Ok(Action::Submit(submission))
    }

    fn fill_with(
        &mut self,
        visit: &Visit,
        form: &LoginForm,
        cookies: &[(String, String)],
        code: Option<&Secret<String>>,
    ) -> Result<Box<Submission>, LoginError> {
        let user = &self.credentials.user;
        let mut filled = match &self.credentials.password {
            Some(password) => Filled::new(user, password.expose()),
            None => Filled::without_password(user),
        };
        let inputs = self.inputs(visit)?;
        filled = filled.with_inputs(&inputs);
        if let Some(code) = code {
            filled = filled.with_code(code.expose());
        }
        if self.place.trusts_device {
            filled = filled.trusting_device();
        }
        let cookies: Vec<(&str, &str)> = cookies
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let submission = form
            .submission(&filled, &cookies)
            .map_err(|why| self.unfit(visit, &why.to_string()))?;
        if form.password_field.is_some() || code.is_some() {
            self.trail.may_send(&visit.url, &submission.url)?;
        }
        self.trail.say(describe(form));
        for note in &submission.notes {
            self.trail.say(note.clone());
        }
        self.has_captcha = form.has_captcha;
        let (stage, is_login_page) = match form.kind {
            LoginKind::NameFirst => (Stage::NameSent, true),
            LoginKind::OneTimeCode => (Stage::CodeSent, true),
            LoginKind::PasswordOnly | LoginKind::Whole if code.is_some() => (Stage::CodeSent, true),
            LoginKind::PasswordOnly | LoginKind::Whole => (Stage::PasswordSent, true),
            LoginKind::Relay => (self.stage, false),
        };
        self.stage = stage;
        if is_login_page {
            self.trail.login_pages.push(visit.url.clone());
        }
        Ok(Box::new(submission))
    }

    /// What a site file has filled in beside name and password.
    fn inputs(&self, visit: &Visit) -> Result<Vec<(String, Secret<String>)>, LoginError> {
        let values = Values::of(&self.credentials.user, self.credentials.password.as_ref());
        let inputs = self.place.inputs.iter().map(|(name, template)| {
            let value = template.fill(&values);
            let value = value.map_err(|missing| {
                self.unfit(visit, &format!("there is no {{{missing}}} for `{name}`"))
            });
            Ok((name.clone(), value?))
        });
        inputs.collect()
    }

    fn unfit(&self, visit: &Visit, what: &str) -> LoginError {
        LoginError::NotSafe {
            url: ShownUrl(&visit.url).to_string(),
            what: what.to_owned(),
        }
    }

    /// What stands before the login and says nothing of the credentials.
    fn refuse_obstacles(&self, visit: &Visit) -> Result<(), LoginError> {
        let url = ShownUrl(&visit.url).to_string();
        match &visit.verdict {
            Verdict::Challenged(challenge) => Err(LoginError::Challenged {
                url,
                challenge: *challenge,
            }),
            Verdict::RateLimited { wait } => Err(LoginError::RateLimited {
                url,
                message: self.message(visit, "it asks to wait"),
                wait: wait.map(|wait| wait.as_secs()),
            }),
            Verdict::Blocked | Verdict::Expired(_) | Verdict::Failing(_) | Verdict::Valid => Ok(()),
        }
    }

    /// Single sign-on may ask whether one site may learn of the account at another: that is a
    /// person's to say. Where the login came back to the site that was asked for, it is done.
    fn refuse_consent(&self, visit: &Visit) -> Result<Action, LoginError> {
        let is_elsewhere = visit.url.origin() != self.place.url.origin();
        match find::consent(&visit.page).filter(|_| is_elsewhere) {
            Some(message) => Err(LoginError::Consent {
                url: ShownUrl(&visit.url).to_string(),
                user: self.credentials.user.clone(),
                message,
            }),
            None => Ok(Action::Done),
        }
    }

    /// The form came back, or an error page: why, in the site's own words.
    fn refused(&mut self, visit: &Visit, has_captcha: bool) -> Result<Action, LoginError> {
        let url = ShownUrl(&visit.url).to_string();
        let user = self.credentials.user.clone();
        let silence = match visit.status {
            200..400 => "the login form came back without a word".to_owned(),
            status => format!("it answered {status} without a word"),
        };
        let message = self.message(visit, &silence);
        match self.refusal(visit) {
            // Trouble of the site says nothing of the password.
            Refusal::Other if visit.status >= 500 => Err(LoginError::Failing {
                url,
                status: visit.status,
            }),
            // Nothing is there that could have looked at the password.
            Refusal::Other if matches!(visit.status, 404 | 405 | 410) => {
                let what = format!("the login form leads nowhere: {message}");
                Err(LoginError::Step { url, what })
            }
            Refusal::StaleForm if !self.has_started_over => {
                self.has_started_over = true;
                self.stage = Stage::Seek;
                self.trail
                    .say(format!("the form was stale ({message}); once more"));
                Ok(Action::Fetch(self.place.url.clone()))
            }
            Refusal::Captcha => Err(LoginError::Captcha { url, message }),
            Refusal::Other if has_captcha || self.has_captcha => {
                Err(LoginError::Captcha { url, message })
            }
            Refusal::NeedsSecondFactor => Err(LoginError::SecondFactor { url, user, message }),
            Refusal::TooManyAttempts => Err(LoginError::RateLimited {
                url,
                message,
                wait: None,
            }),
            Refusal::Locked | Refusal::Other | Refusal::StaleForm | Refusal::WrongCredentials => {
                Err(LoginError::Refused { url, user, message })
            }
        }
    }

    /// What the site's words are about.
    fn refusal(&self, visit: &Visit) -> Refusal {
        messages::classify_refusal(&self.words(visit))
    }

    /// The site's own words.
    fn message(&self, visit: &Visit, silence: &str) -> String {
        let words = self.words(visit);
        if words.is_empty() {
            silence.to_owned()
        } else {
            words.join(" ")
        }
    }

    fn words(&self, visit: &Visit) -> Vec<String> {
        words(visit, self.credentials, &self.codes)
    }
}

/// The site's own words of what went wrong, without the password and the codes.
pub(super) fn words(
    visit: &Visit,
    credentials: &Credentials,
    codes: &[Secret<String>],
) -> Vec<String> {
    let secrets = credentials.password.iter().chain(codes);
    let secrets: Vec<&str> = secrets.map(|secret| secret.expose().as_str()).collect();
    messages::error_messages(&visit.page, &secrets)
}

/// Where a site's login is likely, or a link to it: its home page, and the most common address.
fn usual_places(url: &Url) -> impl Iterator<Item = Url> {
    ["/", "/login"]
        .into_iter()
        .filter_map(|path| url.join(path).ok())
}

/// Which form was found, by the names of its fields.
fn describe(form: &LoginForm) -> String {
    let name = |field: Option<usize>| {
        field
            .and_then(|at| form.form.fields.get(at))
            .map(|field| format!("`{}`", field.name))
    };
    let typed: Vec<String> = [form.user_field, form.password_field, form.code_field]
        .into_iter()
        .filter_map(name)
        .collect();
    let hidden: Vec<String> = form
        .form
        .fields
        .iter()
        .filter(|field| field.kind == FieldKind::Hidden && !field.name.is_empty())
        .map(|field| format!("`{}`", field.name))
        .collect();
    if form.kind == LoginKind::Relay {
        return "found a form that sends itself on".to_owned();
    }
    let mut words = format!("found the login form: fills in {}", typed.join(" and "));
    if !hidden.is_empty() {
        words.push_str(&format!(", carries {}", hidden.join(", ")));
    }
    words
}
