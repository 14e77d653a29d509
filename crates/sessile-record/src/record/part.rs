//! The file while it is recorded: under a name of its own, locked, with a journal beside it that says
//! what of it is there.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::cut;
use super::error::RecordError;
use super::options::Existing;
use super::safe;

#[cfg(test)]
mod tests;

/// The largest journal that is read.
const LARGEST_JOURNAL: u64 = 64 << 20;

/// A file that is recorded.
#[derive(Debug)]
pub(crate) struct PartFile {
    /// What it is called when it is complete.
    path: PathBuf,
    part: PathBuf,
    file: File,
    journal: File,
    boot: String,
    /// The journal's length.
    noted: u64,
    /// How much was written since the file was brought to the disk last.
    unsafe_bytes: u64,
    is_syncing: bool,
    /// Why bytes that were written may never come to the disk: nothing that was noted since is true.
    lost: Option<io::Error>,
    /// Counts the journals that were begun.
    edition: u32,
}

/// Bringing to the disk what is written so far, while more is written.
#[derive(Debug)]
pub(crate) struct Sync {
    file: File,
    noted: u64,
    edition: u32,
}

impl Sync {
    /// Does it, without anybody else having to wait.
    pub(crate) fn run(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl PartFile {
    /// Opens the file of an earlier run, or a new one; answers its journal's lines, the first of which
    /// says what it is of.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<String>), RecordError> {
        Self::open_at(path, &safe::boot())
    }

    fn open_at(path: &Path, boot: &str) -> Result<(Self, Vec<String>), RecordError> {
        let part = beside(path, ".part");
        let failed = |why| at(&part, why);
        let file = locked(&part)?;
        let journal = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(beside(path, ".part.journal"))
            .map_err(failed)?;
        let mut part = Self {
            path: path.to_owned(),
            part,
            file,
            journal,
            boot: boot.to_owned(),
            noted: 0,
            unsafe_bytes: 0,
            is_syncing: false,
            lost: None,
            edition: 0,
        };
        let lines = part.lines(boot)?;
        Ok((part, lines))
    }

    /// As [`Self::open`]; but what another recording has left, by its journal's lines, is put aside
    /// under a name of its own, which is answered. Where it has left a film as well, that stays.
    pub(crate) fn open_own(
        path: &Path,
        existing: Existing,
        is_own: impl Fn(&[String]) -> bool,
    ) -> Result<(Self, Vec<String>, Option<PathBuf>), RecordError> {
        let (part, lines) = Self::open(path)?;
        let is_own = part.length()? == 0 || is_own(&lines);
        let existing = match is_own {
            // Not all that the journal said before it was opened need be true.
            true => cut::existing(path, path, existing),
            false => existing,
        };
        if existing == Existing::Refuse && path.exists() {
            let path = path.to_owned();
            return Err(RecordError::Exists { path });
        }
        if is_own {
            return Ok((part, lines, None));
        }
        let aside = part.put_aside()?;
        let (part, lines) = Self::open(path)?;
        Ok((part, lines, Some(aside)))
    }

    fn put_aside(&self) -> Result<PathBuf, RecordError> {
        let mut number = 1;
        loop {
            let aside = beside(&self.part, &format!(".old-{number}"));
            match put(&self.part, &aside, Existing::Refuse) {
                Err(RecordError::Exists { .. }) => number += 1,
                Err(error) => return Err(error),
                Ok(()) => {
                    let journal = beside(&aside, ".journal");
                    let moved = std::fs::rename(beside(&self.part, ".journal"), &journal);
                    moved.map_err(|why| at(&journal, why))?;
                    return Ok(aside);
                }
            }
        }
    }

    /// The lines of the journal that may be believed, which it has alone from now on.
    fn lines(&mut self, boot: &str) -> Result<Vec<String>, RecordError> {
        let failed = |why| at(&self.part, why);
        let mut text = Vec::new();
        let mut journal = (&self.journal).take(LARGEST_JOURNAL);
        journal.read_to_end(&mut text).map_err(failed)?;
        // What isn't text wasn't written by us.
        let text = text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let believed = safe::believed(text, boot);
        self.journal.set_len(believed.length).map_err(failed)?;
        self.noted = believed.length;
        if believed.is_older && !believed.lines.is_empty() {
            // What was safe once is so for every later start.
            let safe = safe::safe_line(self.noted);
            self.note(&(safe::boot_line(boot) + &safe))?;
        }
        Ok(believed.lines)
    }

    /// Begins anew, with this first line in the journal.
    pub(crate) fn begin(&mut self, header: &str) -> Result<(), RecordError> {
        self.file.set_len(0).map_err(|why| at(&self.part, why))?;
        self.begin_journal(header)
    }

    /// Begins the journal anew.
    pub(crate) fn begin_journal(&mut self, header: &str) -> Result<(), RecordError> {
        self.journal.set_len(0).map_err(|why| at(&self.part, why))?;
        self.noted = 0;
        self.edition += 1;
        let boot = safe::boot_line(&self.boot);
        self.note(&format!("{header}\n{boot}"))
    }

    /// Adds lines to the journal.
    pub(crate) fn note(&mut self, lines: &str) -> Result<(), RecordError> {
        self.sound()?;
        self.add(lines).map_err(|why| at(&self.part, why))
    }

    fn add(&mut self, lines: &str) -> io::Result<()> {
        self.noted += lines.len() as u64;
        self.journal.write_all(lines.as_bytes())
    }

    /// Brings everything to the disk and notes that it is there: a machine that is started anew
    /// believes it.
    pub(crate) fn note_safe(&mut self) -> Result<(), RecordError> {
        self.sync()?;
        self.note(&safe::safe_line(self.noted))?;
        let synced = self.journal.sync_data();
        synced.map_err(|why| at(&self.part, why))
    }

    /// What is to be brought to the disk, where that is due; [`Self::synced`] is told when it is done.
    pub(crate) fn sync_due(&mut self) -> Option<Sync> {
        if self.unsafe_bytes < safe::EVERY || self.is_syncing || self.lost.is_some() {
            return None;
        }
        let file = self.file.try_clone().ok()?;
        self.unsafe_bytes = 0;
        self.is_syncing = true;
        let (noted, edition) = (self.noted, self.edition);
        Some(Sync {
            file,
            noted,
            edition,
        })
    }

    /// What was noted by then is on the disk; or it couldn't be brought there, which whatever is done
    /// with the file next fails with.
    pub(crate) fn synced(&mut self, sync: &Sync, done: io::Result<()>) {
        self.is_syncing = false;
        let is_of_now = sync.edition == self.edition && self.lost.is_none();
        let noted = done.and_then(|()| match is_of_now {
            true => self.add(&safe::safe_line(sync.noted)),
            false => Ok(()),
        });
        // The system tells of lost bytes once, and not which they were.
        if let Err(why) = noted {
            self.lose(why);
        }
    }

    /// From here on the journal is believed as after a fall of the machine: up to what is safe.
    fn lose(&mut self, why: io::Error) {
        let distrust = safe::boot_line("lost");
        // Where not even that can be written, the file is what is to be looked at.
        let _unwritten = self.journal.write_all(distrust.as_bytes());
        self.lost.get_or_insert(why);
    }

    /// Fails where something that was written is lost.
    fn sound(&self) -> Result<(), RecordError> {
        let Some(why) = &self.lost else {
            return Ok(());
        };
        let why = match why.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(why.kind(), why.to_string()),
        };
        Err(at(&self.part, why))
    }

