//! The thread that talks to the database, with a runtime of its own.

use std::future::ready;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tokio_util::task::TaskTracker;

use super::Site;
use super::hub::Hub;
use super::listen::Changes;
use crate::store::aside::aside;
use crate::store::{Answer, StoreError, files};

/// Hands jobs to the thread, which starts with the first one.
#[derive(Debug)]
pub(super) struct Worker {
    site: Arc<Site>,
    changes: Arc<Changes>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed,
    Idle,
    Running(UnboundedSender<Job>, JoinHandle<()>),
}

type Job = Box<dyn FnOnce(Rc<Hub>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

impl Worker {
    pub(super) const fn new(site: Arc<Site>, changes: Arc<Changes>) -> Self {
        let state = Mutex::new(State::Idle);
        Self {
            site,
            changes,
            state,
        }
    }

    /// Starts `work` at once and answers when it is done.
    pub(super) fn run<'a, T, F>(
        &'a self,
        work: impl FnOnce(Rc<Hub>) -> F + Send + 'static,
    ) -> Answer<'a, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |hub| {
            Box::pin(async move {
                // The caller may have stopped waiting.
                let _unheard = reply.send(work(hub).await);
            })
        });
        match self.queue(job) {
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

    /// Lets the thread finish what was started.
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
            *state = self.start()?;
        }
        match &*state {
            State::Running(jobs, _thread) => jobs.send(job).map_err(|_ended| self.site.closed()),
            State::Closed | State::Idle => Err(self.site.closed()),
        }
    }

    fn start(&self) -> Result<State, StoreError> {
        let failed = |error| files::failed("start a thread for", self.site.place.as_ref(), &error);
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let (sender, receiver) = unbounded_channel();
        let (site, changes) = (Arc::clone(&self.site), Arc::clone(&self.changes));
        let thread = thread::Builder::new()
            .name("sessile-store".to_owned())
            .spawn(move || serve(&runtime, site, changes, receiver));
        Ok(State::Running(sender, thread.map_err(failed)?))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let running = std::mem::replace(&mut *self.lock(), State::Closed);
        if let State::Running(jobs, thread) = running {
            drop(jobs);
            // The last handle may be dropped by a change, on the thread itself.
            if thread.thread().id() != thread::current().id() {
                let _ended = thread.join();
            }
        }
    }
}

fn serve(
    runtime: &Runtime,
    site: Arc<Site>,
    changes: Arc<Changes>,
    mut jobs: UnboundedReceiver<Job>,
) {
    LocalSet::new().block_on(runtime, async move {
        let hub = Rc::new(Hub::new(site, changes));
        let tasks = TaskTracker::new();
        while let Some(job) = jobs.recv().await {
            tasks.spawn_local(job(Rc::clone(&hub)));
        }
        tasks.close();
        tasks.wait().await;
        hub.close();
    });
}
