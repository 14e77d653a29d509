//! What was asked of the site: a bounded log and a count for each path.
//!
//! Paths only: a query may hold a secret, so it is never written down.

use std::collections::{BTreeMap, VecDeque};

// Both bounds are far beyond any demo or test; they only keep a site that
// somebody left running from growing without end.
const MOST_LINES: usize = 50_000;
const MOST_PATHS: usize = 10_000;

/// One request and how it was answered. It never holds a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LogLine {
    /// The method, such as `POST`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// Whose session or token it was, or who logged in by it.
    pub user: Option<String>,
    /// The range that was asked for, as `bytes=0-99`.
    pub range: Option<String>,
    /// The client's port, which tells connections apart.
    pub port: u16,
}

/// All that was asked so far.
#[derive(Default)]
pub(crate) struct Journal {
    counts: BTreeMap<String, u64>,
    lines: VecDeque<LogLine>,
}

impl Journal {
    /// Counts a request when it comes, so that one under way is seen.
    pub(crate) fn count(&mut self, path: &str) {
        if let Some(count) = self.counts.get_mut(path) {
            *count += 1;
        } else if self.counts.len() < MOST_PATHS {
            self.counts.insert(path.to_owned(), 1);
        }
    }

    /// Writes a request down when it is answered.
    pub(crate) fn write(&mut self, line: LogLine) {
        if self.lines.len() == MOST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    pub(crate) fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.lines.iter().cloned().collect()
    }
}
