//! Telling a person that one is needed: once for each trouble, whoever notices and how often.
//!
//! What was told and when is remembered with the session; how it is told is the caller's.

use std::sync::Arc;
use std::time::Duration;

use sessile_jar::Timestamp;

use super::{Inner, KeepError, Mode, NoRenewal};
use crate::login::LoginError;
use crate::session::Verdict;

/// How long a trouble that goes on isn't told again.
const COOL_DOWN: Duration = Duration::from_secs(6 * 3600);

/// What a person has to see to. Holds no secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trouble {
    /// The session.
    pub session: String,
    /// What kind of trouble it is.
    pub kind: TroubleKind,
    /// The site.
    pub site: String,
    /// What happened, in words; the site's own among them.
    pub reason: String,
}

/// The kinds of trouble that only a person can see to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TroubleKind {
    /// The site asks for a proof: a captcha, or a check of the browser.
    Challenge,
    /// The site asks for a code of the second factor that nobody had.
    Code,
    /// The login is gone and can't be renewed: no password is kept, or the site refused it.
    Login,
}

impl TroubleKind {
    /// One word for programs: `challenge`, `code` or `login`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::Code => "code",
            Self::Login => "login",
        }
    }

    /// What kind of trouble an error is; `None` where waiting, or another program, helps.
    fn of(error: &KeepError) -> Option<Self> {
        let KeepError::Login(error) = error else {
            let is_for_person = matches!(
                error,
                KeepError::LoggedOut {
                    why: NoRenewal::NoPassword,
                    ..
                }
            );
            return is_for_person.then_some(Self::Login);
        };
        match error {
            LoginError::Captcha { .. } | LoginError::Challenged { .. } => Some(Self::Challenge),
            LoginError::CodeRefused { .. } | LoginError::SecondFactor { .. } => Some(Self::Code),
            LoginError::NotSafe { .. }
            | LoginError::Refused { .. }
            | LoginError::Unproven { .. } => Some(Self::Login),
            other => other.needs_person().then_some(Self::Login),
        }
    }
}

/// Tells a person, on a thread of its own.
pub type Notify = Arc<dyn Fn(&Trouble) + Send + Sync>;

impl Inner {
    /// Tells of an error that a person has to see to.
    pub(super) async fn tell_of(&self, error: &KeepError) {
        let Some(kind) = TroubleKind::of(error) else {
            return;
        };
        // Whoever has the code was told when the wait for it began.
        if kind == TroubleKind::Code && self.code_wait.is_some() {
            return;
        }
        self.tell(kind, error.to_string()).await;
    }

    /// Tells of a reply that asks for a proof.
    pub(super) async fn tell_of_challenge(&self, verdict: &Verdict) {
        if let Verdict::Challenged(challenge) = verdict {
            self.tell(TroubleKind::Challenge, challenge.to_string())
                .await;
        }
    }

    /// Tells of a trouble, unless it was told of lately.
    pub(super) async fn tell(&self, kind: TroubleKind, reason: String) {
        if self.notify.is_none() || self.mode == Mode::ReadOnly {
            return;
        }
        let now = self.session.now();
        if !is_due(&self.held().last.told, kind, now) {
            return;
        }
        // Of all who notice at once the transaction lets one through.
        let noted = super::edit(&self.vault, &self.name, move |record| {
            let told = &mut record.last.told;
            let is_due = is_due(told, kind, now);
            if is_due {
                told.retain(|(what, _at)| what != kind.as_str());
                told.push((kind.as_str().to_owned(), now));
            }
            is_due
        });
        match noted.await {
            Ok(false) => {}
            // A first login has nothing to remember it by.
            Ok(true) | Err(KeepError::Unknown { .. }) => self.tell_now(kind, reason).await,
            Err(error) => {
                tracing::warn!(session = %self.name, %error, "what to tell could not be noted");
            }
        }
    }

    /// Tells of a trouble whatever was told before.
    async fn tell_now(&self, kind: TroubleKind, reason: String) {
        let Some(notify) = self.notify.clone() else {
            return;
        };
        let trouble = self.trouble(kind, reason);
        let told = tokio::task::spawn_blocking(move || notify(&trouble)).await;
        if let Err(error) = told {
            tracing::warn!(session = %self.name, %error, "telling a person failed");
        }
    }

    pub(super) fn trouble(&self, kind: TroubleKind, reason: String) -> Trouble {
        let start = {
            let held = self.held();
            let login = held.login.as_ref();
            login.map(|login| login.how.start().clone())
        };
        let site = start.or_else(|| self.session.read(|state| state.base_url().cloned()));
        let site = site.map(|url| url.origin().ascii_serialization());
        Trouble {
            session: self.name.to_string(),
            kind,
            site: site.unwrap_or_default(),
            reason,
        }
    }
}

/// Whether a trouble of this kind is told again.
fn is_due(told: &[(String, Timestamp)], kind: TroubleKind, now: Timestamp) -> bool {
    let mut told = told.iter().filter(|(what, _at)| what == kind.as_str());
    told.all(|(_what, at)| now >= at.plus(COOL_DOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_once_in_its_time() {
        let told = [("login".to_owned(), Timestamp::from_seconds(0))];
        let hours = |hours: i64| Timestamp::from_seconds(hours * 3600);
        for (kind, now, expected) in [
            (TroubleKind::Login, hours(1), false),
            (TroubleKind::Login, hours(6), true),
            (TroubleKind::Code, hours(1), true),
        ] {
            assert_eq!(is_due(&told, kind, now), expected, "{kind:?} {now:?}");
        }
    }
}
