//! Staying logged in: a session that is stored, shared and renewed by itself.
//!
//! Joins session, login and store for one session. `sync` brings changes from and to the store,
//! `single` sees to it that a login is renewed once however many notice, `judge` looks at what only
//! a page's content shows, `in_step` joins a token file, `flush` stores what is new in a session
//! that has gone quiet, `away` goes on where the store is away, `limits` shares the manners towards hosts. How to log in is not here, nor how
//! bytes are kept.

mod away;
mod ends;
mod error;
mod flush;
mod gate;
mod in_step;
mod judge;
mod limits;
mod mailbox;
mod notify;
mod refresh;
mod single;
mod sync;
mod to_the_end;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessile_jar::Timestamp;
use tokio::sync::Mutex as AsyncMutex;
use url::Url;

use crate::login::{How, Login, LoginReport, Person};
use crate::record::{Check, KeptLogin, Last, Record, Tokens};
use crate::session::{Reply, Request, Session, SessionBuilder, SessionState, Sign, Verdict};
use crate::store::{HolderId, Name, Vault};
use crate::token_file::{Stamp, TokenFile, TokenTrouble};

pub use error::{Again, KeepError, NoRenewal};
pub use gate::Logins;
pub use in_step::{bring_in_step, keep_in_step, step, stop_in_step};
pub use judge::CheckReport;
pub use limits::{HostLimits, limits_at, share_limits};
pub use mailbox::hand_over_code;
pub use notify::{Notify, Trouble, TroubleKind};
pub use sync::{copy, edit};

use flush::Flusher;
use gate::Gate;
use judge::Suspicion;
use refresh::Seen;
use single::Start;
use to_the_end::Renewals;

/// How often, at most, an access token is renewed for one request: more than once only while it is so
/// short-lived that it ends on the way.
const TOKENS: u32 = 5;

/// How often, at most, a login is renewed for one request: more than once only where a check can tell
/// that it was ended again meanwhile.
const LOGINS: u32 = 3;

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
}

/// What a kept session may do by itself.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Mode {
    /// Neither renew nor write.
    ReadOnly,
    /// Renew the login and save what changes.
    #[default]
    Renew,
}

/// How a kept session is opened.
#[non_exhaustive]
pub struct KeptOptions {
    /// What it may do by itself. Defaults to [`Mode::Renew`].
    pub mode: Mode,
    /// Who helps where a login can't be renewed with what is kept. Defaults to nobody.
    pub person: Person,
    /// How long a login that asks for a code waits for one that [`hand_over_code`] brings, where no
    /// secret and no person has it. Defaults to not at all.
    pub code_wait: Option<Duration>,
    /// Who hears, once for each trouble, that a person is needed. Defaults to nobody.
    pub notify: Option<Notify>,
    /// How long new cookies may wait to be stored, together with those that come meanwhile: what a
    /// killed process can lose. [`Kept::save`] and [`Kept::close`] store them at once, and so does
    /// the end of the last handle. Defaults to one second.
    pub save_every: Duration,
    /// The session's habits: time-outs, trust, transport. Limits for hosts, where it has some, are
    /// shared with everybody who uses the store; those of a site file are kept as well, the stricter
    /// of each. Defaults to the builder's defaults.
    pub builder: SessionBuilder,
}

impl Default for KeptOptions {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            person: Person::default(),
            code_wait: None,
            notify: None,
            save_every: Duration::from_secs(1),
            builder: SessionBuilder::default(),
        }
    }
}

impl KeptOptions {
    /// With the limits of the site file that the login goes by, where it has some.
    fn towards(mut self, how: Option<&How>) -> Self {
        let site = how.and_then(How::site);
        if let Some(manners) = site.and_then(|site| site.limits.manners()) {
            self.builder = self.builder.and_manners(manners);
        }
        self
    }
}

impl fmt::Debug for KeptOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptOptions")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// Who a session is to a site before it logs in.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is no more to an identity")]
pub struct Identity {
    /// Its profile, its proxy, and the cookies that it starts with.
    pub state: SessionState,
    /// The step of time of the last one-time code that its account was asked for.
    pub last_code: Option<u64>,
}

/// A reply, and what it took to get it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The reply.
    pub reply: Reply,
    /// The renewal that came before it, where there was one.
    pub renewal: Option<Renewal>,
}

