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
    of: Half,
}

/// What a store does. One that doesn't answer who reads is away altogether; one that only others
/// write to at the time can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Half {
    Reading,
    Writing,
}

/// How often a store that is away is asked.
const EVERY: Duration = Duration::from_secs(1);

impl Presence {
    /// Whether it was away when it was asked last.
    pub(crate) fn is_away(&self) -> bool {
        self.lock().is_some()
    }

    /// Whether the caller should read: always, but while it is away altogether only one in a second.
    pub(crate) fn may_ask(&self, now: Instant) -> bool {
        match &mut *self.lock() {
            Some(absence) if absence.of == Half::Writing => true,
            Some(absence) if now.duration_since(absence.asked) < EVERY => false,
            Some(absence) => {
                absence.asked = now;
                true
            }
            None => true,
        }
    }

    /// It did not answer. Whether that is news.
    pub(crate) fn lose(&self, half: Half, now: Instant) -> bool {
        let mut absence = self.lock();
        let (since, of) = match *absence {
            Some(before) if before.of == Half::Reading => (before.since, Half::Reading),
            Some(before) => (before.since, half),
            None => (now, half),
        };
        let asked = now;
        absence.replace(Absence { since, asked, of }).is_none()
    }

    /// It answered. How long it was away, if it was and this shows that it is back: what can be read
    /// may still not be written to.
    pub(crate) fn find(&self, half: Half, now: Instant) -> Option<Duration> {
        let shows = |absence: &mut Absence| half == Half::Writing || absence.of == half;
        let absence = self.lock().take_if(shows)?;
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
        assert!(presence.lose(Half::Reading, start) && !presence.lose(Half::Writing, start));
        assert!(!presence.may_ask(start + EVERY / 2));
        assert!(presence.may_ask(start + EVERY));
        assert!(!presence.may_ask(start + EVERY) && presence.is_away());
        assert_eq!(presence.find(Half::Reading, start + EVERY), Some(EVERY));
        assert_eq!(presence.find(Half::Reading, start + EVERY), None);
        assert!(presence.may_ask(start + EVERY) && !presence.is_away());
    }

    #[test]
    fn only_who_writes_finds_a_store_that_could_not_be_written_to() {
        let (presence, start) = (Presence::default(), Instant::now());
        assert!(presence.lose(Half::Writing, start) && presence.is_away());
        assert!(presence.may_ask(start) && presence.may_ask(start));
        assert_eq!(presence.find(Half::Reading, start), None);
        assert!(presence.is_away() && !presence.lose(Half::Writing, start));
        assert_eq!(presence.find(Half::Writing, start + EVERY), Some(EVERY));
        assert!(!presence.is_away());
        // What can't even be read is away altogether.
        assert!(presence.lose(Half::Writing, start) && !presence.lose(Half::Reading, start));
        assert!(!presence.may_ask(start));
        assert_eq!(presence.find(Half::Reading, start), Some(Duration::ZERO));
    }
}
