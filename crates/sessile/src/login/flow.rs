//! The steps of a form login, without sending anything: a page comes in, what to do next comes out.

use url::Url;

use super::fill::{Filled, Submission};
use super::find::{self, LoginForm, LoginKind, NoLoginForm};
use super::form::FieldKind;
use super::messages::{self, Refusal};
use super::second_factor::CodeWanted;
use super::visit::Visit;
use super::{Login, LoginError};
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::session::Verdict;

/// How many links and refreshes are followed in search of the form.
const DETOURS: usize = 4;

/// How many codes a site is sent before the login is given up: sites lock accounts.
const CODES: usize = 3;

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
pub(super) struct FormLogin {
    login: Login,
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
    /// The origins that the password may go to; any, where there are none.
    allowed: Vec<String>,
    /// The origins that it went to.
    pub(super) sent_to: Vec<String>,
    seen: Vec<Url>,
    /// The pages with the form: a redirect to one of them says later that the login is gone.
    pub(super) login_pages: Vec<Url>,
    /// What was done, in words.
    pub(super) steps: Vec<String>,
}

impl FormLogin {
    pub(super) fn new(login: Login, allowed: Vec<String>) -> Self {
        Self {
            login,
            stage: Stage::Seek,
            detours: 0,
            dead_end: None,
            has_started_over: false,
            has_captcha: false,
            code_form: None,
            codes: Vec::new(),
            allowed,
            sent_to: Vec::new(),
            seen: Vec::new(),
            login_pages: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Looks at a page and says what to do next.
    pub(super) fn next(
        &mut self,
        visit: &Visit,
        cookies: &[(String, String)],
    ) -> Result<Action, LoginError> {
        self.say(visit.words.clone());
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

    /// Sends the form that a code was wanted for; without a code the login ends here.
    pub(super) fn send_code(
        &mut self,
        visit: &Visit,
        code: Option<Secret<String>>,
        cookies: &[(String, String)],
    ) -> Result<Box<Submission>, LoginError> {
        let (Some(form), Some(code)) = (self.code_form.take(), code) else {
            return Err(self.no_code(visit));
        };
        self.codes.push(code.clone());
        self.fill_with(visit, &form, cookies, Some(&code))
    }

    /// A form may have a field for the code beside the password: it is filled where the code is
    /// at hand, and otherwise only where it must be.
    fn begin(
        &mut self,
        visit: &Visit,
        form: LoginForm,
        cookies: &[(String, String)],
    ) -> Result<Action, LoginError> {
        let field = form.code_field.and_then(|at| form.form.fields.get(at));
        match field {
            Some(field) if self.login.otp.is_some() || field.is_required => {
                self.want_code(visit, form)
            }
            Some(_) | None => self.fill(visit, &form, cookies),
        }
    }

    /// Whether the login form came back because of the code that stands in it.
    fn asks_again_for_code(&self, visit: &Visit, form: &LoginForm) -> bool {
        let is_of_code = match self.refusal(visit) {
            Refusal::Captcha
            | Refusal::Locked
            | Refusal::TooManyAttempts
            | Refusal::WrongCredentials => false,
            Refusal::NeedsSecondFactor | Refusal::Other | Refusal::StaleForm => true,
        };
        let is_sent = matches!(self.stage, Stage::PasswordSent | Stage::CodeSent);
        is_sent
            && form.code_field.is_some()
            && is_of_code
            && messages::speaks_of_code(&self.words(visit))
    }

    fn want_code(&mut self, visit: &Visit, form: LoginForm) -> Result<Action, LoginError> {
        let ends_it = match self.refusal(visit) {
            Refusal::Captcha | Refusal::Locked | Refusal::TooManyAttempts => true,
            Refusal::NeedsSecondFactor
            | Refusal::Other
            | Refusal::StaleForm
            | Refusal::WrongCredentials => false,
        };
        if ends_it && !self.codes.is_empty() {
            return self.refused(visit, form.has_captcha);
        }
        if self.codes.len() >= CODES {
            return Err(self.no_code(visit));
        }
        let field = form.code_field.and_then(|at| form.form.fields.get(at));
        let digits = match form.code_boxes.len() {
            0 => field.and_then(|field| field.max_length),
            boxes => Some(boxes),
        };
        let wanted = CodeWanted {
            url: ShownUrl(&visit.url).to_string(),
            user: self.login.user.clone(),
            message: self.message(visit, "it asks for a code"),
            refused: self.codes.len(),
            digits: digits.filter(|digits| (4..=8).contains(digits)),
        };
        self.code_form = Some(Box::new(form));
        Ok(Action::AskCode(wanted))
    }

    fn no_code(&self, visit: &Visit) -> LoginError {
        let url = ShownUrl(&visit.url).to_string();
        let user = self.login.user.clone();
        let message = self.message(visit, "it asks for a code");
        match self.codes.len() {
            0 => LoginError::SecondFactor { url, user, message },
            count => LoginError::CodeRefused {
                url,
                user,
                count,
                message,
            },
        }
    }

    fn find(&self, visit: &Visit) -> Result<LoginForm, NoLoginForm> {
        match (&self.login.form, self.stage) {
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
            places.extend(usual_places(&self.login.url));
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
        let mut filled = Filled::new(&self.login.user, self.login.password.expose());
        if let Some(code) = code {
            filled = filled.with_code(code.expose());
        }
        if self.login.trust_device {
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
            self.may_send(visit, &submission)?;
        }
        self.say(describe(form));
        for note in &submission.notes {
            self.say(note.clone());
        }
        self.has_captcha = form.has_captcha;
        let (stage, is_login_page) = match form.kind {
            LoginKind::NameFirst => (Stage::NameSent, true),
            LoginKind::OneTimeCode => (Stage::CodeSent, false),
            LoginKind::PasswordOnly | LoginKind::Whole if code.is_some() => (Stage::CodeSent, true),
            LoginKind::PasswordOnly | LoginKind::Whole => (Stage::PasswordSent, true),
            LoginKind::Relay => (self.stage, false),
        };
        self.stage = stage;
        if is_login_page {
            self.login_pages.push(visit.url.clone());
        }
        Ok(Box::new(submission))
    }

    /// A renewal sends the password where a person has sent it, and nowhere else.
    fn may_send(&mut self, visit: &Visit, submission: &Submission) -> Result<(), LoginError> {
        let origin = submission.url.origin().ascii_serialization();
        if !self.allowed.is_empty() && !self.allowed.contains(&origin) {
            let what = format!(
                "the login form now leads to {origin}, where this password has never been sent; \
                 if that is right, run `sessile login` again"
            );
            return Err(self.unfit(visit, &what));
        }
        if !self.sent_to.contains(&origin) {
            self.sent_to.push(origin);
        }
        Ok(())
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
        let is_elsewhere = visit.url.origin() != self.login.url.origin();
        match find::consent(&visit.page).filter(|_| is_elsewhere) {
            Some(message) => Err(LoginError::Consent {
                url: ShownUrl(&visit.url).to_string(),
                user: self.login.user.clone(),
                message,
            }),
            None => Ok(Action::Done),
        }
    }

    /// The form came back, or an error page: why, in the site's own words.
    fn refused(&mut self, visit: &Visit, has_captcha: bool) -> Result<Action, LoginError> {
        let url = ShownUrl(&visit.url).to_string();
        let user = self.login.user.clone();
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
            Refusal::StaleForm if !self.has_started_over => {
                self.has_started_over = true;
                self.stage = Stage::Seek;
                self.say(format!("the form was stale ({message}); once more"));
                Ok(Action::Fetch(self.login.url.clone()))
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

    /// Tells whoever listens what was done.
    pub(super) fn say(&mut self, step: String) {
        if let Some(listener) = &self.login.listener {
            listener.hear(&step);
        }
        self.steps.push(step);
    }

    /// What the site's words are about.
    pub(super) fn refusal(&self, visit: &Visit) -> Refusal {
        messages::classify_refusal(&self.words(visit))
    }

    /// The site's own words.
    pub(super) fn message(&self, visit: &Visit, silence: &str) -> String {
        let words = self.words(visit);
        if words.is_empty() {
            silence.to_owned()
        } else {
            words.join(" ")
        }
    }

    fn words(&self, visit: &Visit) -> Vec<String> {
        let codes = self.codes.iter().map(|code| code.expose().as_str());
        let password = self.login.password.expose().as_str();
        let secrets: Vec<&str> = codes.chain([password]).collect();
        messages::error_messages(&visit.page, &secrets)
    }
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
