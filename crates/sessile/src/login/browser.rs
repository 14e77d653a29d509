//! A login by a person, in a browser's window: it is opened, watched, and closed when done.
//!
//! Nothing is filled in from here. What the person did is seen by what it changed: cookies or
//! storage, and a page that strangers don't get.

use std::time::Duration;

use http::header::USER_AGENT;
use tokio::time::Instant;
use url::Url;

use super::find;
use super::page::Page;
use super::person::Window;
use super::prove::{self, Proof};
use super::{BrowserPlace, Landed, Login, LoginError, Trail};
use crate::browser::{self, Browser, Cookies, Fault, Sight};
use crate::record::Check;
use crate::redact::ShownUrl;
use crate::session::{OriginStorage, Session, SessionState};
use crate::transport::Chromium;

/// How long between two looks; what is the same in both stands still.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a site is left alone that doesn't show a login yet.
const PATIENCE: Duration = Duration::from_secs(3);

/// Opens a window at the page and waits until the person in front of it is logged in.
pub(super) async fn log_in(
    session: &Session,
    member: &Session,
    place: &BrowserPlace,
    login: &Login,
    trail: &mut Trail,
) -> Result<Landed, LoginError> {
    let shown = ShownUrl(&place.url).to_string();
    let Some(window) = trail.person().window.clone() else {
        return Err(LoginError::Unattended { url: shown });
    };
    let chromium = session.browser();
    let profile = member.read(|state| state.profile().headers());
    let browser = chromium.open(window.is_shown, &profile).await?;
    let mut sitting = Sitting {
        session,
        member,
        login,
        start: &place.url,
        window,
        chromium,
        browser,
        first: Cookies::default(),
        stored: Vec::new(),
        taken: Cookies::default(),
        has_hinted: false,
        is_at_form: false,
    };
    trail.say(match sitting.window.is_shown {
        true => format!("opened a window at {shown}: log in there"),
        false => format!("opened {shown} in a browser without a window"),
    });
    let landed = sitting.run(trail).await;
    sitting.browser.close().await;
    landed
}

/// A window and the person in front of it.
struct Sitting<'a> {
    session: &'a Session,
    member: &'a Session,
    login: &'a Login,
    start: &'a Url,
    window: Window,
    chromium: &'a Chromium,
    browser: Browser,
    /// What it was given.
    first: Cookies,
    stored: Vec<OriginStorage>,
    /// The cookies that the member has of it.
    taken: Cookies,
    has_hinted: bool,
    /// Whether the page that was looked at last asks for a login.
    is_at_form: bool,
}

