//! Which targets are done, in little memory: ten million take some 220 MB.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use blake2::digest::consts::U11;
use blake2::{Blake2b, Digest as _};

/// What stands for a target: 88 bits of its hash. That two of ten million have the same is less
/// likely than one in a million million.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Mark([u8; 11]);

impl Mark {
    fn of(target: &str) -> Self {
        Self(Blake2b::<U11>::digest(target.as_bytes()).into())
    }
}

/// The targets that have a line, and those that were read.
#[derive(Debug, Default)]
pub(super) struct Done(HashMap<Mark, Seen>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    /// In the output, from an earlier run.
    Before,
    /// In the list of targets, in this run.
    Here,
    /// In both.
    Twice,
}

/// What a target is to this run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    Before,
    Duplicate,
    Open,
}

impl Done {
    /// Notes a line of the output; answers whether it is the first one of its target.
    pub(super) fn note(&mut self, target: &str) -> bool {
        self.0.insert(Mark::of(target), Seen::Before).is_none()
    }

    /// Asks for a target of the list, and remembers that it was there.
    pub(super) fn ask(&mut self, target: &str) -> Standing {
        match self.0.entry(Mark::of(target)) {
            Entry::Vacant(place) => {
                place.insert(Seen::Here);
                Standing::Open
            }
            Entry::Occupied(mut place) => match place.get() {
                Seen::Before => {
                    place.insert(Seen::Twice);
                    Standing::Before
                }
                Seen::Here | Seen::Twice => Standing::Duplicate,
            },
        }
    }

    /// How many lines of the output are for targets that the list didn't have.
    pub(super) fn strangers(&self) -> u64 {
        let strangers = self.0.values().filter(|seen| **seen == Seen::Before);
        strangers.count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_is_open_once() {
        let mut done = Done::default();
        assert!(done.note("old") && done.note("gone") && !done.note("old"));
        let asked = ["old", "a", "a", "old", "b"].map(|target| done.ask(target));
        let expected = [
            Standing::Before,
            Standing::Open,
            Standing::Duplicate,
            Standing::Duplicate,
            Standing::Open,
        ];
        assert_eq!(asked, expected);
        assert_eq!(done.strangers(), 1);
        assert_eq!(size_of::<(Mark, Seen)>(), 12);
    }
}
