//! One login for all who notice: tasks by a lock, processes and machines by a lease.
//!
//! Inside the lease the stored generation is compared: whoever comes second finds the work done.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::sleep;
use tracing::Instrument as _;

use super::mailbox::Mailbox;
use super::notify::TroubleKind;
use super::refresh::Seen;
use super::sync::Purpose;
use super::{Again, Inner, KeepError, NoRenewal, Renewal, Renewed, Renewer};
use crate::error::{Error as RequestError, Phase};
use crate::login::oauth2::OAuthError;
use crate::login::{
    self, AwaitCode, Factor, How, Known, Login, LoginError, LoginReport, NoteStep, PasswordWanted,
};
use crate::record::{KeptLogin, KeptRefusal, Record};
use crate::secret::Secret;
use crate::session::{SessionState, Sign, Verdict};
use crate::spans;
use crate::store::{Acquired, HolderId, Lease, LeaseKey, Name, StoreError, Vault};

/// How long a lease lasts that nobody extends: as long as others wait for a killed process.
const TERM: Duration = Duration::from_secs(15);

/// How often a lease is extended.
const EXTEND: Duration = Duration::from_secs(5);

/// How often a waiting process looks.
const LOOK: Duration = Duration::from_millis(40);

/// How long a process waits for another one's login.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many codes may be waited for in one login.
const CODES: u32 = 3;

/// How long a login is left alone when the site asks to wait and doesn't say how long.
const COOL_DOWN: u64 = 300;

/// How long a login is left alone where the site itself is in trouble.
const TROUBLE: Duration = Duration::from_secs(15);

/// The longest time, in seconds, for which a site is believed that it wants no login.
const LONGEST_COOL_DOWN: u64 = 24 * 3600;

/// A name for this process among those who want a lease.
pub(super) fn holder() -> Result<HolderId, StoreError> {
    let random = getrandom::u64().unwrap_or(0);
    HolderId::parse(&format!("{}-{random:016x}", std::process::id()))
}

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

    /// A refused password isn't tried again: the account could be locked.
    pub(super) fn may_try(&self, sign: &Sign) -> Result<(), KeepError> {
        let Some(refusal) = self.held().last.refusal.clone() else {
            return Ok(());
        };
        let now = self.session.now();
        let again = match refusal.again {
            Some(again) if again <= now => return Ok(()),
            Some(again) => {
                let millis = again.as_millis() - now.as_millis();
                Again::After(Duration::from_millis(millis.unsigned_abs()))
            }
            None => Again::ByHand,
        };
        Err(self.logged_out(
            sign,
            NoRenewal::Refused {
                message: refusal.message,
                again,
            },
        ))
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

    /// A page that asks for a login right after one that nothing could prove would be asked for again
    /// and again.
    pub(super) async fn remember_fruitless_login(&self) -> Result<(), KeepError> {
        let now = self.session.now();
        let again = Some(now.plus(Duration::from_secs(COOL_DOWN)));
        let message = "a page went on asking for a login after a new one".to_owned();
        self.store_refusal(KeptRefusal {
            at: now,
            message,
            again,
        })
        .await
    }

    /// What the site refused is stored, so that the next process doesn't ask again.
    pub(super) async fn remember_refusal(&self, error: &KeepError) -> Result<(), KeepError> {
        let now = self.session.now();
        let KeepError::Login(error) = error else {
            return Ok(());
        };
        let again = match error {
            // The way to the site is in trouble, which says nothing of the login.
            LoginError::Request(_) => return Ok(()),
            LoginError::Failing { .. } => Some(now.plus(TROUBLE)),
            LoginError::RateLimited { wait, .. } => {
                let wait = wait.unwrap_or(COOL_DOWN).min(LONGEST_COOL_DOWN);
                Some(now.plus(Duration::from_secs(wait)))
            }
            LoginError::OAuth(OAuthError::RateLimited { wait, .. }) => {
                let wait = wait.unwrap_or(COOL_DOWN).min(LONGEST_COOL_DOWN);
                Some(now.plus(Duration::from_secs(wait)))
            }
            LoginError::OAuth(error) if error.is_passing() => return Ok(()),
            LoginError::OAuth(OAuthError::Refused { .. })
            | LoginError::Refused { .. }
            | LoginError::Unproven { .. } => None,
            other if other.needs_person() => None,
            _ => Some(now.plus(Duration::from_secs(COOL_DOWN))),
        };
        self.store_refusal(KeptRefusal {
            at: now,
            message: error.to_string(),
            again,
        })
        .await
    }

    async fn store_refusal(&self, refusal: KeptRefusal) -> Result<(), KeepError> {
        self.held().last.refusal = Some(refusal.clone());
        let stored = super::edit(&self.vault, &self.name, move |record| {
            record.last.refusal = Some(refusal);
        });
        match stored.await {
            // Somebody removed the session meanwhile: there is nothing to remember it by.
            Ok(()) | Err(KeepError::Unknown { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// The right to log in; `None` where another process did it while this one waited.
    async fn lease(&self, seen: Seen, sign: &Sign) -> Result<Option<Lease>, KeepError> {
        let mut waited = Duration::ZERO;
        loop {
            if let Acquired::Granted(lease) = self.acquire().await? {
                return Ok(Some(lease));
            }
            sleep(LOOK).await;
            waited += LOOK;
            self.pull().await?;
            if self.has_moved(seen) {
                return Ok(None);
            }
            if waited > PATIENCE {
                let why = NoRenewal::Busy(waited.as_secs());
                return Err(self.logged_out(sign, why));
            }
        }
    }

    /// The right to log in, for a person whose login is done whatever others do.
    async fn wait_for_lease(&self) -> Result<Lease, KeepError> {
        let mut waited = Duration::ZERO;
        loop {
            let holder = match self.acquire().await? {
                Acquired::Granted(lease) => return Ok(lease),
                Acquired::Busy { holder, .. } => holder,
            };
            if waited > PATIENCE {
                let place = self.vault.place().to_owned();
                let holder = format!("a login that {holder} is doing");
                return Err(KeepError::Store(StoreError::Locked {
                    place,
                    holder,
                    waited,
                }));
            }
            sleep(LOOK).await;
            waited += LOOK;
        }
    }

    async fn acquire(&self) -> Result<Acquired, KeepError> {
        let key = LeaseKey::parse(&format!("login:{}", self.name))?;
        Ok(self.vault.acquire(&key, &self.holder, TERM).await?)
    }

    /// Runs `work` while the lease is extended; work that loses its lease, or that
    /// never ends, is given up.
    async fn guarded<T>(
        &self,
        lease: &Lease,
        limit: Duration,
        work: impl Future<Output = Result<T, KeepError>>,
    ) -> Result<T, KeepError> {
        // Whoever waits for a code waits for a person.
        let limit = limit + self.code_wait.unwrap_or_default() * CODES;
        let extending = async {
            let mut passed = Duration::ZERO;
            while passed < limit {
                sleep(EXTEND).await;
                passed += EXTEND;
                if let Err(error) = self.vault.extend(lease, TERM).await {
                    return KeepError::Store(error);
                }
            }
            KeepError::Request(RequestError::TimeOut {
                phase: Phase::Total,
                url: "the login".to_owned(),
                after: limit,
            })
        };
        match select(Box::pin(work), Box::pin(extending)).await {
            Either::Left((done, _)) => done,
            Either::Right((lost, _)) => Err(lost),
        }
    }

    async fn release(&self, lease: &Lease) {
        if let Err(error) = self.vault.release(lease).await {
            // It ends by itself when its term is over.
            tracing::warn!(session = %self.name, %error, "the lease could not be given back");
        }
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
