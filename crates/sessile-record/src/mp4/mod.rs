//! Recording one file that is fetched as it is.

use crate::media::Media;
use crate::record::{Event, RecordError, RecordOptions, Recorded};

/// Records a file.
pub(crate) async fn record(
    media: Media,
    _options: &RecordOptions,
    _listener: &(dyn Fn(Event) + Send + Sync),
) -> Result<Recorded, RecordError> {
    Err(RecordError::Nothing {
        url: media.resolved_url.to_string(),
        what: String::new(),
    })
}
