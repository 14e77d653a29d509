//! What goes wrong with media, and with which request.

use serde::Deserialize;

/// What is to go wrong, and where. By default once, at the next request.
///
/// Requests that the door turns away don't count.
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    /// Part of the path of the requests meant.
    on: String,
    #[serde(flatten)]
    kind: MediaFault,
    /// How many such requests go well before.
    #[serde(default)]
    skip: u64,
    /// After those, each of them that is the how-manieth.
    #[serde(default = "one")]
    every: u64,
    /// How often at most.
    #[serde(default = "one")]
    times: u64,
}

/// What can go wrong with a request for media.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum MediaFault {
    /// There is another edition of the clip from now on.
    Change,
    /// The connection is cut after so many bytes of the body.
    Cut {
        /// How many bytes arrive.
        after: usize,
    },
    /// What the visitor holds has ended: login, pass or link. The request is answered as that of
    /// a stranger.
    End,
    /// An answer with this status.
    Fail {
        /// The status.
        status: u16,
    },
    /// A live playlist is seen so many segments ahead, or behind.
    Jump {
        /// How many segments.
        by: i64,
    },
    /// The length that is told is more than there is.
    LongLength,
    /// The body has its first half alone, and a length that agrees.
    Short,
    /// After so many bytes nothing comes any more.
    Stall {
        /// How many bytes arrive.
        after: usize,
    },
    /// A range is asked for, and the whole is answered.
    WholeForRange,
    /// A range is asked for, and another one is answered.
    WrongRange,
}

pub(crate) use MediaFault as Trouble;

/// All that is to go wrong, with what has been seen so far.
#[derive(Default)]
pub(super) struct Desk(Vec<(Fault, Count)>);

#[derive(Default)]
struct Count {
    done: u64,
    seen: u64,
}

impl Fault {
    /// Once, at the next request whose path has `on` in it.
    #[must_use]
    pub fn new(on: &str, kind: MediaFault) -> Self {
        Self {
            on: on.to_owned(),
            kind,
            skip: 0,
            every: 1,
            times: 1,
        }
    }

    /// The same after `count` such requests that go well.
    #[must_use]
    pub fn after(self, count: u64) -> Self {
        Self {
            skip: count,
            ..self
        }
    }

    /// The same at each `count`th such request.
    #[must_use]
    pub fn every(self, count: u64) -> Self {
        Self {
            every: count.max(1),
            ..self
        }
    }

    /// The same up to `count` times.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self {
            times: count,
            ..self
        }
    }
}

impl Desk {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push((fault, Count::default()));
    }

    /// What goes wrong with this request.
    pub(super) fn next(&mut self, path: &str) -> Vec<MediaFault> {
        let concerned = self
            .0
            .iter_mut()
            .filter(|(fault, _)| path.contains(&fault.on));
        let due = concerned.filter_map(|(fault, count)| {
            count.seen += 1;
            let turn = count.seen.saturating_sub(fault.skip);
            let is_due = turn > 0 && turn % fault.every.max(1) == 0 && count.done < fault.times;
            count.done += u64::from(is_due);
            is_due.then_some(fault.kind)
        });
        due.collect()
    }
}

fn one() -> u64 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_comes_when_it_is_due() {
        let fault = || Fault::new("/vod/", MediaFault::End);
        check(&fault(), "x.....");
        check(&fault().after(2), "..x...");
        check(&fault().every(2).times(2), ".x.x..");
        check(&fault().after(1).every(2).times(9), "..x.x.");
        check(&fault().times(9), "xxxxxx");
        check(&Fault::new("/live/", MediaFault::End), "......");
    }

    #[test]
    fn a_fault_is_read_as_it_is_sent() {
        let json = r#"{"on": "/vod/", "kind": "cut", "after": 9, "times": 2}"#;
        let fault: Fault = serde_json::from_str(json).unwrap();
        assert_eq!(fault.kind, MediaFault::Cut { after: 9 });
        assert_eq!((fault.skip, fault.every, fault.times), (0, 1, 2));
    }

    #[track_caller]
    fn check(fault: &Fault, expected: &str) {
        let mut desk = Desk::default();
        desk.add(fault.clone());
        let seen: String = (0..expected.len())
            .map(|_| match desk.next("/media/open/vod/1.ts").is_empty() {
                true => '.',
                false => 'x',
            })
            .collect();
        assert_eq!(seen, expected, "{fault:?}");
    }
}
