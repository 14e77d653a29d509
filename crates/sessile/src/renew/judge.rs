//! What only a page's content shows: the stranger's page in place of the member's, with a plain 200.

use std::time::Duration;

use futures_util::FutureExt as _;
use http::{StatusCode, header};
use sessile_jar::Timestamp;

use super::{Inner, KeepError};
use crate::check::learn::{Finding, Judgement};
use crate::login::visit;
use crate::record::{Check, CheckRule};
use crate::redact::ShownUrl;
use crate::session::{Reply, Request, Session, Sign, Verdict};
use crate::site::{Content, ExpiredRule, Seen, Site};

/// How many pages without any mark are checked before a pause is made between checks.
const AT_ONCE: u32 = 3;

/// That pause.
const PAUSE: Duration = Duration::from_secs(30);

/// What a check found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckReport {
    /// What it says of the session; [`Verdict::Valid`] as well where it can't tell.
    pub verdict: Verdict,
    /// Whether it can tell.
    pub is_certain: bool,
    /// The page that was looked at, without secrets.
    pub page: String,
    /// In words.
    pub why: String,
    /// What each rule of the check said; none where there is no check, or its page wasn't seen.
    pub findings: Vec<Finding>,
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

/// Whether a reply may be what strangers get: a page with a plain 200, or that the request is
/// forbidden or nothing is there, which many sites say to whoever isn't logged in.
fn may_be_a_strangers(reply: &Reply) -> bool {
    let is_refusal = matches!(
        reply.status(),
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND
    );
    match reply.verdict() {
        Verdict::Blocked | Verdict::Valid => {
            is_refusal || (reply.status().is_success() && reply.is_html())
        }
        Verdict::Challenged(_)
        | Verdict::Expired(_)
        | Verdict::Failing(_)
        | Verdict::RateLimited { .. } => false,
    }
}

fn reads_body(rules: &[ExpiredRule]) -> bool {
    rules.iter().any(ExpiredRule::reads_body)
}

/// Whether a body ends soon, so that it may be read before it is passed on.
fn may_be_read(reply: &Reply) -> bool {
    let kind = reply.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    reply.is_html() || kind == "text/plain" || kind == "application/json" || kind.ends_with("+json")
}

impl Inner {
    /// Looks at a page that speaks for itself neither way.
    pub(super) async fn judge(&self, reply: &mut Reply) -> Result<(), KeepError> {
        let site = self
            .held()
            .login
            .as_ref()
            .and_then(|login| login.how.site().cloned());
        // Boxed, here and below, so that a request whose pages nobody reads stays small.
        if let Some(site) = site
            && let Some(why) = self.sign_of_site(&site, reply).boxed().await?
        {
            reply.set_verdict(Verdict::Expired(Sign::StrangersPage(why)));
            return Ok(());
        }
        if !may_be_a_strangers(reply) {
            return Ok(());
        }
        let Some(check) = self.held().check.clone() else {
            return Ok(());
        };
        // Other sites' pages say nothing of this login.
        if reply.url().origin() != check.url.origin() {
            return Ok(());
        }
        self.look_at_page(&check, reply).boxed().await
    }

    /// Judges a page of the login's site by the check.
    async fn look_at_page(&self, check: &Check, reply: &mut Reply) -> Result<(), KeepError> {
        let evidence = visit::evidence(reply).await?;
        let is_empty =
            evidence.texts.is_empty() && evidence.links.is_empty() && !evidence.has_login_form;
        // Neither does a page without content, as the reply of a HEAD.
        if is_empty && reply.status().is_success() {
            return Ok(());
        }
        let judgement = match &check.rule {
            CheckRule::Learned(learned) => learned.judge(&evidence),
            CheckRule::Site(_) if *reply.url() == check.url => {
                visit::judge(check, reply, &self.session).await?.0
            }
            // The rules are for their own page; a login form in place of another makes suspicious.
            CheckRule::Site(_) if !evidence.has_login_form => return Ok(()),
            CheckRule::Site(_) => Judgement::Unsure("the page has a login form".to_owned()),
        };
        let why = match judgement {
            Judgement::Valid(_) => return Ok(()),
            Judgement::Expired(why) if *reply.url() == check.url => why,
            Judgement::Expired(_) | Judgement::Unsure(_) => {
                reply.make_room();
                match self.confirm().await? {
                    Some(why) => why,
                    None => return Ok(()),
                }
            }
        };
        reply.set_verdict(Verdict::Expired(Sign::StrangersPage(why)));
        Ok(())
    }

