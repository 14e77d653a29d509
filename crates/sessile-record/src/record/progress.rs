//! How far a recording is, told a few times a second.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::event::Event;

/// The time between two reports.
const EVERY: Duration = Duration::from_millis(200);

/// The time over which the rate is taken.
const SPAN: Duration = Duration::from_secs(3);

/// What was written so far.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: u64,
    total: Option<u64>,
    segments: Option<(u64, Option<u64>)>,
    media_time: Option<Duration>,
    told: Option<Instant>,
    /// What was written of late, with when.
    late: VecDeque<(Instant, u64)>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// Begins with what an earlier run has left.
    pub(crate) fn begin(&self, bytes: u64, total: Option<u64>) {
        let mut state = self.lock();
        (state.bytes, state.total) = (bytes, total);
    }

    /// More was written; answers what to tell, where it is time.
    pub(crate) fn add(&self, bytes: u64) -> Option<Event> {
        let now = Instant::now();
        let mut state = self.lock();
        state.bytes += bytes;
        state.late.push_back((now, bytes));
        self.report(state, now)
    }

    /// Something that was written counts no more.
    pub(crate) fn take_back(&self, bytes: u64) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// Segments so far.
    pub(crate) fn segments(&self, written: u64, of: Option<u64>, media_time: Duration) {
        let mut state = self.lock();
        state.segments = Some((written, of));
        state.media_time = Some(media_time);
    }

    fn report(&self, mut state: std::sync::MutexGuard<'_, State>, now: Instant) -> Option<Event> {
        if state.told.is_some_and(|told| now - told < EVERY) {
            return None;
        }
        state.told = Some(now);
        while state.late.front().is_some_and(|(at, _)| now - *at > SPAN) {
            state.late.pop_front();
        }
        let late: u64 = state.late.iter().map(|(_, bytes)| bytes).sum();
        let span = state.late.front().map_or(EVERY, |(at, _)| now - *at);
        let span = span.max(EVERY).as_secs_f64();
        Some(Event::Progress {
            bytes: state.bytes,
            total: state.total,
            segments: state.segments,
            media_time: state.media_time,
            elapsed: now - self.began,
            rate: (late as f64 / span) as u64,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
