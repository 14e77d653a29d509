//! One row of segments, made of playlists that come one after the other.
//!
//! A playlist is laid where its segments were seen before: by their media sequence numbers, or by
//! their names where the server has numbered them anew. A position in the row belongs to one segment
//! for good, so that none is recorded twice, and one that is skipped is known to be missing.

use std::collections::{BTreeMap, HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::playlist::{MediaPlaylist, Place, Segment};

/// How many segments behind the newest are remembered.
const REMEMBERED: usize = 4_096;

/// How often in a row a playlist must lie behind everything that was seen before it counts as one
/// that began anew. A cache that is behind shows an old one once in a while.
const BEHIND: u32 = 2;

/// The row of segments that were listed so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    /// What is known of each position.
    seen: BTreeMap<u64, Name>,
    /// Add it to a sequence number for the position.
    offset: i64,
    /// The position after the last.
    next: u64,
    /// The first sequence number of the playlist before.
    first: u64,
    behind: u32,
    /// The last sequence number of a playlist that lay wholly behind.
    far_behind: Option<u64>,
    is_begun: bool,
}

/// What stays the same of a segment when its address is signed anew: the last part of its path, and
/// its range.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Name(pub(crate) u64);

impl Name {
    pub(crate) fn of(place: &Place) -> Self {
        let file = place.url.path().rsplit('/').next().unwrap_or_default();
        let mut digest = Sha256::new();
        digest.update(file.as_bytes());
        if let Some(range) = place.range {
            digest.update(b"\n");
            digest.update(range.start.to_be_bytes());
            digest.update(range.length.to_be_bytes());
        }
        let digest = digest.finalize();
        let start = digest.first_chunk().expect("a digest has 32 bytes");
        Self(u64::from_be_bytes(*start))
    }
}

/// What a playlist brought; segments by their index in it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct News {
    /// To be recorded, with their positions.
    pub(crate) fresh: Vec<(u64, usize)>,
    /// Known already, perhaps with another address now.
    pub(crate) known: Vec<(u64, usize)>,
    /// Positions that were never listed and are gone: the first, and how many.
    pub(crate) lost: Option<(u64, u64)>,
    /// Whether the server began anew.
    pub(crate) has_restarted: bool,
}

impl Timeline {
    /// A row of which some was recorded in an earlier run: positions, sequence numbers and names.
    pub(crate) fn resumed(recorded: &[(u64, u64, Name)]) -> Self {
        let Some((position, sequence, _)) = recorded.last().copied() else {
            return Self::default();
        };
        let seen = recorded
            .iter()
            .map(|(position, _, name)| (*position, *name));
        let mut timeline = Self {
            seen: seen.collect(),
            offset: difference(position, sequence),
            next: position + 1,
            first: sequence,
            behind: 0,
            far_behind: None,
            is_begun: true,
        };
        timeline.forget();
        timeline
    }

    /// Whether a playlist was taken in, in this run or an earlier one.
    pub(crate) fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// Takes in a playlist; the first is recorded from its segment `start` on.
    pub(crate) fn take(&mut self, playlist: &MediaPlaylist, start: usize) -> News {
        let segments = &playlist.segments;
        let mut news = News::default();
        let Some(first) = segments.first() else {
            return news;
        };
        let names: Vec<Name> = segments.iter().map(|one| Name::of(&one.place)).collect();
        match self.align(playlist, &names) {
            Alignment::At(offset) => self.offset = offset,
            Alignment::Behind => return news,
            Alignment::Anew => {
                self.offset = difference(self.next, first.sequence);
                news.has_restarted = true;
            }
        }
        self.first = first.sequence;
        if !self.is_begun {
            self.next = segments.get(start).unwrap_or(first).sequence;
        }
        self.is_begun = true;
        for (index, (segment, name)) in segments.iter().zip(names).enumerate() {
            let Some(position) = self.position(segment) else {
                continue;
            };
            if position < self.next {
                news.known.push((position, index));
            } else {
                if position > self.next {
                    news.lost = Some((self.next, position - self.next));
                }
                self.next = position + 1;
                news.fresh.push((position, index));
            }
            self.seen.insert(position, name);
        }
        self.forget();
        news
    }

    fn position(&self, segment: &Segment) -> Option<u64> {
        segment.sequence.checked_add_signed(self.offset)
    }

