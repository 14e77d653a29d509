//! Which account a seat has, and which accounts aren't used any more: one row for all processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use sessile_jar::Timestamp;
use zeroize::Zeroizing;

use super::clock::between;
use super::definition::{SEPARATOR, write};
use super::{AccountInfo, Definition, Pool, PoolError, PoolEventKind, Shared, seat};
use crate::store::{Name, NextPlain, Opened, Room, StoreError, Vault};

/// What is kept of the accounts.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Accounts(BTreeMap<String, Standing>);

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Standing {
    /// The seats that have it.
    seats: BTreeSet<String>,
    /// Since when it isn't used any more, and why.
    stopped: Option<(i64, String)>,
}

/// Why there is no account for another session: how the accounts stand.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct NoAccount {
    /// Whose sessions are as many as may be.
    pub taken: Vec<String>,
    /// Who isn't used before a person has seen to it, and why.
    pub stopped: Vec<(String, String)>,
}

impl NoAccount {
    /// Whether only a person helps.
    pub fn is_hopeless(&self) -> bool {
        self.taken.is_empty()
    }

    /// How many there are of each kind, for those who needn't know who they are.
    pub(super) fn in_numbers(&self) -> String {
        match (self.taken.len(), self.stopped.len()) {
            (0, 0) => "it has none".to_owned(),
            (taken, 0) => format!("{taken} in full use"),
            (0, stopped) => format!("{stopped} stopped"),
            (taken, stopped) => format!("{taken} in full use, {stopped} stopped"),
        }
    }
}

impl fmt::Display for NoAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.taken.is_empty() && self.stopped.is_empty() {
            return f.write_str("it has none");
        }
        let stopped = self.stopped.iter();
        let stopped = stopped.map(|(user, why)| format!("`{user}` is stopped ({why})"));
        let taken = self.taken.iter();
        let taken = taken.map(|user| format!("`{user}` has all its sessions"));
        let all: Vec<String> = stopped.chain(taken).collect();
        let shown = &all[..all.len().min(SHOWN)];
        f.write_str(&shown.join(", "))?;
        match all.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// So many accounts are named in words.
const SHOWN: usize = 4;

impl Accounts {
    /// The account of a seat: the one it has, while that may be used, else the one that the fewest
    /// have.
    fn assign(&mut self, definition: &Definition, seat: &str) -> Result<String, NoAccount> {
        let usable = |standing: Option<&Standing>| {
            standing.is_none_or(|standing| standing.stopped.is_none())
        };
        let all = definition.accounts.iter();
        let usable: Vec<_> = all
            .filter(|account| usable(self.0.get(&account.user)))
            .collect();
        let has = |user: &str| self.0.get(user).is_some_and(|it| it.seats.contains(seat));
        if let Some(account) = usable.iter().find(|account| has(&account.user)) {
            return Ok(account.user.clone());
        }
        let taken = |user: &str| self.0.get(user).map_or(0, |it| it.seats.len());
        let free = usable
            .iter()
            .filter(|account| taken(&account.user) < definition.most(account) as usize);
        let Some(chosen) = free.min_by_key(|account| taken(&account.user)) else {
            return Err(self.standing(definition));
        };
        let user = chosen.user.clone();
        self.free(seat);
        self.0
            .entry(user.clone())
            .or_default()
            .seats
            .insert(seat.to_owned());
        Ok(user)
    }

    fn standing(&self, definition: &Definition) -> NoAccount {
        let mut standing = NoAccount::default();
        for info in self.info(definition) {
            match info.stopped {
                Some((_at, why)) => standing.stopped.push((info.user, why)),
                None => standing.taken.push(info.user),
            }
        }
        standing
    }

    fn free(&mut self, seat: &str) {
        for standing in self.0.values_mut() {
            standing.seats.remove(seat);
        }
    }

    fn stop(&mut self, user: &str, at: Timestamp, why: &str) {
        let standing = self.0.entry(user.to_owned()).or_default();
        standing.stopped = Some((at.as_millis(), why.to_owned()));
    }

    /// The seats that have one.
    pub(super) fn seats(&self) -> impl Iterator<Item = &str> {
        let standings = self.0.values();
        standings.flat_map(|standing| standing.seats.iter().map(String::as_str))
    }

    pub(super) fn is_stopped(&self, user: &str) -> bool {
        self.0
            .get(user)
            .is_some_and(|standing| standing.stopped.is_some())
    }

