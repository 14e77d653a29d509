//! A seat as this process serves it, and its row in the store.
//!
//! A row is written by whoever holds the seat, and by nobody else: with the fence of the hold.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sessile_jar::Timestamp;
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::PoolError;
use super::definition::SEPARATOR;
use super::state::{MemberView, Phase, Restored, Target};
use crate::profile::Profile;
use crate::store::{Fence, Name, NextPlain, Room, StoreError, Vault};

/// A seat that is served here.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    /// What it is called; its row and its members are called after it.
    pub(super) name: Name,
    /// Which hold it is under.
    pub(super) part: Arc<str>,
    pub(super) row: SeatRow,
    /// The row as it was last written, where that is known.
    pub(super) written: Option<SeatRow>,
    /// One write at a time: the later one is the one that stays.
    pub(super) writing: Arc<AsyncMutex<()>>,
    /// Whether it is to be no more, once it is given back.
    pub(super) is_dissolved: bool,
    /// When somebody last leased it here, of a target's.
    pub(super) asked: Timestamp,
    /// What it was last told to wait for, until its next member is made.
    pub(super) waits: Option<String>,
    /// Ends what runs for it, once it is served here no more.
    pub(super) end: CancellationToken,
}

/// What is kept of a seat. The address of a target's proxy may hold a login, so it doesn't show itself.
#[derive(Clone, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct SeatRow {
    pub(super) version: u32,
    pub(super) target: Option<String>,
    /// The proxy that a target came with, with its login.
    pub(super) target_proxy: Option<String>,
    pub(super) account: Option<String>,
    /// The proxy of the pool's list, without its login.
    pub(super) proxy: Option<String>,
    pub(super) profile: Option<String>,
    /// The number of the last member.
    pub(super) generation: u64,
    pub(super) member: Option<MemberRow>,
    /// A member that was begun; where it didn't become the seat's, it is removed.
    pub(super) making: Option<String>,
    /// Members that were followed or given up, and are to be removed.
    pub(super) leaving: Vec<String>,
}

impl fmt::Debug for SeatRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeatRow")
            .field("account", &self.account)
            .field("generation", &self.generation)
            .field("member", &self.member)
            .finish_non_exhaustive()
    }
}

/// What is kept of a member beside its session. Times are the store's, in milliseconds.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct MemberRow {
    pub(super) session: String,
    born: i64,
    validated: Option<i64>,
    refreshed: Option<i64>,
    uses: u64,
    failures: u32,
    cooled: u32,
    cools_until: Option<i64>,
}

/// The version that is written.
const VERSION: u32 = 1;

impl SeatRow {
    pub(super) fn profile(&self) -> Option<Profile> {
        self.profile.as_deref().map(Profile::stored)
    }

    /// A session is to be removed.
    pub(super) fn part_with(&mut self, session: &str) {
        if !self.leaving.iter().any(|name| name == session) {
            self.leaving.push(session.to_owned());
        }
    }

    /// What was begun didn't become the seat's member: whatever there is of it is to be removed.
    pub(super) fn give_up(&mut self) {
        if let Some(begun) = self.making.take() {
            self.part_with(&begun);
        }
    }
}

impl MemberRow {
    pub(super) fn new(session: &Name, view: &MemberView) -> Self {
        Self {
            session: session.to_string(),
            born: view.born.as_millis(),
            validated: view.validated.map(Timestamp::as_millis),
            refreshed: Some(view.refreshed.as_millis()),
            uses: view.uses,
            failures: view.failures,
            cooled: view.cooled,
            cools_until: match view.phase {
                Phase::Cooling { until } => Some(until.as_millis()),
                _ => None,
            },
        }
    }

    pub(super) fn restored(&self) -> Restored {
        Restored {
            born: Timestamp::from_millis(self.born),
            validated: self.validated.map(Timestamp::from_millis),
            refreshed: self.refreshed.map(Timestamp::from_millis),
            uses: self.uses,
            failures: self.failures,
            cooled: self.cooled,
            cools_until: self.cools_until.map(Timestamp::from_millis),
        }
    }
}

impl Seat {
    pub(super) fn new(name: Name, part: Arc<str>, row: SeatRow, now: Timestamp) -> Self {
        Self {
            name,
            part,
            row,
            written: None,
            writing: Arc::default(),
            is_dissolved: false,
            asked: now,
            waits: None,
            end: CancellationToken::new(),
        }
    }

    pub(super) fn target(&self) -> Option<Target> {
        self.row.target.as_deref().map(Target::new)
    }
}

