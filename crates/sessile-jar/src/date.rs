//! The cookie-date algorithm (RFC 6265bis, section 5.1.1).
//!
//! It reads anything that has a time, a day, a month and a year in it, in any
//! order, as servers have written them since the nineties. Zones are ignored.

use crate::Timestamp;

/// Reads a cookie date, as `Expires` has it; `None` if the algorithm fails.
///
/// ```
/// use sessile_jar::{Timestamp, parse_date};
///
/// let date = parse_date(b"Mon, 10-Dec-2007 17:02:24 GMT");
/// assert_eq!(date, Some(Timestamp::from_seconds(1_197_306_144)));
/// assert_eq!(parse_date(b"tomorrow"), None);
/// ```
pub fn parse_date(text: &[u8]) -> Option<Timestamp> {
    let mut found = Found::default();
    // Step 1: divide the text into tokens; step 2: take them in order.
    for token in text.split(|byte| is_delimiter(*byte)) {
        if !token.is_empty() {
            found.take(token);
        }
    }
    found.into_timestamp()
}

/// What the tokens have told so far; each part is set by the first token that fits.
#[derive(Default)]
struct Found {
    time: Option<Time>,
    day: Option<u32>,
    month: Option<u32>,
    year: Option<u32>,
}

#[derive(Clone, Copy)]
struct Time {
    hour: u32,
    minute: u32,
    second: u32,
}

impl Found {
    fn take(&mut self, token: &[u8]) {
        // Step 2.1: the time.
        if self.time.is_none() {
            self.time = time(token);
            if self.time.is_some() {
                return;
            }
        }
        // Step 2.2: the day of the month.
        if self.day.is_none() {
            self.day = number(token, 1, 2);
            if self.day.is_some() {
                return;
            }
        }
        // Step 2.3: the month.
        if self.month.is_none() {
            self.month = month(token);
            if self.month.is_some() {
                return;
            }
        }
        // Step 2.4: the year.
        if self.year.is_none() {
            self.year = number(token, 2, 4);
        }
    }

    fn into_timestamp(self) -> Option<Timestamp> {
        // Step 5, first part: everything has to be there.
        let (time, day, month) = (self.time?, self.day?, self.month?);
        let year = match self.year? {
            // Step 3: 70 to 99 lie in the last century.
            year @ 70..=99 => year + 1900,
            // Step 4: 0 to 69 lie in this one.
            year @ 0..=69 => year + 2000,
            year => year,
        };
        // Step 5: the ranges.
        if !(1..=31).contains(&day) || year < 1601 {
            return None;
        }
        if time.hour > 23 || time.minute > 59 || time.second > 59 {
            return None;
        }
        // Step 6: the date has to exist.
        if day > days_in(month, year) {
            return None;
        }
        // Step 7.
        let days = days_since_epoch(year, month, day);
        let seconds = time.hour * 3600 + time.minute * 60 + time.second;
        Some(Timestamp::from_seconds(days * 86_400 + i64::from(seconds)))
    }
}

/// `delimiter`: note that `:` is none.
fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2F | 0x3B..=0x40 | 0x5B..=0x60 | 0x7B..=0x7E)
}

/// `time`: three numbers of one or two digits, then no digit.
fn time(token: &[u8]) -> Option<Time> {
    let mut fields = token.splitn(3, |byte| *byte == b':');
    let hour = field(fields.next()?)?;
    let minute = field(fields.next()?)?;
    let second = number(fields.next()?, 1, 2)?;
    Some(Time {
        hour,
        minute,
        second,
    })
}

/// `time-field`: one or two digits and nothing else.
fn field(text: &[u8]) -> Option<u32> {
    if text.iter().all(u8::is_ascii_digit) {
        number(text, 1, 2)
    } else {
        None
    }
}

/// So many digits at the start, then no digit; what follows does not matter.
fn number(token: &[u8], least: usize, most: usize) -> Option<u32> {
    let digits = token.iter().take_while(|byte| byte.is_ascii_digit());
    let (count, value) = digits.take(most + 1).fold((0, 0), |(count, value), byte| {
        (count + 1, value * 10 + u32::from(byte - b'0'))
    });
    (least..=most).contains(&count).then_some(value)
}

/// `month`: the first three letters, 1 for January.
fn month(token: &[u8]) -> Option<u32> {
    const MONTHS: [&[u8; 3]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let start = token.get(..3)?;
    (1..)
        .zip(MONTHS)
        .find(|(_, name)| start.eq_ignore_ascii_case(*name))
        .map(|(month, _)| month)
}

fn days_in(month: u32, year: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days_since_epoch(year: u32, month: u32, day: u32) -> i64 {
    // Years that begin in March put the leap day at their end.
    let (year, month) = if month > 2 {
        (i64::from(year), i64::from(month) - 3)
    } else {
        (i64::from(year) - 1, i64::from(month) + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    365 * year + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_may_come_in_any_order() {
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("00:00:01 1970 Jan 02", Some(86_401));
        check("Thu Jan  1 00:00:00 1970", Some(0));
        check("1-Jan-70 0:0:0", Some(0));
    }

    #[test]
    fn two_digit_years_lie_between_1970_and_2069() {
        check("01 Jan 70 00:00:00", Some(0));
        check("01 Jan 99 00:00:00", Some(915_148_800));
        check("01 Jan 00 00:00:00", Some(946_684_800));
        check("01 Jan 69 00:00:00", Some(3_124_224_000));
    }

    #[test]
    fn dates_that_do_not_exist_fail() {
        check("30 Feb 2020 00:00:00", None);
        check("29 Feb 2019 00:00:00", None);
        check("29 Feb 2000 00:00:00", Some(951_782_400));
        check("29 Feb 1900 00:00:00", None);
        check("31 Apr 2020 00:00:00", None);
        check("01 Jan 1600 00:00:00", None);
        check("01 Jan 1601 00:00:00", Some(-11_644_473_600));
        check("01 Jan 2020 24:00:00", None);
        check("01 Jan 2020 23:60:00", None);
        check("01 Jan 2020 23:59:60", None);
    }

    #[test]
    fn numbers_have_their_widths() {
        check("012 Jan 2020 00:00:00", None);
        check("01 Jan 31841 00:00:00", None);
        check("01 Jan 2020 000:00:00", None);
        check("01xx Januaryish 2020yy 00:00:00zz", Some(1_577_836_800));
        check("1 Jan 2020 00:00:001", None);
    }

    #[test]
    fn something_missing_fails() {
        check("", None);
        check("Jan 2020 00:00:00", None);
        check("01 2020 00:00:00", None);
        check("01 Jan 00:00:00", None);
        check("01 Jan 2020", None);
    }

    #[track_caller]
    fn check(text: &str, seconds: Option<i64>) {
        let expected = seconds.map(Timestamp::from_seconds);
        assert_eq!(parse_date(text.as_bytes()), expected, "{text}");
    }
}
