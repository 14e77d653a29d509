//! What is left to do once everything is in its file: one MP4 is made of it where that can be, and it
//! gets its name. A film that was ended before its end stays as it is beside that.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::out::Out;
use super::remux::{self, Kind, NoMp4};
use crate::record::part;
use crate::record::source::Source;
use crate::record::{RecordError, Remux};

/// How much of a recording there is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Extent {
    /// Its beginning: the same recording goes on later.
    Cut,
    Whole,
}

/// What is to be finished.
pub(super) struct Finish<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) path: &'a Path,
    pub(super) extent: Extent,
}

impl Finish<'_> {
    /// Gives the recording its name; answers it, and the files beside it.
    pub(super) async fn finish(
        &self,
        outs: &[Out],
    ) -> Result<(PathBuf, Vec<PathBuf>), RecordError> {
        let input = |out: &Out| {
            let part = out.part();
            let kind = Kind::of_file(&part);
            (part, kind)
        };
        let inputs: Vec<(PathBuf, Kind)> = outs.iter().map(input).collect();
        let finished = match (self.join(&inputs).await, outs) {
            (Some(joined), [main, ..]) => {
                self.put(joined, main, outs).await?;
                (self.path.to_owned(), Vec::new())
            }
            _ => self.keep(outs, &inputs).await?,
        };
        if self.extent == Extent::Cut {
            self.source
                .warn("the film isn't whole: the same recording goes on from here");
        }
        Ok(finished)
    }

    async fn put(&self, joined: PathBuf, main: &Out, outs: &[Out]) -> Result<(), RecordError> {
        let (path, existing) = (self.path.to_owned(), self.source.options.existing);
        main.put(joined, path.clone(), existing).await?;
        if self.extent == Extent::Cut {
            for out in outs {
                out.note_safe().await?;
            }
            return main.note_cut(path).await;
        }
        for out in outs {
            out.discard().await?;
        }
        Ok(())
    }

    /// One MP4, where a program makes it.
    async fn join(&self, inputs: &[(PathBuf, Kind)]) -> Option<PathBuf> {
        let Remux::WherePresent(program) = &self.source.options.remux else {
            return None;
        };
        let end = self.path.extension().unwrap_or_default();
        if !["m4a", "m4v", "mov", "mp4"]
            .iter()
            .any(|own| end.eq_ignore_ascii_case(own))
        {
            return None;
        }
        match remux::join(program, inputs, self.path).await {
            Ok(joined) => Some(joined),
            Err(NoMp4::Absent) => {
                let program = program.display();
                let words = format!("`{program}` isn't there: the recording stays as it came");
                self.source.warn(words);
                None
            }
            Err(NoMp4::Failed(why)) => {
                let words = format!("no MP4 could be made ({why}): the recording stays as it came");
                self.source.warn(words);
                None
            }
        }
    }

    /// The files as they came, under names that say what they are.
    async fn keep(
        &self,
        outs: &[Out],
        inputs: &[(PathBuf, Kind)],
    ) -> Result<(PathBuf, Vec<PathBuf>), RecordError> {
        let mut paths = Vec::new();
        for (index, (_, kind)) in inputs.iter().enumerate() {
            let path = match index {
                0 => named(self.path, *kind, ""),
                _ => named(self.path, *kind, ".audio"),
            };
            paths.push(path);
        }
        let mut finished = Vec::new();
        for (out, path) in outs.iter().zip(&paths) {
            finished.push(self.under_a_free_name(out, path).await?);
        }
        let mut finished = finished.into_iter();
        let first = finished.next().unwrap_or_else(|| self.path.to_owned());
        Ok((first, finished.collect()))
    }

    /// That it stays as it came is known only now: a name that is taken is no reason to fail.
    async fn under_a_free_name(&self, out: &Out, path: &Path) -> Result<PathBuf, RecordError> {
        let mut free = path.to_owned();
        let mut number = 1;
        loop {
            let existing = self.source.options.existing;
            let finished = match self.extent {
                Extent::Cut => out.show(free.clone(), existing).await,
                Extent::Whole => out.finish(free.clone(), existing).await,
            };
            if matches!(finished, Err(RecordError::Exists { .. })) {
                number += 1;
                free = numbered(path, number);
                continue;
            }
            finished?;
            if number > 1 {
                let (taken, free) = (path.display(), free.display());
                let words = format!("`{taken}` is there already: the recording is in `{free}`");
                self.source.warn(words);
            }
            return Ok(free);
        }
    }
}

/// The path with the end that its content has; a name that was asked for as `.ts` stays.
fn named(path: &Path, kind: Kind, between: &str) -> PathBuf {
    let own = path.extension().unwrap_or_default();
    let is_own = own.eq_ignore_ascii_case(kind.end()) || kind == Kind::Unknown;
    if between.is_empty() && is_own && !own.is_empty() {
        return path.to_owned();
    }
    let stem = path.with_extension("");
    part::beside(&stem, &format!("{between}.{}", kind.end()))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let numbered = part::beside(&path.with_extension(""), &format!("-{number}"));
    match path.extension().and_then(OsStr::to_str) {
        Some(end) => part::beside(&numbered, &format!(".{end}")),
        None => numbered,
    }
}
