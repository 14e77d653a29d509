//! Points in time, as the jar keeps them.
//!
//! No clock is read here or anywhere in the crate: `now` is an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// ```
/// use sessile_jar::Timestamp;
///
/// let noon = Timestamp::from_seconds(1_795_262_400);
/// assert_eq!(noon.as_millis(), 1_795_262_400_000);
/// assert!(noon < Timestamp::LATEST);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest time that can be represented.
    pub const EARLIEST: Self = Self(i64::MIN);
    /// The latest time that can be represented.
    pub const LATEST: Self = Self(i64::MAX);

    /// The time so many milliseconds after the epoch, or before it if negative.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The time so many seconds after the epoch, or before it if negative.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This time and so many seconds more, at most [`Timestamp::LATEST`].
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// This time and the duration, at most [`Timestamp::LATEST`].
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self::default().plus(after),
            Err(before) => {
                let millis = i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX);
                Self(-millis)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_times_convert_on_both_sides_of_the_epoch() {
        let second = Duration::from_millis(1500);
        assert_eq!(
            Timestamp::from(UNIX_EPOCH + second),
            Timestamp::from_millis(1500)
        );
        assert_eq!(
            Timestamp::from(UNIX_EPOCH - second),
            Timestamp::from_millis(-1500)
        );
    }

    #[test]
    fn sums_saturate() {
        assert_eq!(
            Timestamp::default().plus_seconds(i64::MAX),
            Timestamp::LATEST
        );
        assert_eq!(Timestamp::default().plus(Duration::MAX), Timestamp::LATEST);
    }
}
