//! Time that never goes back, from a clock that may; and chance from a seed.

use std::time::Duration;

use sessile_jar::Timestamp;

/// Callers ask the clock before they have their turn, and may overtake each other: a time that is
/// earlier by less milliseconds than this is late, and no clock that was put back.
const OVERTAKEN: i64 = 1000;

/// Where the clock was put back, its later times are moved on by as much.
#[derive(Debug)]
pub(super) struct Steady {
    seen: Timestamp,
    ahead: i64,
}

impl Default for Steady {
    fn default() -> Self {
        Self {
            seen: Timestamp::EARLIEST,
            ahead: 0,
        }
    }
}

impl Steady {
    /// The clock shows this now; the answer is never earlier than the one before.
    pub(super) fn see(&mut self, now: Timestamp) -> Timestamp {
        if now < self.seen {
            let back = self.seen.as_millis().saturating_sub(now.as_millis());
            if back < OVERTAKEN {
                return self.last();
            }
            self.ahead = self.ahead.saturating_add(back);
        }
        self.seen = now;
        self.within(now)
    }

    /// When it was last asked.
    pub(super) fn last(&self) -> Timestamp {
        self.within(self.seen)
    }

    /// A time by the clock, as it is counted here.
    pub(super) fn within(&self, time: Timestamp) -> Timestamp {
        Timestamp::from_millis(time.as_millis().saturating_add(self.ahead))
    }

    /// A time that is counted here, by the clock.
    pub(super) fn outside(&self, time: Timestamp) -> Timestamp {
        Timestamp::from_millis(time.as_millis().saturating_sub(self.ahead))
    }
}

/// Numbers from a seed (splitmix64).
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below a limit that isn't 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        let wide = u128::from(self.number()) * limit as u128;
        usize::try_from(wide >> 64).expect("below the limit")
    }

    /// The span or up to a tenth less.
    pub(super) fn about(&mut self, span: Duration) -> Duration {
        let tenth = span / 10;
        let part = self.below(1025);
        span - tenth / 1024 * u32::try_from(part).expect("at most 1024")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_put_back_goes_on_from_where_it_was() {
        let at = Timestamp::from_seconds;
        let mut steady = Steady::default();
        for (shown, counted) in [(100, 100), (110, 110), (50, 110), (60, 120), (20, 120)] {
            assert_eq!(steady.see(at(shown)), at(counted));
            assert_eq!(steady.outside(at(counted)), at(shown));
            assert_eq!(steady.within(at(shown)), at(counted));
        }
    }

    #[test]
    fn callers_that_overtake_each_other_put_no_clock_back() {
        let mut steady = Steady::default();
        for milli in 0..10_000 {
            let (late, early) = (
                Timestamp::from_millis(milli),
                Timestamp::from_millis(milli + 1),
            );
            assert_eq!(steady.see(early), early);
            assert_eq!(steady.see(late), early);
            assert_eq!(steady.outside(early), early);
        }
    }

    #[test]
    fn a_span_varies_by_a_tenth() {
        let mut chance = Chance::new(7);
        for _ in 0..1000 {
            let span = chance.about(Duration::from_secs(100));
            assert!((90..=100).contains(&span.as_secs()), "{span:?}");
            assert!(chance.below(3) < 3);
        }
        assert_eq!(chance.about(Duration::ZERO), Duration::ZERO);
        chance.about(Duration::MAX);
    }
}
