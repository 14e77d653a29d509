//! One item of the row: fetched, as often as it takes, and written when it is its turn.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use sessile::{Reply, ShownUrl};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::keys::{Keys, passing};
use super::out::{Attempt, Entry, Out};
use crate::plan::schedule::Ticket;
use crate::plan::timeline::Name;
use crate::playlist::{Key, Place};
use crate::record::RecordError;
use crate::record::progress::Progress;
use crate::record::source::{Fault, Source, Wanted, pause, read_out};

/// How much is gathered before it is written.
const BATCH: usize = 256 * 1024;

/// How many bytes may wait for their turn in memory, of all segments together. What waits beyond it waits
/// in the sockets.
const ROOM: usize = 3 << 20;

/// How often a segment that isn't there is asked for again.
const MISSED: u32 = 2;

/// A segment, or what comes before the first of its kind.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) place: Place,
    pub(super) key: Option<Arc<Key>>,
    /// The sequence number that the key goes by.
    pub(super) sequence: u64,
    /// `None` for what comes before the first segment.
    pub(super) position: Option<u64>,
    pub(super) duration: Duration,
    /// The way in that its address belongs to.
    pub(super) epoch: u64,
}

impl Item {
    pub(super) fn name(&self) -> Name {
        Name::of(&self.place)
    }

    fn entry(&self) -> Entry {
        match self.position {
            None => Entry::Init(self.name()),
            Some(position) => Entry::Segment {
                position,
                sequence: self.sequence,
                name: self.name(),
                duration: self.duration,
            },
        }
    }
}

/// What fetching has come to.
pub(super) enum Fetched {
    /// It is in memory; it isn't its turn.
    Held(Held),
    /// It is in the file.
    Written(u64),
}

/// A whole segment in memory.
pub(super) struct Held {
    pieces: Vec<Bytes>,
    /// Its share of the room.
    _room: Option<OwnedSemaphorePermit>,
}

