//! A pool as values for people and programs, without secrets.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sessile_jar::Timestamp;
use tokio::sync::broadcast;

use super::clock::between;
use super::state::{LeaseId, MemberId, Mode, Phase, Target};
use super::{Definition, Pool, PoolEvent};
use crate::renew::Kept;
use crate::store::Name;

/// One session of the pool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemberInfo {
    /// Its number in this process.
    pub id: MemberId,
    /// The name that it is stored under; for one in the making, its seat's.
    pub session: Name,
    /// Its seat.
    pub seat: Name,
    /// Where it is in its life.
    pub phase: Phase,
    /// Whose account it is.
    pub account: Option<String>,
    /// What it goes through, without the proxy's login.
    pub proxy: Option<String>,
    /// What it belongs to.
    pub target: Option<Target>,
    /// When its login was finished.
    pub born: Timestamp,
    /// How old it is.
    pub age: Duration,
    /// When it was last seen to be logged in.
    pub validated: Option<Timestamp>,
    /// When its cookies were last refreshed.
    pub refreshed: Timestamp,
    /// When it was last leased.
    pub used: Option<Timestamp>,
    /// When another takes its place.
    pub rotates: Option<Timestamp>,
    /// Its running leases.
    pub leases: u32,
    /// How many leases it has had.
    pub uses: u64,
    /// Failures in a row.
    pub failures: u32,
    /// How many cookies it has.
    pub cookies: usize,
    /// How many connections it has open.
    pub connections: usize,
}

/// One running lease.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LeaseInfo {
    /// Its number.
    pub id: LeaseId,
    /// The session that may be used.
    pub session: Name,
    /// Alone or with others.
    pub mode: Mode,
    /// When it ends if it isn't extended.
    pub until: Timestamp,
    /// Whether it may outlast the drain of its session.
    pub is_pinned: bool,
}

/// Counts of the seats that this process serves.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PoolStats {
    /// What the pool's state counts.
    pub state: super::state::Stats,
    /// Sessions that are there: in use or not, resting, draining.
    pub total: usize,
    /// Sessions that are used now.
    pub active: usize,
    /// Sessions that can be used.
    pub valid: usize,
    /// The mean age of those that are there.
    pub average_age: Duration,
    /// The age of the oldest of them.
    pub oldest: Duration,
    /// When the youngest was made.
    pub last_made: Option<Timestamp>,
    /// When cookies were last refreshed.
    pub last_refresh: Option<Timestamp>,
    /// Sessions made since the pool was opened here.
    pub made: u64,
    /// Logins that failed since then.
    pub failed: u64,
    /// Sessions removed since then.
    pub retired: u64,
    /// How many seats the pool has in all, wherever they are served.
    pub size: usize,
    /// Who serves it just now.
    pub owners: usize,
    /// Why the last login failed, in words without secrets.
    pub last_trouble: Option<String>,
}

/// One account.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccountInfo {
    /// Its user name.
    pub user: String,
    /// How many sessions it may have.
    pub most: u32,
    /// How many seats it has.
    pub seats: usize,
    /// Since when it isn't used any more, and why.
    pub stopped: Option<(Timestamp, String)>,
}

/// One proxy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProxyInfo {
    /// The proxy, without its login.
    pub proxy: String,
    /// How many seats it has here.
    pub seats: usize,
    /// Failures in a row.
    pub failures: u32,
    /// Until when it rests, where it does.
    pub cools_until: Option<Timestamp>,
}

impl Pool {
    /// Counts of what this process serves.
    pub fn stats(&self) -> PoolStats {
        let shared = &self.0;
        let now = shared.now();
        let mut live = shared.live();
        let state = live.state.stats(now);
        let counts = live.counts;
        PoolStats {
            total: state.ready + state.leased + state.cooling + state.draining,
            active: state.leased,
            valid: state.ready + state.leased,
            average_age: state.average_age,
            oldest: state.oldest,
            last_made: counts.last_made,
            last_refresh: counts.last_refresh,
            made: counts.made,
            failed: counts.failed,
            retired: counts.retired,
            size: shared.definition().size(),
            owners: live.owners,
            last_trouble: live.last_trouble.clone(),
            state,
        }
    }

    /// The sessions that this process serves.
    pub fn members(&self) -> Vec<MemberInfo> {
        let shared = &self.0;
        let now = shared.now();
        let live = shared.live();
        let infos = live.state.members().filter_map(|view| {
            let seat = live.seats.get(&view.seat)?;
            let kept = live.members.get(&view.id).map(|member| &member.kept);
            let (mut cookies, mut proxy, mut account) = (0, None, None);
            if let Some(kept) = kept {
                kept.session().read(|state| {
                    cookies = state.jar().len();
                    proxy = state.proxy().map(ToString::to_string);
                });
                account = kept.user();
            }
            Some(MemberInfo {
                id: view.id,
                session: kept.map_or(&seat.name, |kept| kept.name()).clone(),
                seat: seat.name.clone(),
                phase: view.phase,
                account,
                proxy,
                target: seat.target(),
                born: view.born,
                age: between(view.born, now),
                validated: view.validated,
                refreshed: view.refreshed,
                used: view.used,
                rotates: view.rotates,
                leases: view.leases,
                uses: view.uses,
                failures: view.failures,
                cookies,
                connections: kept.map_or(0, |kept| kept.session().connections()),
            })
        });
        infos.collect()
    }

    /// The stored sessions of the members that this process serves, as they are held here. To use
    /// one, lease it.
    pub fn sessions(&self) -> Vec<Kept> {
        let live = self.0.live();
        live.members
            .iter()
            .map(|member| member.kept.clone())
            .collect()
    }

    /// The sessions of a target's seat, the one that serves first; none where it has no seat here.
    pub fn target(&self, target: &Target) -> Vec<MemberInfo> {
        let is_its = |member: &MemberInfo| member.target.as_ref() == Some(target);
        let mut members = self.members();
        members.retain(is_its);
        members.sort_by_key(|member| std::cmp::Reverse(member.born));
        members
    }

    /// The proxies, as this process knows them.
    pub fn proxies(&self) -> Vec<ProxyInfo> {
        let shared = &self.0;
        let now = shared.now();
        let definition = shared.definition();
        let seats: Vec<Option<String>> = {
            let live = shared.live();
            live.seats
                .values()
                .map(|seat| seat.row.proxy.clone())
                .collect()
        };
        let health = shared
            .proxies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let infos = definition.proxies.iter().map(|proxy| {
            let name = proxy.to_string();
            let seats = seats.iter().filter(|seat| seat.as_deref() == Some(&*name));
            health.info(proxy, seats.count(), now)
        });
        infos.collect()
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<PoolEvent> {
        self.0.events.subscribe()
    }

    /// What it is called.
    pub fn name(&self) -> &Name {
        &self.0.name
    }

    /// The pool's time: the store's.
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// What it is made of, as it is now.
    pub fn made_of(&self) -> Arc<Definition> {
        self.0.definition()
    }

    /// Whether leases are granted.
    pub fn is_open(&self) -> bool {
        self.0.is_open()
    }
}
