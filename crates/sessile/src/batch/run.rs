//! The loop of a batch: targets in, attempts under way, lines out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use url::{Position, Url};

use super::again::{self, Ended, Next, Tried};
use super::body::BodyFault;
use super::done::{Done, Standing};
use super::error::BatchError;
use super::journal::{Order, Output, Pen};
use super::line::{Fault, Line};
use super::list::{Fed, Targets};
use super::outcome;
use super::target::{BadTarget, Target};
use super::through::{Attempted, Sender, Sending};
use super::{Batch, End, Progress, Report};
use crate::error::Error;

/// How often what was written is brought to the disk.
const SYNC: Duration = Duration::from_secs(1);

/// How many hosts that want to be left alone are remembered before those that no longer do are forgotten.
const MANY_HOSTS: usize = 1024;

/// A batch under way.
pub(super) struct Run<'a> {
    batch: Arc<Batch>,
    feed: mpsc::Receiver<Fed>,
    is_fed: bool,
    pen: Pen,
    done: Done,
    running: JoinSet<Attempted>,
    jobs: HashMap<Id, Job>,
    /// Those to be tried again, by when.
    waiting: BTreeMap<(Instant, u64), Job>,
    /// The hosts that want to be left alone, and until when.
    left_alone: HashMap<Box<str>, Instant>,
    begun: u64,
    progress: Progress,
    watch: &'a mut (dyn FnMut(&Progress) + Send),
    ending: Option<Ending>,
}

/// Why nothing more is begun.
enum Ending {
    Asked,
    Fault(BatchError),
}

/// A target under way.
#[derive(Debug)]
struct Job {
    number: u64,
    target: Arc<str>,
    address: String,
    host: Box<str>,
    attempts: u32,
}

impl<'a> Run<'a> {
    pub(super) fn begin(
        batch: &Batch,
        targets: Targets,
        output: Output,
        watch: &'a mut (dyn FnMut(&Progress) + Send),
    ) -> Self {
        Self {
            batch: Arc::new(batch.clone()),
            feed: targets.feed(),
            is_fed: false,
            pen: Pen::take_up(output.place),
            done: output.done,
            running: JoinSet::new(),
            jobs: HashMap::new(),
            waiting: BTreeMap::new(),
            left_alone: HashMap::new(),
            begun: 0,
            progress: Progress::default(),
            watch,
            ending: None,
        }
    }

    pub(super) async fn finish(mut self) -> Result<Report, BatchError> {
        let mut tick = ticks();
        let stop = self.batch.stop.0.clone();
        while !self.is_over() {
            let due = self.first_due();
            tokio::select! {
                biased;
                () = stop.cancelled(), if self.ending.is_none() => self.end(Ending::Asked),
                Some(ended) = self.running.join_next_with_id() => self.settle(ended).await?,
                _now = tick.tick() => self.pen.order(Order::Sync).await?,
                () = wait_until(due), if due.is_some() => self.begin_due(),
                fed = self.feed.recv(), if self.has_room() => self.take(fed).await?,
            }
            self.tell();
        }
        self.report().await
    }

    /// Whether nothing is under way and nothing will be.
    fn is_over(&self) -> bool {
        let is_idle = self.running.is_empty() && self.waiting.is_empty();
        is_idle && (self.is_fed || self.ending.is_some())
    }

    fn has_free_place(&self) -> bool {
        self.running.len() < self.batch.options.concurrency.get()
    }

    /// Whether another target can be taken. Few wait, so that a long list isn't taken into memory
    /// while a host wants to be left alone.
    fn has_room(&self) -> bool {
        let many = 4 * self.batch.options.concurrency.get() + 256;
        !self.is_fed && self.ending.is_none() && self.has_free_place() && self.waiting.len() < many
    }

    /// When the first of those that wait can be tried again, where there is a place for it.
    fn first_due(&self) -> Option<Instant> {
        let (&(due, _), _) = self.waiting.first_key_value()?;
        self.has_free_place().then_some(due)
    }

