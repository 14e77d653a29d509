//! What a person should know of the profile a session sends with.

use sessile::ProfileChoice;
use sessile::profile;
use sessile::renew::Kept;

use super::work::Work;

/// Warns where the session has another profile than was asked for, or an old one.
pub(super) fn warn(kept: &Kept, asked: Option<&ProfileChoice>, work: &mut Work<'_>) {
    let Some(asked) = asked else { return };
    let (name, held) = (kept.name(), kept.record().state.profile());
    if !asked.accepts(&held) {
        work.printer.warn(&format!(
            "session {name} keeps the profile it was made with: {held}"
        ));
    }
    if let (Some(_), Some(stale)) = (held.browser(), profile::staleness(work.now())) {
        work.printer.warn(&stale.to_string());
    }
}
