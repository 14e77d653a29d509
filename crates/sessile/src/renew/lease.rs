//! The right to log in: one process at a time has it, whoever is killed loses it.

use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::sleep;

use super::refresh::Seen;
use super::{Inner, KeepError, NoRenewal};
use crate::error::{Error as RequestError, Phase};
use crate::session::Sign;
use crate::store::{Acquired, HolderId, Lease, LeaseKey, StoreError};

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

/// A name for this process among those who want a lease.
pub(super) fn holder() -> Result<HolderId, StoreError> {
    let random = getrandom::u64().unwrap_or(0);
    HolderId::parse(&format!("{}-{random:016x}", std::process::id()))
}

impl Inner {
    /// The right to log in; `None` where another process did it while this one waited.
    pub(super) async fn lease(&self, seen: Seen, sign: &Sign) -> Result<Option<Lease>, KeepError> {
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
    pub(super) async fn wait_for_lease(&self) -> Result<Lease, KeepError> {
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
    pub(super) async fn guarded<T>(
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

    pub(super) async fn release(&self, lease: &Lease) {
        if let Err(error) = self.vault.release(lease).await {
            // It ends by itself when its term is over.
            tracing::warn!(session = %self.name, %error, "the lease could not be given back");
        }
    }
}