    pub(super) fn info(&self, definition: &Definition) -> Vec<AccountInfo> {
        let accounts = definition.accounts.iter().map(|account| {
            let standing = self.0.get(&account.user);
            let stopped = standing.and_then(|standing| standing.stopped.clone());
            AccountInfo {
                user: account.user.clone(),
                most: definition.most(account),
                seats: standing.map_or(0, |standing| standing.seats.len()),
                stopped: stopped.map(|(at, why)| (Timestamp::from_millis(at), why)),
            }
        });
        accounts.collect()
    }
}

fn row(pool: &Name) -> Result<Name, StoreError> {
    Ok(Name::parse(&format!("{pool}{SEPARATOR}accounts"))?.beside(Room::Seat))
}

/// The accounts as they are.
pub(super) async fn load(vault: &Vault, pool: &Name) -> Result<Accounts, PoolError> {
    let opened = vault.load(&row(pool)?).await?;
    read(pool, opened.as_ref())
}

/// Not knowing who is stopped, nobody may log in.
fn read(pool: &Name, opened: Option<&Opened>) -> Result<Accounts, PoolError> {
    let Some(opened) = opened else {
        return Ok(Accounts::default());
    };
    serde_json::from_slice(&opened.plain).map_err(|fault| PoolError::Unreadable {
        pool: pool.to_string(),
        // The fault's own words could show a value.
        what: format!(
            "what is kept of its accounts is malformed near byte {}",
            fault.column()
        ),
    })
}

/// Changes the accounts in one transaction.
async fn change<T: Send + 'static>(
    vault: &Vault,
    pool: &Name,
    change: impl FnOnce(&mut Accounts, Timestamp) -> T + Send + 'static,
) -> Result<T, PoolError> {
    let (sender, mut receiver) = tokio::sync::oneshot::channel();
    let (row, name) = (row(pool)?, pool.clone());
    let written = vault.update_at(&row, move |there, now| {
        let before = read(&name, there)?;
        let mut accounts = before.clone();
        let answer = change(&mut accounts, now);
        let is_same = accounts == before;
        let plain = serde_json::to_vec(&accounts).expect("texts and numbers can be written");
        // Nobody waits for the answer of a change that was given up.
        let _given_up = sender.send(answer);
        Ok::<_, PoolError>(match is_same {
            true => NextPlain::Keep,
            false => write(Zeroizing::new(plain)),
        })
    });
    written.await?;
    receiver
        .try_recv()
        .map_err(|_gone| StoreError::ChangePanicked {
            subject: format!("the accounts of pool `{pool}`"),
        })
        .map_err(PoolError::from)
}

/// The account of a seat.
pub(super) async fn assign(
    vault: &Vault,
    definition: &Definition,
    seat: &Name,
) -> Result<Result<String, NoAccount>, PoolError> {
    let (known, name) = (definition.clone(), seat.to_string());
    change(vault, &definition.name, move |accounts, _now| {
        accounts.assign(&known, &name)
    })
    .await
}

/// An account isn't used any more until a person has seen to it.
pub(super) async fn stop(
    vault: &Vault,
    pool: &Name,
    user: &str,
    why: String,
) -> Result<(), PoolError> {
    let user = user.to_owned();
    change(vault, pool, move |accounts, now| {
        accounts.stop(&user, now, &why)
    })
    .await
}

/// A seat that is gone leaves its account to others.
pub(super) async fn free(vault: &Vault, pool: &Name, seat: &Name) -> Result<(), PoolError> {
    let seat = seat.to_string();
    change(vault, pool, move |accounts, _now| accounts.free(&seat)).await
}

/// A person has seen to it: accounts that were stopped are tried again. What can't be read is written
/// anew.
pub(super) async fn restart(vault: &Vault, pool: &Name) -> Result<(), PoolError> {
    let restarted = change(vault, pool, |accounts, _now| {
        for standing in accounts.0.values_mut() {
            standing.stopped = None;
        }
    });
    match restarted.await {
        Err(PoolError::Unreadable { what, .. }) => {
            tracing::warn!(%pool, %what, "it is written anew");
            write_anew(vault, pool).await
        }
        done => done,
    }
}

