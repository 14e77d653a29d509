//! Who serves a pool, and what all of them are asked to do: one row, by the store's time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile_jar::Timestamp;
use zeroize::Zeroizing;

use super::definition::{SEPARATOR, write};
use super::proxies::weight;
use crate::store::{HolderId, Name, Opened, Room, StoreError, Vault};

/// What all owners know of each other.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Roster {
    /// Until when each of them counts as alive, in milliseconds.
    owners: BTreeMap<String, i64>,
    /// What was asked of them, the oldest first.
    #[serde(default)]
    pub(super) orders: Vec<Order>,
    /// The number of the last order.
    #[serde(default)]
    last: u64,
}

/// Something asked of all owners.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Order {
    pub(super) number: u64,
    pub(super) task: OrderTask,
    /// For whom: all, or a seat.
    pub(super) seat: Option<String>,
    at: i64,
    /// Who has done it, to how many seats.
    pub(super) done: BTreeMap<String, usize>,
}

/// What can be asked of all owners.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OrderTask {
    Refresh,
    Rotate,
    Validate,
}

/// For how long, at most, an owner counts as alive that isn't heard of.
pub(super) const SILENCE: Duration = Duration::from_secs(20);

/// For how long an order is kept, in milliseconds.
const KEPT: i64 = 60_000;

/// So many orders are kept at most, the latest.
const MOST_ORDERS: usize = 100;

impl Roster {
    /// Who is alive.
    pub(super) fn owners(&self) -> impl Iterator<Item = &str> + Clone {
        self.owners.keys().map(String::as_str)
    }

    fn see(&mut self, now: Timestamp) {
        let now = now.as_millis();
        // One from far in the future was seen by a store whose time was put back.
        let latest = now + i64::try_from(SILENCE.as_millis()).unwrap_or(i64::MAX);
        self.owners
            .retain(|_, until| now < *until && *until <= latest);
        self.orders.retain(|order| (now - order.at).abs() < KEPT);
    }

    /// Whose each of so many parts is: even, and as few as can be move when an owner comes or goes.
    pub(super) fn divide(&self, parts: usize) -> Vec<&str> {
        let owners: Vec<&str> = self.owners().collect();
        if owners.is_empty() {
            return Vec::new();
        }
        let most = parts.div_ceil(owners.len());
        let mut counts = vec![0; owners.len()];
        let of_part = |part: usize, counts: &[usize]| {
            let free = (0..owners.len()).filter(|owner| counts[*owner] < most);
            free.max_by_key(|owner| weight(&part.to_string(), owners[*owner]))
        };
        let mut whose = Vec::with_capacity(parts);
        for part in 0..parts {
            let owner = of_part(part, &counts).unwrap_or(0);
            counts[owner] += 1;
            whose.push(owners[owner]);
        }
        whose
    }
}

fn row(pool: &Name) -> Result<Name, StoreError> {
    Ok(Name::parse(&format!("{pool}{SEPARATOR}owners"))?.beside(Room::Seat))
}

fn read(opened: &Opened) -> Roster {
    serde_json::from_slice(&opened.plain).unwrap_or_default()
}

/// Changes the roster in one transaction; answers with what it is then and the store's time.
async fn change(
    vault: &Vault,
    pool: &Name,
    change: impl FnOnce(&mut Roster, Timestamp) + Send + 'static,
) -> Result<(Roster, Timestamp), StoreError> {
    let (sender, mut receiver) = tokio::sync::oneshot::channel();
    let row = row(pool)?;
    let written = vault.update_at(&row, move |there, now| {
        let mut roster = there.map(read).unwrap_or_default();
        roster.see(now);
        change(&mut roster, now);
        let plain = serde_json::to_vec(&roster).expect("texts and numbers can be written");
        // Nobody waits for the answer of a change that was given up.
        let _given_up = sender.send((roster, now));
        Ok::<_, StoreError>(write(Zeroizing::new(plain)))
    });
    written.await?;
    receiver
        .try_recv()
        .map_err(|_gone| StoreError::ChangePanicked {
            subject: format!("the owners of pool `{pool}`"),
        })
}

