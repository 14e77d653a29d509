//! Recording one file that is fetched as it is: in several parts at once where the server gives parts,
//! from where an earlier run has ended where the file is still the same.
//!
//! `parts` and `whole` are the two ways, `file` is what both write to, `journal` says what is there; which part is fetched next is in
//! `plan/ranges`.

mod file;
mod journal;
mod parts;
mod whole;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use http::StatusCode;
use http::header::{ETAG, LAST_MODIFIED};
use sessile::{Reply, ShownUrl};

use crate::media::Media;
use crate::playlist::ByteRange;
use crate::record::part::PartFile;
use crate::record::progress::Progress;
use crate::record::source::{Fault, Source, Wanted, content_range, pause};
use crate::record::{Ended, Event, RecordError, RecordOptions, Recorded, place};
use file::File;
use journal::{Journal, Known};

/// How much one request asks for where several are under way.
#[cfg(not(test))]
const PART: u64 = 8 << 20;

/// Files of several parts are small in tests.
#[cfg(test)]
const PART: u64 = 64 << 10;

/// How often a file that has changed under way is begun anew.
const ANEW: u32 = 3;

/// Records a file.
pub(crate) async fn record(
    media: Media,
    options: &RecordOptions,
    listener: &(dyn Fn(Event) + Send + Sync),
) -> Result<Recorded, RecordError> {
    let path = place::path(&media, options)?;
    let header = format!("sessile file 1 {:016x}", media.fingerprint());
    let source = Source::new(media, options, listener);
    if options.duration.is_some() || options.size.is_some() {
        source.warn("this media is one file: it is recorded whole");
    }
    let (file, journal) = open(&source, &path, &header)?;
    let recording = Recording {
        source: &source,
        progress: Progress::new(),
        file: file.into(),
        path: &path,
        header,
    };
    let bytes = tokio::select! {
        biased;
        bytes = recording.run(journal) => Some(bytes?),
        () = options.stop.stopped() => None,
    };
    source.save().await;
    recording.file.settle().await;
    recording.finish(bytes).await
}

fn open(
    source: &Source<'_>,
    path: &Path,
    header: &str,
) -> Result<(PartFile, Journal), RecordError> {
    let is_own = |lines: &[String]| lines.first().is_some_and(|first| first == header);
    let (file, lines, aside) = PartFile::open_own(path, source.options.existing, is_own)?;
    if let Some(aside) = aside {
        source.warn_of_aside(&aside);
    }
    let journal = match lines.split_first() {
        Some((first, lines)) if first == header => Journal::read(lines, file.length()?),
        Some(_) | None => Journal::default(),
    };
    Ok((file, journal))
}

/// One file under way.
struct Recording<'a> {
    source: &'a Source<'a>,
    progress: Progress,
    file: File,
    path: &'a Path,
    header: String,
}

/// What a first request has found.
struct Opened {
    reply: Reply,
    known: Option<Known>,
    start: u64,
    /// The way in that it came by.
    epoch: u64,
}

/// Why a run of requests has ended.
enum Break {
    /// The file is another one by now.
    Changed(RecordError),
    Failed(RecordError),
}

/// What was tried since bytes came last.
#[derive(Debug, Default)]
struct Tried {
    /// The same again.
    again: u32,
    /// Another way in to what the server says isn't there.
    is_opened: bool,
}

