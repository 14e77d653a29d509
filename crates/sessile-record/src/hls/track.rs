//! One playlist into one file, from its first segment to its last or as long as it lives.
//!
//! What comes next is decided by `plan`; this loop does it and tells what came of it. What playlists
//! bring is in `planning`, what is done where something can't be had in `failing`.

mod failing;
mod planning;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::load::{Loaded, Which};
use super::out::Left;
use super::segment::{Fetched, Held, Item, Shared};
use crate::plan::schedule::{Schedule, Ticket};
use crate::plan::timeline::{Name, Timeline};
use crate::playlist::MediaPlaylist;
use crate::record::source::Fault;
use crate::record::{Ended, Event, Gap, RecordError, RecordOptions};

/// How long a segment that is being written may take to its end when the recording is stopped.
const GRACE: Duration = Duration::from_secs(3);

/// What became of one playlist.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) segments: u64,
    pub(super) media_time: Duration,
    pub(super) gaps: Vec<Gap>,
    pub(super) ended: Ended,
}

type Job<'a> = Pin<Box<dyn Future<Output = Done> + Send + 'a>>;

/// What a job came to.
enum Done {
    Fetched(Ticket, Result<Fetched, Fault>),
    Opened(Result<Loaded, RecordError>),
    /// By that way in.
    Reloaded(u64, Result<MediaPlaylist, Fault>),
    Written(Ticket, Result<u64, Fault>),
}

pub(super) struct Track<'a> {
    shared: &'a Shared<'a>,
    which: Which,
    loaded: Loaded,
    timeline: Timeline,
    schedule: Schedule<Item>,
    held: HashMap<Ticket, Held>,
    jobs: FuturesUnordered<Job<'a>>,
    /// What comes before the segments that were planned last.
    init: Option<Name>,
    planned_time: Duration,
    /// When a live playlist is loaded again; `None` while it is, or where it won't change.
    reload_at: Option<Instant>,
    /// When it last brought something.
    heard: Instant,
    is_opening: bool,
    /// The item that another way in is looked for.
    opens_for: Option<Ticket>,
    /// How often in a row items were refused as if the way in were shut.
    refused: HashMap<Ticket, u32>,
    /// What can't be had, though it must be; everything before it is recorded first.
    failure: Option<(Ticket, RecordError)>,
    /// Why nothing more is planned.
    ending: Option<Ended>,
    stop_by: Option<Instant>,
    /// How much the other row has, where that has ended early; this one has no more.
    limit: Option<watch::Receiver<Option<Duration>>>,
    /// Whether the first playlist had no end.
    was_live: bool,
    total: Option<u64>,
    recording: Recording,
}

impl<'a> Track<'a> {
    pub(super) fn new(
        shared: &'a Shared<'a>,
        which: Which,
        parallel: usize,
        loaded: Loaded,
        left: &Left,
    ) -> Self {
        Self {
            was_live: !loaded.media.is_ended,
            shared,
            which,
            loaded,
            timeline: Timeline::resumed(&left.segments),
            schedule: Schedule::new(parallel),
            held: HashMap::new(),
            jobs: FuturesUnordered::new(),
            init: left.init,
            planned_time: left.media_time,
            reload_at: None,
            heard: Instant::now(),
            is_opening: false,
            opens_for: None,
            refused: HashMap::new(),
            failure: None,
            ending: None,
            stop_by: None,
            limit: None,
            total: None,
            recording: Recording {
                segments: left.segments.len() as u64,
                media_time: left.media_time,
                gaps: Vec::new(),
                ended: Ended::Complete,
            },
        }
    }

    /// Has it end where another row has ended early, as soon as that is told.
    pub(super) fn ends_with(mut self, limit: watch::Receiver<Option<Duration>>) -> Self {
        self.limit = Some(limit);
        self
    }

