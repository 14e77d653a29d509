//! A table of cases that is gone through to its end, whatever fails on the way.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The rows that failed so far; reports them all when it is done with.
pub(crate) struct Table {
    failed: Vec<String>,
    rows: usize,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            failed: Vec::new(),
            rows: 0,
        }
    }

    /// The rows written in a text, one a line, their cells parted by bars; other lines are headings.
    pub(crate) fn rows<const CELLS: usize>(text: &str) -> Vec<[&str; CELLS]> {
        let lines = text.lines().filter(|line| line.contains('|'));
        let cells = lines.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        cells.map(|cells| cells.try_into().unwrap()).collect()
    }

    /// Carries out one row; a panic in it is its failure, printed as it happens.
    pub(crate) fn row(&mut self, name: &str, check: impl FnOnce()) {
        self.rows += 1;
        if catch_unwind(AssertUnwindSafe(check)).is_err() {
            self.failed.push(name.to_owned());
        }
    }

    /// Fails if a row did.
    #[track_caller]
    pub(crate) fn done(self) {
        assert!(
            self.failed.is_empty(),
            "{} of {} rows failed: {}",
            self.failed.len(),
            self.rows,
            self.failed.join("; ")
        );
    }
}
