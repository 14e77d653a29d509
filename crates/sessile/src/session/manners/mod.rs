//! Manners towards a host: how often, how many at once, and how long it wants to be left alone.
//!
//! The decision is pure (`standing`); [`Manners::wait`] keeps to it by the runtime's clock, and by
//! that of a register where the limits are everybody's. What `robots.txt` says is asked in
//! `permission`.

mod register;
mod standing;
mod turn;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};
use url::{Position, Url};

use self::register::Place;
use self::standing::{Grant, Pace};
use super::permission::Known;
use crate::error::Error;

pub(crate) use self::register::{Entry, Fault, Register};
pub(crate) use self::standing::Standing;
#[cfg(test)]
pub(crate) use self::standing::TERM;
pub(super) use self::turn::{Ender, Turn};

/// From so many hosts on, those that nothing is known of any more are forgotten.
const MANY_HOSTS: usize = 4096;

/// How often it is looked whether one of everybody's requests has ended.
const LOOK: Duration = Duration::from_millis(100);

/// Limits for every host, shared by all sessions that were given the same value.
///
/// ```
/// use sessile::Session;
/// use sessile::session::{Limits, Manners};
///
/// let manners = Manners::new(Limits::per_second(2)).obeying_robots("mybot");
/// let first = Session::builder().manners(manners.clone()).build()?;
/// let second = Session::builder().manners(manners).build()?;
/// # Ok::<(), sessile::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Manners {
    shared: Arc<Shared>,
    robots: Option<Arc<str>>,
    register: Option<Register>,
}

/// How often and how many at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// The time between two requests to a host. Defaults to none.
    pub interval: Duration,
    /// How many requests may go without that time between them after a rest. Defaults to 1.
    pub burst: u32,
    /// How many requests to a host may run at once, bodies included. Defaults to no limit.
    pub at_once: Option<usize>,
    /// The longest pause that a host's `Retry-After` is granted; what asks for more fails with
    /// [`Error::HoldOff`]. Defaults to a minute.
    pub longest_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            interval: Duration::ZERO,
            burst: 1,
            at_once: None,
            longest_pause: Duration::from_secs(60),
        }
    }
}

impl Limits {
    /// So many requests a second and host, evenly spread; none for 0.
    pub fn per_second(requests: u32) -> Self {
        let interval = Duration::from_secs(1)
            .checked_div(requests)
            .unwrap_or_default();
        Self {
            interval,
            ..Self::default()
        }
    }

    /// What keeps both; how long a pause is granted is not a question of strictness, and stays.
    fn strictest(self, other: Self) -> Self {
        let burst = match (self.interval.is_zero(), other.interval.is_zero()) {
            (true, _) => other.burst,
            (false, true) => self.burst,
            (false, false) => self.burst.min(other.burst),
        };
        let both = [self.at_once, other.at_once];
        Self {
            interval: self.interval.max(other.interval),
            burst,
            at_once: both.into_iter().flatten().min(),
            longest_pause: self.longest_pause,
        }
    }
}

struct Shared {
    limits: Limits,
    /// What the moments of this process are counted from.
    origin: Instant,
    hosts: Mutex<HashMap<Box<str>, Host>>,
    known: Mutex<HashMap<String, Known>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            origin: Instant::now(),
            hosts: Mutex::default(),
            known: Mutex::default(),
        }
    }
}

#[derive(Default)]
struct Host {
    standing: Standing,
    crawl_delay: Option<Duration>,
    slots: Option<Arc<Semaphore>>,
}

impl Manners {
    /// These limits for every host.
    pub fn new(limits: Limits) -> Self {
        let shared = Shared {
            limits,
            ..Shared::default()
        };
        Self {
            shared: Arc::new(shared),
            robots: None,
            register: None,
        }
    }

