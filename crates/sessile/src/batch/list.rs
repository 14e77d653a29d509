//! The list of targets, read piece by piece by a thread of its own: standard input may keep a
//! reader waiting for as long as it likes.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;

use super::error::BatchError;
use super::target::{BadTarget, LONGEST_TARGET, Target};

/// How many targets wait at most.
const QUEUE: usize = 256;

/// Where the targets are read from: one a line, as a text or as JSON.
pub struct Targets {
    place: String,
    source: Source,
}

enum Source {
    File(File),
    Reader(Box<dyn Read + Send>),
}

/// What the reader brings.
#[derive(Debug)]
pub(super) enum Fed {
    Failed(BatchError),
    Target(Result<Target, BadTarget>),
    /// How many targets there are in all.
    Total(u64),
}

impl Targets {
    /// The lines of a file.
    ///
    /// # Errors
    ///
    /// [`BatchError::Targets`] where it can't be opened.
    pub fn file(path: &Path) -> Result<Self, BatchError> {
        let place = format!("`{}`", path.display());
        let failed = |cause| failure(&place, cause);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let source = match metadata.is_file() {
            true => Source::File(file),
            // A pipe can't be counted first.
            false => Source::Reader(Box::new(file)),
        };
        Ok(Self { place, source })
    }

    /// The lines that a reader gives, which people know as `place`.
    pub fn reader(place: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        Self {
            place: place.into(),
            source: Source::Reader(Box::new(reader)),
        }
    }

    /// Begins to read.
    pub(super) fn feed(self) -> mpsc::Receiver<Fed> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        thread::spawn(move || {
            if let Err(cause) = self.source.read(&sender) {
                // Nobody wants to know where the batch has ended.
                let _ended = sender.blocking_send(Fed::Failed(failure(&self.place, cause)));
            }
        });
        receiver
    }
}

impl Source {
    fn read(self, to: &mpsc::Sender<Fed>) -> io::Result<()> {
        let reader: Box<dyn Read + Send> = match self {
            Self::File(mut file) => {
                let mut total = 0;
                each_target(&file, |_target| {
                    total += 1;
                    !to.is_closed()
                })?;
                let _ended = to.blocking_send(Fed::Total(total));
                file.rewind()?;
                Box::new(file)
            }
            Self::Reader(reader) => reader,
        };
        each_target(reader, |target| {
            to.blocking_send(Fed::Target(target)).is_ok()
        })
    }
}

/// Calls with each target for as long as the answer is `true`.
fn each_target(
    reader: impl Read,
    mut act: impl FnMut(Result<Target, BadTarget>) -> bool,
) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(64 * 1024, reader);
    let mut line = Vec::new();
    while next_line(&mut reader, &mut line)? {
        if let Some(target) = Target::parse(&line)
            && !act(target)
        {
            break;
        }
    }
    Ok(())
}

/// Reads a line without its end; of one that is too long, no more than shows that it is.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let limit = LONGEST_TARGET as u64 + 1;
    if reader.by_ref().take(limit).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LONGEST_TARGET {
        reader.skip_until(b'\n')?;
    }
    Ok(true)
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Targets").field(&self.place).finish()
    }
}

fn failure(place: &str, cause: io::Error) -> BatchError {
    BatchError::Targets {
        place: place.to_owned(),
        cause: Arc::new(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_whatever_their_length() {
        let long = "x".repeat(LONGEST_TARGET);
        let text = format!("a\n\n# c\n{long}\n{long}y{long}\r\nb\r\nlast");
        let mut found = Vec::new();
        each_target(text.as_bytes(), |target| {
            found
                .push(target.map_or_else(|bad| bad.why.to_string(), |target| target.name().into()));
            true
        })
        .unwrap();
        let too_long = format!("it is longer than {LONGEST_TARGET} bytes");
        assert_eq!(found, ["a", &long, &too_long, "b", "last"]);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_named() {
        for path in ["/nowhere/targets.txt", "/"] {
            let error = Targets::file(Path::new(path)).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("cannot read `{path}`")),
                "{error}"
            );
        }
    }
}
