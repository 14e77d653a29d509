//! Staying logged in: a session that is stored, shared and renewed by itself.
//!
//! Joins session, login and store for one session. `send` is a request's way, `sync` brings changes from
//! and to the store, `single` sees to it that a login is renewed once however many notice (by a `lease`,
//! minding a `refusal`), `judge` looks at what only a page's content shows, `in_step` joins a token file,
//! `flush` stores what is new in a session that has gone quiet, `away` goes on where the store is away,
//! `limits` shares the manners towards hosts. How to log in is not here, nor how bytes are kept.

mod away;
mod ends;
mod error;
mod flush;
mod gate;
mod in_step;
mod judge;
mod lease;
mod limits;
mod mailbox;
mod notify;
mod options;
mod refresh;
mod refusal;
mod send;
mod single;
mod sync;
mod to_the_end;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessile_jar::Timestamp;
use tokio::sync::Mutex as AsyncMutex;
use url::Url;

use crate::login::{Login, LoginReport, Person};
use crate::record::{Check, KeptLogin, Last, Record, Tokens};
use crate::session::{Session, SessionState, Sign, Verdict};
use crate::store::{HolderId, Name, Vault};
use crate::token_file::{Stamp, TokenFile, TokenTrouble};

pub use error::{Again, KeepError, NoRenewal};
pub use gate::Logins;
pub use in_step::{bring_in_step, keep_in_step, step, stop_in_step};
pub use judge::CheckReport;
pub use limits::{HostLimits, limits_at, share_limits};
pub use mailbox::hand_over_code;
pub use notify::{Notify, Trouble, TroubleKind};
pub use options::{Identity, KeptOptions, Mode};
pub use send::{Answer, Renewal, Renewed, Renewer};
pub use sync::{copy, edit};

use flush::Flusher;
use gate::Gate;
use judge::Suspicion;
use single::Start;
use to_the_end::Renewals;

/// A stored session that many processes share and that logs in again when it has to.
///
/// Cheap to clone; safe to use from many tasks.
///
/// ```no_run
/// # async fn example(vault: sessile::store::Vault) -> Result<(), sessile::renew::KeepError> {
/// use sessile::Request;
/// use sessile::renew::{Kept, KeptOptions};
///
/// let shop = Kept::open(&vault, &"shop".parse()?, KeptOptions::default()).await?;
/// let answer = shop.send(Request::get("https://shop.example/orders")).await?;
/// println!("{}", answer.reply.text().await?);
/// shop.save().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Kept(Arc<Inner>);

struct Inner {
    name: Name,
    vault: Vault,
    session: Session,
    mode: Mode,
    person: Person,
    code_wait: Option<Duration>,
    notify: Option<Notify>,
    save_every: Duration,
    holder: HolderId,
    held: Mutex<Held>,
    /// One renewal at a time in this process; the lease sees to the others.
    renewing: AsyncMutex<()>,
    /// One merge with the store at a time in this process.
    syncing: AsyncMutex<()>,
    /// Stores what is new in a session that has gone quiet.
    flusher: Flusher,
    renewals: Renewals,
    gate: Gate,
}

/// What is known of the stored record beside the session's state.
#[derive(Debug)]
struct Held {
    id: String,
    created: Timestamp,
    login: Option<KeptLogin>,
    check: Option<Check>,
    tokens: Option<Tokens>,
    last: Last,
    token_file: Option<TokenFile>,
    /// What the token file was when it was in step last: an outer `None` before the first look.
    stepped: Option<Option<Stamp>>,
    token_trouble: Option<TokenTrouble>,
    /// The stored version that was merged last.
    version: u64,
    /// The store's counter when it was looked at last.
    changes: Option<u64>,
    /// What of the jar and the counts the store has.
    saved: sync::Saved,
    suspicion: Suspicion,
    /// After a refresh that failed: when it is tried again.
    not_before: Option<Timestamp>,
    /// How many requests in a row found that something else ends each new login.
    contests: u32,
}