/// The name of a seat by its number.
pub(super) fn numbered(pool: &Name, number: usize) -> Result<Name, StoreError> {
    Name::parse(&format!("{pool}{SEPARATOR}{number}"))
}

/// The number of a seat, where it isn't a target's.
pub(super) fn number(seat: &Name) -> Option<usize> {
    part_of_target(seat).parse().ok()
}

/// The name of a target's seat.
pub(super) fn of_target(pool: &Name, target: &str) -> Result<Name, StoreError> {
    Name::parse(&format!("{pool}{SEPARATOR}{TARGET}{}", digest(target)))
}

/// How the names of target seats begin, after the separator.
pub(super) const TARGET: &str = "t-";

/// Into how many parts the seats are divided: each is held as a whole, so that a large pool costs no
/// more than a small one. It never changes: two processes must mean the same by a part.
pub(super) const PARTS: usize = 64;

/// A target's seat is a part of its own: what stands behind the pool's name.
pub(super) fn part_of_target(seat: &Name) -> &str {
    let text = seat.as_str();
    text.rsplit_once(SEPARATOR)
        .map_or(text, |(_pool, part)| part)
}

/// Whether a row that begins with `start`, the pool's name and the separator, is a seat's.
pub(super) fn is_seat(start: &str, name: &Name) -> bool {
    let rest = name.as_str().strip_prefix(start).unwrap_or_default();
    rest.starts_with(TARGET) || rest.parse::<usize>().is_ok()
}

/// The name of a member of a seat.
pub(super) fn member_name(seat: &Name, generation: u64) -> Result<Name, StoreError> {
    Name::parse(&format!("{seat}.{generation}"))
}

/// 96 bits of SHA-256: targets are any text, names aren't.
fn digest(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Reads a seat's row. One that can't be read isn't an empty one: it may say which sessions there are.
pub(super) async fn load(vault: &Vault, seat: &Name) -> Result<Option<SeatRow>, PoolError> {
    let Some(opened) = vault.load(&seat.beside(Room::Seat)).await? else {
        return Ok(None);
    };
    let unreadable = |what: String| PoolError::Unreadable {
        pool: pool_of(seat).to_owned(),
        what,
    };
    // The fault's own words could show a value.
    let malformed = |fault: serde_json::Error| {
        unreadable(format!(
            "seat `{seat}` is malformed near byte {}",
            fault.column()
        ))
    };
    let Version { version } = serde_json::from_slice(&opened.plain).map_err(malformed)?;
    if version > VERSION {
        let what = format!("a newer Sessile wrote seat `{seat}`, in format {version}");
        return Err(unreadable(what));
    }
    let row = serde_json::from_slice(&opened.plain).map_err(malformed)?;
    Ok(Some(row))
}

/// What every version has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

fn pool_of(seat: &Name) -> &str {
    let text = seat.as_str();
    text.rsplit_once(SEPARATOR).map_or(text, |(pool, _)| pool)
}

/// Writes a seat's row under its hold.
pub(super) async fn store(
    vault: &Vault,
    seat: &Name,
    row: &SeatRow,
    fence: Fence,
) -> Result<(), StoreError> {
    let row = SeatRow {
        version: VERSION,
        ..row.clone()
    };
    let plain = serde_json::to_vec(&row).expect("texts and numbers can be written");
    let name = seat.beside(Room::Seat);
    let written = vault.update(&name, move |_there| {
        Ok::<_, StoreError>(NextPlain::Write {
            generation: 0,
            plain: Zeroizing::new(plain),
            fence: Some(fence),
        })
    });
    written.await.map(drop)
}

/// Removes a seat's row under its hold.
pub(super) async fn remove(vault: &Vault, seat: &Name, fence: Fence) -> Result<(), StoreError> {
    let name = seat.beside(Room::Seat);
    let removed = vault.update(&name, move |_there| {
        let fence = Some(fence);
        Ok::<_, StoreError>(NextPlain::Remove { fence })
    });
    removed.await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whose_they_are() {
        let pool = Name::parse("shop").unwrap();
        let seat = numbered(&pool, 3).unwrap();
        assert_eq!(seat.as_str(), "shop~3");
        assert_eq!(member_name(&seat, 17).unwrap().as_str(), "shop~3.17");
        let target = of_target(&pool, "a/b\n").unwrap();
        assert!(target.as_str().starts_with("shop~t-"));
        assert_ne!(target, of_target(&pool, "a/c").unwrap());
    }
}
