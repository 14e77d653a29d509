//! Which proxy a seat has: the same one while that serves. Pure but for what the pool does of it.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use sessile_jar::Timestamp;

use super::state::{SeatId, Which};
use super::{PoolEventKind, ProxyInfo, Shared};
use crate::error::{Error as RequestError, Obstacle};
use crate::login::LoginError;
use crate::renew::{KeepError, Kept};
use crate::session::SessionState;
use crate::transport::Proxy;

/// How the proxies stand, by their addresses without logins.
#[derive(Debug, Default)]
pub(super) struct ProxyHealth(HashMap<String, Standing>);

#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    failures: u32,
    /// How often in a row it has rested.
    rested: u32,
    cools_until: Option<Timestamp>,
}

/// How failures are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProxyRules {
    /// So many in a row let a proxy rest.
    pub(super) failures: u32,
    /// For so long the first time.
    pub(super) cool_down: Duration,
    /// For so long at most.
    pub(super) longest: Duration,
}

impl ProxyHealth {
    /// The proxy of a seat: the one that it has while that serves, else one of those that do, chosen
    /// by the seat's name. Fails with the time from which one does again.
    pub(super) fn choose<'a>(
        &self,
        proxies: &'a [Proxy],
        (seat, current): (&str, Option<&str>),
        now: Timestamp,
    ) -> Result<Option<&'a Proxy>, Timestamp> {
        if proxies.is_empty() {
            return Ok(None);
        }
        let serves = |proxy: &&Proxy| self.rests(&proxy.to_string(), now).is_none();
        let current = proxies
            .iter()
            .find(|proxy| Some(&*proxy.to_string()) == current);
        if let Some(current) = current.filter(serves) {
            return Ok(Some(current));
        }
        let best = proxies
            .iter()
            .filter(serves)
            .max_by_key(|proxy| weight(seat, &proxy.to_string()));
        let ends = proxies
            .iter()
            .filter_map(|proxy| self.rests(&proxy.to_string(), now));
        best.map(Some).ok_or_else(|| ends.min().unwrap_or(now))
    }

    fn rests(&self, proxy: &str, now: Timestamp) -> Option<Timestamp> {
        let until = self.0.get(proxy)?.cools_until?;
        (until > now).then_some(until)
    }

    /// A use failed; answers until when the proxy rests, where it begins to.
    fn fail(&mut self, proxy: &str, rules: ProxyRules, now: Timestamp) -> Option<Timestamp> {
        if self.rests(proxy, now).is_some() {
            return None;
        }
        let standing = self.0.entry(proxy.to_owned()).or_default();
        standing.failures += 1;
        if standing.failures < rules.failures {
            return None;
        }
        let times = 2_u32.saturating_pow(standing.rested.min(16));
        let rest = rules.cool_down.saturating_mul(times).min(rules.longest);
        let until = now.plus(rest);
        *standing = Standing {
            failures: 0,
            rested: standing.rested + 1,
            cools_until: Some(until),
        };
        Some(until)
    }

    fn serve(&mut self, proxy: &str) {
        if let Some(standing) = self.0.get_mut(proxy) {
            standing.failures = 0;
            standing.rested = 0;
        }
    }

    pub(super) fn info(&self, proxy: &Proxy, seats: usize, now: Timestamp) -> ProxyInfo {
        let name = proxy.to_string();
        ProxyInfo {
            failures: self.0.get(&name).map_or(0, |standing| standing.failures),
            cools_until: self.rests(&name, now),
            seats,
            proxy: name,
        }
    }
}

