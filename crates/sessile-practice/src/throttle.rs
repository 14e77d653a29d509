//! How many wrong passwords in a row a name may have.
//!
//! Names that no account has count as well: a difference would tell which
//! accounts exist.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

const LIMIT: u32 = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// The failures in a row of each name.
#[derive(Default)]
pub(crate) struct Throttle {
    streaks: HashMap<String, Streak>,
}

struct Streak {
    failures: u32,
    until: SystemTime,
}

impl Throttle {
    /// Fails with the time to wait when `name` has had too many attempts.
    pub(crate) fn admit(&self, name: &str, now: SystemTime) -> Result<(), Duration> {
        let Some(streak) = self.streaks.get(name) else {
            return Ok(());
        };
        match streak.until.duration_since(now) {
            Ok(wait) if streak.failures >= LIMIT && !wait.is_zero() => Err(wait),
            _ => Ok(()),
        }
    }

    pub(crate) fn failed(&mut self, name: &str, now: SystemTime) {
        self.streaks.retain(|_, streak| now < streak.until);
        let until = now + WINDOW;
        let streak = self.streaks.entry(name.to_owned());
        let streak = streak.or_insert(Streak { failures: 0, until });
        streak.failures += 1;
        streak.until = until;
    }

    pub(crate) fn succeeded(&mut self, name: &str) {
        self.streaks.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn the_sixth_attempt_waits_and_the_wait_ends() {
        let throttle = after_failures(5);
        assert_eq!(throttle.admit("ada", START), Err(WINDOW));
        assert_eq!(throttle.admit("grace", START), Ok(()));
        assert_eq!(throttle.admit("ada", START + WINDOW), Ok(()));
    }

    #[test]
    fn four_failures_are_forgiven() {
        let mut throttle = after_failures(4);
        assert_eq!(throttle.admit("ada", START), Ok(()));
        throttle.succeeded("ada");
        throttle.failed("ada", START);
        assert_eq!(throttle.admit("ada", START), Ok(()));
    }

    #[test]
    fn a_streak_is_forgotten_after_its_window() {
        let mut throttle = after_failures(5);
        throttle.failed("ada", START + WINDOW);
        assert_eq!(throttle.admit("ada", START + WINDOW), Ok(()));
    }

    fn after_failures(count: u32) -> Throttle {
        let mut throttle = Throttle::default();
        for _ in 0..count {
            throttle.failed("ada", START);
        }
        throttle
    }
}