    fn align(&mut self, playlist: &MediaPlaylist, names: &[Name]) -> Alignment {
        let segments = &playlist.segments;
        let here = Alignment::At(self.offset);
        if !self.is_begun {
            return here;
        }
        let known = |(segment, name): (&Segment, &Name)| {
            let position = self.position(segment)?;
            self.seen.get(&position).map(|seen| seen == name)
        };
        let fits: Vec<Option<bool>> = segments.iter().zip(names).map(known).collect();
        let by_names = match fits.contains(&Some(true)) {
            true => Some(self.offset),
            false => self.by_names(segments, names),
        };
        if let Some(offset) = by_names {
            self.behind = 0;
            return match playlist.is_ended {
                true => Alignment::At(offset),
                false => self.look_behind(segments, offset),
            };
        }
        self.far_behind = None;
        // Names that change with every playlist say nothing; numbers that go on do.
        let is_lower = segments.first().map(|first| first.sequence) < Some(self.first);
        let last = segments.last().and_then(|last| self.position(last));
        let is_behind = is_lower && last < Some(self.next);
        self.behind = if is_behind { self.behind + 1 } else { 0 };
        match self.behind {
            0 => here,
            BEHIND.. => {
                self.behind = 0;
                Alignment::Anew
            }
            _ => Alignment::Behind,
        }
    }

    /// A live playlist whose names were seen, but that lies wholly behind: an old one of some cache,
    /// or, where it moves on there, one of a server that began anew with the same names.
    fn look_behind(&mut self, segments: &[Segment], offset: i64) -> Alignment {
        let last = segments.last().map(|last| last.sequence);
        let position = last.and_then(|last| last.checked_add_signed(offset));
        let length = segments.len() as u64;
        let is_behind = position.is_some_and(|at| at.saturating_add(length) < self.next);
        if !is_behind {
            self.far_behind = None;
            return Alignment::At(offset);
        }
        let before = std::mem::replace(&mut self.far_behind, last);
        match before.is_some_and(|before| last > Some(before)) {
            true => {
                self.far_behind = None;
                Alignment::Anew
            }
            false => Alignment::Behind,
        }
    }

    /// Where most names were seen before. Names that a playlist has twice tell nothing.
    fn by_names(&self, segments: &[Segment], names: &[Name]) -> Option<i64> {
        let distinct: HashSet<Name> = names.iter().copied().collect();
        if distinct.len() < names.len() {
            return None;
        }
        let places: HashMap<Name, u64> = self.seen.iter().map(|(at, name)| (*name, *at)).collect();
        let found = segments.iter().zip(names);
        let found = found.filter_map(|(segment, name)| {
            let position = places.get(name)?;
            Some(difference(*position, segment.sequence))
        });
        let found: Vec<i64> = found.collect();
        let last = *found.last()?;
        // Half of what can overlap: one clip that is shown again and again is no sign.
        let is_sign = found.len() * 2 >= names.len().min(self.seen.len());
        is_sign.then_some(last)
    }

    fn forget(&mut self) {
        while self.seen.len() > REMEMBERED.max(1) {
            self.seen.pop_first();
        }
    }
}

#[derive(Debug)]
enum Alignment {
    /// The server began anew.
    Anew,
    At(i64),
    /// It is older than what was seen.
    Behind,
}