    fn options(&self) -> &'a RecordOptions {
        self.shared.source.options
    }

    /// Records to the end.
    pub(super) async fn run(mut self) -> Result<Recording, RecordError> {
        let media = self.loaded.media.clone();
        self.take_playlist(&media);
        let result = self.go().await;
        // Whatever is under way writes nothing any more.
        drop(std::mem::take(&mut self.jobs));
        self.shared.out.settle().await;
        self.shared.out.roll_back().await?;
        result.map(|()| self.recording)
    }

    async fn go(&mut self) -> Result<(), RecordError> {
        let options = self.options();
        loop {
            if self.ending != Some(Ended::Size) {
                self.advance()?;
            }
            if self.is_done() {
                self.recording.ended = match self.ending {
                    // Nothing was left to be stopped.
                    Some(Ended::Stopped) if self.is_all_there() => Ended::Complete,
                    ending => ending.unwrap_or(Ended::Complete),
                };
                return Ok(());
            }
            let stop_by = self.stop_by;
            let reload_at = self.reload_at;
            tokio::select! {
                biased;
                Some(done) = self.jobs.next() => self.take(done)?,
                () = options.stop.stopped(), if stop_by.is_none() => {
                    self.ending = Some(Ended::Stopped);
                    self.stop_by = Some(Instant::now() + GRACE);
                }
                () = until(stop_by) => {
                    self.recording.ended = Ended::Stopped;
                    return Ok(());
                }
                () = until(reload_at) => self.reload(),
                () = changed(&mut self.limit) => self.end_at_limit(),
            }
        }
    }

    /// Starts whatever can be.
    fn advance(&mut self) -> Result<(), RecordError> {
        loop {
            let turn = self.schedule.turn();
            if let Some((_, why)) = self.failure.take_if(|(at, _)| *at == turn) {
                return Err(why);
            }
            if self.schedule.pass_over().is_none() {
                break;
            }
        }
        self.shared.announce(self.schedule.turn());
        if let Some(ticket) = self.schedule.write()
            && let (Some(held), Some(item)) =
                (self.held.remove(&ticket), self.schedule.item(ticket))
        {
            let (shared, item) = (self.shared, item.clone());
            self.jobs.push(Box::pin(async move {
                Done::Written(ticket, shared.write(&item, held).await)
            }));
        }
        if self.is_opening || self.stop_by.is_some() {
            return Ok(());
        }
        while let Some(ticket) = self.schedule.fetch() {
            // What comes before a failure is still recorded, what comes after isn't.
            let is_past = self.failure.as_ref().is_some_and(|(at, _)| ticket > *at);
            let item = self.schedule.item(ticket).filter(|_| !is_past).cloned();
            let Some(item) = item else {
                self.schedule.again(ticket);
                break;
            };
            let shared = self.shared;
            self.jobs.push(Box::pin(async move {
                Done::Fetched(ticket, shared.fetch(ticket, &item).await)
            }));
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        match self.ending {
            // The one that is being written comes to its end.
            Some(Ended::Stopped) => !self.schedule.is_head_busy(),
            Some(Ended::Size) => true,
            Some(_) => self.schedule.len() == 0,
            None => false,
        }
    }

    fn is_all_there(&self) -> bool {
        self.loaded.media.is_ended && self.schedule.len() == 0
    }

    fn take(&mut self, done: Done) -> Result<(), RecordError> {
        match done {
            Done::Fetched(ticket, Ok(Fetched::Held(held))) => {
                self.shared.source.has_come();
                self.held.insert(ticket, held);
                self.schedule.hold(ticket);
            }
            Done::Fetched(_, Ok(Fetched::Written(bytes))) | Done::Written(_, Ok(bytes)) => {
                self.written(bytes);
            }
            Done::Fetched(ticket, Err(fault)) | Done::Written(ticket, Err(fault)) => {
                self.failed(ticket, fault)?;
            }
            Done::Opened(loaded) => {
                self.is_opening = false;
                self.loaded = match loaded {
                    Ok(loaded) => loaded,
                    Err(why) => return self.shut(why),
                };
                self.opens_for = None;
                let media = self.loaded.media.clone();
                self.take_playlist(&media);
            }
            // Another way in has brought a playlist since.
            Done::Reloaded(epoch, _) if epoch != self.loaded.epoch => {}
            Done::Reloaded(_, Ok(media)) => self.take_playlist(&media),
            Done::Reloaded(_, Err(fault)) => self.reload_failed(fault)?,
        }
        Ok(())
    }

    /// The item whose turn it was is in the file.
    fn written(&mut self, bytes: u64) {
        self.shared.source.has_come();
        self.refused.remove(&self.schedule.turn());
        let Some(item) = self.schedule.written() else {
            return;
        };
        if bytes > 0 {
            self.count(&item);
        }
        let is_full = self
            .options()
            .size
            .is_some_and(|size| self.shared.out.bytes() >= size);
        if is_full && self.which == Which::Main {
            self.ending = Some(Ended::Size);
        }
        self.end_at_limit();
    }

    fn end_at_limit(&mut self) {
        let limit = self.limit.as_ref().and_then(|limit| *limit.borrow());
        if limit.is_some_and(|limit| self.recording.media_time >= limit) {
            self.ending = Some(Ended::Size);
        }
    }

    fn count(&mut self, item: &Item) {
        if item.position.is_none() {
            return;
        }
        self.recording.segments += 1;
        self.recording.media_time += item.duration;
        if self.which == Which::Main {
            let (written, time) = (self.recording.segments, self.recording.media_time);
            self.shared.progress.segments(written, self.total, time);
        }
    }

    fn tell_gap(&mut self, first: u64, count: u64, why: String) {
        let gap = Gap { first, count, why };
        self.recording.gaps.push(gap.clone());
        self.shared.source.tell(Event::Gap(gap));
    }
}

/// Waits until a limit is told; for ever where nobody can tell one any more.
async fn changed(limit: &mut Option<watch::Receiver<Option<Duration>>>) {
    if let Some(limit) = limit
        && limit.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
