//! Manners towards a host: how often, how many at once, and how long it wants to be left alone.
//!
//! The decision is pure (`Timeline`); [`Manners::wait`] keeps to it by the runtime's clock. What
//! `robots.txt` says is asked in `permission`.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};
use url::{Position, Url};

use super::permission::Known;
use crate::error::Error;
use crate::transport::ByteStream;

/// From so many hosts on, those that nothing is known of any more are forgotten.
const MANY_HOSTS: usize = 4096;

/// A site that asks for more between two requests is not crawled by anybody.
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 3600);

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
}

#[derive(Default)]
struct Shared {
    limits: Limits,
    hosts: Mutex<HashMap<Box<str>, Host>>,
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Default)]
struct Host {
    timeline: Timeline,
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

    /// Waits until a request may go to the URL's host.
    ///
    /// # Errors
    ///
    /// [`Error::HoldOff`] where the host asked for a longer pause than is granted.
    pub(super) async fn wait(&self, url: &Url) -> Result<Turn, Error> {
        // The slot first: a time that was given can't be kept while all slots are taken.
        let slot = match self.slots(url) {
            Some(slots) => slots.acquire_owned().await.ok(),
            None => None,
        };
        loop {
            let at = self.reserve(url, now())?;
            sleep_until(at).await;
            // While this one slept, the host may have asked for a pause.
            if self.pause_left(url, now()).is_zero() {
                return Ok(Turn(slot));
            }
        }
    }

    /// Takes notice of a pause that a host asks for.
    pub(super) fn pause(&self, url: &Url, pause: Duration) {
        if let Some(until) = now().checked_add(pause) {
            self.with_host(url, |host| host.timeline.pause_until(until));
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

    fn reserve(&self, url: &Url, now: Instant) -> Result<Instant, Error> {
        let limits = self.shared.limits;
        self.with_host(url, |host| {
            let pause = host.timeline.pause_left(now);
            if pause > limits.longest_pause {
                return Err(Error::HoldOff {
                    host: key(url).to_owned(),
                    pause,
                });
            }
            let (interval, burst) = match host.crawl_delay {
                Some(delay) if delay >= limits.interval => (delay, 1),
                Some(_) | None => (limits.interval, limits.burst),
            };
            Ok(host.timeline.reserve(interval, burst, now))
        })
    }

    fn pause_left(&self, url: &Url, now: Instant) -> Duration {
        self.with_host(url, |host| host.timeline.pause_left(now))
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
            let now = now();
            hosts.retain(|_, host| host.is_busy(now));
        }
        act(hosts.entry(key(url).into()).or_default())
    }
}

impl Host {
    fn is_busy(&self, now: Instant) -> bool {
        let has_waiting = self
            .slots
            .as_ref()
            .is_some_and(|slots| Arc::strong_count(slots) > 1);
        has_waiting || self.timeline.is_ahead_of(now)
    }
}

/// A server: host, and port where it isn't the usual one.
fn key(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

/// The runtime's clock, which tests can pause.
fn now() -> Instant {
    Instant::now()
}

/// When requests to one host may go.
#[derive(Debug, Default)]
struct Timeline {
    /// When the next request would go if all came evenly (the generic cell rate algorithm).
    even: Option<Instant>,
    paused_until: Option<Instant>,
}

impl Timeline {
    /// The moment at which one more request may go; it is taken.
    fn reserve(&mut self, interval: Duration, burst: u32, now: Instant) -> Instant {
        let interval = interval.min(LONGEST_INTERVAL);
        let start = self.paused_until.map_or(now, |until| until.max(now));
        let even = self.even.map_or(start, |even| even.max(start));
        let ahead = interval.saturating_mul(burst.saturating_sub(1));
        self.even = even.checked_add(interval);
        even.checked_sub(ahead)
            .map_or(start, |earliest| earliest.max(start))
    }

    fn pause_until(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    fn pause_left(&self, now: Instant) -> Duration {
        self.paused_until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    fn is_ahead_of(&self, now: Instant) -> bool {
        self.even
            .max(self.paused_until)
            .is_some_and(|until| until > now)
    }
}

/// The right to have one request running; dropped when its reply has been read.
#[must_use]
#[derive(Debug)]
pub(super) struct Turn(Option<OwnedSemaphorePermit>);

impl Turn {
    /// The body, which holds the turn until its end.
    pub(super) fn hold(self, body: ByteStream) -> ByteStream {
        match self.0 {
            Some(_) => Box::pin(Held {
                body,
                turn: Some(self),
            }),
            None => body,
        }
    }
}

struct Held {
    body: ByteStream,
    turn: Option<Turn>,
}

impl Stream for Held {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = ready!(self.body.as_mut().poll_next(cx));
        if !matches!(piece, Some(Ok(_))) {
            self.turn = None;
        }
        Poll::Ready(piece)
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
    use futures_util::StreamExt;

    const SECOND: Duration = Duration::from_secs(1);

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    /// The milliseconds at which requests that all come at once may go.
    fn times(limits: Limits, count: usize) -> Vec<u128> {
        let start = now();
        let mut timeline = Timeline::default();
        let at = |_| timeline.reserve(limits.interval, limits.burst, start);
        (0..count)
            .map(at)
            .map(|at| (at - start).as_millis())
            .collect()
    }

    #[test]
    fn requests_are_spread() {
        assert_eq!(times(Limits::default(), 3), [0, 0, 0]);
        assert_eq!(times(Limits::per_second(0), 3), [0, 0, 0]);
        assert_eq!(times(Limits::per_second(4), 4), [0, 250, 500, 750]);
        let burst = Limits {
            burst: 3,
            ..Limits::per_second(1)
        };
        assert_eq!(times(burst, 5), [0, 0, 0, 1000, 2000]);
        assert_eq!(
            times(
                Limits {
                    burst: 0,
                    ..Limits::per_second(1)
                },
                2
            ),
            [0, 1000]
        );
        assert_eq!(
            times(
                Limits {
                    interval: Duration::MAX,
                    ..Limits::default()
                },
                2
            ),
            [0, 86_400_000]
        );
    }

    #[test]
    fn a_pause_moves_everything_behind_it() {
        let start = now();
        let mut timeline = Timeline::default();
        timeline.reserve(SECOND, 1, start);
        timeline.pause_until(start + 10 * SECOND);
        timeline.pause_until(start + 5 * SECOND);
        assert_eq!(timeline.pause_left(start), 10 * SECOND);
        assert_eq!(timeline.reserve(SECOND, 1, start), start + 10 * SECOND);
        assert_eq!(timeline.reserve(SECOND, 1, start), start + 11 * SECOND);
        assert!(timeline.is_ahead_of(start) && !timeline.is_ahead_of(start + 12 * SECOND));
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
        let (turn, ()) = tokio::join!(manners.wait(&a), async { manners.pause(&a, 7 * SECOND) });
        drop(turn.unwrap());
        assert_eq!(now() - start, 7 * SECOND);
        manners.pause(&a, 3600 * SECOND);
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
        let mut body = turn.hold(Box::pin(pieces));
        assert!(body.next().await.is_some());
        let too_early = tokio::time::timeout(SECOND, manners.wait(&a)).await;
        assert!(too_early.is_err());
        assert!(body.next().await.is_none());
        drop(manners.wait(&a).await.unwrap());
        drop(body);
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
