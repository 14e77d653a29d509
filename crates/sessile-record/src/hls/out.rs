//! The file that segments are written to, one after the other; each is there whole or not at all.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use super::cipher::Cipher;
use crate::plan::timeline::Name;
use crate::playlist::Segment;
use crate::record::part::{PartFile, at};
use crate::record::{Existing, RecordError, cut};

/// Counts the tries to write a segment: what comes late of one that was given up is written nowhere.
pub(super) type Attempt = u64;

/// The file, for whoever's turn it is. Writing is done by the runtime's threads for what blocks.
#[derive(Clone)]
pub(super) struct Out(Arc<Mutex<Inner>>);

struct Inner {
    part: PartFile,
    /// Where the last whole segment ends.
    end: u64,
    /// Where the file ends.
    at: u64,
    attempt: Attempt,
    cipher: Option<Cipher>,
    plain: Vec<u8>,
    syncing: Option<JoinHandle<()>>,
}

/// What is noted of a piece that is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Entry {
    Init(Name),
    Segment {
        position: u64,
        sequence: u64,
        name: Name,
        duration: Duration,
    },
}

/// What an earlier run has left.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Positions, sequence numbers and names.
    pub(super) segments: Vec<(u64, u64, Name)>,
    pub(super) init: Option<Name>,
    pub(super) bytes: u64,
    pub(super) media_time: Duration,
}

impl Out {
    /// Opens the file; `header` says what it is of. What was recorded of something else is no
    /// beginning of it.
    pub(super) fn open(
        part: PartFile,
        lines: &[String],
        header: &str,
    ) -> Result<(Self, Left), RecordError> {
        let mut part = part;
        let mut left = Left::default();
        let mut is_begun_anew = false;
        match lines.split_first() {
            Some((first, lines)) if first == header => {
                let length = part.length()?;
                let (cuts, lines): (Vec<&String>, Vec<&String>) =
                    lines.iter().partition(|line| cut::is_line(line));
                let kept = lines
                    .iter()
                    .map_while(|line| read(line))
                    .take_while(|(_, end)| *end <= length);
                let kept: Vec<(Entry, u64)> = kept.collect();
                if kept.len() < lines.len() {
                    let rest: String = kept.iter().map(|(entry, end)| write(entry, *end)).collect();
                    part.begin_journal(header)?;
                    let cuts = cuts.iter().map(|line| format!("{line}\n"));
                    part.note(&cuts.chain([rest]).collect::<String>())?;
                    is_begun_anew = true;
                }
                kept.iter().for_each(|(entry, end)| left.take(entry, *end));
            }
            Some(_) | None => part.begin(header)?,
        }
        part.cut_to_left(left.bytes)?;
        if is_begun_anew {
            part.note_safe()?;
        }
        let inner = Inner {
            part,
            end: left.bytes,
            at: left.bytes,
            attempt: 0,
            cipher: None,
            plain: Vec::new(),
            syncing: None,
        };
        Ok((Self(Arc::new(Mutex::new(inner))), left))
    }

    /// Begins a segment, in place of one that was given up.
    pub(super) async fn begin(&self, cipher: Option<Cipher>) -> Result<Attempt, RecordError> {
        self.run(move |inner| {
            inner.roll_back()?;
            inner.cipher = cipher;
            Ok(inner.attempt)
        })
        .await
    }

    /// Writes more of it; answers how much that is.
    pub(super) async fn append(
        &self,
        attempt: Attempt,
        pieces: Vec<Bytes>,
    ) -> Result<u64, RecordError> {
        self.run(move |inner| match inner.attempt == attempt {
            true => inner.append(&pieces),
            false => Ok(0),
        })
        .await
    }

    /// It is whole. Answers how many bytes that is; `None` where its end isn't what the key is for.
    pub(super) async fn commit(
        &self,
        attempt: Attempt,
        entry: Entry,
    ) -> Result<Option<u64>, RecordError> {
        let own = self.clone();
        self.run(move |inner| {
            let done = match inner.attempt == attempt {
                true => inner.commit(&entry)?,
                false => None,
            };
            if let Some(sync) = inner.part.sync_due() {
                // More is fetched and written meanwhile.
                inner.syncing = Some(spawn_blocking(move || {
                    let done = sync.run();
                    own.lock().part.synced(&sync, done);
                }));
            }
            Ok(done)
        })
        .await
    }

