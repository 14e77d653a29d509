//! One login for all who notice: tasks by a lock, processes and machines by a lease.
//!
//! Inside the lease the stored generation is compared: whoever comes second finds the work done.

use std::sync::Arc;

use tracing::Instrument as _;

use super::mailbox::Mailbox;
use super::notify::TroubleKind;
use super::refresh::Seen;
use super::sync::Purpose;
use super::{Inner, KeepError, NoRenewal, Renewal, Renewed, Renewer};
use crate::login::{
    self, AwaitCode, Factor, How, Known, Login, LoginError, LoginReport, NoteStep, PasswordWanted,
};
use crate::record::{KeptLogin, Record};
use crate::secret::Secret;
use crate::session::{SessionState, Sign, Verdict};
use crate::spans;
use crate::store::{Lease, Name, StoreError, Vault};

/// Logs in because a person asked for it.
pub(super) async fn log_in(
    inner: &Inner,
    login: Login,
    start: Start,
) -> Result<LoginReport, KeepError> {
    let lease = inner.wait_for_lease().await?;
    let limit = login.limit();
    let work = async {
        // Whoever logged in while this one waited has counted one more; who removed the session
        // has not forbidden to make it again.
        match inner.pull().await {
            Ok(()) | Err(KeepError::Unknown { .. }) => {}
            Err(error) => return Err(error),
        }
        let known = Known {
            factor: inner.factor(),
            ..Known::default()
        };
        let report = inner.log_in_now(&login, start, &known).await?;
        let (record, report) = inner.renewed(&login, report);
        let purpose = Purpose::Login(lease.fence());
        let stored = inner.push_login(record, purpose).await?;
        Ok(LoginReport {
            generation: stored.unwrap_or(report.generation),
            ..report
        })
    };
    let done = inner.guarded(&lease, limit, work).await;
    inner.release(&lease).await;
    if let Err(error) = &done {
        inner.tell_of(error).await;
    }
    done
}

/// Which cookies a login starts with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Start {
    /// None: somebody else may be logging in.
    Afresh,
    /// Those of the session: sites recognise a device by them.
    WithCookies,
}

impl Inner {
    /// Brings a login back that was seen to be gone; `None` where the check says that it is not.
    /// Where only a person can, one is told.
    pub(super) async fn renew(
        &self,
        seen: Seen,
        sign: &Sign,
    ) -> Result<Option<Renewal>, KeepError> {
        let renewed = self.renew_once(seen, sign).await;
        if let Err(error) = &renewed {
            self.tell_of(error).await;
        }
        let by = renewed?;
        let generation = self.session.read(SessionState::generation);
        Ok(by.map(|by| Renewal {
            sign: sign.clone(),
            by,
            what: match generation == seen.generation {
                true => Renewed::Token,
                false => Renewed::Login,
            },
            generation,
        }))
    }

    async fn renew_once(&self, seen: Seen, sign: &Sign) -> Result<Option<Renewer>, KeepError> {
        if self.mode == super::Mode::ReadOnly {
            return Err(self.logged_out(sign, NoRenewal::ReadOnly));
        }
        let _single = loop {
            self.pass_gate(sign).await?;
            let single = self.renewing.lock().await;
            // Whoever holds logins back waits for this lock.
            if !self.is_held() {
                break single;
            }
        };
        if self.is_replaced() {
            return Err(self.logged_out(sign, NoRenewal::Replaced));
        }
        if self.has_moved(seen) {
            return Ok(Some(Renewer::Other));
        }
        let Some(lease) = self.lease(seen, sign).await? else {
            return Ok(Some(Renewer::Other));
        };
        let renewed = self
            .guarded(&lease, login::LONGEST, self.renew_now(seen, sign, &lease))
            .await;
        self.release(&lease).await;
        let Err(KeepError::Store(StoreError::Fenced { .. })) = renewed else {
            if let Ok(Some(Renewer::Ourselves)) = renewed {
                self.step_and_pull().await?;
            }
            return renewed;
        };
        // This process stood still for too long; whoever took over may have done the work.
        self.pull().await?;
        match self.has_moved(seen) {
            true => Ok(Some(Renewer::Other)),
            false => renewed,
        }
    }

    /// Inside the lease: is it done already, is it needed, may it be tried?
    async fn renew_now(
        &self,
        seen: Seen,
        sign: &Sign,
        lease: &Lease,
    ) -> Result<Option<Renewer>, KeepError> {
        self.pull().await?;
        if self.has_moved(seen) {
            return Ok(Some(Renewer::Other));
        }
        if let Some(renewer) = self.refresh(sign, lease).await? {
            return Ok(Some(renewer));
        }
        // What the clock says needs no check, which would find that the token still holds.
        if !self.is_end_near() && *sign != Sign::TooOld {
            let report = self.check().await?;
            if report.verdict == Verdict::Valid && report.is_certain {
                return Ok(None);
            }
        }
        self.may_try(sign)?;
        let login = self.login_again(sign).await?;
        let id = self.held().id.clone();
        let renewed = self.session.read(SessionState::generation);
        let report = match self.log_in_again(&login).await {
            Ok(report) => report,
            Err(error) => {
                if let Err(unsaved) = self.remember_refusal(&error).await {
                    tracing::warn!(session = %self.name, %unsaved, "the refusal was not stored");
                }
                return Err(error);
            }
        };
        let (mut record, _report) = self.renewed(&login, report);
        record.id = id;
        let purpose = Purpose::Renewal(lease.fence(), renewed);
        if self.push_login(record, purpose).await?.is_some() {
            return Ok(Some(Renewer::Ourselves));
        }
        // Somebody emptied, replaced or removed the session meanwhile: what he left holds.
        self.pull().await?;
        Ok(Some(Renewer::Other))
    }

