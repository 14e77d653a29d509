//! When requests to one host may go, and how many are running: pure rules over moments.
//!
//! A moment is the time since an origin that everybody who keeps the same standing shares.

use std::time::Duration;

/// A site that asks for more between two requests is not crawled by anybody.
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// How long a request counts as running after its turn was last heard of.
pub(crate) const TERM: Duration = Duration::from_secs(60);

/// What is known of one host.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Standing {
    /// When the next request would go if all came evenly (the generic cell rate algorithm).
    pub(crate) even: Option<Duration>,
    pub(crate) paused_until: Option<Duration>,
    /// The requests that run: a number that nobody else has, and until when each counts.
    pub(crate) running: Vec<(u64, Duration)>,
    /// The last moment that was seen, to notice a clock that was put back.
    pub(crate) seen: Duration,
}

/// The limits that a request keeps to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) interval: Duration,
    pub(super) burst: u32,
    pub(super) at_once: Option<usize>,
    pub(super) longest_pause: Duration,
}

/// What a request that wants to go is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Grant {
    /// As many are running as may.
    Full,
    /// Go after this long.
    Go(Duration),
    /// The host wants to be left alone for longer than is granted.
    HoldOff(Duration),
}

impl Standing {
    /// Asks for the turn of the request with this number.
    pub(super) fn ask(&mut self, ticket: u64, pace: Pace, now: Duration) -> Grant {
        let pause = self.pause_left(now);
        if pause > pace.longest_pause {
            self.give_back(ticket);
            return Grant::HoldOff(pause);
        }
        self.running.retain(|(_, until)| *until > now);
        let others = self.running.iter().filter(|(other, _)| *other != ticket);
        if pace.at_once.is_some_and(|limit| others.count() >= limit) {
            return Grant::Full;
        }
        let at = self.reserve(pace.interval, pace.burst, now);
        if pace.at_once.is_some() {
            self.give_back(ticket);
            self.running.push((ticket, at.saturating_add(TERM)));
        }
        Grant::Go(at - now)
    }

    /// The moment at which one more request may go; it is taken.
    pub(super) fn reserve(&mut self, interval: Duration, burst: u32, now: Duration) -> Duration {
        let interval = interval.min(LONGEST_INTERVAL);
        let start = self.paused_until.map_or(now, |until| until.max(now));
        let even = self.even.map_or(start, |even| even.max(start));
        let ahead = interval.saturating_mul(burst.saturating_sub(1));
        self.even = Some(even.saturating_add(interval));
        even.saturating_sub(ahead).max(start)
    }

    pub(super) fn pause_until(&mut self, until: Duration) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    pub(crate) fn pause_left(&self, now: Duration) -> Duration {
        self.paused_until.unwrap_or_default().saturating_sub(now)
    }

    /// The request runs on.
    pub(super) fn extend(&mut self, ticket: u64, now: Duration) {
        let own = self.running.iter_mut().find(|(own, _)| *own == ticket);
        if let Some((_, until)) = own {
            *until = now.saturating_add(TERM);
        }
    }

    pub(super) fn give_back(&mut self, ticket: u64) {
        self.running.retain(|(own, _)| *own != ticket);
    }

    /// Whether there is anything to remember.
    pub(crate) fn is_ahead_of(&self, now: Duration) -> bool {
        let is_running = self.running.iter().any(|(_, until)| *until > now);
        is_running || self.even.max(self.paused_until).is_some_and(|at| at > now)
    }

    /// Takes notice of the time. Where the clock was put back, what lies ahead moves back with it.
    pub(crate) fn see(&mut self, now: Duration) {
        let back = self.seen.saturating_sub(now);
        if !back.is_zero() {
            let moments = [&mut self.even, &mut self.paused_until];
            let moments = moments.into_iter().flatten();
            let terms = self.running.iter_mut().map(|(_, until)| until);
            for moment in moments.chain(terms) {
                *moment = moment.saturating_sub(back);
            }
        }
        self.seen = now;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const START: Duration = Duration::from_secs(1_000_000);

    /// The milliseconds at which requests that all come at once may go.
    fn times(limits: Limits, count: usize) -> Vec<u128> {
        let mut standing = Standing::default();
        let at = |_| standing.reserve(limits.interval, limits.burst, START);
        (0..count)
            .map(at)
            .map(|at| (at - START).as_millis())
            .collect()
    }

    #[test]
    fn requests_are_spread() {
        assert_eq!(times(Limits::default(), 3), [0, 0, 0]);
        assert_eq!(times(Limits::per_second(0), 3), [0, 0, 0]);
        assert_eq!(times(Limits::per_second(4), 4), [0, 250, 500, 750]);
        let burst = |burst, interval| Limits {
            burst,
            interval,
            ..Limits::default()
        };
        assert_eq!(times(burst(3, SECOND), 5), [0, 0, 0, 1000, 2000]);
        assert_eq!(times(burst(0, SECOND), 2), [0, 1000]);
        assert_eq!(times(burst(1, Duration::MAX), 2), [0, 86_400_000]);
    }

    #[test]
    fn a_pause_moves_everything_behind_it() {
        let mut standing = Standing::default();
        standing.reserve(SECOND, 1, START);
        standing.pause_until(START + 10 * SECOND);
        standing.pause_until(START + 5 * SECOND);
        assert_eq!(standing.pause_left(START), 10 * SECOND);
        assert_eq!(standing.reserve(SECOND, 1, START), START + 10 * SECOND);
        assert_eq!(standing.reserve(SECOND, 1, START), START + 11 * SECOND);
        assert!(standing.is_ahead_of(START) && !standing.is_ahead_of(START + 12 * SECOND));
    }

    #[test]
    fn so_many_run_at_once() {
        let pace = Pace {
            interval: Duration::ZERO,
            burst: 1,
            at_once: Some(2),
            longest_pause: 60 * SECOND,
        };
        let mut standing = Standing::default();
        let mut check = |ticket, now, expected| {
            assert_eq!(standing.ask(ticket, pace, now), expected, "{ticket}");
            standing.clone()
        };
        check(1, START, Grant::Go(Duration::ZERO));
        check(2, START, Grant::Go(Duration::ZERO));
        check(3, START, Grant::Full);
        // Who has a turn may ask again, and who isn't heard of has none.
        check(2, START + SECOND, Grant::Go(Duration::ZERO));
        check(3, START + TERM, Grant::Go(Duration::ZERO));
        let mut standing = check(4, START + TERM, Grant::Full);
        standing.extend(2, START + TERM);
        standing.give_back(3);
        assert_eq!(standing.running, [(2, START + TERM + TERM)]);
        standing.pause_until(START + TERM + 61 * SECOND);
        let told = standing.ask(2, pace, START + TERM);
        assert_eq!(told, Grant::HoldOff(61 * SECOND));
        assert_eq!(standing.running, []);
    }

    #[test]
    fn a_clock_that_is_put_back_keeps_nobody_waiting() {
        let mut standing = Standing::default();
        standing.see(START);
        standing.reserve(SECOND, 1, START);
        standing.running.push((1, START + TERM));
        let earlier = START - 3600 * SECOND;
        standing.see(earlier);
        assert_eq!(standing.even, Some(earlier + SECOND));
        assert_eq!(standing.running, [(1, earlier + TERM)]);
        assert_eq!(standing.seen, earlier);
    }
}