/// What the items of one row share.
pub(super) struct Shared<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) progress: &'a Progress,
    pub(super) out: Out,
    keys: Keys,
    room: Arc<Semaphore>,
    turn: watch::Sender<Ticket>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(source: &'a Source<'a>, progress: &'a Progress, out: Out) -> Self {
        Self {
            source,
            progress,
            out,
            keys: Keys::default(),
            room: Arc::new(Semaphore::new(ROOM)),
            turn: watch::Sender::new(0),
        }
    }

    /// It is this one's turn to be written.
    pub(super) fn announce(&self, turn: Ticket) {
        self.turn.send_if_modified(|now| {
            let is_other = *now != turn;
            *now = turn;
            is_other
        });
    }

    /// Fetches an item, again where that may help; writes it where its turn comes meanwhile.
    pub(super) async fn fetch(&self, ticket: Ticket, item: &Item) -> Result<Fetched, Fault> {
        let options = self.source.options;
        let mut tried = 0;
        loop {
            match self.try_to_fetch(ticket, item).await {
                Err(Fault::Passing(error, asked)) => {
                    let pause = self.source.pause(tried, asked);
                    let Some(pause) = pause.filter(|_| tried < options.retries) else {
                        return Err(Fault::Gone(error));
                    };
                    tokio::time::sleep(pause).await;
                    tried += 1;
                }
                // A playlist may be ahead of its segments for a moment.
                Err(Fault::Gone(RecordError::Refused { status: 404, .. }))
                    if tried < options.retries.min(MISSED) =>
                {
                    tokio::time::sleep(pause(options, tried, None)).await;
                    tried += 1;
                }
                done => return done,
            }
        }
    }

    async fn try_to_fetch(&self, ticket: Ticket, item: &Item) -> Result<Fetched, Fault> {
        // Asked for first, so that a key that can't be had costs no segment.
        let key = item.key.as_deref();
        self.keys.cipher(self.source, key, item.sequence).await?;
        let range = item.place.range;
        let reply = self
            .source
            .fetch(&Wanted::bytes(&item.place.url, range))
            .await?;
        let mut body = Body::of(reply, item);
        let mut waiting = Waiting::default();
        let mut turn = self.turn.subscribe();
        loop {
            if *turn.borrow() == ticket {
                return self
                    .write_through(item, waiting, Some(body))
                    .await
                    .map(Fetched::Written);
            }
            let Some(piece) = body.next().await? else {
                break;
            };
            let share = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            tokio::select! {
                biased;
                room = Arc::clone(&self.room).acquire_many_owned(share) => {
                    // The room is never closed.
                    waiting.keep(piece, room.ok());
                }
                _ = turn.wait_for(|turn| *turn == ticket) => waiting.keep(piece, None),
            }
        }
        Ok(Fetched::Held(Held {
            pieces: waiting.pieces,
            _room: waiting.room,
        }))
    }

    /// Writes an item that is in memory.
    pub(super) async fn write(&self, item: &Item, held: Held) -> Result<u64, Fault> {
        let waiting = Waiting {
            pieces: held.pieces,
            room: held._room,
        };
        self.write_through(item, waiting, None).await
    }

    /// Writes what is there, and what still comes as it comes.
    async fn write_through(
        &self,
        item: &Item,
        waiting: Waiting,
        body: Option<Body>,
    ) -> Result<u64, Fault> {
        let key = item.key.as_deref();
        let cipher = self.keys.cipher(self.source, key, item.sequence).await?;
        let attempt = self.out.begin(cipher).await.map_err(Fault::Stop)?;
        let mut counted = 0;
        let written = self.pour(attempt, waiting, body, &mut counted).await;
        let committed = match written {
            Ok(()) => self
                .out
                .commit(attempt, item.entry())
                .await
                .map_err(Fault::Stop),
            Err(fault) => Err(fault),
        };
        match committed {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => {
                self.progress.take_back(counted);
                self.keys.forget(key);
                let url = ShownUrl(&item.place.url).to_string();
                let what = "it doesn't end as what its key was used for".to_owned();
                Err(Fault::Passing(RecordError::Wrong { url, what }, None))
            }
            Err(fault) => {
                self.progress.take_back(counted);
                self.out.roll_back().await.map_err(Fault::Stop)?;
                Err(fault)
            }
        }
    }

    async fn pour(
        &self,
        attempt: Attempt,
        waiting: Waiting,
        body: Option<Body>,
        counted: &mut u64,
    ) -> Result<(), Fault> {
        let (mut pieces, room) = (waiting.pieces, waiting.room);
        let mut gathered: usize = pieces.iter().map(Bytes::len).sum();
        let mut body = body;
        loop {
            let piece = match &mut body {
                Some(body) if gathered < BATCH => body.next().await?,
                Some(_) => Some(Bytes::new()),
                None => None,
            };
            let is_end = piece.is_none();
            if let Some(piece) = piece.filter(|piece| !piece.is_empty()) {
                gathered += piece.len();
                pieces.push(piece);
            }
            if !is_end && gathered < BATCH {
                continue;
            }
            let batch = std::mem::take(&mut pieces);
            gathered = 0;
            let bytes = self.out.append(attempt, batch).await.map_err(Fault::Stop)?;
            *counted += bytes;
            if let Some(event) = self.progress.add(bytes) {
                self.source.tell(event);
            }
            if is_end {
                drop(room);
                return Ok(());
            }
        }
    }
}

/// Pieces that wait for their turn, with their share of the room.
#[derive(Default)]
struct Waiting {
    pieces: Vec<Bytes>,
    room: Option<OwnedSemaphorePermit>,
}

impl Waiting {
    fn keep(&mut self, piece: Bytes, room: Option<OwnedSemaphorePermit>) {
        self.pieces.push(piece);
        match (&mut self.room, room) {
            (Some(own), Some(more)) => own.merge(more),
            (own @ None, room) => *own = room,
            (Some(_), None) => {}
        }
    }
}

/// A reply's bytes, as far as they were asked for, and not one less.
struct Body {
    reply: Reply,
    url: String,
    /// What comes before the part that was asked for, where the whole file came.
    skip: u64,
    left: Option<u64>,
}

impl Body {
    fn of(reply: Reply, item: &Item) -> Self {
        let range = item.place.range;
        let is_part = reply.status() == StatusCode::PARTIAL_CONTENT;
        Self {
            skip: range.filter(|_| !is_part).map_or(0, |range| range.start),
            left: range.map(|range| range.length),
            url: ShownUrl(&item.place.url).to_string(),
            reply,
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            if self.left == Some(0) {
                read_out(&mut self.reply).await;
                return Ok(None);
            }
            let Some(mut piece) = self.reply.chunk().await.map_err(passing)? else {
                return match self.left {
                    None => Ok(None),
                    Some(left) => Err(self.short(left)),
                };
            };
            let skipped = piece
                .len()
                .min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            drop(piece.split_to(skipped));
            self.skip -= skipped as u64;
            if let Some(left) = &mut self.left {
                piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= piece.len() as u64;
            }
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    fn short(&self, left: u64) -> Fault {
        let what = format!("{left} bytes of the range that was asked for didn't come");
        let url = self.url.clone();
        Fault::Passing(RecordError::Wrong { url, what }, None)
    }
}