    /// Asks every site's `robots.txt` whether the program of this name may fetch a page, and keeps
    /// to its `Crawl-delay`. Defaults to not asking.
    ///
    /// A page that is refused fails with [`Error::Robots`].
    pub fn obeying_robots(mut self, program: impl Into<Arc<str>>) -> Self {
        self.robots = Some(program.into());
        self
    }

    /// These manners and those towards one site: of each limit the stricter one counts, and of two
    /// names for `robots.txt` the site's.
    pub(crate) fn joined(self, site: Self) -> Self {
        let limits = self.shared.limits.strictest(site.shared.limits);
        let shared = match limits == self.shared.limits {
            true => self.shared,
            false => Self::new(limits).shared,
        };
        Self {
            shared,
            robots: site.robots.or(self.robots),
            register: self.register.or(site.register),
        }
    }

    /// The name by which the program is known in `robots.txt`, where that is asked.
    pub(super) fn program(&self) -> Option<&Arc<str>> {
        self.robots.as_ref()
    }

    pub(super) fn known(&self, origin: &str) -> Known {
        let mut known = self
            .shared
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MANY_HOSTS && !known.contains_key(origin) {
            known.clear();
        }
        known.entry(origin.to_owned()).or_default().clone()
    }

    /// Keeps the limits together with everybody who uses the same register; those who do already
    /// go on as they are.
    pub(crate) fn kept_in(mut self, register: impl FnOnce() -> Register) -> Self {
        if self.register.is_none() {
            self.register = Some(register());
        }
        self
    }

    /// Waits until a request may go to the URL's host.
    ///
    /// # Errors
    ///
    /// [`Error::HoldOff`] where the host asked for a longer pause than is granted, and
    /// [`Error::LimitsUnavailable`] where the register can't be had.
    pub(super) async fn wait(&self, url: &Url) -> Result<Turn, Error> {
        // The slot first: a time that was given can't be kept while all slots are taken.
        let slot = match self.slots(url) {
            Some(slots) => slots.acquire_owned().await.ok(),
            None => None,
        };
        match &self.register {
            Some(register) => self.wait_among_all(register, url, slot).await,
            None => self.wait_here(url, slot).await,
        }
    }

    async fn wait_here(
        &self,
        url: &Url,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Result<Turn, Error> {
        // The slots see to how many there are at once.
        let pace = Pace {
            at_once: None,
            ..self.pace(url)
        };
        loop {
            let now = self.now();
            let grant = self.with_host(url, |host| host.standing.ask(0, pace, now));
            wait_for(grant, url).await?;
            // While this one slept, the host may have asked for a pause.
            let now = self.now();
            let pause = self.with_host(url, |host| host.standing.pause_left(now));
            if pause.is_zero() {
                return Ok(Turn { slot, place: None });
            }
        }
    }

    async fn wait_among_all(
        &self,
        register: &Register,
        url: &Url,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Result<Turn, Error> {
        let (host, pace): (Arc<str>, _) = (key(url).into(), self.pace(url));
        let mut place = Place::new(register, Arc::clone(&host));
        let ticket = place.ticket();
        loop {
            let asking =
                register.enter(&host, move |standing, now| standing.ask(ticket, pace, now));
            let grant = asking.await?;
            if matches!(grant, Grant::Go(_)) && pace.at_once.is_some() {
                place.take();
            }
            if !wait_for(grant, url).await? {
                continue;
            }
            let look = |standing: &mut Standing, now| standing.pause_left(now);
            if grant == Grant::Go(Duration::ZERO) || register.enter(&host, look).await?.is_zero() {
                let place = Some(place);
                return Ok(Turn { slot, place });
            }
        }
    }

    /// Takes notice of a pause that a host asks for.
    pub(super) async fn pause(&self, url: &Url, pause: Duration) {
        let Some(register) = &self.register else {
            let until = self.now().saturating_add(pause);
            return self.with_host(url, |host| host.standing.pause_until(until));
        };
        let host = key(url).into();
        let noting = register.enter(&host, move |standing, now| {
            standing.pause_until(now.saturating_add(pause));
        });
        if let Err(error) = noting.await {
            tracing::warn!(%error, "a pause that the host asks for isn't known to others");
        }
    }

    pub(super) fn set_crawl_delay(&self, url: &Url, delay: Option<Duration>) {
        self.with_host(url, |host| host.crawl_delay = delay);
    }

    fn slots(&self, url: &Url) -> Option<Arc<Semaphore>> {
        let at_once = self.shared.limits.at_once?;
        let new = || Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)));
        Some(self.with_host(url, |host| Arc::clone(host.slots.get_or_insert_with(new))))
    }

    fn pace(&self, url: &Url) -> Pace {
        let limits = self.shared.limits;
        let crawl_delay = self.with_host(url, |host| host.crawl_delay);
        let (interval, burst) = match crawl_delay {
            Some(delay) if delay >= limits.interval => (delay, 1),
            Some(_) | None => (limits.interval, limits.burst),
        };
        Pace {
            interval,
            burst,
            at_once: limits.at_once.map(|limit| limit.max(1)),
            longest_pause: limits.longest_pause,
        }
    }

    fn with_host<T>(&self, url: &Url, act: impl FnOnce(&mut Host) -> T) -> T {
        let mut hosts = self
            .shared
            .hosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get_mut(key(url)) {
            return act(host);
        }
        if hosts.len() >= MANY_HOSTS {
            let now = self.now();
            hosts.retain(|_, host| host.is_busy(now));
        }
        act(hosts.entry(key(url).into()).or_default())
    }

    /// The moment by the runtime's clock, which tests can pause.
    fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.shared.origin)
    }
}