    /// Waits until nothing is on its way to the disk.
    pub(super) async fn settle(&self) {
        let syncing = self.lock().syncing.take();
        if let Some(syncing) = syncing {
            // Only the end of the runtime ends it before its end.
            let _ended = syncing.await;
        }
    }

    /// Takes back what isn't whole.
    pub(super) async fn roll_back(&self) -> Result<(), RecordError> {
        self.run(Inner::roll_back).await
    }

    /// The bytes of whole segments.
    pub(super) fn bytes(&self) -> u64 {
        self.lock().end
    }

    /// Where the file is while it is recorded.
    pub(super) fn part(&self) -> PathBuf {
        self.lock().part.part().to_owned()
    }

    /// Gives the file its name.
    pub(super) async fn finish(
        &self,
        path: PathBuf,
        existing: Existing,
    ) -> Result<(), RecordError> {
        self.run(move |inner| inner.part.finish(&path, existing))
            .await
    }

    /// Has the file stand under this name as well, where it goes on later.
    pub(super) async fn show(&self, path: PathBuf, existing: Existing) -> Result<(), RecordError> {
        self.run(move |inner| inner.part.show(&path, existing))
            .await
    }

    /// Gives what was made of the file its name.
    pub(super) async fn put(
        &self,
        made: PathBuf,
        path: PathBuf,
        existing: Existing,
    ) -> Result<(), RecordError> {
        self.run(move |inner| {
            let file = std::fs::File::open(&made).and_then(|file| file.sync_all());
            file.map_err(|why| at(&made, why))?;
            inner.part.put(&made, &path, existing)
        })
        .await
    }

    /// Notes that what there is is on the disk.
    pub(super) async fn note_safe(&self) -> Result<(), RecordError> {
        self.run(|inner| inner.part.note_safe()).await
    }

    /// Notes that `file` was made of what there is, and that the recording goes on later.
    pub(super) async fn note_cut(&self, file: PathBuf) -> Result<(), RecordError> {
        self.run(move |inner| inner.part.note_cut(&file)).await
    }

