//! Whatever is read as a date is read as the same date when it is written out in full.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sessile_jar::{Timestamp, parse_date};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

fuzz_target!(|text: &[u8]| {
    if let Some(date) = parse_date(text) {
        let written = written(date);
        assert_eq!(parse_date(written.as_bytes()), Some(date), "{written}");
    }
});

fn written(date: Timestamp) -> String {
    let (days, second) = (
        date.as_seconds().div_euclid(86_400),
        date.as_seconds().rem_euclid(86_400),
    );
    // Count through the years and months: slow, and nothing like the way it is read.
    let (mut year, mut left) = (1601, days + 134_774);
    while left >= days_of(year) {
        left -= days_of(year);
        year += 1;
    }
    let february = days_of(year) - 337;
    let mut month = 0;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT",
        left + 1,
        MONTHS[month]
    )
}

fn days_of(year: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if is_leap { 366 } else { 365 }
}
