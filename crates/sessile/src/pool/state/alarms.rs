//! Who wants to be looked at when, tidied up only as it is read.
//!
//! Each key has at most one alarm that counts: the one at the moment that its owner remembers. What
//! else is in here is passed over when its turn comes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sessile_jar::Timestamp;

use super::ids::Key;

/// Alarms by time.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    heap: BinaryHeap<Reverse<(Timestamp, Key)>>,
}

impl Alarms {
    pub(super) fn set(&mut self, key: Key, at: Timestamp) {
        self.heap.push(Reverse((at, key)));
    }

    /// The earliest, which need not count.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// The earliest that counts.
    pub(super) fn next(&mut self, counts: impl Fn(Key, Timestamp) -> bool) -> Option<Timestamp> {
        while let Some(Reverse((at, key))) = self.heap.peek() {
            if counts(*key, *at) {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes one that has come.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<(Key, Timestamp)> {
        if self.first()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((at, key))| (key, at))
    }

    /// Keeps what doesn't count from piling up, where so many owners have an alarm.
    pub(super) fn tidy(&mut self, owners: usize, counts: impl Fn(Key, Timestamp) -> bool) {
        if self.heap.len() > 1024 + 2 * owners {
            self.heap.retain(|Reverse((at, key))| counts(*key, *at));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}
