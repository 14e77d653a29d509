//! The streams, and which resources each has.

use std::time::Duration;

use axum::body::Bytes;

use super::playlist;
use super::seal;
use super::shelf::{Row, Shelf, mp4_box};

/// How many segments a live playlist shows.
const WINDOW: u64 = 6;
/// How many segments a playlist that goes on by reloads has more each time.
const STEP: u64 = 4;

/// A stream, by how it is cut into resources.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stream {
    /// Segments under AES-128, with two keys.
    Aes,
    /// Ranges of one resource.
    Bytes,
    /// One file.
    Clip,
    /// Live by the site's clock, until all segments were shown.
    Event,
    /// Fragments of MP4 with their init segment.
    Fmp4,
    /// With a segment that is said to be missing.
    Gaps,
    /// Live by the site's clock, without end.
    Live,
    /// Two encodings, one after the other.
    Seams,
    /// Picture and sound apart.
    Separate,
    /// Ranges of one file of fragments, its init segment among them.
    Single,
    /// Live, some segments more at each reload, until all were shown.
    Steps,
    /// Two encodings in fragments of MP4, one after the other, each with its init segment.
    Turns,
    /// Three variants.
    Variants,
    /// Segments one after the other.
    Vod,
    /// One file from a server that knows no ranges.
    Whole,
}

/// When a live playlist is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) elapsed: Duration,
    /// So many segments off.
    pub(crate) jump: i64,
    /// How often it was looked at before.
    pub(crate) reloads: u64,
}

/// The segments that a playlist shows: from the first, up to one that isn't there yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Window {
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) is_last: bool,
}

/// What a request gets.
pub(crate) struct Resource {
    pub(crate) kind: &'static str,
    pub(crate) bytes: Bytes,
}

impl Stream {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "aes" => Self::Aes,
            "bytes" => Self::Bytes,
            "clip" => Self::Clip,
            "event" => Self::Event,
            "fmp4" => Self::Fmp4,
            "gaps" => Self::Gaps,
            "live" => Self::Live,
            "seams" => Self::Seams,
            "separate" => Self::Separate,
            "single" => Self::Single,
            "steps" => Self::Steps,
            "turns" => Self::Turns,
            "variants" => Self::Variants,
            "vod" => Self::Vod,
            "whole" => Self::Whole,
            _ => return None,
        })
    }

    /// The file that a page links to.
    pub(crate) fn entry(self) -> &'static str {
        match self {
            Self::Clip | Self::Whole => "clip.mp4",
            _ => "index.m3u8",
        }
    }

    /// What an exact recording has, bytes for bytes.
    pub(crate) fn original(self, shelf: &Shelf, edition: usize) -> Vec<u8> {
        let row = |name| shelf.row(name).map(Row::whole).unwrap_or_default();
        match self {
            Self::Clip | Self::Whole => clip(shelf, edition).into(),
            Self::Fmp4 | Self::Single => row("fmp4"),
            Self::Gaps => playlist::without_gap(shelf),
            Self::Seams => [row("plain"), row("other")].concat(),
            Self::Separate => row("picture"),
            Self::Turns => [row("fmp4"), row("wide")].concat(),
            Self::Variants => row("high"),
            Self::Aes | Self::Bytes | Self::Event | Self::Live | Self::Steps | Self::Vod => {
                row("plain")
            }
        }
    }

    /// The resource of that name; `suffix` goes behind every address in a playlist.
    pub(crate) fn resource(self, file: &str, shelf: &Shelf, place: &Place<'_>) -> Option<Resource> {
        let (stem, extension) = file.rsplit_once('.')?;
        let (kind, bytes) = match extension {
            "m3u8" => {
                let text = playlist::of(self, stem, shelf, place)?;
                ("application/vnd.apple.mpegurl", text.into())
            }
            "mp4" if stem == "clip" => ("video/mp4", clip(shelf, place.edition)),
            "mp4" => ("video/mp4", shelf.row(stem)?.init.clone()?),
            "ts" => ("video/mp2t", self.segment(stem, shelf)?),
            "m4s" => ("video/iso.segment", self.segment(stem, shelf)?),
            "bin" => {
                let number = stem.strip_prefix("key-")?.parse().ok()?;
                let key = seal::key(number).to_vec();
                ("application/octet-stream", key.into())
            }
            _ => return None,
        };
        Some(Resource { kind, bytes })
    }

    /// The segments that a live playlist shows.
    pub(crate) fn window(self, row: &Row, moment: &Moment) -> Window {
        let count = row.segments.len() as u64;
        let each = row.seconds() / row.segments.len() as f64;
        let by_clock = WINDOW + (moment.elapsed.as_secs_f64() / each) as u64;
        let (end, is_endless) = match self {
            Self::Live => (by_clock, true),
            Self::Event => (by_clock, false),
            Self::Steps => (WINDOW + STEP * moment.reloads, false),
            _ => return Window::all(count),
        };
        let end = end.saturating_add_signed(moment.jump).max(1);
        let end = if is_endless { end } else { end.min(count) };
        Window {
            first: end.saturating_sub(WINDOW),
            end,
            is_last: !is_endless && end == count,
        }
    }

    fn segment(self, stem: &str, shelf: &Shelf) -> Option<Bytes> {
        let Some((name, number)) = stem.rsplit_once('-') else {
            return shelf.row(stem).map(|row| row.whole().into());
        };
        let row = shelf.row(name)?;
        let number: usize = number.parse().ok()?;
        // A stream without end begins again.
        let segment = row.segments.get(number % row.segments.len())?;
        Some(match self {
            Self::Aes => {
                let (key, vector) = playlist::lock(number, row.segments.len());
                seal::seal(&segment.bytes, seal::key(key), vector)
            }
            _ => segment.bytes.clone(),
        })
    }
}

