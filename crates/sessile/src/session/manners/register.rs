//! Where the standing of hosts is kept for others as well, other processes for example.
//!
//! Who keeps it is not known here: it is a function that is given.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::standing::{Standing, TERM};
use crate::error::Error;

/// What is done with the standing of a host, in one transaction, at the moment that is given.
pub(crate) type Entry = Box<dyn FnOnce(&mut Standing, Duration) + Send>;

/// Why an entry could not be made.
pub(crate) type Fault = Arc<dyn std::error::Error + Send + Sync>;

type Keeper = dyn Fn(Arc<str>, Entry) -> BoxFuture<'static, Result<(), Fault>> + Send + Sync;

/// Keeps the standing of hosts for everybody.
#[derive(Clone)]
pub(crate) struct Register(Arc<Keeper>);

impl Register {
    /// `keep` carries an entry out and keeps what it leaves; a host is known by the first argument.
    pub(crate) fn new(
        keep: impl Fn(Arc<str>, Entry) -> BoxFuture<'static, Result<(), Fault>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(keep))
    }

    pub(super) async fn enter<T: Send + 'static>(
        &self,
        host: &Arc<str>,
        act: impl FnOnce(&mut Standing, Duration) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (tell, told) = oneshot::channel();
        let entry: Entry = Box::new(move |standing, now| {
            // Who asked may have stopped waiting.
            let _unheard = tell.send(act(standing, now));
        });
        let unavailable = |cause| Error::LimitsUnavailable {
            host: host.to_string(),
            cause,
        };
        (self.0)(Arc::clone(host), entry)
            .await
            .map_err(unavailable)?;
        told.await.map_err(|lost| unavailable(Arc::new(lost)))
    }
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Register")
    }
}

/// A request that counts as running in a register, until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    register: Register,
    host: Arc<str>,
    ticket: u64,
    is_taken: bool,
}

impl Place {
    /// A place that may be taken soon.
    pub(super) fn new(register: &Register, host: Arc<str>) -> Self {
        Self {
            register: register.clone(),
            host,
            // Without chance the clock of a restarted system could still tell them apart.
            ticket: getrandom::u64().unwrap_or_default(),
            is_taken: false,
        }
    }

    pub(super) fn ticket(&self) -> u64 {
        self.ticket
    }

    /// The request was counted.
    pub(super) fn take(&mut self) {
        self.is_taken = true;
    }

    /// Says again and again that the request is still running.
    pub(super) fn keep(&self) -> BoxFuture<'static, ()> {
        let (register, host, ticket) = self.parts();
        let keeping = async move {
            loop {
                sleep(TERM / 3).await;
                let extended = register.enter(&host, move |standing, now| {
                    standing.extend(ticket, now);
                });
                if let Err(error) = extended.await {
                    tracing::debug!(%error, "a running request can't be told of");
                }
            }
        };
        keeping.boxed()
    }

    /// Gives it back.
    pub(super) fn leave(&mut self) -> BoxFuture<'static, ()> {
        if !std::mem::take(&mut self.is_taken) {
            return std::future::ready(()).boxed();
        }
        let (register, host, ticket) = self.parts();
        let leaving = async move {
            let left = register.enter(&host, move |standing, _| standing.give_back(ticket));
            if let Err(error) = left.await {
                // It ends by itself when its term is over.
                tracing::debug!(%error, "the end of a request can't be told of");
            }
        };
        leaving.boxed()
    }

    fn parts(&self) -> (Register, Arc<str>, u64) {
        (self.register.clone(), Arc::clone(&self.host), self.ticket)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A store begins its work at the first call and ends it by itself.
        let _left_or_begun = self.leave().now_or_never();
    }
}
