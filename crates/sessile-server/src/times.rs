//! How times are written in answers.

use std::time::Duration;

use sessile_jar::Timestamp;

/// A time as RFC 3339 has it, in UTC, to the millisecond; the years that it can't write are its ends.
pub(crate) fn text(at: Timestamp) -> String {
    let millis = at.as_millis().clamp(EARLIEST, LATEST);
    jiff::Timestamp::from_millisecond(millis)
        .map_or_else(|_out_of_range| String::new(), |at| at.to_string())
}

/// From one time to a later one; nothing where the clock was set back in between.
pub(crate) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    let millis = later.as_millis().saturating_sub(earlier.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// An age in minutes, to a tenth.
pub(crate) fn minutes(age: Duration) -> f64 {
    (age.as_secs_f64() / 6.0).round() / 10.0
}

/// The years 0 and 9999.
const EARLIEST: i64 = -62_167_219_200_000;
const LATEST: i64 = 253_402_207_200_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_programs() {
        assert_eq!(
            text(Timestamp::from_millis(1_500)),
            "1970-01-01T00:00:01.5Z"
        );
        assert!(text(Timestamp::LATEST).starts_with("9999-12-"));
        assert!(text(Timestamp::EARLIEST).starts_with("0000-01-01"));
        assert_eq!(minutes(Duration::from_secs(95)), 1.6);
        let (one, two) = (Timestamp::from_seconds(1), Timestamp::from_seconds(2));
        assert_eq!(between(one, two), Duration::from_secs(1));
        assert_eq!(between(two, one), Duration::ZERO);
    }
}