impl Kept {
    /// Opens a stored session.
    ///
    /// # Errors
    ///
    /// [`KeepError::Unknown`] where there is none of that name, [`KeepError::Store`] and
    /// [`KeepError::Unreadable`] where it can't be read.
    pub async fn open(vault: &Vault, name: &Name, options: KeptOptions) -> Result<Self, KeepError> {
        let (record, version) = sync::load(vault, name).await?;
        let options = options.towards(record.login.as_ref().map(|login| &login.how));
        let kept = Self::around(vault, name, record, version, options)?;
        if kept.0.held().token_file.is_some() {
            kept.0.pull().await?;
        }
        Ok(kept)
    }

    /// Makes a session that isn't stored yet; [`Kept::save`] stores it.
    ///
    /// # Errors
    ///
    /// [`KeepError::Request`] where the options can't be used.
    pub fn create(
        vault: &Vault,
        name: &Name,
        state: SessionState,
        options: KeptOptions,
    ) -> Result<Self, KeepError> {
        let record = Record::new(state, options.builder.now());
        Self::around(vault, name, record, 0, options)
    }

    /// Logs in and stores the session under a name; one that is there already is replaced, but
    /// only once the new login works.
    ///
    /// # Errors
    ///
    /// [`KeepError::Login`] says what the site said; what was stored is left as it was.
    pub async fn log_in(
        vault: &Vault,
        name: &Name,
        login: Login,
        options: KeptOptions,
    ) -> Result<(Self, LoginReport), KeepError> {
        let options = options.towards(Some(&login.how));
        let kept = match sync::load(vault, name).await {
            Ok((record, version)) => Self::around(vault, name, record, version, options)?,
            Err(KeepError::Unknown { .. }) => Self::create(
                vault,
                name,
                SessionState::new(login.profile.choose()),
                options,
            )?,
            Err(other) => return Err(other),
        };
        let report = single::log_in(&kept.0, login, Start::Afresh).await?;
        kept.0.step_and_pull().await?;
        Ok((kept, report))
    }

    /// Logs in with an identity that is there already, its profile, proxy and cookies, and stores
    /// the session under a name that is free.
    ///
    /// # Errors
    ///
    /// As [`Kept::log_in`].
    pub async fn log_in_as(
        vault: &Vault,
        name: &Name,
        identity: Identity,
        login: Login,
        options: KeptOptions,
    ) -> Result<(Self, LoginReport), KeepError> {
        let options = options.towards(Some(&login.how));
        let kept = Self::create(vault, name, identity.state, options)?;
        kept.0.held().last.code = identity.last_code;
        let report = single::log_in(&kept.0, login, Start::WithCookies).await?;
        Ok((kept, report))
    }

    fn around(
        vault: &Vault,
        name: &Name,
        record: Record,
        version: u64,
        options: KeptOptions,
    ) -> Result<Self, KeepError> {
        let now = options.builder.now();
        let saved = sync::Saved::of(&record.state, version, now);
        let builder = options.builder.state(record.state);
        let session = builder.limits_kept_in(|| limits::register(vault)).build()?;
        let held = Held {
            id: record.id,
            created: record.created,
            login: record.login,
            check: record.check,
            tokens: record.tokens,
            last: record.last,
            token_file: record.token_file,
            stepped: None,
            token_trouble: None,
            version,
            changes: None,
            saved,
            suspicion: Suspicion::default(),
            not_before: None,
            contests: 0,
        };
        Ok(Self(Arc::new(Inner {
            name: name.clone(),
            vault: vault.clone(),
            session,
            mode: options.mode,
            person: options.person,
            code_wait: options.code_wait,
            notify: options.notify,
            save_every: options.save_every,
            holder: lease::holder()?,
            held: Mutex::new(held),
            renewing: AsyncMutex::new(()),
            syncing: AsyncMutex::new(()),
            flusher: Flusher::default(),
            renewals: Renewals::default(),
            gate: Gate::default(),
        })))
    }

    /// Takes in what others have stored and renews what is about to end by the clock, as before a
    /// request: for whoever is handed what the session is made of and sends by itself.
    ///
    /// # Errors
    ///
    /// As [`Kept::send`].
    pub async fn bring_up_to_date(&self) -> Result<Option<Renewal>, KeepError> {
        self.0.pull_if_there().await?;
        self.0.renew_if_due().await
    }

