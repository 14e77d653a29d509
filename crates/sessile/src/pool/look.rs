//! A pool as the store knows it, without opening it: wherever its seats are served.

use sessile_jar::Timestamp;

use super::accounts::{self, Accounts};
use super::definition::SEPARATOR;
use super::{AccountInfo, Pool, PoolError, roster, seat};
use crate::store::{Name, Room, Vault};

/// A pool as the store knows it. What its owners know is written down every ten seconds or so.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolView {
    /// What it is called.
    pub name: Name,
    /// What its site file is called.
    pub site: String,
    /// How many seats it has, those of targets aside.
    pub size: usize,
    /// Who serves it.
    pub owners: Vec<String>,
    /// Its seats, in the order of their names.
    pub seats: Vec<SeatInfo>,
    /// Its accounts.
    pub accounts: Vec<AccountInfo>,
    /// Its proxies, without their logins.
    pub proxies: Vec<String>,
    /// What is kept of it and can't be read, each said in words. The rest is told without that.
    pub unreadable: Vec<String>,
    /// The store's time.
    pub now: Timestamp,
}

/// A seat as the store knows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SeatInfo {
    /// What it is called.
    pub seat: Name,
    /// What it belongs to.
    pub target: Option<String>,
    /// Whose account it has.
    pub account: Option<String>,
    /// What it goes through, without the proxy's login; nothing said of a target's own.
    pub proxy: Option<String>,
    /// The session that serves it.
    pub session: Option<SessionInfo>,
    /// How many sessions it had that are still about.
    pub leaving: usize,
}

/// The session that serves a seat, as the store knows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The name that it is stored under.
    pub name: String,
    /// When its login was finished.
    pub born: Timestamp,
    /// When it was last seen to be logged in.
    pub validated: Option<Timestamp>,
    /// When its cookies were last refreshed.
    pub refreshed: Option<Timestamp>,
    /// How many leases it has had.
    pub uses: u64,
    /// Failures in a row.
    pub failures: u32,
    /// Until when it rests, where it does.
    pub cools_until: Option<Timestamp>,
}

impl Pool {
    /// A pool as the store knows it, without opening it.
    ///
    /// # Errors
    ///
    /// [`PoolError::Unknown`], [`PoolError::Store`].
    pub async fn look(vault: &Vault, name: &Name) -> Result<PoolView, PoolError> {
        let definition = Self::definition(vault, name).await?;
        let (roster, now) = roster::visit(vault, name).await?;
        let mut unreadable = Vec::new();
        let mut readable = |error| match error {
            PoolError::Unreadable { what, .. } => {
                unreadable.push(what);
                Ok(())
            }
            error => Err(error),
        };
        let accounts = match accounts::load(vault, name).await {
            Ok(accounts) => accounts,
            Err(error) => readable(error).map(|()| Accounts::default())?,
        };
        let mut seats = Vec::new();
        let start = format!("{name}{SEPARATOR}");
        for row in vault.list_room(Room::Seat, &start).await? {
            let Some((_, seat)) = row.name.room() else {
                continue;
            };
            if !seat::is_seat(&start, &seat) {
                continue;
            }
            match seat::load(vault, &seat).await {
                Ok(Some(row)) => seats.push(info(seat, &row)),
                Ok(None) => {}
                Err(error) => readable(error)?,
            }
        }
        Ok(PoolView {
            name: name.clone(),
            site: definition.site.name.clone(),
            size: definition.size(),
            owners: roster.owners().map(str::to_owned).collect(),
            seats,
            accounts: accounts.info(&definition),
            proxies: definition.proxies.iter().map(ToString::to_string).collect(),
            unreadable,
            now,
        })
    }
}

fn info(seat: Name, row: &seat::SeatRow) -> SeatInfo {
    SeatInfo {
        target: row.target.clone(),
        account: row.account.clone(),
        proxy: row.proxy.clone(),
        session: row.member.as_ref().map(|member| {
            let facts = member.restored();
            SessionInfo {
                name: member.session.clone(),
                born: facts.born,
                validated: facts.validated,
                refreshed: facts.refreshed,
                uses: facts.uses,
                failures: facts.failures,
                cools_until: facts.cools_until,
            }
        }),
        leaving: row.leaving.len(),
        seat,
    }
}
