//! One login for all who notice: tasks by a lock, processes and machines by a lease.
//!
//! Inside the lease the stored generation is compared: whoever comes second finds the work done.

use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::sleep;

use super::{Inner, KeepError, NoRenewal, Renewer};
use crate::login::{self, Known, Login, LoginError, LoginReport};
use crate::record::{KeptLogin, KeptRefusal};
use crate::secret::Secret;
use crate::session::{SessionState, Sign, Verdict};
use crate::store::{Acquired, HolderId, Lease, LeaseKey, StoreError};

/// How long a lease lasts that nobody extends: as long as others wait for a killed process.
const TERM: Duration = Duration::from_secs(15);

/// How often a lease is extended.
const EXTEND: Duration = Duration::from_secs(5);

/// How often a waiting process looks.
const LOOK: Duration = Duration::from_millis(40);

/// How long a process waits for another one's login.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a login is left alone when the site asks to wait and doesn't say how long.
const COOL_DOWN: u64 = 300;

/// A name for this process among those who want a lease.
pub(super) fn holder() -> Result<HolderId, StoreError> {
    let random = getrandom::u64().unwrap_or(0);
    HolderId::parse(&format!("{}-{random:016x}", std::process::id()))
}

/// Logs in because a person asked for it.
pub(super) async fn log_in(inner: &Inner, login: Login) -> Result<LoginReport, KeepError> {
    let lease = inner.lease(0, None).await?;
    let work = async {
        // Another process may have logged in while this one waited.
        inner.pull_anew().await?;
        inner
            .log_in_now(&login, Start::Afresh, &Known::default())
            .await
    };
    let done = match inner.guarded(lease.as_ref(), work).await {
        Ok(report) => inner.keep(&login, report, lease.as_ref()).await,
        Err(error) => Err(error),
    };
    inner.release(lease).await;
    done
}

/// Which cookies a login starts with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Start {
    /// None: somebody else may be logging in.
    Afresh,
    /// Those of the session: sites recognise a device by them.
    WithCookies,
}

impl Inner {
    /// Brings a login back that was seen to be gone; `None` where the check says that it is not.
    pub(super) async fn renew(&self, seen: u64, sign: &Sign) -> Result<Option<Renewer>, KeepError> {
        if self.mode == super::Mode::ReadOnly {
            return Err(self.logged_out(sign, NoRenewal::ReadOnly));
        }
        let _single = self.renewing.lock().await;
        if self.session.read(SessionState::generation) > seen {
            return Ok(Some(Renewer::Other));
        }
        let Some(lease) = self.lease(seen, Some(sign)).await? else {
            return Ok(Some(Renewer::Other));
        };
        let renewed = self
            .guarded(Some(&lease), self.renew_now(seen, sign, &lease))
            .await;
        self.release(Some(lease)).await;
        renewed
    }

    /// Inside the lease: is it done already, is it needed, may it be tried?
    async fn renew_now(
        &self,
        seen: u64,
        sign: &Sign,
        lease: &Lease,
    ) -> Result<Option<Renewer>, KeepError> {
        self.pull().await?;
        if self.session.read(SessionState::generation) > seen {
            return Ok(Some(Renewer::Other));
        }
        let report = self.check().await?;
        if report.verdict == Verdict::Valid && report.is_certain {
            return Ok(None);
        }
        self.may_try(sign)?;
        let login = self.login_again(sign)?;
        match self.log_in_again(&login).await {
            Ok(report) => {
                self.keep(&login, report, Some(lease)).await?;
                Ok(Some(Renewer::Ourselves))
            }
            Err(error) => {
                self.remember_refusal(&error).await?;
                Err(error)
            }
        }
    }

