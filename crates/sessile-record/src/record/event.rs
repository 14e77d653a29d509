//! What is heard of a recording while it goes on, and what comes of it.

use std::path::PathBuf;
use std::time::Duration;

/// Something that happened to a recording.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The stream says that its timestamps start anew from here on.
    Discontinuity {
        /// The first segment after it, by its media sequence number.
        sequence: u64,
    },
    /// It is done; the same as what [`record`](super::record()) answers.
    Finished(Recorded),
    /// Segments are missing for good.
    Gap(Gap),
    /// How far it is.
    Progress {
        /// Bytes written so far, those of an earlier run included.
        bytes: u64,
        /// Bytes in all, where that is known.
        total: Option<u64>,
        /// Segments written so far, of all where that is known; for media in segments.
        segments: Option<(u64, Option<u64>)>,
        /// How much of the media's time is written; for media in segments.
        media_time: Option<Duration>,
        /// Seconds since this run began.
        elapsed: Duration,
        /// Bytes per second, of late.
        rate: u64,
    },
    /// The login was gone and is back.
    Renewed,
    /// The media's address had stopped working; the page gave another one.
    ResolvedAgain,
    /// It begins.
    Started {
        /// The file, as it is called when it is complete.
        path: PathBuf,
        /// Bytes in all, where that is known.
        total: Option<u64>,
        /// Bytes that an earlier run has left.
        resumed: u64,
        /// Whether it has no end that is known.
        is_live: bool,
        /// The variant that was chosen, where there were several: its height and bits per second.
        variant: Option<(Option<u32>, u64)>,
    },
    /// Something that a person may want to know, in words.
    Warning(String),
}

/// Segments that a recording lacks.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Gap {
    /// The media sequence number of the first.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Why, in words.
    pub why: String,
}

/// A recording that is done.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Recorded {
    /// The file.
    pub path: PathBuf,
    /// Files beside it: audio of its own that no program joined.
    pub beside: Vec<PathBuf>,
    /// Its size.
    pub bytes: u64,
    /// How many segments it is made of; for media in segments.
    pub segments: Option<u64>,
    /// How much of the media's time it has; for media in segments.
    pub media_time: Option<Duration>,
    /// What it lacks.
    pub gaps: Vec<Gap>,
    /// Why it ended.
    pub ended: Ended,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Ended {
    /// Everything is there.
    Complete,
    /// The time that was asked for.
    Duration,
    /// The live stream has brought nothing for too long.
    Silent,
    /// The size that was asked for.
    Size,
    /// It was told to.
    Stopped,
}