/// How a login that was gone came back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Renewal {
    /// How it was seen that it was gone.
    pub sign: Sign,
    /// Who renewed it.
    pub by: Renewer,
    /// What was renewed.
    pub what: Renewed,
    /// The login that holds now.
    pub generation: u64,
}

/// What a renewal has renewed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Renewed {
    /// The login, from its beginning.
    Login,
    /// The access token of a login that goes on.
    Token,
}

/// Who renewed a login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Renewer {
    /// Somebody else, at the same time: another task, or another process.
    Other,
    /// This process.
    Ourselves,
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
            holder: single::holder()?,
            held: Mutex::new(held),
            renewing: AsyncMutex::new(()),
            syncing: AsyncMutex::new(()),
            flusher: Flusher::default(),
            renewals: Renewals::default(),
            gate: Gate::default(),
        })))
    }

    /// Sends a request; when the reply shows that the login is gone, renews it and sends the
    /// request again, once.
    ///
    /// A renewal that has begun goes on where the answer is waited for no longer.
    ///
    /// # Errors
    ///
    /// [`KeepError::LoggedOut`] where the login can't be renewed, with the reason.
    pub async fn send(&self, request: Request) -> Result<Answer, KeepError> {
        let inner = &self.0;
        inner.pull_if_there().await?;
        let mut renewal = inner.renew_if_due().await?;
        let mut request = request;
        let mut renewals = 0;
        loop {
            let (again, seen) = (request.try_clone(), inner.seen());
            let mut reply = inner.session.send(request).await?;
            inner.judge(&mut reply).await?;
            inner.tell_of_challenge(reply.verdict()).await;
            let Verdict::Expired(sign) = reply.verdict().clone() else {
                inner.save_if_due_and_there().await?;
                flush::schedule(inner);
                return Ok(Answer { reply, renewal });
            };
            if !inner.is_ours(&reply) {
                return Ok(Answer { reply, renewal });
            }
            if !inner.may_send_again(renewals) {
                return Err(inner.still_asked(&sign, renewal.as_ref()).await?);
            }
            reply.make_room();
            let seen = Seen {
                generation: reply.generation(),
                ..seen
            };
            let Some(done) = inner.renew_to_the_end(seen, &sign).await? else {
                return inner.without_rights(reply, &sign);
            };
            renewal = Some(done);
            request = again.ok_or_else(|| KeepError::NotReplayable {
                name: inner.name.to_string(),
            })?;
            renewals += 1;
        }
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

    /// Whether a refusal is this session's affair. A 401 of a session that never logs in is the
    /// site's answer, and the caller's to read; so is one of a site that is shown no token.
    fn is_ours(&self, reply: &Reply) -> bool {
        let (has_login, has_tokens) = {
            let held = self.held();
            (held.login.is_some(), held.tokens.is_some())
        };
        has_login && (!has_tokens || self.is_about_token(reply))
    }

    /// A request is sent again once, and once more where its token or login may have ended meanwhile:
    /// a renewal begins with the check, which says whether it has.
    fn may_send_again(&self, renewals: u32) -> bool {
        let has_tokens = self.held().tokens.is_some();
        renewals == 0
            || match has_tokens {
                true => renewals < TOKENS && self.is_token_due(),
                false => renewals < LOGINS && self.can_tell(),
            }
    }

    /// Whether a check tells a login that works from one that doesn't.
    fn can_tell(&self) -> bool {
        self.held().check.is_some()
    }

    /// The error for a page that asks for a login right after one.
    async fn still_asked(
        &self,
        sign: &Sign,
        renewal: Option<&Renewal>,
    ) -> Result<KeepError, KeepError> {
        let by = renewal.map(|renewal| renewal.by);
        if self.held().tokens.is_some() {
            self.remember_refused_token().await?;
            return Ok(self.logged_out(sign, NoRenewal::TokenRefused));
        }
        // Each login that a check has proven worked, and was ended by something else.
        if by == Some(Renewer::Ourselves) && !self.can_tell() {
            self.remember_fruitless_login().await?;
        }
        Ok(self.logged_out(sign, NoRenewal::StillAsking))
    }

    /// What to make of a refusal while the login holds.
    fn without_rights(&self, mut reply: Reply, sign: &Sign) -> Result<Answer, KeepError> {
        if let Sign::LoginRedirect(_) = sign {
            return Err(self.logged_out(sign, NoRenewal::OtherRights));
        }
        reply.set_verdict(Verdict::Blocked);
        Ok(Answer {
            reply,
            renewal: None,
        })
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
