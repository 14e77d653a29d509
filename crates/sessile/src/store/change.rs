//! Changes of plain content, as changes of sealed content.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::seal::{KeyRing, Slot, Unopened};
use super::vault::Keys;
use super::{Change, Current, Draft, Fence, Name, Next, Row, RowSummary, StoreError};
use crate::clock::Timestamp;

/// A record, unsealed. The content is wiped from memory when dropped and does not show in `Debug`.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Opened {
    /// Grows with every write; never used twice in a store.
    pub version: u64,
    /// The writer's count of logins.
    pub generation: u64,
    /// When the name was first written.
    pub created: Timestamp,
    /// When it was last written.
    pub updated: Timestamp,
    /// The content.
    pub plain: Zeroizing<Vec<u8>>,
}

/// What a change of a record decides.
#[derive(Clone, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth")]
pub enum NextPlain {
    /// Leave it as it is.
    Keep,
    /// Remove it, if it is there.
    Remove {
        /// A lease without whose number the removal is refused.
        fence: Option<Fence>,
    },
    /// Write it.
    Write {
        /// The count of logins.
        generation: u64,
        /// The content.
        plain: Zeroizing<Vec<u8>>,
        /// A lease without whose number the write is refused.
        fence: Option<Fence>,
    },
}

/// Lets a change decide; one that panics fails.
pub(super) fn decide(name: &Name, change: Change, current: Current) -> Result<Next, StoreError> {
    catch_unwind(AssertUnwindSafe(|| change(current))).unwrap_or_else(|_panic| {
        let subject = name.to_string();
        Err(StoreError::ChangePanicked { subject })
    })
}

/// What became of a caller's change inside the transaction.
pub(super) enum Decided<E> {
    Done(Option<Opened>),
    Failed(E),
    KeysMoved,
}

/// Wraps a change of plain content into one of sealed content.
pub(super) fn sealing<E, F>(
    keys: Arc<Keys>,
    name: Name,
    change: &Arc<Mutex<Option<F>>>,
    outcome: &Arc<Mutex<Option<Decided<E>>>>,
) -> Change
where
    E: From<StoreError> + Send + 'static,
    F: FnOnce(Option<&Opened>, Timestamp) -> Result<NextPlain, E> + Send + 'static,
{
    let (change, outcome) = (Arc::clone(change), Arc::clone(outcome));
    Box::new(move |current| {
        let report =
            |decided| *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(decided);
        if current.key_revision != keys.revision {
            report(Decided::KeysMoved);
            return Ok(Next::Keep);
        }
        let before = match &current.row {
            None => None,
            Some(row) => Some(open_row(&keys.ring, row).map_err(|_| tampered(&name))?),
        };
        let change = change.lock().unwrap_or_else(PoisonError::into_inner).take();
        let change = change.expect("it is taken in the last round only");
        match change(before.as_ref(), current.now) {
            Err(error) => {
                report(Decided::Failed(error));
                Ok(Next::Keep)
            }
            Ok(next) => {
                let (next, after) = seal_next(&keys.ring, &name, next, &current, before)?;
                report(Decided::Done(after));
                Ok(next)
            }
        }
    })
}

/// Seals a row's content anew for another name.
pub(super) fn moving(keys: Arc<Keys>, to: Name, moved: Arc<Mutex<bool>>) -> Change {
    Box::new(move |current| {
        let Some(row) = current.row else {
            return Ok(Next::Keep);
        };
        if current.key_revision != keys.revision {
            *moved.lock().unwrap_or_else(PoisonError::into_inner) = true;
            return Ok(Next::Keep);
        }
        let from = &row.summary.name;
        let opened = open_row(&keys.ring, &row).map_err(|_| tampered(from))?;
        let (generation, version) = (opened.generation, current.next_version);
        let sealed = keys.ring.seal(
            &opened.plain,
            Slot {
                name: &to,
                version,
                generation,
            },
        )?;
        Ok(Next::Write(Draft {
            generation,
            sealed,
            fence: None,
        }))
    })
}

fn seal_next(
    ring: &KeyRing,
    name: &Name,
    next: NextPlain,
    current: &Current,
    before: Option<Opened>,
) -> Result<(Next, Option<Opened>), StoreError> {
    Ok(match next {
        NextPlain::Keep => (Next::Keep, before),
        NextPlain::Remove { fence } => (Next::Remove(fence), None),
        NextPlain::Write {
            generation,
            plain,
            fence,
        } => {
            let version = current.next_version;
            let sealed = ring.seal(
                &plain,
                Slot {
                    name,
                    version,
                    generation,
                },
            )?;
            let after = Opened {
                version,
                generation,
                created: before.map_or(current.now, |before| before.created),
                updated: current.now,
                plain,
            };
            (
                Next::Write(Draft {
                    generation,
                    sealed,
                    fence,
                }),
                Some(after),
            )
        }
    })
}

pub(super) fn open_row(ring: &KeyRing, row: &Row) -> Result<Opened, Unopened> {
    let RowSummary {
        name,
        version,
        generation,
        created,
        updated,
    } = &row.summary;
    let (version, generation) = (*version, *generation);
    let plain = ring.open(
        &row.sealed,
        Slot {
            name,
            version,
            generation,
        },
    )?;
    Ok(Opened {
        version,
        generation,
        created: *created,
        updated: *updated,
        plain,
    })
}

pub(super) fn tampered(name: &Name) -> StoreError {
    let name = name.to_string();
    StoreError::Tampered { name }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("version", &self.version)
            .field("generation", &self.generation)
            .field("created", &self.created)
            .field("updated", &self.updated)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NextPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Remove { .. } => "Remove",
            Self::Write { .. } => "Write",
        })
    }
}