    /// What the site file says of replies when the login is gone, where this reply shows it.
    async fn sign_of_site(
        &self,
        site: &Site,
        reply: &mut Reply,
    ) -> Result<Option<String>, KeepError> {
        let is_open = matches!(reply.verdict(), Verdict::Blocked | Verdict::Valid);
        let is_there = reply.url().origin() == site.home().origin();
        if !is_open || !is_there || site.expired.is_empty() {
            return Ok(None);
        }
        let reads = reads_body(&site.expired) && may_be_read(reply);
        let rules = site.expired.iter();
        let found = |seen: &Seen<'_>| {
            let mut rules = rules.filter(|rule| reads || !rule.reads_body());
            rules
                .find(|rule| rule.shows_in(seen))
                .map(ToString::to_string)
        };
        Ok(match reads {
            true => visit::look(reply, &self.session, found).await?,
            false => found(&Seen {
                status: reply.status().as_u16(),
                url: reply.url(),
                content: &Content::new("", false),
                cookies: &[],
            }),
        })
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
        self.check_with(&self.session).await
    }

    /// The same as a stranger.
    pub(super) async fn check_as_stranger(&self) -> Result<CheckReport, KeepError> {
        self.check_with(&self.session.stranger()).await
    }

    async fn check_with(&self, session: &Session) -> Result<CheckReport, KeepError> {
        let check = self.held().check.clone();
        let url = check
            .as_ref()
            .map(|check| check.url.clone())
            .or_else(|| self.fallback_page());
        let Some(url) = url else {
            let why = "nothing is known that would tell; `sessile login` finds out".to_owned();
            return Ok(CheckReport {
                verdict: Verdict::Valid,
                is_certain: false,
                page: String::new(),
                why,
                findings: Vec::new(),
            });
        };
        let mut reply = session
            .send(visit::page_request(Request::get(url.as_str())))
            .await?;
        let page = ShownUrl(&url).to_string();
        let verdict = reply.verdict().clone();
        let is_open = matches!(verdict, Verdict::Blocked | Verdict::Valid);
        let Some(check) = check.filter(|_| is_open) else {
            let why = match &verdict {
                Verdict::Expired(sign) => sign.to_string(),
                Verdict::Valid => format!("the site answered {}", reply.status()),
                other => other.to_string(),
            };
            let is_certain = verdict != Verdict::Valid;
            return Ok(CheckReport {
                verdict,
                is_certain,
                page,
                why,
                findings: Vec::new(),
            });
        };
        let (judgement, findings) = visit::judge(&check, &mut reply, session).await?;
        let (verdict, is_certain, why) = match judgement {
            Judgement::Expired(why) => (
                Verdict::Expired(Sign::StrangersPage(why.clone())),
                true,
                why,
            ),
            Judgement::Unsure(why) => {
                let is_certain = verdict != Verdict::Valid;
                (verdict, is_certain, why)
            }
            Judgement::Valid(why) => (Verdict::Valid, true, why),
        };
        Ok(CheckReport {
            verdict,
            is_certain,
            page,
            why,
            findings,
        })
    }

    /// Without a learned check, the page where the login started or the base URL has to do.
    fn fallback_page(&self) -> Option<url::Url> {
        let login = self
            .held()
            .login
            .as_ref()
            .map(|login| login.how.start().clone());
        login.or_else(|| self.session.read(|state| state.base_url().cloned()))
    }
}