    /// A refused password isn't tried again: the account could be locked.
    fn may_try(&self, sign: &Sign) -> Result<(), KeepError> {
        let Some(refusal) = self.held().last.refusal.clone() else {
            return Ok(());
        };
        let now = self.session.now();
        let again = match refusal.again {
            Some(again) if again <= now => return Ok(()),
            Some(again) => {
                let seconds = (again.as_millis() - now.as_millis()) / 1000;
                format!("{seconds} s have passed")
            }
            None => "you run `sessile login` again".to_owned(),
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
    fn login_again(&self, sign: &Sign) -> Result<Login, KeepError> {
        let kept = self.held().login.clone();
        let kept = kept.ok_or_else(|| self.logged_out(sign, NoRenewal::NeverLoggedIn))?;
        let (password, remember) = match (&kept.password, &self.ask) {
            (Some(password), _) => (password.clone(), true),
            (None, Some(ask)) => match ask(&kept) {
                Some(password) => (password, false),
                None => return Err(self.logged_out(sign, NoRenewal::NoPassword)),
            },
            (None, None) => return Err(self.logged_out(sign, NoRenewal::NoPassword)),
        };
        let mut login = Login::new(kept.url, kept.user, password);
        login.remember = remember;
        login.check = self.check_url();
        login.profile = self.session.read(SessionState::profile).into();
        Ok(login)
    }

    /// Logs in again, first with the cookies that are there; where they lead to no form, without.
    async fn log_in_again(&self, login: &Login) -> Result<LoginReport, KeepError> {
        let check = self.held().check.clone();
        let known = Known {
            check,
            login_pages: self.session.read(|state| state.signs.login_pages.clone()),
            sent_to: self.sent_to(),
        };
        match self.log_in_now(login, Start::WithCookies, &known).await {
            Err(KeepError::Login(LoginError::NoForm { .. })) => {
                self.log_in_now(login, Start::Afresh, &known).await
            }
            done => done,
        }
    }

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
        if start == Start::Afresh {
            let now = self.session.now();
            state.jar.clear(now);
        }
        Ok(login::log_in(&self.session, state, login, known).await?)
    }

    /// The new login holds: it takes the place of the old one here and in the store.
    async fn keep(
        &self,
        login: &Login,
        mut report: LoginReport,
        lease: Option<&Lease>,
    ) -> Result<LoginReport, KeepError> {
        let now = self.session.now();
        let password: Option<Secret<String>> = login.remember.then(|| login.password.clone());
        let before = self.sent_to();
        {
            let mut held = self.held();
            held.login = Some(KeptLogin {
                url: login.url.clone(),
                user: login.user.clone(),
                password,
                sent_to: if report.sent_to.is_empty() {
                    before
                } else {
                    report.sent_to.clone()
                },
            });
            held.check = report.check.clone();
            held.last.login = Some(now);
            held.last.refusal = None;
        }
        let new = std::mem::take(&mut report.state);
        self.session.update(|state, _now| {
            let counts = state.counts.plus(new.counts.since(state.counts));
            let generation = state.generation + 1;
            *state = new;
            state.generation = generation;
            state.counts = counts;
            report.generation = generation;
        });
        self.push(lease.map(Lease::fence)).await?;
        Ok(report)
    }

    /// A page that asks for a login right after one would be asked for again and again.
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
    async fn remember_refusal(&self, error: &KeepError) -> Result<(), KeepError> {
        let now = self.session.now();
        let again = match error {
            KeepError::Login(LoginError::Refused { .. } | LoginError::SecondFactor { .. }) => None,
            KeepError::Login(LoginError::RateLimited { wait, .. }) => {
                Some(now.plus(Duration::from_secs(wait.unwrap_or(COOL_DOWN))))
            }
            _ => return Ok(()),
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
    async fn lease(&self, seen: u64, sign: Option<&Sign>) -> Result<Option<Lease>, KeepError> {
        let key = LeaseKey::parse(&format!("login:{}", self.name))?;
        let mut waited = Duration::ZERO;
        loop {
            match self.vault.acquire(&key, &self.holder, TERM).await? {
                Acquired::Granted(lease) => return Ok(Some(lease)),
                Acquired::Busy { .. } => {}
            }
            sleep(LOOK).await;
            waited += LOOK;
            if let Some(sign) = sign {
                self.pull().await?;
                if self.session.read(SessionState::generation) > seen {
                    return Ok(None);
                }
                if waited > PATIENCE {
                    let why = NoRenewal::Busy(waited.as_secs());
                    return Err(self.logged_out(sign, why));
                }
            }
        }
    }

    /// Runs `work` while the lease is extended; work that loses its lease is given up.
    async fn guarded<T>(
        &self,
        lease: Option<&Lease>,
        work: impl Future<Output = Result<T, KeepError>>,
    ) -> Result<T, KeepError> {
        let Some(lease) = lease else {
            return work.await;
        };
        let extending = async {
            loop {
                sleep(EXTEND).await;
                if let Err(error) = self.vault.extend(lease, TERM).await {
                    return error;
                }
            }
        };
        match select(Box::pin(work), Box::pin(extending)).await {
            Either::Left((done, _)) => done,
            Either::Right((lost, _)) => Err(lost.into()),
        }
    }

    async fn release(&self, lease: Option<Lease>) {
        let Some(lease) = lease else { return };
        if let Err(error) = self.vault.release(&lease).await {
            // It ends by itself when its term is over.
            tracing::warn!(session = %self.name, %error, "the lease could not be given back");
        }
    }
}
