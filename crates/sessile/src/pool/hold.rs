//! The right to serve seats: leases in the store, one for each part of them.
//!
//! How long a right lasts is measured by this machine's steady clock, from before it was asked for;
//! times of other machines are never compared with ours.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::{HashMap, HashSet};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, timeout};

use super::lease::MARGIN;
use super::state::{Granted, SeatId};
use super::{Live, PoolError, Shared};
use crate::store::{Acquired, Fence, HolderId, Lease, LeaseKey, Name, StoreError, Vault};

/// The parts that this process serves.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<HashMap<Arc<str>, Held>>);

/// The right to serve a part.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// One extension at a time.
    lease: Arc<AsyncMutex<Lease>>,
    fence: Fence,
    /// Others can't take it before then.
    until: Instant,
    /// Until then there are leases on its seats.
    needed: Instant,
    /// When extending it failed last, and how.
    failed: Option<(Instant, StoreError)>,
}

/// How long a lease waits for the store.
const PATIENCE: Duration = Duration::from_secs(5);

/// For so long after a failure nobody asks again.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of an extension.
#[derive(Clone, Debug)]
pub(super) enum Extended {
    Failed(StoreError),
    Held,
    Lost,
}

impl Held {
    /// Gives the part back.
    pub(super) async fn release(self, vault: &Vault) {
        let lease = self.lease.lock().await;
        if let Err(error) = vault.release(&lease).await {
            // It ends by itself when its term is over.
            tracing::warn!(key = %lease.key, %error, "the right to seats could not be given back");
        }
    }
}

impl Holds {
    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries to get a part; `Err` with who has it, and until when by the store's time.
    pub(super) async fn acquire(
        &self,
        vault: &Vault,
        (pool, part): (&Name, &Arc<str>),
        (owner, term): (&HolderId, Duration),
    ) -> Result<Result<(), Acquired>, StoreError> {
        let key = LeaseKey::parse(&format!("pool {pool} part {part}"))?;
        let before = Instant::now();
        let lease = match vault.acquire(&key, owner, term).await? {
            Acquired::Granted(lease) => lease,
            busy @ Acquired::Busy { .. } => return Ok(Err(busy)),
        };
        let held = Held {
            fence: lease.fence(),
            lease: Arc::new(AsyncMutex::new(lease)),
            until: before + term,
            needed: before,
            failed: None,
        };
        self.all().insert(Arc::clone(part), held);
        Ok(Ok(()))
    }

    /// Sees to it that a part is held for at least `term` from now, and for as long as it is needed.
    pub(super) async fn extend(&self, vault: &Vault, part: &str, term: Duration) -> Extended {
        let Some(held) = self.all().get(part).cloned() else {
            return Extended::Lost;
        };
        let wanted = Instant::now() + term;
        let mut lease = held.lease.lock().await;
        // Whoever was in front may have done it.
        let needed = match self.all().get(part) {
            Some(held) if held.until >= wanted.max(held.needed) => return Extended::Held,
            Some(held) => match &held.failed {
                Some((at, error)) if at.elapsed() < PAUSE => {
                    return Extended::Failed(error.clone());
                }
                _ => held.needed,
            },
            None => return Extended::Lost,
        };
        let before = Instant::now();
        let term = needed.saturating_duration_since(before).max(term);
        match vault.extend(&lease, term).await {
            Ok(extended) => {
                *lease = extended;
                if let Some(held) = self.all().get_mut(part) {
                    held.until = before + term;
                    held.failed = None;
                }
                Extended::Held
            }
            Err(StoreError::Fenced { .. }) => {
                self.all().remove(part);
                Extended::Lost
            }
            Err(error) => {
                if let Some(held) = self.all().get_mut(part) {
                    held.failed = Some((Instant::now(), error.clone()));
                }
                Extended::Failed(error)
            }
        }
    }

    /// Holds a part no more here; what there was of it is to be released, unless it is another's.
    pub(super) fn take(&self, part: &str) -> Option<Held> {
        self.all().remove(part)
    }

    pub(super) fn parts(&self) -> Vec<Arc<str>> {
        self.all().keys().cloned().collect()
    }

    pub(super) fn has(&self, part: &str) -> bool {
        self.all().contains_key(part)
    }

    /// What a write shows to prove that the part is held.
    pub(super) fn fence(&self, part: &str) -> Option<Fence> {
        self.all().get(part).map(|held| held.fence.clone())
    }

    /// For how long a part is surely held yet.
    pub(super) fn left(&self, part: &str) -> Duration {
        let all = self.all();
        let left = all
            .get(part)
            .map(|held| held.until.saturating_duration_since(Instant::now()));
        left.unwrap_or_default()
    }

    /// The parts that are held for no longer than this, and when the next one will be.
    pub(super) fn unsure(&self, least: Duration) -> (HashSet<Arc<str>>, Option<Instant>) {
        let (now, all) = (Instant::now(), self.all());
        let sure_until = |held: &Held| held.until.checked_sub(least).unwrap_or(now);
        let unsure = all.iter().filter(|(_, held)| sure_until(held) <= now);
        let unsure = unsure.map(|(part, _)| Arc::clone(part)).collect();
        let next = all.values().map(sure_until).filter(|at| *at > now).min();
        (unsure, next)
    }

