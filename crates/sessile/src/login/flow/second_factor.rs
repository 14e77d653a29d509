//! The step of a form login that asks for a code: when it is wanted, and when no more are sent.

use super::{Action, FormLogin, Stage};
use crate::login::fill::Submission;
use crate::login::find::LoginForm;
use crate::login::messages::{self, Refusal};
use crate::login::visit::Visit;
use crate::login::{CodeWanted, LoginError};
use crate::redact::ShownUrl;
use crate::secret::Secret;

/// How many codes a site is sent before the login is given up: sites lock accounts.
const CODES: usize = 3;

impl FormLogin<'_> {
    /// Sends the form that a code was wanted for; without a code the login ends here.
    pub(in crate::login) fn send_code(
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
    pub(super) fn begin(
        &mut self,
        visit: &Visit,
        form: LoginForm,
        cookies: &[(String, String)],
    ) -> Result<Action, LoginError> {
        let field = form.code_field.and_then(|at| form.form.fields.get(at));
        match field {
            Some(field) if self.credentials.otp.is_some() || field.is_required => {
                self.want_code(visit, form)
            }
            Some(_) | None => self.fill(visit, &form, cookies),
        }
    }

    /// Whether the login form came back because of the code that stands in it.
    pub(super) fn asks_again_for_code(&self, visit: &Visit, form: &LoginForm) -> bool {
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

    pub(super) fn want_code(
        &mut self,
        visit: &Visit,
        form: LoginForm,
    ) -> Result<Action, LoginError> {
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
        let wanted = CodeWanted {
            user: self.credentials.user.clone(),
            page: ShownUrl(&visit.url).to_string(),
            message: self.words_about_code(visit),
            digits: digits(&form),
            refused: self.codes.len(),
        };
        self.code_form = Some(Box::new(form));
        Ok(Action::AskCode(wanted))
    }

    /// After a refusal what comes first is why; before one, what is asked for.
    fn words_about_code(&self, visit: &Visit) -> String {
        let first = self.words(visit).into_iter().next();
        match first.filter(|_| !self.codes.is_empty()) {
            Some(why) => why,
            None => self.message(visit, "it asks for a code"),
        }
    }

    fn no_code(&self, visit: &Visit) -> LoginError {
        let url = ShownUrl(&visit.url).to_string();
        let user = self.credentials.user.clone();
        let message = self.words_about_code(visit);
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
}

/// How many digits the form takes, where it says so.
fn digits(form: &LoginForm) -> Option<usize> {
    let field = form.code_field.and_then(|at| form.form.fields.get(at));
    let digits = match form.code_boxes.len() {
        0 => field.and_then(|field| field.max_length),
        boxes => Some(boxes),
    };
    digits.filter(|digits| (4..=8).contains(digits))
}