impl Sitting<'_> {
    async fn run(&mut self, trail: &mut Trail) -> Result<Landed, LoginError> {
        self.begin().await.map_err(|fault| self.error(fault))?;
        let deadline = Instant::now() + self.window.patience;
        let (mut last, mut tried): (Option<Sight>, Option<Sight>) = (None, None);
        let mut next_try = Instant::now();
        loop {
            let sight = match self.next_sight().await {
                Ok(Some(sight)) => sight,
                // The window was closed, which is one way to say that one is done.
                Ok(None) | Err(Fault::End(_)) => return self.finish(last, trail).await,
                Err(fault) => return Err(self.error(fault)),
            };
            let before = last.as_ref().and_then(|last| last.url.as_ref());
            let stands_still = sight.is_complete && before == sight.url.as_ref();
            let is_done = self.window.is_done.as_ref().is_some_and(|done| done());
            let is_due = Instant::now() >= next_try && tried.as_ref() != Some(&sight);
            if stands_still && (is_due || is_done) {
                if let Some(check) = self.look(&sight, trail).await? {
                    return Ok(Landed::Found(Some(check)));
                }
                tried = Some(sight.clone());
                next_try = Instant::now() + PATIENCE;
            }
            last = Some(sight);
            if stands_still && is_done {
                return self.finish(last, trail).await;
            }
            if Instant::now() > deadline {
                return Err(LoginError::Unfinished {
                    url: ShownUrl(self.start).to_string(),
                    why: format!("not within {} s", self.window.patience.as_secs()),
                });
            }
        }
    }

    /// Gives the browser what the session has, and opens the page.
    async fn begin(&mut self) -> Result<(), Fault> {
        let state = self.member.state();
        let now = self.member.now();
        self.first = self.browser.give_cookies(state.jar(), now).await?;
        self.taken = self.first.clone();
        for storage in state.storage() {
            self.browser.give_storage(storage).await?;
        }
        self.stored = state.storage;
        self.browser.show(self.start).await
    }

    async fn next_sight(&mut self) -> Result<Option<Sight>, Fault> {
        self.browser.linger(PAUSE).await?;
        self.browser.sight().await
    }

    /// Looks whether the page that is shown, or one beside it, is a member's beyond doubt.
    async fn look(
        &mut self,
        sight: &Sight,
        trail: &mut Trail,
    ) -> Result<Option<Check>, LoginError> {
        let Some(url) = &sight.url else {
            return Ok(None);
        };
        let Ok(source) = self.browser.source().await else {
            return Ok(None);
        };
        self.is_at_form = find::find(&Page::parse(&source, url)).is_ok();
        if self.is_at_form {
            if !trail.login_pages.contains(url) {
                trail.login_pages.push(url.clone());
            }
            return Ok(None);
        }
        if !self.has_changed(sight) {
            return Ok(None);
        }
        let Some(proof) = self.learn(sight, trail).await? else {
            return Ok(None);
        };
        if self.login.check.is_some() || proof.is_beyond_doubt {
            trail.say(proof.why);
            return Ok(Some(proof.check));
        }
        if !self.has_hinted {
            self.has_hinted = true;
            trail.say(format!(
                "{}; close the window, or press Enter here, when you are logged in",
                proof.why
            ));
        }
        Ok(None)
    }

    /// Takes what the browser has now and learns a check from it.
    async fn learn(
        &mut self,
        sight: &Sight,
        trail: &mut Trail,
    ) -> Result<Option<Proof>, LoginError> {
        self.take(sight, trail)?;
        let urls = match (&self.login.check, &sight.url) {
            (Some(url), _) => vec![url.clone()],
            (None, Some(url)) => candidates(url, self.start),
            (None, None) => return Ok(None),
        };
        let learned = match self.login.how.check() {
            Some(check) => prove::by_rule(self.member, check).await,
            None => prove::learn_at(self.session, self.member, self.login, urls).await,
        };
        match learned {
            // A site that turns other programs away says nothing of the person.
            Err(LoginError::Request(error)) => {
                tracing::info!(%error, "the page can't be had without the browser");
                Ok(None)
            }
            learned => learned,
        }
    }

    /// The person says that they are done.
    async fn finish(
        &mut self,
        last: Option<Sight>,
        trail: &mut Trail,
    ) -> Result<Landed, LoginError> {
        let shown = ShownUrl(self.start).to_string();
        let unfinished = |why: &str| LoginError::Unfinished {
            url: shown.clone(),
            why: why.to_owned(),
        };
        if self.is_at_form {
            return Err(unfinished("the last page still asked for a login"));
        }
        let Some(sight) = last.filter(|sight| self.has_changed(sight)) else {
            return Err(unfinished("the browser keeps nothing that it wasn't given"));
        };
        if let Some(proof) = self.learn(&sight, trail).await? {
            trail.say(proof.why);
            return Ok(Landed::Found(Some(proof.check)));
        }
        if self.login.check.is_some() || self.login.how.check().is_some() {
            return Err(LoginError::CanNotTell { url: shown });
        }
        self.take(&sight, trail)?;
        let stored = sight.storage.map_or(0, |storage| storage.items.len());
        trail.say(format!(
            "took what the browser keeps (cookies: {}, stored values: {stored}); no page was found \
             that shows the login",
            self.member.read(|state| state.jar().len()),
        ));
        Ok(Landed::Found(None))
    }

    /// Whether the browser keeps something else than it was given.
    fn has_changed(&self, sight: &Sight) -> bool {
        let stored = sight.storage.iter();
        let mut stored = stored.filter(|storage| !storage.items.is_empty());
        self.first != sight.cookies || stored.any(|storage| !self.stored.contains(storage))
    }

    /// The session gets what the browser has, and its name.
    fn take(&mut self, sight: &Sight, trail: &mut Trail) -> Result<(), LoginError> {
        let agent = self.browser.user_agent().to_owned();
        let (pages, before) = (self.browser.visited(), &self.taken);
        let names = self.member.update(|state: &mut SessionState, now| {
            // A browser's profile has a name of its own.
            if state.profile().browser().is_none() {
                state.set_header(USER_AGENT.as_str(), &agent, now)?;
            }
            browser::bring_storage(&mut state.storage, sight.storage.clone());
            Ok(sight
                .cookies
                .bring_changes(before, &mut state.jar, pages, now))
        });
        trail.cookies.extend(names.map_err(LoginError::Request)?);
        self.taken = sight.cookies.clone();
        Ok(())
    }

    fn error(&self, fault: Fault) -> LoginError {
        LoginError::Request(self.chromium.error(fault))
    }
}

/// Where it may show that one is logged in. Not at the address that was given, which may be a link
/// that works once.
fn candidates(url: &Url, start: &Url) -> Vec<Url> {
    let mut root = url.clone();
    root.set_path("/");
    let mut urls = vec![url.clone(), root];
    for url in &mut urls {
        url.set_query(None);
        url.set_fragment(None);
    }
    urls.dedup();
    urls.retain(|url| url.path() == "/" || url.path() != start.path());
    urls
}