    pub(crate) fn length(&self) -> Result<u64, RecordError> {
        let length = self.file.metadata().map(|metadata| metadata.len());
        length.map_err(|why| at(&self.part, why))
    }

    /// Cuts the file and goes on at its end.
    pub(crate) fn cut(&mut self, length: u64) -> Result<(), RecordError> {
        let cut = self.file.set_len(length);
        let cut = cut.and_then(|()| self.file.seek(SeekFrom::Start(length)));
        cut.map(|_at| ()).map_err(|why| at(&self.part, why))
    }

    /// Cuts the file to what an earlier run has left of it. What stands under another name as well keeps
    /// what it has there.
    pub(crate) fn cut_to_left(&mut self, length: u64) -> Result<(), RecordError> {
        let own = self.file.metadata().map_err(|why| at(&self.part, why))?;
        if own.nlink() > 1 && own.len() > length {
            let fresh = beside(&self.path, ".part.fresh");
            self.file = self.copy(&fresh, length).map_err(|why| at(&fresh, why))?;
            self.note(&cut::line_of(&own))?;
            self.note_safe()?;
        }
        self.cut(length)
    }

    /// Puts a copy of the file's beginning in the file's place.
    fn copy(&self, fresh: &Path, length: u64) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let options = options.create(true).read(true).write(true).truncate(true);
        let mut copy = options.open(fresh)?;
        copy.lock()?;
        (&self.file).rewind()?;
        io::copy(&mut (&self.file).take(length), &mut copy)?;
        copy.sync_all()?;
        std::fs::rename(fresh, &self.part)?;
        Ok(copy)
    }

    /// Writes at the end.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.unsafe_bytes += bytes.len() as u64;
        let written = self.file.write_all(bytes);
        written.map_err(|why| at(&self.part, why))
    }

    /// Writes at a place of its own.
    pub(crate) fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<(), RecordError> {
        use std::os::unix::fs::FileExt;
        self.unsafe_bytes += bytes.len() as u64;
        let written = self.file.write_all_at(bytes, offset);
        written.map_err(|why| at(&self.part, why))
    }

    /// Where the file is while it is recorded.
    pub(crate) fn part(&self) -> &Path {
        &self.part
    }

    /// What is written is on the disk when this returns.
    fn sync(&mut self) -> Result<(), RecordError> {
        if let Err(why) = self.file.sync_all() {
            self.lose(why);
        }
        self.sound()
    }

    /// Gives the file its name, whole and on the disk.
    pub(crate) fn finish(&mut self, path: &Path, existing: Existing) -> Result<(), RecordError> {
        self.sync()?;
        self.put(&self.part, path, existing)?;
        self.forget_journal();
        Ok(())
    }

    /// Gives what was made of it its name, in place of what an earlier run has left there.
    pub(crate) fn put(
        &self,
        from: &Path,
        to: &Path,
        existing: Existing,
    ) -> Result<(), RecordError> {
        self.sound()?;
        put(from, to, cut::existing(&self.path, to, existing))
    }

    /// Notes that `file` is of this recording, which goes on later.
    pub(crate) fn note_cut(&mut self, file: &Path) -> Result<(), RecordError> {
        let line = cut::line(file).map_err(|why| at(file, why))?;
        self.note(&line)?;
        self.note_safe()
    }

    /// Has the file stand under this name as well, where it goes on later.
    pub(crate) fn show(&mut self, path: &Path, existing: Existing) -> Result<(), RecordError> {
        self.sync()?;
        let shown = beside(&self.path, ".part.shown");
        let _none = std::fs::remove_file(&shown);
        // Not every file system has links.
        if std::fs::hard_link(&self.part, &shown).is_err() {
            std::fs::copy(&self.part, &shown).map_err(|why| at(&shown, why))?;
        }
        self.put(&shown, path, existing)?;
        self.note_cut(path)
    }

    /// Takes the file away: another one has become the recording.
    pub(crate) fn discard(&self) -> Result<(), RecordError> {
        std::fs::remove_file(&self.part).map_err(|why| at(&self.part, why))?;
        self.forget_journal();
        Ok(())
    }

    fn forget_journal(&self) {
        // Without its file a journal is begun anew; one that stays does no harm.
        let _stays = std::fs::remove_file(beside(&self.path, ".part.journal"));
    }
}

