//! Leases that programs hold by a name: which pool each is of, and its number there.
//!
//! A name can't be guessed, so that nobody ends another's lease by mistake. Whether a lease still
//! runs is the pool's to say.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sessile::pool::{LeaseId, Pool};
use sessile_jar::Timestamp;

use crate::problem::{Kind, Problem};

/// Every lease that was handed out and hasn't ended yet, as far as is known.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_name: HashMap<String, Handed>,
    last_fence: u64,
}

/// A lease in somebody's hands.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    pub(crate) pool: Pool,
    pub(crate) lease: LeaseId,
    /// Higher for each later lease, whichever process grants it.
    pub(crate) fence: u64,
}

impl Leases {
    /// Hands a lease out, under a name.
    pub(crate) fn hand_out(&self, pool: Pool, lease: LeaseId, now: Timestamp) -> (String, Handed) {
        let mut random = [0; 16];
        // Without randomness it is still a name of its own.
        if getrandom::fill(&mut random).is_err() {
            random[..8].copy_from_slice(&lease.number().to_be_bytes());
        }
        let name = format!("{:032x}", u128::from_be_bytes(random));
        let mut known = self.known();
        // By the store's time, which all processes share; within a number that JavaScript can write.
        let least = u64::try_from(now.as_millis())
            .unwrap_or(0)
            .saturating_mul(4096);
        known.last_fence = least.max(known.last_fence + 1);
        let fence = known.last_fence;
        let handed = Handed { pool, lease, fence };
        known.by_name.insert(name.clone(), handed.clone());
        (name, handed)
    }

    /// The lease of this name.
    pub(crate) fn named(&self, name: &str) -> Result<Handed, Problem> {
        let handed = self.known().by_name.get(name).cloned();
        handed.ok_or_else(|| {
            Problem::new(
                Kind::UnknownLease,
                "there is no such lease, or it ended a while ago",
            )
        })
    }

    /// Forgets a lease that was given back.
    pub(crate) fn forget(&self, name: &str) {
        self.known().by_name.remove(name);
    }

    /// Forgets those that have ended by themselves.
    pub(crate) fn tidy(&self) {
        let runs = |handed: &Handed| handed.pool.lease_info(handed.lease).is_ok();
        self.known().by_name.retain(|_name, handed| runs(handed));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