impl Host {
    fn is_busy(&self, now: Duration) -> bool {
        let has_waiting = self
            .slots
            .as_ref()
            .is_some_and(|slots| Arc::strong_count(slots) > 1);
        has_waiting || self.standing.is_ahead_of(now)
    }
}

/// A server: host, and port where it isn't the usual one.
pub(crate) fn key(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

/// Does what was told; answers whether the request may go after that.
async fn wait_for(grant: Grant, url: &Url) -> Result<bool, Error> {
    let host = key(url);
    match grant {
        Grant::Full => {
            tracing::debug!(host, "as many requests are running as may");
            sleep(LOOK).await;
            Ok(false)
        }
        Grant::Go(wait) => {
            if !wait.is_zero() {
                tracing::info!(host, ?wait, "waiting for the next request's turn");
                sleep(wait).await;
            }
            Ok(true)
        }
        Grant::HoldOff(pause) => Err(Error::HoldOff {
            host: host.to_owned(),
            pause,
        }),
    }
}

impl fmt::Debug for Manners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manners")
            .field("limits", &self.shared.limits)
            .field("robots", &self.robots)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::StreamExt;

    const SECOND: Duration = Duration::from_secs(1);

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn of_two_limits_the_stricter_counts() {
        let limits = |interval, burst, at_once| Limits {
            interval: interval * SECOND,
            burst,
            at_once,
            ..Limits::default()
        };
        let check = |one: Limits, other: Limits, expected: Limits| {
            assert_eq!(one.strictest(other), expected);
            assert_eq!(other.strictest(one), expected);
        };
        let none = Limits::default();
        check(none, limits(2, 1, Some(4)), limits(2, 1, Some(4)));
        check(none, limits(2, 5, None), limits(2, 5, None));
        check(
            limits(1, 5, Some(2)),
            limits(2, 3, None),
            limits(2, 3, Some(2)),
        );
        check(
            limits(1, 1, Some(2)),
            limits(0, 1, Some(1)),
            limits(1, 1, Some(1)),
        );
        let patient = Limits {
            longest_pause: 300 * SECOND,
            ..none
        };
        assert_eq!(patient.strictest(none), patient);
    }

    #[test]
    fn manners_that_a_site_leaves_as_they_are_stay_shared() {
        let all = Manners::new(Limits::per_second(1)).obeying_robots("all");
        let mild = Manners::new(Limits::per_second(2)).obeying_robots("site");
        let joined = all.clone().joined(mild);
        assert!(Arc::ptr_eq(&joined.shared, &all.shared));
        assert_eq!(joined.robots.as_deref(), Some("site"));
        let strict = Manners::new(Limits::default());
        assert_eq!(all.joined(strict).robots.as_deref(), Some("all"));
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_wait_apart_and_sessions_together() {
        let manners = Manners::new(Limits::per_second(1));
        let start = now();
        let other = manners.clone();
        for manners in [&manners, &other, &manners] {
            drop(manners.wait(&url("http://a.test/x")).await.unwrap());
        }
        assert_eq!(now() - start, 2 * SECOND);
        drop(manners.wait(&url("http://b.test/")).await.unwrap());
        drop(manners.wait(&url("http://a.test:81/")).await.unwrap());
        assert_eq!(now() - start, 2 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_reaches_those_who_wait_already() {
        let manners = Manners::new(Limits::per_second(1));
        let a = url("http://a.test/");
        drop(manners.wait(&a).await.unwrap());
        let start = now();
        let (turn, ()) = tokio::join!(manners.wait(&a), manners.pause(&a, 7 * SECOND));
        drop(turn.unwrap());
        assert_eq!(now() - start, 7 * SECOND);
        manners.pause(&a, 3600 * SECOND).await;
        let error = manners.wait(&a).await.unwrap_err();
        assert_eq!(error.to_string(), "a.test asks to be left alone for 3600 s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_lasts_as_long_as_its_body() {
        let limits = Limits {
            at_once: Some(1),
            ..Limits::default()
        };
        let manners = Manners::new(limits);
        let a = url("http://a.test/");
        let pieces = futures_util::stream::iter([Ok(Bytes::from_static(b"x"))]);
        let turn = manners.wait(&a).await.unwrap();
        let (mut body, ender) = turn.hold(Box::pin(pieces));
        assert!(body.next().await.is_some());
        let too_early = tokio::time::timeout(SECOND, manners.wait(&a)).await;
        assert!(too_early.is_err());
        assert!(body.next().await.is_none());
        ender.unwrap().end();
        drop(manners.wait(&a).await.unwrap());
        drop(body);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_can_end_before_its_body() {
        let limits = Limits {
            at_once: Some(1),
            ..Limits::default()
        };
        let (manners, a) = (Manners::new(limits), url("http://a.test/"));
        let turn = manners.wait(&a).await.unwrap();
        let pieces = futures_util::stream::iter([Ok(Bytes::from_static(b"x"))]);
        let (mut body, ender) = turn.hold(Box::pin(pieces));
        ender.unwrap().end();
        drop(manners.wait(&a).await.unwrap());
        assert!(body.next().await.is_some() && body.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn crawl_delays_slow_down_and_never_speed_up() {
        let manners = Manners::new(Limits {
            burst: 9,
            ..Limits::per_second(1)
        });
        let a = url("http://a.test/");
        for (delay, expected) in [(3 * SECOND, 6 * SECOND), (SECOND / 2, Duration::ZERO)] {
            manners.set_crawl_delay(&a, Some(delay));
            let start = now();
            for _ in 0..3 {
                drop(manners.wait(&a).await.unwrap());
            }
            assert_eq!(now() - start, expected);
            tokio::time::advance(60 * SECOND).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn forgotten_hosts_cost_nothing() {
        let manners = Manners::new(Limits::per_second(1));
        for at in 0..=MANY_HOSTS {
            tokio::time::advance(SECOND).await;
            drop(
                manners
                    .wait(&url(&format!("http://h{at}.test/")))
                    .await
                    .unwrap(),
            );
        }
        assert!(manners.shared.hosts.lock().unwrap().len() < 10);
    }
}
