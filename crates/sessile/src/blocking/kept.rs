//! Kept sessions that are waited for.

use std::ops::Deref;
use std::sync::Arc;

use sessile_jar::Timestamp;

use super::{Reply, Session, Worker};
use crate::login::{Login, LoginReport};
use crate::renew::{self, CheckReport, KeepError, KeptOptions, Renewal, Renewer};
use crate::session::{Request, SessionState};
use crate::store::{Name, Vault};

/// A kept session whose calls wait; see [`renew::Kept`].
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use sessile::Request;
/// use sessile::blocking::{self, Kept};
/// use sessile::renew::KeptOptions;
/// use sessile::store::{KeySource, StoreOptions, StoreUrl, Vault};
///
/// let url = StoreUrl::parse("sqlite:sessions.db")?;
/// let (key, options) = (KeySource::File { path: "key".into(), create: true }, StoreOptions::default());
/// let vault = blocking::wait(Vault::open(&url, &key, &options))??;
/// let shop = Kept::open(&vault, &"shop".parse()?, KeptOptions::default())?;
/// println!("{}", shop.send(Request::get("https://shop.example/orders"))?.reply.text()?);
/// shop.save()?;
/// # Ok(())
/// # }
/// ```
///
/// Inside an async runtime its calls are refused, as those of [`Session`] are.
#[derive(Clone, Debug)]
pub struct Kept {
    kept: renew::Kept,
    worker: Arc<Worker>,
}

/// A reply whose body is waited for, and what it took to get it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The reply.
    pub reply: Reply,
    /// The renewal that came before it, where there was one.
    pub renewal: Option<Renewal>,
}

impl Kept {
    /// Opens a stored session.
    ///
    /// # Errors
    ///
    /// As [`renew::Kept::open`].
    pub fn open(vault: &Vault, name: &Name, options: KeptOptions) -> Result<Self, KeepError> {
        let worker = Worker::shared()?;
        let kept = worker.wait_for(renew::Kept::open(vault, name, options))??;
        Ok(Self { kept, worker })
    }

    /// Makes a session that isn't stored yet; [`Kept::save`] stores it.
    ///
    /// # Errors
    ///
    /// As [`renew::Kept::create`].
    pub fn create(
        vault: &Vault,
        name: &Name,
        state: SessionState,
        options: KeptOptions,
    ) -> Result<Self, KeepError> {
        Self::around(renew::Kept::create(vault, name, state, options)?)
    }

    /// Logs in and stores the session under a name.
    ///
    /// # Errors
    ///
    /// As [`renew::Kept::log_in`].
    pub fn log_in(
        vault: &Vault,
        name: &Name,
        login: Login,
        options: KeptOptions,
    ) -> Result<(Self, LoginReport), KeepError> {
        let worker = Worker::shared()?;
        let logging_in = renew::Kept::log_in(vault, name, login, options);
        let (kept, report) = worker.wait_for(logging_in)??;
        Ok((Self { kept, worker }, report))
    }

    /// Waits for a kept session that is there already; see [`Session::around`].
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`](crate::Error::BadRequest) where the system has no thread left.
    pub fn around(kept: renew::Kept) -> Result<Self, KeepError> {
        let worker = Worker::shared()?;
        Ok(Self { kept, worker })
    }

    /// Sends a request; when the reply shows that the login is gone, renews it and sends the
    /// request again, once.
    ///
    /// # Errors
    ///
    /// As [`renew::Kept::send`].
    pub fn send(&self, request: Request) -> Result<Answer, KeepError> {
        let answer = self.worker.wait_for(self.kept.send(request))??;
        Ok(Answer {
            reply: Reply::new(answer.reply, &self.worker),
            renewal: answer.renewal,
        })
    }

    /// Asks the site whether the session is still logged in; renews nothing.
    ///
    /// # Errors
    ///
    /// As [`renew::Kept::check`].
    pub fn check(&self) -> Result<CheckReport, KeepError> {
        self.worker.wait_for(self.kept.check())?
    }

    /// Logs in again if a check says that the login is gone.
    ///
    /// # Errors
    ///
    /// As [`renew::Kept::renew`].
    pub fn renew(&self) -> Result<Option<Renewer>, KeepError> {
        self.worker.wait_for(self.kept.renew())?
    }

    /// Writes what has changed to the store; it is on disk when this returns.
    ///
    /// # Errors
    ///
    /// As [`renew::Kept::save`].
    pub fn save(&self) -> Result<(), KeepError> {
        self.worker.wait_for(self.kept.save())?
    }

    /// Changes headers, authorization or base URL, here and in the store.
    ///
    /// # Errors
    ///
    /// As [`renew::Kept::update`].
    pub fn update<T>(
        &self,
        change: impl FnOnce(&mut SessionState, Timestamp) -> T,
    ) -> Result<T, KeepError> {
        self.worker.wait_for(self.kept.update(change))?
    }

    /// The session itself, which neither saves nor renews by itself.
    pub fn session(&self) -> Session {
        Session {
            session: self.kept.session().clone(),
            worker: Arc::clone(&self.worker),
        }
    }
}

/// What needs no waiting: the name, the record.
impl Deref for Kept {
    type Target = renew::Kept;

    fn deref(&self) -> &renew::Kept {
        &self.kept
    }
}
