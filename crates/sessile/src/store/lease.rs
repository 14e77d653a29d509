//! Leases: who may use something, until when, and how a late-comer is told that he lost it.

use super::{HolderId, LeaseKey, StoreError};
use crate::clock::Timestamp;

/// How many numbers are given out between two looks for leases that ended long ago: rarely enough to
/// cost nothing. Later numbers are higher all the same, since they come from one sequence; who writes
/// under a number that is gone is refused as if he had a successor.
pub(super) const PURGE_EVERY: u64 = 1024;

/// For how many milliseconds a lease that has ended is kept: a day.
pub(super) const KEPT_LEASES: i64 = 24 * 3600 * 1000;

/// The answer to a wish for a lease.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Acquired {
    /// Somebody else has it.
    Busy {
        /// Who.
        holder: HolderId,
        /// Until when, if it is neither extended nor released.
        until: Timestamp,
    },
    /// It is yours.
    Granted(Lease),
}

/// The right to use something for a time, by the store's clock.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Lease {
    /// On what.
    pub key: LeaseKey,
    /// Whose.
    pub holder: HolderId,
    /// Higher than the number of every lease before.
    pub number: u64,
    /// When others may take it.
    pub until: Timestamp,
}

impl Lease {
    /// What a write shows to prove that the lease has not passed to a successor.
    pub fn fence(&self) -> Fence {
        Fence {
            key: self.key.clone(),
            number: self.number,
        }
    }

    pub(super) const fn new(
        key: LeaseKey,
        holder: HolderId,
        number: u64,
        until: Timestamp,
    ) -> Self {
        Self {
            key,
            holder,
            number,
            until,
        }
    }
}

/// The number of a lease, to be checked when something is written under it.
///
/// A lease that expired but was not taken by anybody still passes: there is no successor to overwrite.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Fence {
    /// What was leased.
    pub key: LeaseKey,
    /// The lease's number.
    pub number: u64,
}

impl Fence {
    /// What a late-comer is told.
    pub(super) fn lost(&self) -> StoreError {
        StoreError::Fenced {
            key: self.key.to_string(),
            held: self.number,
        }
    }
}