    fn end(&mut self, ending: Ending) {
        if self.ending.is_none() {
            self.ending = Some(ending);
            self.waiting.clear();
        }
    }

    async fn take(&mut self, fed: Option<Fed>) -> Result<(), BatchError> {
        match fed {
            None => self.is_fed = true,
            Some(Fed::Failed(error)) => {
                self.is_fed = true;
                self.end(Ending::Fault(error));
            }
            Some(Fed::Target(Ok(target))) => self.meet(&target).await?,
            Some(Fed::Target(Err(bad))) => {
                if self.is_open(&bad.target) {
                    self.refuse(&bad).await?;
                }
            }
            Some(Fed::Total(total)) => self.progress.total = Some(total),
        }
        Ok(())
    }

    /// Whether the target has no line yet and didn't come before.
    fn is_open(&mut self, target: &str) -> bool {
        match self.done.ask(target) {
            Standing::Before => self.progress.before += 1,
            Standing::Duplicate => self.progress.duplicates += 1,
            Standing::Open => return true,
        }
        false
    }

    async fn meet(&mut self, target: &Target) -> Result<(), BatchError> {
        if !self.is_open(target.name()) {
            return Ok(());
        }
        match self.batch.template.address(target) {
            Ok(address) => {
                self.begun += 1;
                self.begin_or_wait(Job {
                    number: self.begun,
                    target: target.name().into(),
                    host: host(&address),
                    address,
                    attempts: 0,
                });
                Ok(())
            }
            Err(why) => {
                let target = target.name().to_owned();
                self.refuse(&BadTarget { target, why }).await
            }
        }
    }

    /// A target that can't be asked for has its line too.
    async fn refuse(&mut self, bad: &BadTarget) -> Result<(), BatchError> {
        let fault = Fault {
            kind: "badTarget",
            message: bad.why.to_string(),
        };
        self.write(&Line::without_reply(&bad.target, fault)).await
    }

    fn begin_due(&mut self) {
        let now = Instant::now();
        while self.has_free_place()
            && let Some(first) = self.waiting.first_entry()
            && first.key().0 <= now
        {
            let job = first.remove();
            self.begin_or_wait(job);
        }
    }

    fn begin_or_wait(&mut self, job: Job) {
        match self.left_alone.get(&job.host) {
            Some(&until) if until > Instant::now() => {
                self.waiting.insert((until, job.number), job);
            }
            Some(_) | None => self.attempt(job),
        }
    }

    fn attempt(&mut self, mut job: Job) {
        job.attempts += 1;
        let batch = Arc::clone(&self.batch);
        let (target, address) = (Arc::clone(&job.target), job.address.clone());
        let task = self.running.spawn(async move {
            match batch.template.request(&target, &address) {
                Ok(request) => {
                    let sending = Sending {
                        request,
                        bodies: &batch.options.bodies,
                        target: &target,
                        stop: &batch.stop.0,
                    };
                    batch.through.attempt(sending).await
                }
                Err(error) => Attempted::refused(error),
            }
        });
        self.jobs.insert(task.id(), job);
    }

    /// Decides what becomes of a target after an attempt.
    async fn settle(
        &mut self,
        ended: Result<(Id, Attempted), JoinError>,
    ) -> Result<(), BatchError> {
        let (id, attempted) = match ended {
            Ok((id, attempted)) => (id, Some(attempted)),
            Err(panicked) => (panicked.id(), None),
        };
        let job = self
            .jobs
            .remove(&id)
            .expect("a task has its job until it ends");
        if let Some(Attempted {
            result: Ok(replied),
            ..
        }) = &attempted
            && let Err(BodyFault::Kept(error)) = &replied.body
        {
            self.end(Ending::Fault(error.clone()));
            return Ok(());
        }
        match self.next(&job, attempted.as_ref()) {
            Next::Again(wait) => self.wait(job, wait),
            Next::End => self.end(ending(attempted)),
            Next::LeaveAlone(wait) => {
                self.leave_alone(&job.host, wait);
                self.wait(job, wait);
            }
            Next::Record => self.record(&job, attempted).await?,
        }
        Ok(())
    }

