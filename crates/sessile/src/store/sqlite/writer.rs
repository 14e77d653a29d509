//! The thread that writes: whatever is waiting goes into one transaction, and all of it is acknowledged once that is
//! on disk. So many callers cost hardly more than one.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rusqlite::Connection;

use super::batch::Batch;
use super::{Site, open};
use crate::store::job_thread::{JobThread, Reply, Running};
use crate::store::{Answer, StoreError};

/// Hands jobs to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    site: Arc<Site>,
    thread: JobThread<Sender<Job>>,
}

/// Does its part of a batch (or is told why there is none) and answers how to acknowledge it.
type Job = Box<dyn FnOnce(Result<&mut Batch<'_>, &StoreError>) -> Acknowledge + Send>;

/// Tells the caller, once it is known what became of the transaction.
type Acknowledge = Box<dyn FnOnce(Result<(), &StoreError>) + Send>;

/// So that one transaction stays short and others get their turn.
const JOBS_PER_BATCH: usize = 256;
const BYTES_PER_BATCH: usize = 4 << 20;

impl Writer {
    pub(super) fn new(site: Arc<Site>) -> Self {
        let thread = JobThread::new(site.place.clone());
        Self { site, thread }
    }

    /// Queues `work` at once and answers when it is on disk.
    pub(super) fn run<'a, T: Send + 'static>(
        &'a self,
        work: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'a, T> {
        self.thread.run(|| self.start(), |reply| job(work, reply))
    }

    pub(super) fn check_open(&self) -> Result<(), StoreError> {
        self.thread.check_open()
    }

    /// Lets the thread finish what is queued.
    pub(super) fn close(&self) -> Answer<'_, ()> {
        self.thread.close()
    }

    fn start(&self) -> Result<Running<Sender<Job>>, StoreError> {
        let (jobs, receiver) = channel();
        let site = Arc::clone(&self.site);
        let thread = thread::Builder::new()
            .name("sessile-store".to_owned())
            .spawn(move || serve(&site, &receiver));
        let thread = thread.map_err(|error| self.site.io("start a thread for", &error))?;
        Ok(Running { jobs, thread })
    }
}

fn job<T: Send + 'static>(
    work: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError> + Send + 'static,
    reply: Reply<T>,
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
