//! What only a page's content shows: the stranger's page in place of the member's, with a plain 200.

use std::time::Duration;

use sessile_jar::Timestamp;

use super::{Inner, KeepError};
use crate::check::Judgement;
use crate::login::visit;
use crate::redact::ShownUrl;
use crate::session::{Reply, Request, Sign, Verdict};

/// How many pages without any mark are checked before a pause is made between checks.
const AT_ONCE: u32 = 3;

/// That pause.
const PAUSE: Duration = Duration::from_secs(30);

/// What a check found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckReport {
    /// What it says of the session.
    pub verdict: Verdict,
    /// The page that was looked at, without secrets.
    pub page: String,
    /// In words.
    pub why: String,
}

/// How often a page without marks was suspected for nothing.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    cleared: u32,
    last: Option<Timestamp>,
}

impl Suspicion {
    /// Pages without marks are common on some sites: a check for each would double the requests.
    fn is_due(&self, now: Timestamp) -> bool {
        self.cleared < AT_ONCE || self.last.is_none_or(|last| now > last.plus(PAUSE))
    }
}

impl Inner {
    /// Looks at a page that speaks for itself neither way.
    pub(super) async fn judge(&self, reply: &mut Reply) -> Result<(), KeepError> {
        if *reply.verdict() != Verdict::Valid || !reply.status().is_success() || !reply.is_html() {
            return Ok(());
        }
        let Some(check) = self.held().check.clone() else { return Ok(()) };
        let evidence = visit::evidence(reply).await?;
        let why = match check.learned.judge(&evidence) {
            Judgement::Valid(_) => return Ok(()),
            Judgement::Expired(why) if *reply.url() == check.url => why,
            Judgement::Expired(_) | Judgement::Unsure(_) => match self.confirm().await? {
                Some(why) => why,
                None => return Ok(()),
            },
        };
        reply.set_verdict(Verdict::Expired(Sign::StrangersPage(why)));
        Ok(())
    }

    /// Asks the check about a page that could be a stranger's; the reason where it is.
    async fn confirm(&self) -> Result<Option<String>, KeepError> {
        let now = self.session.now();
        if !self.held().suspicion.is_due(now) {
            return Ok(None);
        }
        let report = self.check().await?;
        let mut held = self.held();
        held.suspicion.last = Some(now);
        match report.verdict {
            Verdict::Expired(_) => {
                held.suspicion.cleared = 0;
                Ok(Some(report.why))
            }
            _ => {
                held.suspicion.cleared += 1;
                Ok(None)
            }
        }
    }

    /// Fetches the check's page and judges it.
    pub(super) async fn check(&self) -> Result<CheckReport, KeepError> {
        let check = self.held().check.clone();
        let url = match &check {
            Some(check) => check.url.clone(),
            None => match self.fallback_page() {
                Some(url) => url,
                None => {
                    return Ok(CheckReport {
                        verdict: Verdict::Valid,
                        page: String::new(),
                        why: "nothing is known that would tell; log in with `sessile login`".into(),
                    });
                }
            },
        };
        let request = visit::page_request(Request::get(url.as_str()));
        let mut reply = self.session.send(request).await?;
        let page = ShownUrl(&url).to_string();
        if *reply.verdict() != Verdict::Valid {
            let why = reply.verdict().to_string();
            return Ok(CheckReport { verdict: reply.verdict().clone(), page, why });
        }
        let Some(check) = check else {
            let why = format!("{page} answered {}", reply.status());
            return Ok(CheckReport { verdict: Verdict::Valid, page, why });
        };
        let evidence = visit::evidence(&mut reply).await?;
        Ok(match check.learned.judge(&evidence) {
            Judgement::Valid(why) => CheckReport { verdict: Verdict::Valid, page, why },
            Judgement::Expired(why) => {
                let verdict = Verdict::Expired(Sign::StrangersPage(why.clone()));
                CheckReport { verdict, page, why }
            }
            // The page has neither what members see nor what strangers see: it has been rebuilt.
            Judgement::Unsure(why) => {
                let verdict = Verdict::Expired(Sign::StrangersPage(why.clone()));
                CheckReport { verdict, page, why }
            }
        })
    }

    /// Without a learned check, the page where the login started or the base URL has to do.
    fn fallback_page(&self) -> Option<url::Url> {
        let login = self.held().login.as_ref().map(|login| login.url.clone());
        login.or_else(|| self.session.read(|state| state.base_url().cloned()))
    }
}
