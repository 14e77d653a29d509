//! What a recording does next, without doing it: no fetching, no clock, no file.
//!
//! `timeline` makes one row of segments of playlists that come one after the other, `schedule` says
//! which of them is fetched and which is written, `ranges` does the same for one file.

pub(crate) mod ranges;
pub(crate) mod schedule;
pub(crate) mod timeline;