    /// The login that is kept, with its password or one that is asked for.
    async fn login_again(&self, sign: &Sign) -> Result<Login, KeepError> {
        let kept = self.held().login.clone();
        let kept = kept.ok_or_else(|| self.logged_out(sign, NoRenewal::NeverLoggedIn))?;
        let mut login = Login::new(kept.how, kept.credentials);
        login.remember = login.credentials.password.is_some();
        if login.how.needs_window() {
            return Err(self.logged_out(sign, NoRenewal::PersonNeeded));
        }
        if login.credentials.password.is_none() && login.how.needs_password() {
            let asked = self.ask_password(&login.how, &login.credentials.user);
            let password = asked.await;
            let password = password.ok_or_else(|| self.logged_out(sign, NoRenewal::NoPassword))?;
            login.credentials.password = Some(password);
        }
        login.check = self.check_url();
        login.profile = self.session.read(SessionState::profile).into();
        login.person = self.person.clone();
        Ok(login)
    }

    /// Asks a person on a thread of its own: the lease is extended while the password is typed.
    pub(super) async fn ask_password(&self, how: &How, user: &str) -> Option<Secret<String>> {
        let ask = self.person.password.clone()?;
        let wanted = PasswordWanted::at(how.start(), user);
        let asked = tokio::task::spawn_blocking(move || ask(&wanted));
        asked.await.ok().flatten()
    }

    /// Logs in again, first with the cookies that are there; where they lead to no form, without.
    async fn log_in_again(&self, login: &Login) -> Result<LoginReport, KeepError> {
        let check = self.held().check.clone();
        let known = Known {
            check,
            login_pages: self.session.read(|state| state.signs.login_pages.clone()),
            sent_to: self.sent_to(),
            factor: self.factor(),
        };
        match self.log_in_now(login, Start::WithCookies, &known).await {
            Err(KeepError::Login(LoginError::NoForm { .. })) => {
                self.log_in_now(login, Start::Afresh, &known).await
            }
            done => done,
        }
    }

    /// What is known of the second factor, and who waits for a code from elsewhere.
    fn factor(&self) -> Factor {
        let (vault, name) = (self.vault.clone(), self.name.clone());
        let note: NoteStep = Arc::new(move |step| {
            let (vault, name) = (vault.clone(), name.clone());
            Box::pin(async move { note_step(&vault, &name, step).await })
        });
        let mailbox = Mailbox::new(&self.vault, &self.name);
        let clock = self.session.clone();
        let notify = self.notify.clone();
        let trouble = self.trouble(TroubleKind::Code, String::new());
        let elsewhere = self.code_wait.map(|limit| -> AwaitCode {
            Arc::new(move |wanted| {
                let (mailbox, now) = (mailbox.clone(), clock.now());
                let mut trouble = trouble.clone();
                trouble.reason = format!("{} asks for a code: {}", wanted.page, wanted.message);
                let notify = notify.clone();
                Box::pin(async move {
                    if let Some(notify) = notify {
                        tokio::task::spawn_blocking(move || notify(&trouble));
                    }
                    mailbox.wait(now, limit).await.ok().flatten()
                })
            })
        });
        Factor {
            last_step: self.held().last.code,
            elsewhere,
            note: Some(note),
        }
    }

    /// The origins that the password was sent to so far.
    fn sent_to(&self) -> Vec<String> {
        let held = self.held();
        let login = held.login.as_ref();
        login.map(|login| login.sent_to.clone()).unwrap_or_default()
    }

    async fn log_in_now(
        &self,
        login: &Login,
        start: Start,
        known: &Known,
    ) -> Result<LoginReport, KeepError> {
        let mut state = self.session.state();
        state.signs.login_pages.clear();
        let now = self.session.now();
        match start {
            Start::Afresh => state.jar.clear(now),
            // With those that are about to end the site would take the login for done.
            Start::WithCookies => {
                for name in self.ending_cookies() {
                    state.jar.remove(name, now);
                }
            }
        }
        let span = spans::login(&self.name);
        let logging_in = login::log_in(&self.session, state, login, known);
        let done = logging_in.instrument(span.clone()).await;
        let done = done.map_err(KeepError::from);
        spans::ended(&span, &done);
        done
    }

    /// What is to be kept of a login that worked.
    fn renewed(&self, login: &Login, mut report: LoginReport) -> (Record, LoginReport) {
        let mut state = std::mem::take(&mut report.state);
        let (counts, generation) = self.session.read(|old| (old.counts, old.generation));
        state.counts = counts.plus(state.counts.since(counts));
        state.generation = generation + 1;
        report.generation = state.generation;
        let sent_to = match report.sent_to.is_empty() {
            true => self.sent_to(),
            false => report.sent_to.clone(),
        };
        let mut record = self.held().record(state);
        let mut credentials = login.credentials.clone();
        if !login.remember {
            credentials.password = None;
            credentials.otp = None;
        }
        record.login = Some(KeptLogin {
            how: login.how.clone(),
            credentials,
            sent_to,
        });
        record.check.clone_from(&report.check);
        record.tokens.clone_from(&report.tokens);
        record.last.login = Some(self.session.now());
        record.last.code = record.last.code.max(report.last_step);
        record.last.refusal = None;
        record.last.told.clear();
        (record, report)
    }
}

/// Stores that the code of a step is about to be sent, so that nobody sends it again.
async fn note_step(vault: &Vault, name: &Name, step: u64) {
    let noted = super::edit(vault, name, move |record| {
        record.last.code = record.last.code.max(Some(step));
    });
    match noted.await {
        // A first login has no record yet; it is stored with the login.
        Ok(()) | Err(KeepError::Unknown { .. }) => {}
        Err(error) => tracing::warn!(session = %name, %error, "the code was not noted"),
    }
}
