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
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// For so long after a failure nobody asks again.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of an extension.
#[derive(Clone, Debug)]
pub(super) enum Extended {
    Failed(StoreError),
    /// It isn't held here any more.
    Gone,
    Held,
    /// The hold with this fence is passed: the part is another process's.
    Lost(Fence),
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

    /// Why asking the store is of no use just now: it failed a moment ago, or has failed and whoever
    /// asked again waits still.
    fn failing(&self) -> Option<StoreError> {
        let (at, error) = self.failed.as_ref()?;
        let is_failing = at.elapsed() < PAUSE || self.lease.try_lock().is_err();
        is_failing.then(|| error.clone())
    }
}

impl Holds {
    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees the hold with this fence, where it is there still: by now there may be another one.
    fn see<T>(&self, part: &str, fence: &Fence, see: impl FnOnce(&mut Held) -> T) -> Option<T> {
        let mut all = self.all();
        let held = all.get_mut(part).filter(|held| held.fence == *fence);
        held.map(see)
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
            return Extended::Gone;
        };
        if let Some(error) = held.failing() {
            return Extended::Failed(error);
        }
        let wanted = Instant::now() + term;
        let mut lease = held.lease.lock().await;
        let fence = held.fence;
        let Some(held) = self.see(part, &fence, |held| held.clone()) else {
            return Extended::Gone;
        };
        // Whoever was in front may have done it.
        if held.until >= wanted.max(held.needed) {
            return Extended::Held;
        }
        if let Some((at, error)) = held.failed
            && at.elapsed() < PAUSE
        {
            return Extended::Failed(error);
        }
        let before = Instant::now();
        let term = held.needed.saturating_duration_since(before).max(term);
        match vault.extend(&lease, term).await {
            Ok(extended) => {
                *lease = extended;
                let noted = self.see(part, &fence, |held| {
                    held.until = before + term;
                    held.failed = None;
                });
                noted.map_or(Extended::Gone, |()| Extended::Held)
            }
            Err(StoreError::Fenced { .. }) => Extended::Lost(fence),
            Err(error) => {
                let failed = Some((Instant::now(), error.clone()));
                let _gone = self.see(part, &fence, |held| held.failed = failed);
                Extended::Failed(error)
            }
        }
    }

    /// The store doesn't answer: nobody else waits for that in vain.
    pub(super) fn note_late(&self, vault: &Vault, part: &str) -> StoreError {
        let error = late(vault, PATIENCE);
        if let Some(held) = self.all().get_mut(part) {
            held.failed = Some((Instant::now(), error.clone()));
        }
        error
    }

    /// Holds a part no more here; what there was of it is to be released, unless it is another's.
    pub(super) fn take(&self, part: &str) -> Option<Held> {
        self.all().remove(part)
    }

    /// The same of the hold with this fence; one that was taken anew stays.
    pub(super) fn take_of(&self, part: &str, fence: &Fence) -> Option<Held> {
        let mut all = self.all();
        all.get(part).filter(|held| held.fence == *fence)?;
        all.remove(part)
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
    /// from the next extension on. Where that gains little, or the next usual lease would ask for as
    /// much again, it stays.
    pub(super) fn lower(
        &self,
        part: &str,
        (needed, usual): (Option<Instant>, Instant),
        term: Duration,
    ) {
        let now = Instant::now();
        let enough = needed.map_or(usual, |needed| needed.max(usual)) + 2 * term;
        if let Some(held) = self.all().get_mut(part)
            && held.until > enough
        {
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
    pub(super) async fn hold_for(self: &Arc<Self>, granted: &Granted) -> Result<(), PoolError> {
        let part = self.part_of(granted.seat).ok_or(PoolError::LeaseEnded)?;
        let until = self.hold_until(granted);
        if self.holds.need(&part, until) {
            return Ok(());
        }
        // Longer than needed, so that not every lease has to ask.
        let term = until.saturating_duration_since(Instant::now()) + self.term();
        let extending = self.extend_to_the_end(Arc::clone(&part), term);
        let Ok(extended) = timeout(PATIENCE, extending).await else {
            return Err(self.holds.note_late(&self.vault, &part).into());
        };
        match extended {
            Extended::Held if self.holds.need(&part, until) => Ok(()),
            // It was needed for less until just now.
            Extended::Gone | Extended::Held | Extended::Lost(_) => Err(PoolError::LeaseEnded),
            Extended::Failed(error) => Err(PoolError::Store(error)),
        }
    }

    /// Whoever stops waiting doesn't end it: the store might follow it late, after one that was longer.
    async fn extend_to_the_end(self: &Arc<Self>, part: Arc<str>, term: Duration) -> Extended {
        let shared = Arc::clone(self);
        let extending = async move {
            let extended = shared.holds.extend(&shared.vault, &part, term).await;
            if let Extended::Lost(fence) = &extended {
                shared.lose_part(&part, fence);
            }
            extended
        };
        let extended = self.tasks.spawn(extending).await;
        extended.unwrap_or(Extended::Gone)
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

/// A store that didn't answer in time.
pub(super) fn late(vault: &Vault, waited: Duration) -> StoreError {
    StoreError::Locked {
        place: vault.place().to_owned(),
        holder: "nobody known".to_owned(),
        waited,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreOptions;

    const TERM: Duration = Duration::from_secs(30);

    async fn acquire(holds: &Holds, vault: &Vault, part: &Arc<str>) {
        let (pool, owner) = ("shop".parse().unwrap(), HolderId::parse("a").unwrap());
        let acquired = holds.acquire(vault, (&pool, part), (&owner, TERM));
        acquired.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_behind_an_extension_that_hangs() {
        let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
        let (holds, part) = (Holds::default(), Arc::from("0"));
        acquire(&holds, &vault, &part).await;
        let lease = Arc::clone(&holds.all()[&part].lease);
        let _hangs = lease.lock().await;
        holds.note_late(&vault, &part);
        tokio::time::advance(2 * PAUSE).await;
        let before = Instant::now();
        let extending = timeout(PATIENCE, holds.extend(&vault, &part, 2 * TERM));
        let extended = extending.await;
        assert!(matches!(extended, Ok(Extended::Failed(_))), "{extended:?}");
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_leaves_a_hold_that_was_taken_anew() {
        let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
        let (holds, part) = (Holds::default(), Arc::from("0"));
        acquire(&holds, &vault, &part).await;
        let (old, lease) = {
            let held = &holds.all()[&part];
            (held.fence.clone(), Arc::clone(&held.lease))
        };
        let in_front = lease.lock().await;
        let mut extending = std::pin::pin!(holds.extend(&vault, &part, 2 * TERM));
        assert!(timeout(Duration::ZERO, &mut extending).await.is_err());
        assert!(holds.take_of(&part, &old).is_some());
        vault.release(&in_front).await.unwrap();
        acquire(&holds, &vault, &part).await;
        drop(in_front);
        let extended = extending.await;
        assert!(matches!(extended, Extended::Gone), "{extended:?}");
        assert_eq!(holds.left(&part), TERM);
        assert!(holds.take_of(&part, &old).is_none());
        assert!(holds.has(&part));
    }

    #[tokio::test(start_paused = true)]
    async fn what_usual_leases_ask_for_is_not_lowered() {
        let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
        let (holds, part) = (Holds::default(), Arc::from("0"));
        acquire(&holds, &vault, &part).await;
        let usual = Instant::now() + 2 * TERM;
        holds.extend(&vault, &part, 3 * TERM).await;
        assert_eq!(holds.longer_than(2 * TERM), [Arc::clone(&part)]);
        holds.lower(&part, (None, usual), TERM);
        assert!(holds.need(&part, usual));
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_is_held_no_longer_than_it_is_needed() {
        let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
        let (holds, part, term) = (Holds::default(), Arc::from("0"), TERM);
        acquire(&holds, &vault, &part).await;
        let hour = Instant::now() + Duration::from_secs(3600);
        assert!(!holds.need(&part, hour));
        holds
            .extend(&vault, &part, 3 * term + (hour - Instant::now()))
            .await;
        assert!(holds.need(&part, hour));
        assert_eq!(holds.longer_than(2 * term), [Arc::clone(&part)]);
        // A lease runs still.
        holds.lower(&part, (Some(hour), Instant::now()), term);
        assert!(holds.left(&part) >= hour - Instant::now());
        holds.lower(&part, (None, Instant::now()), term);
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
