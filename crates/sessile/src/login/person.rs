//! Who helps where a login can't go on alone: a person at the terminal, a program, or nobody.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::redact::ShownUrl;
use crate::secret::Secret;

/// Who helps where a login can't go on alone, and who hears of it. Defaults to nobody.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Person {
    /// Hears of each step while it is done, also of those before a failure.
    pub hears: Option<StepListener>,
    /// Knows a password that isn't kept.
    pub password: Option<AskPassword>,
    /// Knows the codes of a second factor.
    pub code: Option<AskCode>,
    /// Opens a page in a browser.
    pub visit: Option<AskVisit>,
    /// Logs in by themselves, in a window that is opened for it.
    pub window: Option<Window>,
}

/// Asks for the password that is wanted, on a thread of its own; `None` where nobody answers.
pub type AskPassword = Arc<dyn Fn(&PasswordWanted) -> Option<Secret<String>> + Send + Sync>;

/// Asks for the code that is wanted, on a thread of its own; `None` where nobody answers.
pub type AskCode = Arc<dyn Fn(&CodeWanted) -> Option<Secret<String>> + Send + Sync>;

/// Asks to open a page; returns at once, whether or not anybody does.
pub type AskVisit = Arc<dyn Fn(&PageToVisit) + Send + Sync>;

/// A browser's window for a login by a person.
#[derive(Clone)]
#[non_exhaustive]
pub struct Window {
    /// Whether it is to be seen. A page that logs in by itself, as by a link, needs no window.
    /// Defaults to yes.
    pub is_shown: bool,
    /// How long the person may take. Defaults to ten minutes.
    pub patience: Duration,
    /// Answers whether the person has said elsewhere that they are logged in. Defaults to nobody.
    pub is_done: Option<AskDone>,
}

/// Answers at once whether somebody has said that they are done.
pub type AskDone = Arc<dyn Fn() -> bool + Send + Sync>;

impl Default for Window {
    fn default() -> Self {
        Self {
            is_shown: true,
            patience: Duration::from_secs(600),
            is_done: None,
        }
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("is_shown", &self.is_shown)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// Whose password is wanted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PasswordWanted {
    /// Who logs in.
    pub user: String,
    /// Where, without secrets.
    pub page: String,
}

/// Which code is wanted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CodeWanted {
    /// Who logs in.
    pub user: String,
    /// The page that asks, without secrets.
    pub page: String,
    /// What the site says of it, in its own words.
    pub message: String,
    /// How many digits it has, where the form says so.
    pub digits: Option<usize>,
    /// How many codes the site has refused in this login.
    pub refused: usize,
}

/// A page that a person has to open.
#[derive(Clone)]
#[non_exhaustive]
pub struct PageToVisit {
    /// The page. It may carry what only the person should see.
    pub url: Url,
    /// What to type there, where the page asks for a code that is shown here.
    pub code: Option<String>,
    /// What it is for, in words.
    pub purpose: String,
}

/// Hears what a login does while it does it.
#[derive(Clone)]
pub struct StepListener(Arc<dyn Fn(&str) + Send + Sync>);

impl StepListener {
    /// Calls `hear` with each step, in words without secrets.
    pub fn new(hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(super) fn hear(&self, step: &str) {
        (self.0)(step);
    }
}

impl PasswordWanted {
    pub(crate) fn at(url: &Url, user: &str) -> Self {
        Self {
            user: user.to_owned(),
            page: ShownUrl(url).to_string(),
        }
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("hears", &self.hears.is_some())
            .field("password", &self.password.is_some())
            .field("code", &self.code.is_some())
            .field("visit", &self.visit.is_some())
            .field("window", &self.window)
            .finish()
    }
}

impl fmt::Debug for PageToVisit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageToVisit")
            .field("url", &ShownUrl(&self.url))
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StepListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StepListener")
    }
}