/// Both are far below what overflows: the playlist's reader sees to it.
fn difference(position: u64, sequence: u64) -> i64 {
    position.wrapping_sub(sequence).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_window_slides() {
        let mut row = Timeline::default();
        check(&mut row, 10, &["a", "b", "c"], &[10, 11, 12], None);
        check(&mut row, 11, &["b", "c", "d"], &[13], None);
        check(&mut row, 11, &["b", "c", "d"], &[], None);
        // A cache that is behind.
        check(&mut row, 10, &["a", "b", "c"], &[], None);
        // The window has moved past what was seen.
        check(&mut row, 16, &["g", "h"], &[16, 17], Some((14, 2)));
    }

    #[test]
    fn numbers_that_jump_are_laid_by_names() {
        let mut row = Timeline::default();
        check(&mut row, 10, &["a", "b", "c"], &[10, 11, 12], None);
        check(&mut row, 500, &["b", "c", "d"], &[13], None);
        check(&mut row, 0, &["c", "d", "e"], &[14], None);
        check(&mut row, 1, &["d", "e", "f"], &[15], None);
    }

    #[test]
    fn a_server_that_begins_anew_is_followed() {
        let mut row = Timeline::default();
        check(&mut row, 10, &["a", "b", "c"], &[10, 11, 12], None);
        check(&mut row, 0, &["x"], &[], None);
        let news = row.take(&playlist(0, &["x", "y"]), 0);
        assert!(news.has_restarted);
        assert_eq!(news.fresh, [(13, 0), (14, 1)]);
        check(&mut row, 0, &["x", "y", "z"], &[15], None);
    }

    #[test]
    fn a_server_that_begins_anew_with_the_same_names_is_followed() {
        let mut row = Timeline::default();
        let names: Vec<String> = (0..40).map(|number| format!("{number}.ts")).collect();
        let window = |first: usize| -> Vec<&str> {
            let names = &names[first..first + 3];
            names.iter().map(String::as_str).collect()
        };
        let news = row.take(&playlist(0, &window(0)), 0);
        assert_eq!(news.fresh.len(), 3);
        for first in 1..30 {
            assert_eq!(
                row.take(&playlist(first, &window(first as usize)), 0)
                    .fresh
                    .len(),
                1
            );
        }
        // An old one of a cache, again and again, and back.
        check(&mut row, 2, &window(2), &[], None);
        check(&mut row, 2, &window(2), &[], None);
        check(&mut row, 30, &window(30), &[32], None);
        check(&mut row, 0, &window(0), &[], None);
        let news = row.take(&playlist(1, &window(1)), 0);
        assert!(news.has_restarted);
        assert_eq!(news.fresh, [(33, 0), (34, 1), (35, 2)]);
        check(&mut row, 2, &window(2), &[36], None);
        check(&mut row, 3, &window(3), &[37], None);
    }

    #[test]
    fn names_that_change_each_time_leave_the_numbers() {
        let mut row = Timeline::default();
        check(&mut row, 10, &["a1", "b1"], &[10, 11], None);
        check(&mut row, 10, &["a2", "b2", "c2"], &[12], None);
        check(&mut row, 12, &["c3", "d3"], &[13], None);
        // Names that are all the same, as `seg.ts?n=1`.
        let mut row = Timeline::default();
        check(&mut row, 5, &["s?1", "s?2"], &[5, 6], None);
        check(&mut row, 6, &["s?2", "s?3"], &[7], None);
    }

    #[test]
    fn a_clip_shown_again_is_recorded_again() {
        let mut row = Timeline::default();
        check(&mut row, 0, &["ad", "a", "b", "c"], &[0, 1, 2, 3], None);
        check(
            &mut row,
            5,
            &["e", "ad", "f", "g"],
            &[5, 6, 7, 8],
            Some((4, 1)),
        );
    }

    #[test]
    fn an_earlier_run_is_gone_on_from() {
        let recorded = [(3, 3, name("d")), (4, 4, name("e"))];
        let mut row = Timeline::resumed(&recorded);
        check(&mut row, 0, &["a", "b", "c", "d", "e", "f"], &[5], None);
        let mut row = Timeline::resumed(&recorded);
        check(&mut row, 9, &["j", "k"], &[9, 10], Some((5, 4)));
    }

    #[test]
    fn the_first_playlist_begins_where_it_is_told() {
        let mut row = Timeline::default();
        let news = row.take(&playlist(10, &["a", "b", "c"]), 2);
        assert_eq!(news.fresh, [(12, 2)]);
        check(&mut row, 9, &["z", "a", "b", "c", "d"], &[13], None);
    }

    #[track_caller]
    fn check(
        row: &mut Timeline,
        first: u64,
        names: &[&str],
        fresh: &[u64],
        lost: Option<(u64, u64)>,
    ) {
        let news = row.take(&playlist(first, names), 0);
        let positions: Vec<u64> = news.fresh.iter().map(|(position, _)| *position).collect();
        assert_eq!(
            (positions.as_slice(), news.lost),
            (fresh, lost),
            "{first} {names:?}"
        );
    }

    fn place(name: &str) -> Place {
        Place {
            url: format!("http://a.test/{name}").parse().unwrap(),
            range: None,
        }
    }

    fn name(text: &str) -> Name {
        Name::of(&place(text))
    }

    fn playlist(first: u64, names: &[&str]) -> MediaPlaylist {
        let segments = names.iter().zip(first..).map(|(name, sequence)| Segment {
            sequence,
            duration: Duration::from_secs(1),
            place: place(name),
            key: None,
            init: None,
            is_discontinuous: false,
            is_gap: false,
        });
        MediaPlaylist {
            target: Duration::from_secs(1),
            is_ended: false,
            keeps_all: false,
            segments: segments.collect(),
        }
    }
}
