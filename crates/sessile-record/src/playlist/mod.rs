//! Playlists (RFC 8216 and its successor's draft), as far as a recording needs them.
//!
//! Total: whatever the bytes, the answer is a playlist within limits or the reason why not. Fetching
//! is not here, nor what a recording makes of one playlist after another (`timeline`).

mod read;
mod variables;

use std::sync::Arc;
use std::time::Duration;

use url::Url;

pub(crate) use read::{Limits, read};
pub(crate) use variables::Variables;

/// What a playlist is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Playlist {
    /// It lists variants of the same media.
    Main(Main),
    /// It lists segments.
    Media(MediaPlaylist),
}

/// A list of variants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Main {
    pub(crate) variants: Vec<Variant>,
    pub(crate) audio: Vec<Rendition>,
    pub(crate) variables: Variables,
}

/// One of several forms of the same media.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variant {
    pub(crate) url: Url,
    pub(crate) bandwidth: u64,
    pub(crate) height: Option<u32>,
    /// The group of its separate audio.
    pub(crate) audio: Option<String>,
    pub(crate) codecs: Option<String>,
}

/// Audio apart from the video.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rendition {
    pub(crate) group: String,
    pub(crate) name: String,
    /// `None` where it is in the variant's own segments.
    pub(crate) url: Option<Url>,
    pub(crate) is_default: bool,
}

/// A list of segments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MediaPlaylist {
    /// How long a segment is at most.
    pub(crate) target: Duration,
    /// Whether nothing will be added.
    pub(crate) is_ended: bool,
    /// Whether nothing will be taken away.
    pub(crate) keeps_all: bool,
    pub(crate) segments: Vec<Segment>,
}

/// One piece of media.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segment {
    /// Its media sequence number.
    pub(crate) sequence: u64,
    pub(crate) duration: Duration,
    pub(crate) place: Place,
    pub(crate) key: Option<Arc<Key>>,
    pub(crate) init: Option<Arc<Init>>,
    /// Whether timestamps start anew here.
    pub(crate) is_discontinuous: bool,
    /// Whether the server says itself that it isn't there.
    pub(crate) is_gap: bool,
}

/// Where bytes are.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Place {
    pub(crate) url: Url,
    pub(crate) range: Option<ByteRange>,
}

/// A part of a file.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct ByteRange {
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// How segments are encrypted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Key {
    /// Whole segments, by AES-128 in CBC mode.
    Aes128 {
        url: Url,
        /// The segment's sequence number where there is none.
        iv: Option<[u8; 16]>,
    },
    /// In a way that can't be undone here, by its name.
    Other(String),
}

/// What comes before the first segment of a kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Init {
    pub(crate) place: Place,
    pub(crate) key: Option<Arc<Key>>,
}
