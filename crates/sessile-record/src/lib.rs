//! From a page to its media, and the media to a file, through a session that stays logged in.
//!
//! | module | what is there |
//! | --- | --- |
//! | [`through`] | the session that resolver and recorder share |
//! | [`resolve`](mod@resolve) | from a page's address to its [`Media`] |
//! | [`media`] | what was found, in the process and handed over to another |
//! | [`record`](mod@record) | from the media to a file: options, events, errors |
//!
//! How a session logs in and stays so is in `sessile`, which knows of no media but the `[media]`
//! section of a site file.

#![forbid(unsafe_code)]

mod address;
#[cfg(test)]
mod fake;
mod hls;
mod login_page;
pub mod media;
mod mp4;
mod plan;
mod playlist;
pub mod record;
pub mod resolve;
pub mod through;

pub use media::{Handover, Media, Recorder};
pub use record::{
    Ended, Event, Existing, Gap, LiveFrom, Quality, RecordError, RecordOptions, Recorded, Remux,
    Stop, Target, record,
};
pub use resolve::{ResolveError, resolve};
pub use through::Through;