    /// The parts that are held for longer than this.
    pub(super) fn longer_than(&self, term: Duration) -> Vec<Arc<str>> {
        let (until, all) = (Instant::now() + term, self.all());
        let longer = all.iter().filter(|(_, held)| held.until > until);
        longer.map(|(part, _)| Arc::clone(part)).collect()
    }

    /// A part is needed until then, if at all: it counts as held for no longer, and is held no longer
    /// from the next extension on.
    pub(super) fn lower(&self, part: &str, needed: Option<Instant>, term: Duration) {
        let now = Instant::now();
        if let Some(held) = self.all().get_mut(part) {
            held.needed = needed.unwrap_or(now);
            // As if it were time to extend it.
            held.until = held.until.min(held.needed.max(now + term / 2));
        }
    }

    /// Notes for how long a part is needed; answers whether it is held for so long.
    pub(super) fn need(&self, part: &str, until: Instant) -> bool {
        let mut all = self.all();
        let Some(held) = all.get_mut(part) else {
            return false;
        };
        if held.until >= until {
            held.needed = held.needed.max(until);
            return true;
        }
        false
    }
}

impl Shared {
    /// Sees to it that the seat of a lease is held until after the lease has ended: nobody else
    /// grants one on it, even if this process is killed.
    pub(super) async fn hold_for(&self, granted: &Granted) -> Result<(), PoolError> {
        let part = self.part_of(granted.seat).ok_or(PoolError::LeaseEnded)?;
        let until = self.hold_until(granted);
        if self.holds.need(&part, until) {
            return Ok(());
        }
        // Longer than needed, so that not every lease has to ask.
        let term = until.saturating_duration_since(Instant::now()) + self.term();
        let extended = timeout(PATIENCE, self.holds.extend(&self.vault, &part, term)).await;
        match extended {
            Ok(Extended::Held) if self.holds.need(&part, until) => Ok(()),
            // It was needed for less until just now.
            Ok(Extended::Held) => Err(PoolError::LeaseEnded),
            Ok(Extended::Lost) => {
                self.lose_part(&part);
                Err(PoolError::LeaseEnded)
            }
            Ok(Extended::Failed(error)) => Err(PoolError::Store(error)),
            Err(_elapsed) => Err(PoolError::Store(StoreError::Locked {
                place: self.vault.place().to_owned(),
                holder: "nobody known".to_owned(),
                waited: PATIENCE,
            })),
        }
    }

    /// Whether the seat of a lease is held until after that has ended.
    pub(super) fn is_held_until(&self, live: &Live, granted: &Granted) -> bool {
        let seat = live.seats.get(&granted.seat);
        seat.is_some_and(|seat| self.holds.need(&seat.part, self.hold_until(granted)))
    }

    /// Until when the seat of a lease has to be held.
    pub(super) fn hold_until(&self, granted: &Granted) -> Instant {
        self.clock.instant(granted.until) + MARGIN
    }

    /// For how long a seat is surely held yet.
    pub(super) fn held_for(&self, seat: SeatId) -> Option<Duration> {
        self.part_of(seat).map(|part| self.holds.left(&part))
    }

    pub(super) fn part_of(&self, seat: SeatId) -> Option<Arc<str>> {
        let live = self.live();
        live.seats.get(&seat).map(|seat| Arc::clone(&seat.part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreOptions;

    #[tokio::test(start_paused = true)]
    async fn a_part_is_held_no_longer_than_it_is_needed() {
        let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
        let (pool, owner) = ("shop".parse().unwrap(), HolderId::parse("a").unwrap());
        let (part, term) = (Arc::from("0"), Duration::from_secs(30));
        let holds = Holds::default();
        let acquired = holds.acquire(&vault, (&pool, &part), (&owner, term));
        acquired.await.unwrap().unwrap();
        let hour = Instant::now() + Duration::from_secs(3600);
        assert!(!holds.need(&part, hour));
        holds
            .extend(&vault, &part, 2 * term + (hour - Instant::now()))
            .await;
        assert!(holds.need(&part, hour));
        assert_eq!(holds.longer_than(2 * term), [Arc::clone(&part)]);
        // A lease runs still.
        holds.lower(&part, Some(hour), term);
        assert!(holds.left(&part) >= hour - Instant::now());
        holds.lower(&part, None, term);
        assert!(!holds.need(&part, hour));
        holds.extend(&vault, &part, term).await;
        assert_eq!(holds.left(&part), term);
        assert_eq!(holds.longer_than(term).len(), 0);
        let (unsure, next) = holds.unsure(Duration::from_secs(2));
        assert!(unsure.is_empty());
        assert_eq!(next, Some(Instant::now() + Duration::from_secs(28)));
        tokio::time::advance(Duration::from_secs(28)).await;
        assert_eq!(holds.unsure(Duration::from_secs(2)).0.len(), 1);
    }
}