    /// Takes the file away: another one has become the recording.
    pub(super) async fn discard(&self) -> Result<(), RecordError> {
        self.run(|inner| inner.part.discard()).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inner) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        let own = self.clone();
        let done = spawn_blocking(move || work(&mut own.lock())).await;
        // Only a panic of the work itself, or the end of the runtime, comes here.
        done.unwrap_or_else(|failed| {
            let path = self.lock().part.part().to_owned();
            let why = std::io::Error::other(failed.to_string());
            Err(RecordError::File { path, why })
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn roll_back(&mut self) -> Result<(), RecordError> {
        self.attempt += 1;
        self.cipher = None;
        if self.at != self.end {
            self.part.cut(self.end)?;
            self.at = self.end;
        }
        Ok(())
    }

    fn append(&mut self, pieces: &[Bytes]) -> Result<u64, RecordError> {
        let before = self.at;
        for piece in pieces {
            let bytes = match &mut self.cipher {
                Some(cipher) => {
                    cipher.decrypt(piece, &mut self.plain);
                    self.plain.as_slice()
                }
                None => piece,
            };
            // Counted first: a write that fails may have written some.
            self.at += bytes.len() as u64;
            self.part.append(bytes)?;
        }
        Ok(self.at - before)
    }

    fn commit(&mut self, entry: &Entry) -> Result<Option<u64>, RecordError> {
        if let Some(cipher) = self.cipher.take() {
            let Some(last) = cipher.finish() else {
                return Ok(None);
            };
            self.at += last.len() as u64;
            self.part.append(&last)?;
        }
        self.part.note(&write(entry, self.at))?;
        let bytes = self.at - self.end;
        self.end = self.at;
        self.attempt += 1;
        Ok(Some(bytes))
    }
}

impl Left {
    fn take(&mut self, entry: &Entry, end: u64) {
        self.bytes = end;
        match entry {
            Entry::Init(name) => self.init = Some(*name),
            Entry::Segment {
                position,
                sequence,
                name,
                duration,
            } => {
                self.segments.push((*position, *sequence, *name));
                self.media_time += *duration;
            }
        }
    }
}

/// Whether a journal is of the recording that `header` names, and of these segments as far as they are
/// listed.
pub(super) fn is_of(lines: &[String], header: &str, segments: &[Segment]) -> bool {
    let Some((first, lines)) = lines.split_first() else {
        return false;
    };
    let fits = |(entry, _): (Entry, u64)| {
        let Entry::Segment {
            sequence,
            name,
            duration,
            ..
        } = entry
        else {
            return true;
        };
        let at = segments.binary_search_by_key(&sequence, |segment| segment.sequence);
        at.ok().is_none_or(|at| {
            let own = &segments[at];
            own.duration.as_millis() == duration.as_millis() && Name::of(&own.place) == name
        })
    };
    let mut lines = lines.iter().filter(|line| !cut::is_line(line));
    first == header && lines.by_ref().map_while(|line| read(line)).all(fits)
}

/// A line of the journal.
fn write(entry: &Entry, end: u64) -> String {
    match entry {
        Entry::Init(name) => format!("init {:016x} {end}\n", name.0),
        Entry::Segment {
            position,
            sequence,
            name,
            duration,
        } => {
            let millis = duration.as_millis();
            format!(
                "segment {position} {sequence} {:016x} {millis} {end}\n",
                name.0
            )
        }
    }
}

fn read(line: &str) -> Option<(Entry, u64)> {
    let words: Vec<&str> = line.split(' ').collect();
    let name = |text| Some(Name(u64::from_str_radix(text, 16).ok()?));
    Some(match words.as_slice() {
        ["init", own, end] => (Entry::Init(name(own)?), end.parse().ok()?),
        ["segment", position, sequence, own, millis, end] => {
            let entry = Entry::Segment {
                position: position.parse().ok()?,
                sequence: sequence.parse().ok()?,
                name: name(own)?,
                duration: Duration::from_millis(millis.parse().ok()?),
            };
            (entry, end.parse().ok()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn open(path: &Path, header: &str) -> (Out, Left) {
        let (part, lines) = PartFile::open(path).unwrap();
        Out::open(part, &lines, header).unwrap()
    }

    fn entry(position: u64) -> Entry {
        Entry::Segment {
            position,
            sequence: position + 100,
            name: Name(position),
            duration: Duration::from_secs(2),
        }
    }

    #[tokio::test]
    async fn what_is_not_whole_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ts");
        let (out, _) = open(&path, "h");
        let attempt = out.begin(None).await.unwrap();
        out.append(attempt, vec![Bytes::from_static(b"one")])
            .await
            .unwrap();
        assert_eq!(out.commit(attempt, entry(0)).await.unwrap(), Some(3));
        let given_up = out.begin(None).await.unwrap();
        out.append(given_up, vec![Bytes::from_static(b"half")])
            .await
            .unwrap();
        let attempt = out.begin(None).await.unwrap();
        // What comes late of the try before is written nowhere.
        out.append(given_up, vec![Bytes::from_static(b"late")])
            .await
            .unwrap();
        out.append(attempt, vec![Bytes::from_static(b"two")])
            .await
            .unwrap();
        assert_eq!(out.commit(given_up, entry(1)).await.unwrap(), None);
        out.commit(attempt, entry(1)).await.unwrap();
        let attempt = out.begin(None).await.unwrap();
        out.append(attempt, vec![Bytes::from_static(b"killed")])
            .await
            .unwrap();
        drop(out);
        let (out, left) = open(&path, "h");
        assert_eq!((left.bytes, left.segments.len()), (6, 2));
        assert_eq!(left.media_time, Duration::from_secs(4));
        drop(out);
        assert_eq!(
            std::fs::read(folder.path().join("a.ts.part")).unwrap(),
            b"onetwo"
        );
        let (_, left) = open(&path, "other media");
        assert_eq!(left.bytes, 0);
    }

    #[tokio::test]
    async fn a_journal_ahead_of_its_file_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ts");
        let (out, _) = open(&path, "h");
        for position in 0..3 {
            let attempt = out.begin(None).await.unwrap();
            out.append(attempt, vec![Bytes::from_static(b"1234")])
                .await
                .unwrap();
            out.commit(attempt, entry(position)).await.unwrap();
        }
        drop(out);
        let part = folder.path().join("a.ts.part");
        std::fs::write(&part, b"1234567").unwrap();
        let (out, left) = open(&path, "h");
        assert_eq!((left.bytes, left.segments.len()), (4, 1));
        drop(out);
        let (_, left) = open(&path, "h");
        assert_eq!((left.bytes, left.segments.len()), (4, 1));
    }
}
