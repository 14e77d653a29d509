//! A file in parts, several at once.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::StatusCode;
use sessile::{Reply, ShownUrl};

use super::file::Edition;
use super::journal::{self, Journal, Known};
use super::{Break, Opened, PART, Recording, Tried, is_other_tag};
use crate::plan::ranges::Ranges;
use crate::playlist::ByteRange;
use crate::record::RecordError;
use crate::record::source::{Fault, Wanted, content_range, read_out};

/// How much is gathered before it is written.
const BATCH: usize = 512 * 1024;

type Job<'a> = Pin<Box<dyn Future<Output = Result<(u64, u64), Break>> + Send + 'a>>;

/// Fetches every part that isn't there; answers the file's length.
pub(super) async fn fetch(
    recording: &Recording<'_>,
    opened: Opened,
    known: Known,
    journal: &mut Journal,
) -> Result<u64, Break> {
    if journal.known.as_ref() != Some(&known) {
        let line = journal::of(&known);
        let noted = recording.file.run(move |part| part.note(&line)).await;
        noted.map_err(Break::Failed)?;
        journal.known = Some(known.clone());
    }
    let total = known.total;
    recording
        .progress
        .begin(journal.ranges.total(), Some(total));
    let parallel = recording.source.options.parallel.max(1);
    // One request for all that is missing where one is all that may be.
    let most = if parallel == 1 { u64::MAX } else { PART };
    let mut jobs: FuturesUnordered<Job<'_>> = FuturesUnordered::new();
    let mut taken = Ranges::default();
    let (epoch, edition) = (opened.epoch, recording.file.edition());
    let mut first = Some(opened);
    loop {
        while jobs.len() < parallel
            && let Some((start, end)) = journal.ranges.missing(&taken, total, most)
        {
            let begun = first.take().filter(|opened| opened.start == start);
            // The first request was for no more than a part.
            let end = if begun.is_some() {
                end.min(start + PART)
            } else {
                end
            };
            taken.add(start, end);
            let part = Part {
                recording,
                known: &known,
                epoch,
                edition,
                start,
                end,
            };
            jobs.push(Box::pin(part.fetch(begun.map(|opened| opened.reply))));
        }
        match jobs.next().await {
            None => return Ok(total),
            Some(done) => {
                let (start, end) = done?;
                taken.remove(start, end);
                journal.ranges.add(start, end);
            }
        }
    }
}

/// A part of the file.
struct Part<'a> {
    recording: &'a Recording<'a>,
    known: &'a Known,
    /// The way in that it is known by.
    epoch: u64,
    /// The state of the file that it is a part of.
    edition: Edition,
    start: u64,
    end: u64,
}

impl Part<'_> {
    /// Fetches it, from where it was broken off.
    async fn fetch(self, begun: Option<Reply>) -> Result<(u64, u64), Break> {
        let mut begun = begun;
        let mut at = self.start;
        let mut tried = Tried::default();
        while at < self.end {
            let before = at;
            let epoch = self.recording.source.epoch();
            let done = match begun.take() {
                Some(reply) => self.pour(reply, &mut at).await,
                None => self.ask(&mut at).await,
            };
            if at > before {
                tried = Tried::default();
            }
            if let Err(fault) = done {
                self.recording.get_over(fault, epoch, &mut tried).await?;
            }
        }
        Ok((self.start, self.end))
    }

    async fn ask(&self, at: &mut u64) -> Result<(), Fault> {
        let source = self.recording.source;
        let (url, epoch) = source.address();
        let range = ByteRange {
            start: *at,
            length: self.end - *at,
        };
        let validator = self.known.validator.as_str();
        let mut wanted = Wanted::bytes(&url, Some(range));
        wanted.unless_changed = Some(validator).filter(|validator| !validator.is_empty());
        wanted.may_be_whole = false;
        let reply = source.fetch(&wanted).await?;
        let total = content_range(&reply).and_then(|(_, _, total)| total);
        if reply.status() != StatusCode::PARTIAL_CONTENT || total != Some(self.known.total) {
            let what = "its length has changed".to_owned();
            let url = ShownUrl(&url).to_string();
            return Err(Fault::Gone(RecordError::Wrong { url, what }));
        }
        // Another mirror may name it differently.
        if epoch == self.epoch && is_other_tag(validator, &super::validator(&reply)) {
            let what = "its ETag has changed".to_owned();
            let url = ShownUrl(&url).to_string();
            return Err(Fault::Gone(RecordError::Wrong { url, what }));
        }
        self.pour(reply, at).await
    }

    /// Writes what comes, in pieces that the journal knows of.
    async fn pour(&self, reply: Reply, at: &mut u64) -> Result<(), Fault> {
        let mut reply = reply;
        let mut batch: Vec<Bytes> = Vec::new();
        let mut gathered = 0;
        loop {
            let left = self.end - *at - gathered as u64;
            let next = match left {
                0 => Ok(None),
                _ => reply.chunk().await,
            };
            let (piece, fault) = match next {
                Ok(piece) => (piece, None),
                Err(error) => (None, Some(Fault::Passing(error.into(), None))),
            };
            let is_end = piece.is_none();
            if let Some(mut piece) = piece {
                piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                gathered += piece.len();
                batch.push(piece);
            }
            if gathered >= BATCH || is_end {
                let bytes = std::mem::take(&mut batch);
                self.write(bytes, *at, gathered as u64).await?;
                *at += gathered as u64;
                gathered = 0;
            }
            match (is_end, fault) {
                (false, _) => {}
                (true, Some(fault)) => return Err(fault),
                (true, None) if *at < self.end => return Err(self.short(&reply, *at)),
                (true, None) => {
                    read_out(&mut reply).await;
                    return Ok(());
                }
            }
        }
    }

    async fn write(&self, batch: Vec<Bytes>, at: u64, length: u64) -> Result<(), Fault> {
        if length == 0 {
            return Ok(());
        }
        let written = self.recording.file.write(self.edition, move |part| {
            let mut offset = at;
            for piece in batch {
                part.write_at(&piece, offset)?;
                offset += piece.len() as u64;
            }
            part.note(&journal::has(at, offset))
        });
        written.await.map_err(Fault::Stop)?;
        self.recording.count(length);
        Ok(())
    }

    fn short(&self, reply: &Reply, at: u64) -> Fault {
        let what = format!("{} bytes of a part didn't come", self.end - at);
        let url = ShownUrl(reply.url()).to_string();
        Fault::Passing(RecordError::Wrong { url, what }, None)
    }
}