    fn next(&self, job: &Job, attempted: Option<&Attempted>) -> Next {
        let ended = match attempted {
            None => Ended::Panicked,
            Some(Attempted {
                result: Err(error), ..
            }) => Ended::Failed(error),
            Some(Attempted {
                result: Ok(replied),
                ..
            }) => Ended::Replied {
                verdict: &replied.verdict,
                retry_after: replied.retry_after,
                lost: replied.lost(),
            },
        };
        let tried = Tried {
            attempts: job.attempts,
            is_repeatable: self.batch.template.is_repeatable(),
            has_many: self.batch.through.has_many(),
        };
        again::decide(&self.batch.options.patience, tried, &ended, jitter())
    }

    /// Those who are told to end don't wait; what they leave undone is done by the next run.
    fn wait(&mut self, job: Job, wait: Duration) {
        if self.ending.is_none() {
            self.waiting
                .insert((Instant::now() + wait, job.number), job);
        }
    }

    fn leave_alone(&mut self, host: &str, wait: Duration) {
        let now = Instant::now();
        if self.left_alone.len() >= MANY_HOSTS {
            self.left_alone.retain(|_, until| *until > now);
        }
        let until = self.left_alone.entry(host.into()).or_insert(now);
        *until = (*until).max(now + wait);
    }

    async fn record(&mut self, job: &Job, attempted: Option<Attempted>) -> Result<(), BatchError> {
        if let Some(Sender::Fallback(why)) = attempted.as_ref().map(|attempted| &attempted.sender) {
            self.progress.fallbacks += 1;
            let why_first = &mut self.progress.why_fallback;
            why_first.get_or_insert_with(|| why.to_string().into());
        }
        let mut line = outcome::line(&job.target, attempted);
        line.attempts = job.attempts;
        if line.url.is_none() {
            line.url = Some(shown(&job.address));
        }
        self.write(&line).await
    }

    async fn write(&mut self, line: &Line<'_>) -> Result<(), BatchError> {
        self.pen.order(Order::Write(line.bytes())).await?;
        self.progress.done += 1;
        self.progress.failed += u64::from(line.error.is_some());
        Ok(())
    }

    fn tell(&mut self) {
        self.progress.running = self.running.len() as u64;
        self.progress.waiting = self.waiting.len() as u64;
        self.progress.lack = self.batch.through.lack();
        (self.watch)(&self.progress);
    }

    async fn report(self) -> Result<Report, BatchError> {
        self.pen.put_down().await?;
        let end = match self.ending {
            None => End::Complete,
            Some(Ending::Asked) => End::Stopped,
            Some(Ending::Fault(error)) => return Err(error),
        };
        let Progress {
            before,
            done,
            failed,
            duplicates,
            fallbacks,
            ..
        } = self.progress;
        Ok(Report {
            before,
            done,
            failed,
            duplicates,
            fallbacks,
            strangers: if self.is_fed {
                self.done.strangers()
            } else {
                0
            },
            end,
        })
    }
}

fn ticks() -> Interval {
    let mut ticks = interval(SYNC);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn wait_until(due: Option<Instant>) {
    if let Some(due) = due {
        sleep_until(due).await;
    }
}

/// A number between 0 and 1 that spreads those who failed together.
fn jitter() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / f64::from(u32::MAX)
}

/// Whom a pause is about: host and port, or nothing where the session says which host.
fn host(address: &str) -> Box<str> {
    let url = Url::parse(address);
    url.map_or_else(
        |_relative| "".into(),
        |url| url[Position::BeforeHost..Position::AfterPort].into(),
    )
}

/// The address as it may be shown.
fn shown(address: &str) -> String {
    match Url::parse(address) {
        Ok(url) => crate::redact::ShownUrl(&url).to_string(),
        Err(_relative) => address
            .split(['?', '#'])
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

fn ending(attempted: Option<Attempted>) -> Ending {
    let error = attempted.and_then(|attempted| attempted.result.err());
    Ending::Fault(error.unwrap_or_else(|| Error::Closed.into()).into())
}
