//! From media to a file.
//!
//! What is recorded and where is in `options`, what is heard of it meanwhile in `event`.

pub(crate) mod cut;
mod error;
mod event;
mod name;
mod options;
pub(crate) mod part;
pub(crate) mod place;
pub(crate) mod progress;
mod safe;
pub(crate) mod source;
mod stop;

pub use error::RecordError;
pub use event::{Ended, Event, Gap, Recorded};
pub use options::{Existing, LiveFrom, Quality, RecordOptions, Remux, Target};
pub use stop::Stop;

use crate::media::{Media, Recorder};
use crate::{hls, mp4};

/// Records media into a file.
///
/// What happens meanwhile is told to `listener`, which must not block. A recording that is
/// [stopped](RecordOptions::stop) or fails leaves what it has, from where the same call goes on.
///
/// # Errors
///
/// [`RecordError`] says what failed and what is left.
pub async fn record(
    media: Media,
    options: &RecordOptions,
    listener: &(dyn Fn(Event) + Send + Sync),
) -> Result<Recorded, RecordError> {
    match media.recorder {
        Recorder::Hls => hls::record(media, options, listener).await,
        Recorder::Mp4 => mp4::record(media, options, listener).await,
    }
}