/// Where and when a playlist is read.
pub(crate) struct Place<'a> {
    pub(crate) edition: usize,
    pub(crate) moment: Moment,
    /// The query that goes behind every address.
    pub(crate) suffix: &'a str,
}

impl Window {
    fn all(count: u64) -> Self {
        Self {
            first: 0,
            end: count,
            is_last: true,
        }
    }
}

/// The clip; each edition has a box more at its end, which players pass over.
fn clip(shelf: &Shelf, edition: usize) -> Bytes {
    match edition {
        0 => shelf.clip.clone(),
        _ => [&shelf.clip[..], &mp4_box(b"free", &vec![0; edition])]
            .concat()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_windows_slide() {
        let at = |seconds| Moment {
            elapsed: Duration::from_secs(seconds),
            ..Moment::default()
        };
        let reload = |reloads, jump| Moment {
            reloads,
            jump,
            ..Moment::default()
        };
        check(Stream::Live, at(0), 0, 6, false);
        check(Stream::Live, at(2), 4, 10, false);
        check(Stream::Live, at(100), 200, 206, false);
        check(Stream::Event, at(8), 16, 22, false);
        check(Stream::Event, at(100), 18, 24, true);
        check(Stream::Steps, reload(0, 0), 0, 6, false);
        check(Stream::Steps, reload(2, 0), 8, 14, false);
        check(Stream::Steps, reload(2, -3), 5, 11, false);
        check(Stream::Steps, reload(2, 5), 13, 19, false);
        check(Stream::Steps, reload(9, 0), 18, 24, true);
        check(Stream::Vod, at(5), 0, 24, true);
    }

    #[track_caller]
    fn check(stream: Stream, moment: Moment, first: u64, end: u64, is_last: bool) {
        let shelf = Shelf::made_up();
        let window = stream.window(shelf.row("plain").unwrap(), &moment);
        let expected = Window {
            first,
            end,
            is_last,
        };
        assert_eq!(window, expected, "{stream:?} {moment:?}");
    }
}
