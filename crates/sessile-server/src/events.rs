//! What happens, as it happens: a stream with numbers, and the last of it for who comes back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use sessile_jar::Timestamp;
use tokio::sync::Notify;
use utoipa::ToSchema;

use crate::times;

/// How many events are kept for those who were away.
const KEPT: usize = 1024;

/// Something that happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    /// Which event: the same word as the stream's `event` field.
    pub(crate) kind: &'static str,
    /// When, in RFC 3339.
    pub(crate) at: String,
    /// The session that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<String>,
    /// The pool that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pool: Option<String>,
    /// More, in words; never a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

impl Event {
    pub(crate) fn new(kind: &'static str, at: Timestamp) -> Self {
        Self {
            kind,
            at: times::text(at),
            session: None,
            pool: None,
            detail: None,
        }
    }

    pub(crate) fn session(mut self, name: &impl ToString) -> Self {
        self.session = Some(name.to_string());
        self
    }

    pub(crate) fn pool(mut self, name: &impl ToString) -> Self {
        self.pool = Some(name.to_string());
        self
    }

    pub(crate) fn detail(mut self, words: &impl ToString) -> Self {
        self.detail = Some(words.to_string());
        self
    }
}

/// The last events, and who waits for the next.
#[derive(Debug)]
pub(crate) struct Events {
    ring: Mutex<Ring>,
    news: Notify,
    /// Differs for each start of the daemon: numbers begin anew with it.
    run: String,
}

#[derive(Debug, Default)]
struct Ring {
    /// The number of the next event.
    next: u64,
    last: VecDeque<Arc<Event>>,
}

/// Where a reader of the stream is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place(u64);

/// What a reader gets next.
#[derive(Clone, Debug)]
pub(crate) enum Next {
    /// Some were missed: they are kept no longer.
    Gap { id: String },
    /// The next event.
    Happened { id: String, event: Arc<Event> },
}

impl Events {
    pub(crate) fn new(run: String) -> Self {
        Self {
            ring: Mutex::default(),
            news: Notify::new(),
            run,
        }
    }

    /// Tells of an event.
    pub(crate) fn tell(&self, event: Event) {
        let mut ring = self.ring();
        if ring.last.len() == KEPT {
            ring.last.pop_front();
        }
        ring.last.push_back(Arc::new(event));
        ring.next += 1;
        drop(ring);
        self.news.notify_waiters();
    }

    /// Where a reader begins: after the event that it says it saw last, else with what is next. An
    /// id of another start of the daemon begins at the first event that is kept.
    pub(crate) fn begin(&self, last_seen: Option<&str>) -> Place {
        let ring = self.ring();
        let Some(id) = last_seen else {
            return Place(ring.next);
        };
        let number = id
            .strip_prefix(&*self.run)
            .and_then(|rest| rest.strip_prefix('-'));
        match number.and_then(|number| number.parse::<u64>().ok()) {
            Some(seen) if seen < ring.next => Place(seen + 1),
            Some(_) => Place(ring.next),
            None => Place(0),
        }
    }

    /// The event at a place, and the place after it; waits where it hasn't happened yet.
    pub(crate) async fn after(&self, place: Place) -> (Next, Place) {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            // Before looking, so that nothing is missed in between.
            news.as_mut().enable();
            if let Some(found) = self.at(place) {
                return found;
            }
            news.await;
        }
    }

    fn at(&self, place: Place) -> Option<(Next, Place)> {
        let ring = self.ring();
        let first = ring.next - ring.last.len() as u64;
        if place.0 < first {
            let id = self.id(first.saturating_sub(1));
            return Some((Next::Gap { id }, Place(first)));
        }
        let event = ring.last.get(usize::try_from(place.0 - first).ok()?)?;
        let (id, event) = (self.id(place.0), Arc::clone(event));
        Some((Next::Happened { id, event }, Place(place.0 + 1)))
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(count: u64) -> Events {
        let events = Events::new("r".to_owned());
        for _ in 0..count {
            events.tell(Event::new("login", Timestamp::from_seconds(0)));
        }
        events
    }

    #[track_caller]
    fn check(events: &Events, last_seen: Option<&str>, expected: Option<&str>) {
        let next = events
            .at(events.begin(last_seen))
            .map(|(next, _)| match next {
                Next::Gap { id } => format!("gap {id}"),
                Next::Happened { id, .. } => id,
            });
        assert_eq!(next.as_deref(), expected, "{last_seen:?}");
    }

    #[test]
    fn who_comes_back_goes_on_where_it_was() {
        let events = told(3);
        check(&events, None, None);
        check(&events, Some("r-0"), Some("r-1"));
        check(&events, Some("r-2"), None);
        check(&events, Some("r-9"), None);
        check(&events, Some("other-1"), Some("r-0"));
        check(&events, Some("nonsense"), Some("r-0"));
    }

    #[test]
    fn who_was_away_for_too_long_is_told_so() {
        let events = told(KEPT as u64 + 10);
        check(&events, Some("r-3"), Some("gap r-9"));
        check(&events, Some("r-9"), Some("r-10"));
        check(&events, Some("other-1"), Some("gap r-9"));
    }

    #[tokio::test]
    async fn who_waits_hears_of_it() {
        let events = Arc::new(told(0));
        let place = events.begin(None);
        let waiting = events.after(place);
        events.tell(Event::new("login", Timestamp::from_seconds(0)).session(&"shop"));
        let (next, place) = waiting.await;
        let Next::Happened { id, event } = next else {
            panic!("{next:?}");
        };
        assert_eq!((&*id, event.session.as_deref()), ("r-0", Some("shop")));
        assert!(events.at(place).is_none());
    }
}