/// Looks at the roster; nothing is written.
pub(super) async fn look(vault: &Vault, pool: &Name) -> Result<Roster, StoreError> {
    let opened = vault.load(&row(pool)?).await?;
    Ok(opened.map(|opened| read(&opened)).unwrap_or_default())
}

/// Writes down that an owner is alive.
pub(super) async fn enter(
    vault: &Vault,
    pool: &Name,
    owner: &HolderId,
    good_for: Duration,
) -> Result<(Roster, Timestamp), StoreError> {
    let owner = owner.to_string();
    change(vault, pool, move |roster, now| {
        let until = now.plus(good_for.min(SILENCE));
        roster.owners.insert(owner, until.as_millis());
    })
    .await
}

/// Sees who is alive, without being one of them.
pub(super) async fn visit(vault: &Vault, pool: &Name) -> Result<(Roster, Timestamp), StoreError> {
    change(vault, pool, |_roster, _now| {}).await
}

/// Strikes an owner off.
pub(super) async fn leave(vault: &Vault, pool: &Name, owner: &HolderId) -> Result<(), StoreError> {
    let owner = owner.to_string();
    let left = change(vault, pool, move |roster, _now| {
        roster.owners.remove(&owner);
    });
    left.await.map(drop)
}

/// Asks something of all owners; answers with its number and who they are.
pub(super) async fn ask(
    vault: &Vault,
    pool: &Name,
    task: OrderTask,
    seat: Option<String>,
) -> Result<(u64, Roster), StoreError> {
    let asked = change(vault, pool, move |roster, now| {
        roster.last += 1;
        if roster.orders.len() >= MOST_ORDERS {
            roster.orders.remove(0);
        }
        roster.orders.push(Order {
            number: roster.last,
            task,
            seat,
            at: now.as_millis(),
            done: BTreeMap::new(),
        });
    });
    let (roster, _now) = asked.await?;
    Ok((roster.last, roster))
}

/// Writes down what an owner has done.
pub(super) async fn report(
    vault: &Vault,
    pool: &Name,
    owner: &HolderId,
    done: Vec<(u64, usize)>,
) -> Result<(), StoreError> {
    let owner = owner.to_string();
    let written = change(vault, pool, move |roster, _now| {
        for (number, seats) in done {
            let order = roster
                .orders
                .iter_mut()
                .find(|order| order.number == number);
            if let Some(order) = order {
                order.done.insert(owner.clone(), seats);
            }
        }
    });
    written.await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(owners: &[&str]) -> Roster {
        Roster {
            owners: owners
                .iter()
                .map(|owner| ((*owner).to_owned(), 0))
                .collect(),
            ..Roster::default()
        }
    }

    #[test]
    fn parts_are_divided_evenly() {
        for (owners, parts) in [(1, 10), (2, 10), (3, 10), (7, 64)] {
            let names: Vec<String> = (0..owners).map(|owner| format!("o{owner}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let roster = roster(&names);
            let whose = roster.divide(parts);
            let most = parts.div_ceil(owners);
            for name in names {
                let count = whose.iter().filter(|owner| **owner == name).count();
                assert!(count <= most, "{name} has {count} of {parts}");
            }
        }
        assert!(roster(&[]).divide(3).is_empty());
    }

    #[test]
    fn few_parts_move_when_an_owner_goes() {
        let (all, fewer) = (roster(&["a", "b", "c"]), roster(&["a", "b"]));
        let (before, after) = (all.divide(60), fewer.divide(60));
        let moved = before
            .iter()
            .zip(&after)
            .filter(|(before, after)| before != after);
        let moved = moved.filter(|(before, _)| **before != "c").count();
        assert!(moved <= 20, "{moved}");
    }

    #[test]
    fn who_is_silent_is_no_owner() {
        let mut roster = roster(&["a"]);
        roster.owners.insert("a".to_owned(), 20_000);
        roster.see(Timestamp::from_millis(19_999));
        assert_eq!(roster.owners().count(), 1);
        roster.see(Timestamp::from_millis(20_000));
        assert_eq!(roster.owners().count(), 0);
    }
}
