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

/// Every kind of event, and what it says.
pub(crate) const KINDS: [(&str, &str); 19] = [
    (
        "accountStopped",
        "an account of a pool isn't used until a person has seen to it",
    ),
    (
        "checkFailed",
        "a check, a refresh or a renewal of a session of a pool failed",
    ),
    (
        "checked",
        "a session was checked; the detail is the verdict",
    ),
    ("cleaned", "a session was emptied"),
    ("closed", "a pool is no longer served here"),
    ("leaseTimedOut", "a lease ended without being given back"),
    ("login", "a session was logged in"),
    (
        "loginFailed",
        "a login failed; of a pool, the session is the seat's",
    ),
    ("made", "a session of a pool has taken its seat over"),
    (
        "personNeeded",
        "a login wants a person: a code, a password, a captcha",
    ),
    ("proxyCools", "a proxy failed too often and rests"),
    (
        "refreshed",
        "the cookies of a session of a pool were refreshed",
    ),
    ("removed", "a session was removed"),
    ("renewed", "the login of a session was renewed"),
    ("retired", "a session of a pool was removed"),
    (
        "seatMoved",
        "a seat of a pool is served here from now on, or no more",
    ),
    (
        "seatWaits",
        "a seat of a pool waits for an account, a proxy or the store; the session is the seat's",
    ),
    (
        "useFailed",
        "a use of a session of a pool went wrong; the detail is the outcome",
    ),
    ("validated", "a session of a pool was found to be logged in"),
];

/// Something that happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    /// Which event: the same word as the stream's `event` field. Later versions may have others.
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
        debug_assert!(KINDS.iter().any(|(known, _)| *known == kind), "{kind}");
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

#[derive(Debug)]
struct Ring {
    /// The number of the next event; the first has 1.
    next: u64,
    last: VecDeque<Arc<Event>>,
}

/// Where a reader of the stream is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// Before the event of this number.
    Before(u64),
    /// It may have missed some: what it saw last isn't of this start of the daemon.
    Elsewhere,
}

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
            ring: Mutex::new(Ring {
                next: 1,
                last: VecDeque::new(),
            }),
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

    /// Where a reader begins: after the event that it says it saw last, else with what is next.
    pub(crate) fn begin(&self, last_seen: Option<&str>) -> Place {
        let next = self.ring().next;
        let Some(id) = last_seen else {
            return Place::Before(next);
        };
        let number = id
            .strip_prefix(&*self.run)
            .and_then(|rest| rest.strip_prefix('-'));
        match number.and_then(|number| number.parse::<u64>().ok()) {
            Some(seen) if seen < next => Place::Before(seen + 1),
            Some(_) | None => Place::Elsewhere,
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
        let number = match place {
            Place::Before(number) if number >= first => number,
            Place::Before(_) | Place::Elsewhere => {
                let id = self.id(first - 1);
                return Some((Next::Gap { id }, Place::Before(first)));
            }
        };
        let event = ring.last.get(usize::try_from(number - first).ok()?)?;
        let (id, event) = (self.id(number), Arc::clone(event));
        Some((Next::Happened { id, event }, Place::Before(number + 1)))
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
    use sessile::pool::PoolEventKind;

    use super::*;

    #[test]
    fn every_event_of_a_pool_is_among_the_kinds() {
        for name in PoolEventKind::NAMES {
            assert!(KINDS.iter().any(|(known, _)| known == name), "{name}");
        }
    }

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
        check(&events, Some("r-1"), Some("r-2"));
        check(&events, Some("r-3"), None);
    }

    #[test]
    fn who_saw_events_of_another_start_is_told_that_some_are_missing() {
        for count in [0, 3] {
            let events = told(count);
            for seen in ["other-1", "r-9", "nonsense", ""] {
                check(&events, Some(seen), Some("gap r-0"));
            }
        }
        let events = told(3);
        let (_gap, place) = events.at(events.begin(Some("other-1"))).unwrap();
        assert_eq!(place, Place::Before(1));
    }

    #[test]
    fn who_was_away_for_too_long_is_told_so() {
        let events = told(KEPT as u64 + 10);
        check(&events, Some("r-3"), Some("gap r-10"));
        check(&events, Some("r-10"), Some("r-11"));
        check(&events, Some("other-1"), Some("gap r-10"));
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
        assert_eq!((&*id, event.session.as_deref()), ("r-1", Some("shop")));
        assert!(events.at(place).is_none());
    }
}