    /// Asks the site whether the session is still logged in; renews nothing.
    ///
    /// # Errors
    ///
    /// [`KeepError::Request`] where the site can't be reached.
    pub async fn check(&self) -> Result<CheckReport, KeepError> {
        self.0.pull().await?;
        let report = self.0.check().await?;
        self.0.tell_of_challenge(&report.verdict).await;
        self.0.held().last.check = Some((self.0.session.now(), report.why.clone()));
        Ok(report)
    }

    /// Asks the site as somebody who isn't logged in: a check that a stranger passes tells nothing.
    ///
    /// # Errors
    ///
    /// [`KeepError::Request`] where the site can't be reached.
    pub async fn check_as_stranger(&self) -> Result<CheckReport, KeepError> {
        self.0.check_as_stranger().await
    }

    /// Logs in again if a check says that the login is gone.
    ///
    /// # Errors
    ///
    /// As [`Kept::send`].
    pub async fn renew(&self) -> Result<Option<Renewer>, KeepError> {
        let inner = &self.0;
        inner.pull().await?;
        let report = inner.check().await?;
        match report.verdict {
            Verdict::Expired(sign) => {
                let renewal = inner.renew_to_the_end(inner.seen(), &sign).await?;
                Ok(renewal.map(|renewal| renewal.by))
            }
            _ => Ok(None),
        }
    }

    /// Logs in again though the login may still hold.
    ///
    /// # Errors
    ///
    /// As [`Kept::send`].
    pub async fn log_in_again(&self) -> Result<Option<Renewer>, KeepError> {
        let inner = &self.0;
        inner.pull().await?;
        let renewal = inner.renew_to_the_end(inner.seen(), &Sign::TooOld).await?;
        Ok(renewal.map(|renewal| renewal.by))
    }

    /// Writes what has changed to the store; it is on disk when this returns.
    ///
    /// # Errors
    ///
    /// [`KeepError::Store`].
    pub async fn save(&self) -> Result<(), KeepError> {
        match self.0.mode {
            Mode::ReadOnly => Ok(()),
            Mode::Renew => self.0.push_and_step().await,
        }
    }

    /// Writes what has changed to the store and ends the session: its connections close, nothing of
    /// it goes on, and requests fail from now on.
    ///
    /// # Errors
    ///
    /// [`KeepError::Store`]; the session is closed all the same.
    pub async fn close(&self) -> Result<(), KeepError> {
        self.0.renewals.close().await;
        self.0.flusher.close().await;
        let saved = self.save().await;
        self.0.session.close();
        saved
    }

    /// Changes headers, authorization or base URL, here and in the store.
    ///
    /// # Errors
    ///
    /// [`KeepError::Store`].
    pub async fn update<T>(
        &self,
        change: impl FnOnce(&mut SessionState, Timestamp) -> T,
    ) -> Result<T, KeepError> {
        let answer = self.0.session.update(change);
        self.save().await?;
        Ok(answer)
    }

    /// Why the session's token file was left alone when it was looked at last, if it was.
    pub fn token_trouble(&self) -> Option<TokenTrouble> {
        self.0.held().token_trouble.clone()
    }

    /// The user name that it logs in with, where it has one.
    pub fn user(&self) -> Option<String> {
        let held = self.0.held();
        let login = held.login.as_ref()?;
        let user = &login.credentials.user;
        (!user.is_empty()).then(|| user.clone())
    }

    /// The session's name.
    pub fn name(&self) -> &Name {
        &self.0.name
    }

    /// The session itself, which neither saves nor renews by itself.
    pub fn session(&self) -> &Session {
        &self.0.session
    }

    /// Everything that is kept of it, as it is now.
    pub fn record(&self) -> Record {
        let state = self.0.session.state();
        self.0.held().record(state)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn logged_out(&self, sign: &Sign, why: NoRenewal) -> KeepError {
        KeepError::LoggedOut {
            name: self.name.to_string(),
            sign: sign.to_string(),
            why,
        }
    }

    fn check_url(&self) -> Option<Url> {
        self.held().check.as_ref().map(|check| check.url.clone())
    }
}

impl Held {
    fn record(&self, state: SessionState) -> Record {
        Record {
            id: self.id.clone(),
            created: self.created,
            state,
            login: self.login.clone(),
            check: self.check.clone(),
            tokens: self.tokens.clone(),
            last: self.last.clone(),
            token_file: self.token_file.clone(),
        }
    }
}