/// Opens and locks; what is locked is what the name stands for.
fn locked(part: &Path) -> Result<File, RecordError> {
    loop {
        let mut options = OpenOptions::new();
        let options = options.create(true).read(true).write(true).truncate(false);
        let file = options.open(part).map_err(|why| at(part, why))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = part.to_owned();
                return Err(RecordError::Busy { path });
            }
            Err(TryLockError::Error(why)) => return Err(at(part, why)),
        }
        // Whoever held it before may have given it its name meanwhile.
        let own = file.metadata().map_err(|why| at(part, why))?;
        match std::fs::metadata(part) {
            Ok(named) if (named.dev(), named.ino()) == (own.dev(), own.ino()) => return Ok(file),
            Ok(_) => {}
            Err(why) if why.kind() == ErrorKind::NotFound => {}
            Err(why) => return Err(at(part, why)),
        }
    }
}

/// Puts a file in its place, over another one only where that is wanted.
pub(crate) fn put(from: &Path, to: &Path, existing: Existing) -> Result<(), RecordError> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let put = match existing {
        Existing::Replace => replace(from, to),
        Existing::Refuse => match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::EXIST) => {
                let path = to.to_owned();
                return Err(RecordError::Exists { path });
            }
            // Not every file system can; a look before is what is left.
            Err(_) if to.exists() => {
                let path = to.to_owned();
                return Err(RecordError::Exists { path });
            }
            Err(_) => std::fs::rename(from, to),
        },
    };
    put.map_err(|why| at(to, why))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new(".")));
    // The name is on the disk too; a folder that can't be synced has been renamed in all the same.
    let _unsynced = folder.and_then(|folder| folder.sync_all());
    Ok(())
}

fn replace(from: &Path, to: &Path) -> io::Result<()> {
    let number = |path| {
        std::fs::symlink_metadata(path)
            .ok()
            .map(|found| (found.dev(), found.ino()))
    };
    // Two names of one file would both stay.
    match number(from) == number(to) {
        true => std::fs::remove_file(from),
        false => std::fs::rename(from, to),
    }
}

/// The path with something after its name.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// The system's error, for who has to make room or change a path.
pub(crate) fn at(path: &Path, why: io::Error) -> RecordError {
    let path = path.to_owned();
    match why.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            RecordError::Full { path }
        }
        _ => RecordError::File { path, why },
    }
}