impl Recording<'_> {
    /// Fetches everything; answers how many bytes that is.
    async fn run(&self, journal: Journal) -> Result<u64, RecordError> {
        let mut journal = journal;
        let mut anew = 0;
        let resumed = journal.ranges.total();
        self.progress
            .begin(resumed, journal.known.as_ref().map(|known| known.total));
        if let Some(known) = journal
            .known
            .as_ref()
            .filter(|known| known.total == resumed)
        {
            return Ok(known.total);
        }
        self.tell_started(&journal);
        loop {
            let opened = self.open(&journal).await;
            // What is there goes only when there is something to put in its place.
            if opened.is_ok() && journal.known.is_none() {
                self.begin_anew().await?;
            }
            let done = match opened {
                Ok(opened) => match opened.known.clone() {
                    Some(known) => parts::fetch(self, opened, known, &mut journal).await,
                    None => whole::fetch(self, opened.reply)
                        .await
                        .map_err(Break::Failed),
                },
                Err(stop) => Err(stop),
            };
            match done {
                Ok(bytes) => return Ok(bytes),
                Err(Break::Failed(error)) => return Err(error),
                Err(Break::Changed(error)) if anew >= ANEW => return Err(error),
                Err(Break::Changed(_)) => {
                    anew += 1;
                    self.source
                        .warn("the file is another one than before: it is recorded anew");
                    journal = Journal::default();
                }
            }
        }
    }

    fn tell_started(&self, journal: &Journal) {
        self.source.tell(Event::Started {
            path: self.path.to_owned(),
            total: journal.known.as_ref().map(|known| known.total),
            resumed: journal.ranges.total(),
            is_live: false,
            variant: None,
        });
    }

    async fn begin_anew(&self) -> Result<(), RecordError> {
        let header = self.header.clone();
        self.progress.begin(0, None);
        self.file.begin(header).await
    }

    /// Asks for the first part that isn't there, as often as it takes.
    async fn open(&self, journal: &Journal) -> Result<Opened, Break> {
        let mut tried = Tried::default();
        let mut takes_parts = true;
        loop {
            let epoch = self.source.epoch();
            match self.try_to_open(journal, takes_parts).await {
                Ok(opened) => return Ok(opened),
                // An empty file has no first byte that could be asked for.
                Err(Fault::Gone(RecordError::Refused { status: 416, .. }))
                    if takes_parts && journal.known.is_none() =>
                {
                    takes_parts = false;
                }
                Err(fault) => self.get_over(fault, epoch, &mut tried).await?,
            }
        }
    }

    async fn try_to_open(&self, journal: &Journal, takes_parts: bool) -> Result<Opened, Fault> {
        let (url, epoch) = self.source.address();
        let known = journal.known.as_ref();
        let next = journal.next(PART);
        let (start, end) = next.unwrap_or((0, PART));
        let range = ByteRange {
            start,
            length: end - start,
        };
        let range = takes_parts.then_some(range);
        let mut wanted = Wanted::bytes(&url, range);
        wanted.unless_changed = known.map(|known| known.validator.as_str());
        wanted.may_be_whole = known.is_none();
        let reply = self.source.fetch(&wanted).await?;
        if reply.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(Opened {
                reply,
                known: None,
                start: 0,
                epoch,
            });
        }
        let Some((_, _, Some(total))) = content_range(&reply) else {
            let what = "it says neither its length nor which part came".to_owned();
            let url = ShownUrl(&url).to_string();
            return Err(Fault::Stop(RecordError::Wrong { url, what }));
        };
        let now = Known {
            total,
            validator: validator(&reply),
        };
        let is_where_it_was = self.source.epoch() == 0;
        match known {
            Some(known) if is_where_it_was && is_other_tag(&known.validator, &now.validator) => {
                let what = "its ETag has changed".to_owned();
                let url = ShownUrl(&url).to_string();
                Err(Fault::Gone(RecordError::Wrong { url, what }))
            }
            // Another mirror may name it differently; its length it can't.
            Some(known) if known.total != total => {
                let what = "its length has changed".to_owned();
                let url = ShownUrl(&url).to_string();
                Err(Fault::Gone(RecordError::Wrong { url, what }))
            }
            _ => Ok(Opened {
                reply,
                known: Some(now),
                start,
                epoch,
            }),
        }
    }

    /// As [`Self::recover`], for a fault of a part. Only what another file has come of is a change:
    /// where the server says that there is none, another way in may lead to it.
    async fn get_over(&self, fault: Fault, epoch: u64, tried: &mut Tried) -> Result<(), Break> {
        let done = match fault {
            Fault::Gone(
                error @ (RecordError::Wrong { .. } | RecordError::Refused { status: 416, .. }),
            ) => return Err(Break::Changed(error)),
            Fault::Gone(why) if !tried.is_opened => {
                tried.is_opened = true;
                self.source.open_again(epoch, why).await
            }
            fault => self.recover(fault, &mut tried.again).await,
        };
        done.map_err(Break::Failed)
    }

    /// What can be done about a fault is done; what can't ends the recording.
    async fn recover(&self, fault: Fault, tried: &mut u32) -> Result<(), RecordError> {
        let options = self.source.options;
        match fault {
            Fault::Closed(epoch, why) => self.source.open_again(epoch, why).await,
            Fault::Passing(_, asked) if *tried < options.retries => {
                tokio::time::sleep(pause(options, *tried, asked)).await;
                *tried += 1;
                Ok(())
            }
            fault => Err(fault.into_error()),
        }
    }

    /// More of it is in the file.
    fn count(&self, bytes: u64) {
        self.source.has_come();
        if let Some(event) = self.progress.add(bytes) {
            self.source.tell(event);
        }
    }

    /// Gives a whole file its name; one that was stopped keeps what it has.
    async fn finish(self, bytes: Option<u64>) -> Result<Recorded, RecordError> {
        let (path, existing) = (self.path.to_owned(), self.source.options.existing);
        let Some(bytes) = bytes else {
            let (path, bytes) = self
                .file
                .run(|part| {
                    part.note_safe()?;
                    Ok((part.part().to_owned(), part.length()?))
                })
                .await?;
            self.source
                .warn("the file isn't whole: the same recording goes on from here");
            return Ok(self.recorded(path, bytes, Ended::Stopped));
        };
        let length = self.file.run(|part| part.length()).await?;
        if length != bytes {
            let url = ShownUrl(&self.source.address().0).to_string();
            let what = format!("it has {length} bytes in place of {bytes}");
            return Err(RecordError::Wrong { url, what });
        }
        let recorded = self.recorded(path.clone(), bytes, Ended::Complete);
        let finished = self.file.run(move |part| part.finish(&path, existing));
        finished.await?;
        self.source.tell(Event::Finished(recorded.clone()));
        Ok(recorded)
    }

    fn recorded(&self, path: PathBuf, bytes: u64, ended: Ended) -> Recorded {
        Recorded {
            path,
            beside: Vec::new(),
            bytes,
            segments: None,
            media_time: None,
            gaps: Vec::new(),
            ended,
        }
    }
}

/// Whether two validators are strong tags of different states.
fn is_other_tag(one: &str, other: &str) -> bool {
    one.starts_with('"') && other.starts_with('"') && one != other
}

/// What tells one state of a file from the next: a strong `ETag`, or when it was changed. Empty where
/// there is neither.
fn validator(reply: &Reply) -> String {
    let header = |name| {
        reply
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let strong = header(ETAG).filter(|tag| tag.starts_with('"'));
    strong
        .or(header(LAST_MODIFIED))
        .unwrap_or_default()
        .to_owned()
}
