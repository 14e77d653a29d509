//! Changes: stamps, removals.

use std::collections::HashMap;

use crate::Timestamp;
use crate::jar::Jar;
use crate::record::{Draft, Record};

/// A state of a jar's content.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Revision(pub(crate) u64);

/// When a change was made and by whom.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Stamp {
    pub(crate) clock: u64,
    pub(crate) writer: u32,
}

impl Stamp {
    pub(crate) fn after(last: u64, now: Timestamp, writer: u32) -> Self {
        let millis = u64::try_from(now.as_millis())
            .unwrap_or(0)
            .min(u64::MAX >> 17);
        Self {
            clock: (millis << 16).max(last.saturating_add(1)),
            writer,
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Graves(Option<Box<HashMap<Box<[u8]>, Grave>>>);

#[derive(Clone, Copy)]
pub(crate) struct Grave {
    pub(crate) stamp: Stamp,
    pub(crate) revision: u64,
}

impl Graves {
    pub(crate) fn open(&mut self, _domain: &str, _record: &Record) {}
    pub(crate) fn bury(
        &mut self,
        _domain: &str,
        _record: &Record,
        stamp: Stamp,
        revision: u64,
        _limit: usize,
    ) {
        let _ = Grave { stamp, revision };
    }
}

impl Jar {
    pub(crate) fn bury(&mut self, _domain: &str, _draft: &Draft<'_>, _stamp: Stamp) {}
}
