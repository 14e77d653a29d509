//! What an output has in it: whole lines, failures, and what can't be read.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use super::super::line::Known;
use super::{Done, Failures, Found};

/// What one look at an output found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) done: Done,
    kept: u64,
    failed: u64,
    taken_out: u64,
    unreadable: u64,
    /// The number of the first line that no batch has written.
    pub(super) first_unreadable: Option<u64>,
    /// Where the last whole line ends.
    pub(super) length: u64,
    was_torn: bool,
}

/// What becomes of a line.
enum Fate<'a> {
    Keep(Known<'a>),
    TakeOut,
    Unreadable,
}

impl Scan {
    /// Reads the file through; one that isn't there has nothing in it.
    pub(super) fn of(path: &Path, failures: Failures) -> io::Result<Self> {
        let mut scan = Self::default();
        let mut number = 0;
        let read = for_each_line(path, |line| {
            number += 1;
            let Some(whole) = line.strip_suffix(b"\n") else {
                scan.was_torn = true;
                return Ok(());
            };
            scan.length += line.len() as u64;
            match fate(whole, failures) {
                Fate::Keep(known) => {
                    if scan.done.note(&known.target) {
                        scan.kept += 1;
                        scan.failed += u64::from(known.has_failed());
                    }
                }
                Fate::TakeOut => scan.taken_out += 1,
                Fate::Unreadable => {
                    scan.unreadable += 1;
                    scan.first_unreadable.get_or_insert(number);
                }
            }
            Ok(())
        });
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
            Ok(()) => {
                // A file with nothing but half a line of something isn't one of ours.
                if scan.was_torn && scan.length == 0 && !begins_as_ours(path)? {
                    scan.first_unreadable = Some(1);
                    scan.unreadable = 1;
                }
                Ok(scan)
            }
        }
    }

    /// Whether somebody else has put a file in the output's place. Of ours, little can be damaged.
    pub(super) fn is_foreign(&self) -> bool {
        self.unreadable > self.kept + self.taken_out
    }

    /// Whether some lines have to be taken out.
    pub(super) fn has_to_go(&self) -> bool {
        self.taken_out > 0 || self.unreadable > 0
    }

    pub(super) fn tell(&self, found: &mut Found) {
        found.done = self.kept;
        found.failed = self.failed;
        found.taken_out = self.taken_out;
        found.unreadable = self.unreadable;
        found.was_torn = self.was_torn;
    }
}

/// Puts a file in the output's place that has only the lines that stay; answers its length.
pub(super) fn rewrite(path: &Path, failures: Failures) -> io::Result<u64> {
    let path = fs::canonicalize(path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let draft = NamedTempFile::with_prefix_in(".sessile-", folder)?;
    draft
        .as_file()
        .set_permissions(fs::metadata(&path)?.permissions())?;
    let mut length = 0;
    let mut writer = BufWriter::new(draft.as_file());
    for_each_line(&path, |line| {
        let Some(whole) = line.strip_suffix(b"\n") else {
            return Ok(());
        };
        if let Fate::Keep(_) = fate(whole, failures) {
            length += line.len() as u64;
            writer.write_all(line)?;
        }
        Ok(())
    })?;
    writer.flush()?;
    drop(writer);
    draft.as_file().sync_all()?;
    draft.persist(&path).map_err(|refused| refused.error)?;
    File::open(folder)?.sync_all()?;
    Ok(length)
}

fn fate(line: &[u8], failures: Failures) -> Fate<'_> {
    match Known::read(line) {
        None => Fate::Unreadable,
        Some(known) if known.is_lacking() && failures == Failures::Retry => Fate::TakeOut,
        Some(known) => Fate::Keep(known),
    }
}

/// Calls with each line and its end; the last one may have none.
fn for_each_line(path: &Path, mut act: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(256 * 1024, File::open(path)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        act(&line)?;
        line.clear();
    }
    Ok(())
}

/// Whether it can be the beginning of a first line that was torn.
fn begins_as_ours(path: &Path) -> io::Result<bool> {
    const BEGINNING: &[u8] = b"{\"target\":\"";
    let mut beginning = Vec::new();
    let mut start = File::open(path)?.take(BEGINNING.len() as u64);
    start.read_to_end(&mut beginning)?;
    // A power failure may leave zeros.
    let is_blank = beginning.iter().all(|byte| *byte == 0);
    Ok(is_blank || BEGINNING.starts_with(&beginning))
}
