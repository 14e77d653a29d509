//! What the journal of a file says: of which state of it, and which parts are there.

use crate::plan::ranges::Ranges;

/// What is there, and of what.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Journal {
    /// `None` where nothing is that could be gone on from.
    pub(super) known: Option<Known>,
    pub(super) ranges: Ranges,
}

/// A state of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Known {
    pub(super) total: u64,
    /// Its `ETag` or `Last-Modified`.
    pub(super) validator: String,
}

impl Journal {
    /// Reads the lines after the first; what the file is too short for isn't there.
    pub(super) fn read(lines: &[String], length: u64) -> Self {
        let mut journal = Self::default();
        for line in lines {
            journal.take(line);
        }
        // Without it nobody can say that the rest is of the same file.
        let is_known = |known: &Known| !known.validator.is_empty();
        if !journal.known.as_ref().is_some_and(is_known) {
            return Self::default();
        }
        journal.ranges.cut(length);
        journal
    }

    fn take(&mut self, line: &str) {
        let mut words = line.splitn(3, ' ');
        let (kind, first, rest) = (words.next(), words.next(), words.next());
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
        match (kind, number(first)) {
            (Some("of"), Some(total)) => {
                let validator = rest.unwrap_or_default().to_owned();
                self.known = Some(Known { total, validator });
            }
            (Some("has"), Some(start)) => {
                if let Some(end) = number(rest) {
                    self.ranges.add(start, end);
                }
            }
            _ => {}
        }
    }

    /// The first part that isn't there.
    pub(super) fn next(&self, most: u64) -> Option<(u64, u64)> {
        let total = self.known.as_ref()?.total;
        self.ranges.missing(&Ranges::default(), total, most)
    }
}

/// A line that says of which state.
pub(super) fn of(known: &Known) -> String {
    format!("of {} {}\n", known.total, known.validator)
}

/// A line that says what is there.
pub(super) fn has(start: u64, end: u64) -> String {
    format!("has {start} {end}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_read_as_it_was_written() {
        let known = Known {
            total: 100,
            validator: "\"a b\"".to_owned(),
        };
        let text = [
            of(&known),
            has(0, 10),
            has(10, 30),
            has(50, 60),
            "has x".to_owned(),
        ]
        .concat();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let journal = Journal::read(&lines, 55);
        assert_eq!(journal.known, Some(known));
        assert_eq!((journal.ranges.prefix(), journal.ranges.total()), (30, 35));
        assert_eq!(journal.next(100), Some((30, 50)));
        let lines = ["of 100 ".to_owned(), "has 0 10".to_owned()];
        assert_eq!(Journal::read(&lines, 55), Journal::default());
    }
}
