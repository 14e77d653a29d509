//! What a login notes on its way, whatever way it is.

use url::Url;

use super::{LoginError, Person};
use crate::record::Tokens;
use crate::redact::ShownUrl;

/// What a login has done so far, and who hears of it.
#[derive(Debug)]
pub(crate) struct Trail {
    person: Person,
    /// The origins that the password may go to; any, where there are none.
    allowed: Vec<String>,
    /// The origins that it went to.
    pub(crate) sent_to: Vec<String>,
    /// The pages with the form: a redirect to one of them says later that the login is gone.
    pub(crate) login_pages: Vec<Url>,
    /// The names of the cookies that were set.
    pub(crate) cookies: Vec<String>,
    /// What came with an access token.
    pub(crate) tokens: Option<Tokens>,
    /// What was done, in words.
    pub(crate) steps: Vec<String>,
    /// The step of time of the last code that was sent.
    pub(crate) last_step: Option<u64>,
}

impl Trail {
    pub(super) fn new(person: Person, allowed: Vec<String>) -> Self {
        Self {
            person,
            allowed,
            sent_to: Vec::new(),
            login_pages: Vec::new(),
            cookies: Vec::new(),
            tokens: None,
            steps: Vec::new(),
            last_step: None,
        }
    }

    /// Who helps.
    pub(crate) fn person(&self) -> &Person {
        &self.person
    }

    /// Tells whoever listens what was done.
    pub(crate) fn say(&mut self, step: String) {
        if let Some(listener) = &self.person.hears {
            listener.hear(&step);
        }
        self.steps.push(step);
    }

    /// A renewal sends the password where a person has sent it, and nowhere else.
    ///
    /// `page` is the one that led there.
    pub(crate) fn may_send(&mut self, page: &Url, target: &Url) -> Result<(), LoginError> {
        let origin = target.origin().ascii_serialization();
        if !self.allowed.is_empty() && !self.allowed.contains(&origin) {
            return Err(LoginError::NotSafe {
                url: ShownUrl(page).to_string(),
                what: format!(
                    "the login form now leads to {origin}, where this password has never been \
                     sent; if that is right, run `sessile login` again"
                ),
            });
        }
        if !self.sent_to.contains(&origin) {
            self.sent_to.push(origin);
        }
        Ok(())
    }
}