/// How well a choice fits a place, the same in every process (FNV-1a): each place has its own order.
pub(super) fn weight(place: &str, choice: &str) -> u64 {
    let bytes = place.bytes().chain([0]).chain(choice.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The last byte alone would decide among names that differ there only.
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// What a session goes through, without the proxy's login. Its seat may have another one by now, of
/// the session that is to follow.
pub(super) fn proxy_of(kept: &Kept) -> Option<String> {
    let proxy = |state: &SessionState| state.proxy().map(ToString::to_string);
    kept.session().read(proxy)
}

/// Whether an error is the proxy's.
pub(super) fn is_proxys(error: &KeepError) -> bool {
    let (KeepError::Request(error) | KeepError::Login(LoginError::Request(error))) = error else {
        return false;
    };
    matches!(
        error,
        RequestError::Connect {
            obstacle: Obstacle::Proxy | Obstacle::ProxyRefused,
            ..
        }
    )
}

impl Shared {
    /// A request through a proxy failed: where that is its fault often enough, its seats get another
    /// one, with another member.
    pub(super) fn proxy_failed(&self, proxy: Option<&str>, error: &KeepError) {
        let Some(proxy) = proxy.filter(|_| is_proxys(error)) else {
            return;
        };
        let pool = &self.definition().site.pool;
        let rules = ProxyRules {
            failures: pool.failures,
            cool_down: pool.cool_down,
            longest: pool.longest_cool_down,
        };
        let now = self.now();
        let mut health = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = health.fail(proxy, rules, now) else {
            return;
        };
        drop(health);
        let mut live = self.live();
        let affected = live
            .seats
            .iter()
            .filter(|(_, seat)| seat.row.proxy.as_deref() == Some(proxy));
        let affected: Vec<SeatId> = affected.map(|(id, _)| *id).collect();
        for seat in affected {
            live.state.rotate(Which::Seat(seat), now);
        }
        self.settle(live, now);
        let proxy = proxy.to_owned();
        self.tell(PoolEventKind::ProxyCools { proxy, until });
    }

    /// A request through a proxy came through.
    pub(super) fn proxy_serves(&self, proxy: Option<&str>) {
        if let Some(proxy) = proxy {
            let mut health = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
            health.serve(proxy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: ProxyRules = ProxyRules {
        failures: 2,
        cool_down: Duration::from_secs(10),
        longest: Duration::from_secs(15),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn proxies() -> Vec<Proxy> {
        let texts = [
            "http://a.test:1",
            "http://u:pw@b.test:1",
            "socks5://c.test:1",
        ];
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_seat_keeps_its_proxy_while_that_serves() {
        let (proxies, mut health) = (proxies(), ProxyHealth::default());
        let choose = |health: &ProxyHealth, current: Option<&str>, now| {
            let chosen = health.choose(&proxies, ("s~1", current), at(now));
            chosen.map(|proxy| proxy.unwrap().to_string())
        };
        let first = choose(&health, None, 0).unwrap();
        for _again in 0..3 {
            assert_eq!(choose(&health, Some(&first), 0).unwrap(), first);
        }
        assert_eq!(health.fail(&first, RULES, at(0)), None);
        assert_eq!(health.fail(&first, RULES, at(0)), Some(at(10)));
        let second = choose(&health, Some(&first), 1).unwrap();
        assert_ne!(second, first);
        // It keeps the other one even when the first serves again.
        assert_eq!(choose(&health, Some(&second), 11).unwrap(), second);
        assert_eq!(choose(&health, Some(&first), 11).unwrap(), first);
    }

    #[test]
    fn without_one_that_serves_it_waits() {
        let (proxies, mut health) = (proxies(), ProxyHealth::default());
        for proxy in &proxies {
            for _time in 0..2 {
                health.fail(&proxy.to_string(), RULES, at(0));
            }
        }
        let none = health.choose(&proxies, ("s", None), at(5));
        assert_eq!(none.map(|_| ()), Err(at(10)));
        assert_eq!(health.choose(&[], ("s", None), at(5)), Ok(None));
    }

    #[test]
    fn a_rest_is_longer_each_time() {
        let mut health = ProxyHealth::default();
        let mut fail = |now| {
            health.fail("p", RULES, at(now));
            health.fail("p", RULES, at(now))
        };
        assert_eq!(fail(0), Some(at(10)));
        assert_eq!(fail(5), None);
        assert_eq!(fail(20), Some(at(35)));
        assert_eq!(fail(40), Some(at(55)));
    }

    #[test]
    fn seats_are_spread_over_proxies() {
        let (proxies, health) = (proxies(), ProxyHealth::default());
        let mut counts = HashMap::new();
        for seat in 0..300 {
            let seat = format!("shop~{seat}");
            let chosen = health.choose(&proxies, (&seat, None), at(0)).unwrap();
            *counts.entry(chosen.unwrap().to_string()).or_insert(0) += 1;
        }
        assert!(counts.values().all(|count| *count > 60), "{counts:?}");
    }
}