/// Writes down who has which account by what the seats say.
async fn write_anew(vault: &Vault, pool: &Name) -> Result<(), PoolError> {
    let mut accounts = Accounts::default();
    let start = format!("{pool}{SEPARATOR}");
    for found in vault.list_room(Room::Seat, &start).await? {
        let Some((_, name)) = found.name.room() else {
            continue;
        };
        if !seat::is_seat(&start, &name) {
            continue;
        }
        let user = match seat::load(vault, &name).await {
            Ok(row) => row.and_then(|row| row.account),
            // A seat that can't be read doesn't log in.
            Err(PoolError::Unreadable { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some(user) = user {
            let standing = accounts.0.entry(user).or_default();
            standing.seats.insert(name.to_string());
        }
    }
    let plain = serde_json::to_vec(&accounts).expect("texts and numbers can be written");
    let (row, name) = (row(pool)?, pool.clone());
    let written = vault.update(&row, move |there| {
        // Another process may have done it meanwhile.
        Ok::<_, StoreError>(match read(&name, there) {
            Ok(_readable) => NextPlain::Keep,
            Err(_malformed) => write(Zeroizing::new(plain)),
        })
    });
    Ok(written.await.map(drop)?)
}

impl Shared {
    /// Nobody tries an account any more; answers whether that is known to all.
    pub(super) async fn stop_account(&self, user: &str, why: String) -> bool {
        if let Err(error) = stop(&self.vault, &self.name, user, why.clone()).await {
            tracing::warn!(pool = %self.name, %error, "the account could not be stopped");
            return false;
        }
        let user = user.to_owned();
        self.tell(PoolEventKind::AccountStopped { user, why });
        true
    }
}

impl Pool {
    /// The accounts of a pool, and how they stand.
    ///
    /// # Errors
    ///
    /// [`PoolError::Unknown`], [`PoolError::Store`].
    pub async fn accounts(vault: &Vault, name: &Name) -> Result<Vec<AccountInfo>, PoolError> {
        let definition = Self::definition(vault, name).await?;
        Ok(load(vault, name).await?.info(&definition))
    }
}

/// For how long an account has been stopped.
impl AccountInfo {
    /// For how long it hasn't been used any more, at this time.
    pub fn stopped_for(&self, now: Timestamp) -> Option<std::time::Duration> {
        self.stopped.as_ref().map(|(at, _why)| between(*at, now))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::pool::Account;
    use crate::site::Site;

    fn definition(users: &[&str]) -> Definition {
        let file = "[login]\nurl = \"http://a.test/login\"\n";
        let site = Arc::new(Site::parse(file, "a.toml").unwrap());
        let mut definition = Definition::new("a".parse().unwrap(), site);
        definition.accounts = users.iter().map(|user| Account::new(*user, None)).collect();
        definition
    }

    #[test]
    fn each_account_has_as_many_seats_as_it_may() {
        let mut definition = definition(&["ada", "bob"]);
        definition.accounts[1].sessions = Some(2);
        let mut accounts = Accounts::default();
        let mut assign = |seat| accounts.assign(&definition, seat);
        assert_eq!(assign("s0").unwrap(), "ada");
        assert_eq!(assign("s1").unwrap(), "bob");
        assert_eq!(assign("s2").unwrap(), "bob");
        let none = assign("s3").unwrap_err();
        assert_eq!(
            none.to_string(),
            "`ada` has all its sessions, `bob` has all its sessions"
        );
        assert!(!none.is_hopeless());
        assert_eq!(assign("s0").unwrap(), "ada");
    }

    #[test]
    fn a_stopped_account_gives_way_to_another() {
        let definition = definition(&["ada", "bob"]);
        let mut accounts = Accounts::default();
        accounts.assign(&definition, "s0").unwrap();
        accounts.stop("ada", Timestamp::from_seconds(1), "refused");
        assert_eq!(accounts.assign(&definition, "s0").unwrap(), "bob");
        let none = accounts.assign(&definition, "s1").unwrap_err();
        assert!(!none.is_hopeless(), "{none}");
        assert_eq!(none.in_numbers(), "1 in full use, 1 stopped");
        accounts.stop("bob", Timestamp::from_seconds(1), "refused");
        let none = accounts.assign(&definition, "s0").unwrap_err();
        assert!(none.is_hopeless(), "{none}");
        let said = "`ada` is stopped (refused), `bob` is stopped (refused)";
        assert_eq!(none.to_string(), said);
        let info = accounts.info(&definition);
        assert_eq!((info[0].seats, info[1].seats), (0, 1));
    }
}
