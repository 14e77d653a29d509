//! From a page's address to its media.

mod error;

pub use error::ResolveError;

use sessile::site::MediaRules;
use url::Url;

use crate::media::Media;
use crate::through::Through;

/// Finds the media of a page.
///
/// # Errors
///
/// [`ResolveError`]; where nothing was found it names what was looked for.
pub async fn resolve(
    session: &Through,
    page: &Url,
    rules: Option<&MediaRules>,
) -> Result<Media, ResolveError> {
    let _ = (session, rules);
    Err(ResolveError::Nothing {
        page: page.to_string(),
        looked: Vec::new(),
    })
}
