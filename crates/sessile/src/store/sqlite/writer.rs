//! The thread that writes: whatever is waiting goes into one transaction, and all of it is acknowledged once that is
//! on disk. So many callers cost hardly more than one.

use std::future::ready;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::batch::Batch;
use super::{Site, open};
use crate::store::aside::aside;
use crate::store::{Answer, StoreError};

/// Hands jobs to the thread, which starts with the first one.
#[derive(Debug)]
pub(super) struct Writer {
    site: Arc<Site>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed,
    Idle,
    Running(Sender<Job>, JoinHandle<()>),
}

/// Does its part of a batch (or is told why there is none) and answers how to acknowledge it.
type Job = Box<dyn FnOnce(Result<&mut Batch<'_>, &StoreError>) -> Acknowledge + Send>;

/// Tells the caller, once it is known what became of the transaction.
type Acknowledge = Box<dyn FnOnce(Result<(), &StoreError>) + Send>;

/// So that one transaction stays short and others get their turn.
const JOBS_PER_BATCH: usize = 256;
const BYTES_PER_BATCH: usize = 4 << 20;

impl Writer {
    pub(super) const fn new(site: Arc<Site>) -> Self {
        let state = Mutex::new(State::Idle);
        Self { site, state }
    }

    /// Queues `work` at once and answers when it is on disk.
    pub(super) fn run<'a, T: Send + 'static>(
        &'a self,
        work: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'a, T> {
        let (reply, answer) = oneshot::channel();
        match self.queue(job(work, reply)) {
            Err(error) => Box::pin(ready(Err(error))),
            Ok(()) => {
                Box::pin(
                    async move { answer.await.unwrap_or_else(|_gone| Err(self.site.closed())) },
                )
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.lock(), State::Closed)
    }

    /// Lets the thread finish what is queued.
    pub(super) fn close(&self) -> Answer<'_, ()> {
        let running = std::mem::replace(&mut *self.lock(), State::Closed);
        let State::Running(jobs, thread) = running else {
            return Box::pin(ready(Ok(())));
        };
        drop(jobs);
        aside(move || {
            // A panic of the thread was reported by the panic hook; nothing is left to be done.
            let _ended = thread.join();
            Ok(())
        })
    }

    fn queue(&self, job: Job) -> Result<(), StoreError> {
        let mut state = self.lock();
        if matches!(*state, State::Idle) {
            let (sender, receiver) = channel();
            let site = Arc::clone(&self.site);
            let thread = thread::Builder::new()
                .name("sessile-store".to_owned())
                .spawn(move || serve(&site, &receiver));
            let thread = thread.map_err(|error| self.site.io("start a thread for", &error))?;
            *state = State::Running(sender, thread);
        }
        match &*state {
            State::Running(jobs, _thread) => jobs.send(job).map_err(|_ended| self.site.closed()),
            State::Closed | State::Idle => Err(self.site.closed()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let running = std::mem::replace(&mut *self.lock(), State::Closed);
        if let State::Running(jobs, thread) = running {
            drop(jobs);
            // The last handle may be dropped by a job, on the thread itself.
            if thread.thread().id() != thread::current().id() {
                let _ended = thread.join();
            }
        }
    }
}

fn job<T: Send + 'static>(
    work: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError> + Send + 'static,
    reply: oneshot::Sender<Result<T, StoreError>>,
) -> Job {
    Box::new(move |batch| {
        let outcome = match batch {
            Ok(batch) => batch.attempt(work),
            Err(error) => Err(error.clone()),
        };
        Box::new(move |committed| {
            let outcome = match committed {
                Ok(()) => outcome,
                // A job that failed by itself says so; one that was done was undone.
                Err(error) => outcome.and_then(|_undone| Err(error.clone())),
            };
            // The caller may have stopped waiting.
            let _unheard = reply.send(outcome);
        })
    })
}

fn serve(site: &Site, jobs: &Receiver<Job>) {
    let mut connection = None;
    while let Ok(first) = jobs.recv() {
        let begun = connected(site, &mut connection).and_then(|open| Batch::begin(site, open));
        match begun {
            Ok(batch) => serve_batch(batch, first, jobs),
            // Those who wait behind it would only wait in vain for as long again. They are taken before the first is
            // answered: what is queued after an answer is a new try.
            Err(error) => {
                let waiting: Vec<Job> = std::iter::once(first).chain(jobs.try_iter()).collect();
                waiting.into_iter().for_each(|job| refuse(job, &error));
            }
        }
    }
}

fn connected<'a>(
    site: &Site,
    connection: &'a mut Option<Connection>,
) -> Result<&'a Connection, StoreError> {
    match connection {
        Some(open) => Ok(open),
        None => Ok(connection.insert(open::writer(site)?)),
    }
}

fn serve_batch(mut batch: Batch<'_>, first: Job, jobs: &Receiver<Job>) {
    let mut waiting = vec![first(Ok(&mut batch))];
    while waiting.len() < JOBS_PER_BATCH
        && batch.written_bytes() < BYTES_PER_BATCH
        && !batch.is_lost()
    {
        let Ok(job) = jobs.try_recv() else {
            break;
        };
        waiting.push(job(Ok(&mut batch)));
    }
    let committed = batch.commit();
    for acknowledge in waiting {
        acknowledge(committed.as_ref().copied());
    }
}

fn refuse(job: Job, error: &StoreError) {
    let acknowledge = job(Err(error));
    acknowledge(Err(error));
}
