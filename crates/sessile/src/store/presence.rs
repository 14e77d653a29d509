//! Whether the store answers, as far as those who asked it have seen: whoever can go on without it
//! doesn't wait for one that is away, and one at a time finds out whether it is back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What is known of one store; shared by all handles on it.
#[derive(Debug, Default)]
pub(crate) struct Presence(Mutex<Option<Absence>>);

#[derive(Clone, Copy, Debug)]
struct Absence {
    since: Instant,
    asked: Instant,
}

/// How often a store that is away is asked.
const EVERY: Duration = Duration::from_secs(1);

impl Presence {
    /// Whether it was away when it was asked last.
    pub(crate) fn is_away(&self) -> bool {
        self.lock().is_some()
    }

    /// Whether the caller should ask: always, but while it is away only one in a second.
    pub(crate) fn may_ask(&self, now: Instant) -> bool {
        match &mut *self.lock() {
            Some(absence) if now.duration_since(absence.asked) < EVERY => false,
            Some(absence) => {
                absence.asked = now;
                true
            }
            None => true,
        }
    }

    /// It did not answer. Whether that is news.
    pub(crate) fn lose(&self, now: Instant) -> bool {
        let mut absence = self.lock();
        let is_news = absence.is_none();
        let since = absence.map_or(now, |absence| absence.since);
        *absence = Some(Absence { since, asked: now });
        is_news
    }

    /// It answered. How long it was away, if it was.
    pub(crate) fn find(&self, now: Instant) -> Option<Duration> {
        let absence = self.lock().take()?;
        Some(now.duration_since(absence.since))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Absence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_second_asks_a_store_that_is_away() {
        let (presence, start) = (Presence::default(), Instant::now());
        assert!(presence.may_ask(start) && presence.may_ask(start));
        assert!(presence.lose(start) && !presence.lose(start));
        assert!(!presence.may_ask(start + EVERY / 2));
        assert!(presence.may_ask(start + EVERY));
        assert!(!presence.may_ask(start + EVERY) && presence.is_away());
        assert_eq!(presence.find(start + EVERY), Some(EVERY));
        assert_eq!(presence.find(start + EVERY), None);
        assert!(presence.may_ask(start + EVERY) && !presence.is_away());
    }
}
