//! A thread that jobs are handed to: it starts with the first, and ends with its last handle or when
//! it is closed. What the thread does with its jobs is the backend's.

use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use super::aside::aside;
use super::{Answer, StoreError};

/// The handle; `Q` is the sending half of the queue that the thread reads.
#[derive(Debug)]
pub(super) struct JobThread<Q> {
    /// The store, as errors name it.
    place: String,
    state: Mutex<State<Q>>,
}

#[derive(Debug)]
enum State<Q> {
    Closed,
    Idle,
    Running(Running<Q>),
}

/// A started thread. It ends when the sending half is gone and its jobs are done.
#[derive(Debug)]
pub(super) struct Running<Q> {
    pub(super) jobs: Q,
    pub(super) thread: JoinHandle<()>,
}

/// How a job tells its outcome.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// The sending half of a queue of jobs.
pub(super) trait Queue {
    /// What is handed over.
    type Job;

    /// Whether it was taken: not by a thread that has ended.
    fn push(&self, job: Self::Job) -> bool;
}

impl<J> Queue for std::sync::mpsc::Sender<J> {
    type Job = J;

    fn push(&self, job: J) -> bool {
        self.send(job).is_ok()
    }
}

impl<J> Queue for mpsc::UnboundedSender<J> {
    type Job = J;

    fn push(&self, job: J) -> bool {
        self.send(job).is_ok()
    }
}

impl<Q: Queue + Send> JobThread<Q> {
    pub(super) const fn new(place: String) -> Self {
        let state = Mutex::new(State::Idle);
        Self { place, state }
    }

    /// Hands over a job at once and answers what it replies. The first one starts the thread.
    pub(super) fn run<'a, T: Send + 'static>(
        &'a self,
        start: impl FnOnce() -> Result<Running<Q>, StoreError>,
        job: impl FnOnce(Reply<T>) -> Q::Job,
    ) -> Answer<'a, T> {
        let (reply, answer) = oneshot::channel();
        match self.hand(start, job(reply)) {
            Err(error) => Box::pin(ready(Err(error))),
            Ok(()) => {
                Box::pin(async move { answer.await.unwrap_or_else(|_gone| Err(self.closed())) })
            }
        }
    }

    fn hand(
        &self,
        start: impl FnOnce() -> Result<Running<Q>, StoreError>,
        job: Q::Job,
    ) -> Result<(), StoreError> {
        let mut state = self.lock();
        if matches!(*state, State::Idle) {
            *state = State::Running(start()?);
        }
        match &*state {
            State::Running(running) if running.jobs.push(job) => Ok(()),
            State::Running(_) | State::Closed | State::Idle => Err(self.closed()),
        }
    }
}

impl<Q> JobThread<Q> {
    /// Whether it can be handed jobs, or why not.
    pub(super) fn check_open(&self) -> Result<(), StoreError> {
        match *self.lock() {
            State::Closed => Err(self.closed()),
            State::Idle | State::Running(_) => Ok(()),
        }
    }

    fn closed(&self) -> StoreError {
        let place = self.place.clone();
        StoreError::Closed { place }
    }

    /// Lets the thread finish what it was handed.
    pub(super) fn close<'a>(&self) -> Answer<'a, ()> {
        match self.stop() {
            None => Box::pin(ready(Ok(()))),
            Some(thread) => aside(move || {
                // A panic of the thread was reported by the panic hook; nothing is left to be done.
                let _ended = thread.join();
                Ok(())
            }),
        }
    }

    /// Takes no more jobs; what is left to be waited for.
    fn stop(&self) -> Option<JoinHandle<()>> {
        match std::mem::replace(&mut *self.lock(), State::Closed) {
            State::Running(running) => Some(running.thread),
            State::Closed | State::Idle => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<Q>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q> Drop for JobThread<Q> {
    fn drop(&mut self) {
        // The last handle may be dropped by a job, on the thread itself.
        if let Some(thread) = self.stop()
            && thread.thread().id() != thread::current().id()
        {
            let _ended = thread.join();
        }
    }
}
