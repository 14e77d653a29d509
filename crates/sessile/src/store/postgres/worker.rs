//! The thread that talks to the database, with a runtime of its own.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;
use tokio_util::task::TaskTracker;

use super::Site;
use super::hub::Hub;
use super::listen::Changes;
use crate::store::job_thread::{JobThread, Reply, Running};
use crate::store::{Answer, StoreError, files};

/// Hands jobs to the thread.
#[derive(Debug)]
pub(super) struct Worker {
    site: Arc<Site>,
    changes: Arc<Changes>,
    thread: JobThread<UnboundedSender<Job>>,
}

type Job = Box<dyn FnOnce(Rc<Hub>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

impl Worker {
    pub(super) fn new(site: Arc<Site>, changes: Arc<Changes>) -> Self {
        let thread = JobThread::new(site.place.clone());
        Self {
            site,
            changes,
            thread,
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
        self.thread.run(|| self.start(), |reply| job(work, reply))
    }

    pub(super) fn check_open(&self) -> Result<(), StoreError> {
        self.thread.check_open()
    }

    /// Lets the thread finish what was started.
    pub(super) fn close(&self) -> Answer<'_, ()> {
        self.thread.close()
    }

    fn start(&self) -> Result<Running<UnboundedSender<Job>>, StoreError> {
        let failed = |error| files::failed("start a thread for", self.site.place.as_ref(), &error);
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let (jobs, receiver) = unbounded_channel();
        let (site, changes) = (Arc::clone(&self.site), Arc::clone(&self.changes));
        let thread = thread::Builder::new()
            .name("sessile-store".to_owned())
            .spawn(move || serve(&runtime, site, changes, receiver));
        let thread = thread.map_err(failed)?;
        Ok(Running { jobs, thread })
    }
}

fn job<T, F>(work: impl FnOnce(Rc<Hub>) -> F + Send + 'static, reply: Reply<T>) -> Job
where
    T: Send + 'static,
    F: Future<Output = Result<T, StoreError>> + 'static,
{
    Box::new(move |hub| {
        Box::pin(async move {
            // The caller may have stopped waiting.
            let _unheard = reply.send(work(hub).await);
        })
    })
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
