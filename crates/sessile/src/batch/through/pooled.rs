//! The sessions of a pool: a lease for each attempt, or a plain session where none can be had.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::queue::Queue;
use super::{Attempted, Lack, Replied, Sender, Sending, take_in, through_plain, timed};
use crate::pool::state::Dead;
use crate::pool::{Assign, Lease, Pool, PoolError, Target, Wish};
use crate::session::Session;
use crate::store::{Name, Vault};

/// A pool, and what happens where none of its sessions can be had.
#[derive(Clone, Debug)]
pub struct Pooled {
    pool: Pool,
    is_sticky: bool,
    wait: Duration,
    fallback: Option<Session>,
    /// Whether the last wait was in vain; until the pool is alive again the next ones don't wait.
    was_in_vain: Arc<AtomicBool>,
    queue: Queue,
}

/// How often a lease is extended while a body arrives, and for how long.
const EXTEND: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(60));

impl Pooled {
    /// An open pool. Where its site file names targets, the same target gets the same session.
    ///
    /// # Errors
    ///
    /// [`PoolError::Unknown`] and [`PoolError::Store`].
    pub async fn new(pool: Pool, vault: &Vault, name: &Name) -> Result<Self, PoolError> {
        let definition = Pool::definition(vault, name).await?;
        Ok(Self {
            pool,
            is_sticky: definition.site.pool.targets.source.is_some(),
            wait: Duration::from_secs(30),
            fallback: None,
            was_in_vain: Arc::default(),
            queue: Queue::default(),
        })
    }

    /// How long a target waits for a session. Defaults to 30 seconds.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// What sends where no session of the pool can be had in time. Defaults to nothing: then that is
    /// an error.
    pub fn fallback(mut self, session: Session) -> Self {
        self.fallback = Some(session);
        self
    }

    pub(super) fn lack(&self) -> Option<Lack> {
        self.queue.lack()
    }

    pub(super) async fn attempt(&self, sending: Sending<'_>) -> Attempted {
        let leased = tokio::select! {
            leased = self.lease(sending.target) => leased,
            // Nothing was sent: the target stays open.
            () = sending.stop.cancelled() => Err(PoolError::Closed { pool: String::new() }),
        };
        match (leased, &self.fallback) {
            (Ok(lease), _) => {
                let sender = Sender::Session(lease.name().to_string());
                timed(sender, through_lease(&lease, sending)).await
            }
            (Err(why), Some(session)) if is_lack(&why) => {
                timed(Sender::Fallback(why), through_plain(session, sending)).await
            }
            (Err(error), _) => timed(Sender::Nameless, async { Err(error) }).await,
        }
    }

    async fn lease(&self, target: &str) -> Result<Lease, PoolError> {
        let mut wish = Wish::default();
        if self.is_sticky {
            wish = wish.target(Target::new(target)).assign(Assign::Sticky);
        }
        let leased = self.lease_in_time(&wish).await;
        if leased.is_ok() {
            self.queue.moves();
        }
        // Those who have a fallback don't each wait for a pool that is dead; others have to.
        let is_in_vain = leased.as_ref().is_err_and(is_dead);
        let may_give_up = self.fallback.is_some();
        self.was_in_vain
            .store(is_in_vain && may_give_up, Ordering::Relaxed);
        leased
    }

    /// Keeps its place in the pool's queue, and looks now and then what stands in the way.
    async fn lease_in_time(&self, wish: &Wish) -> Result<Lease, PoolError> {
        let why = match self.pool.lease(wish, Duration::ZERO).await {
            Err(why) if !self.wait.is_zero() && self.may_come(&why) => why,
            leased => return leased,
        };
        let place = self.queue.enter(&why.to_string());
        let mut coming = pin!(self.pool.lease(wish, self.wait));
        loop {
            tokio::select! {
                leased = &mut coming => return leased,
                () = sleep(LOOK) => {}
            }
            // Nobody overtakes those in the queue, so that this is had where the other one was.
            match self.pool.lease(wish, Duration::ZERO).await {
                Err(why) if self.may_come(&why) => place.stay(&why.to_string()),
                leased => return leased,
            }
        }
    }

    /// Whether waiting may help.
    fn may_come(&self, error: &PoolError) -> bool {
        let was_in_vain = self.was_in_vain.load(Ordering::Relaxed);
        match error {
            PoolError::Busy { .. } => true,
            PoolError::NoneAlive { why, .. } => !matches!(why, Dead::Stopped) && !was_in_vain,
            // Whoever serves it may end.
            PoolError::ServedElsewhere { .. } => !was_in_vain,
            _ => false,
        }
    }
}

/// How often is looked what stands in the way.
const LOOK: Duration = Duration::from_secs(1);

/// Whether the pool has no session at all that this process could use.
fn is_dead(error: &PoolError) -> bool {
    matches!(
        error,
        PoolError::NoneAlive { .. } | PoolError::ServedElsewhere { .. }
    )
}

/// Whether there is just no session to be had.
fn is_lack(error: &PoolError) -> bool {
    matches!(
        error,
        PoolError::Busy { .. }
            | PoolError::Elsewhere { .. }
            | PoolError::Full { .. }
            | PoolError::NoAccount { .. }
            | PoolError::NoneAlive { .. }
            | PoolError::ServedElsewhere { .. }
    )
}

/// The lease lasts for as long as the body takes.
async fn through_lease(lease: &Lease, sending: Sending<'_>) -> Result<Replied, PoolError> {
    let mut exchange = pin!(async {
        let answer = lease.send(sending.request).await?;
        let session = lease.session().session();
        Ok(take_in(session, answer.reply, sending.bodies, sending.target).await)
    });
    loop {
        tokio::select! {
            replied = &mut exchange => return replied,
            () = sleep(EXTEND.0) => {
                // A lease that has ended takes nothing from a reply that is arriving.
                let _ended = lease.extend(EXTEND.1).await;
            }
        }
    }
}
