//! Recording segments: one row for the variant, and one for its audio where that is apart.
//!
//! `track` is the life of a row, `segment` that of one item in it, `load` finds playlists, `out` is
//! the file, `remux` what becomes of it. What is fetched and written next is in `plan`.

mod cipher;
mod keys;
mod load;
mod out;
mod remux;
mod segment;
mod track;
mod variant;

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::media::Media;
use crate::record::part::{self, PartFile};
use crate::record::progress::Progress;
use crate::record::source::Source;
use crate::record::{Ended, Event, Gap, RecordError, RecordOptions, Recorded, Remux, place};
use load::{Loaded, Which};
use out::{Left, Out};
use remux::{Kind, NoMp4};
use segment::Shared;
use track::{Recording, Track};

/// Records a stream in segments into a file.
pub(crate) async fn record(
    media: Media,
    options: &RecordOptions,
    listener: &(dyn Fn(Event) + Send + Sync),
) -> Result<Recorded, RecordError> {
    let path = place::path(&media, options)?;
    let header = format!("sessile hls 1 {:016x}", media.fingerprint());
    let is_direct = media.is_direct();
    let source = Source::new(media, options, listener);
    let (loaded, choice) = tokio::select! {
        biased;
        found = load::insist(&source, Which::Main, options.quality) => found?,
        () = options.stop.stopped() => return Err(track::nothing(&source.address().0)),
    };
    source.set_live(!loaded.media.is_ended);
    // Bits per second change from day to day; lines make another recording.
    let height = choice.variant.and_then(|(height, _)| height);
    let header = format!("{header} {}", height.unwrap_or_default());
    let progress = Progress::new();
    let (out, left) = open(&source, path.clone(), &header, &loaded, is_direct).await?;
    source.tell(Event::Started {
        path: path.clone(),
        total: None,
        resumed: left.bytes,
        is_live: !loaded.media.is_ended,
        variant: choice.variant,
    });
    progress.begin(left.bytes, None);
    let main = Shared::new(&source, &progress, out);
    let parallel = options.parallel.max(1);
    let made = match choice.audio {
        None => (
            Track::new(&main, Which::Main, parallel, loaded, &left)
                .run()
                .await?,
            None,
        ),
        Some(_) => {
            let audio_path = part::beside(&path, ".audio");
            let (audio_loaded, _) = load::insist(&source, Which::Audio, options.quality).await?;
            let (beside, audio_left) =
                open(&source, audio_path, &header, &audio_loaded, is_direct).await?;
            let audio = Shared::new(&source, &progress, beside);
            let few = (parallel / 4).max(1);
            let video = Track::new(&main, Which::Main, (parallel - few).max(1), loaded, &left);
            let (told, limit) = watch::channel(None);
            let sound = Track::new(&audio, Which::Audio, few, audio_loaded, &audio_left);
            let video = async {
                let made = video.run().await?;
                if matches!(made.ended, Ended::Duration | Ended::Silent | Ended::Size) {
                    told.send_replace(Some(made.media_time));
                }
                Ok(made)
            };
            let (video, sound) = tokio::try_join!(video, sound.ends_with(limit).run())?;
            (video, Some((sound, audio.out)))
        }
    };
    source.save().await;
    let (recording, audio) = made;
    let (sound, audio) = audio.unzip();
    let recording = joined(recording, sound);
    if recording.segments == 0 {
        return Err(track::nothing(&source.address().0));
    }
    let finished = Finish {
        source: &source,
        path: &path,
    };
    let (path, beside) = finished.finish(main.out, audio).await?;
    let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    let recorded = Recorded {
        path,
        beside,
        bytes,
        segments: Some(recording.segments),
        media_time: Some(recording.media_time),
        gaps: recording.gaps,
        ended: recording.ended,
    };
    source.tell(Event::Finished(recorded.clone()));
    Ok(recorded)
}

async fn open(
    source: &Source<'_>,
    path: PathBuf,
    header: &str,
    loaded: &Loaded,
    is_direct: bool,
) -> Result<(Out, Left), RecordError> {
    let header = header.to_owned();
    // The address of such a playlist may say nothing of what it is of; its segments do.
    let segments = match is_direct && loaded.media.is_ended {
        true => loaded.media.segments.clone(),
        false => Vec::new(),
    };
    let (out, aside) = blocking(move || {
        let is_own = |lines: &[String]| out::is_of(lines, &header, &segments);
        let (part, lines, aside) = PartFile::open_own(&path, is_own)?;
        Ok((Out::open(part, &lines, &header)?, aside))
    })
    .await?;
    if let Some(aside) = aside {
        source.warn_of_aside(&aside);
    }
    Ok(out)
}

/// The recording of both rows.
fn joined(main: Recording, sound: Option<Recording>) -> Recording {
    let Some(sound) = sound else {
        return main;
    };
    let of_sound = sound.gaps.into_iter().map(|gap| Gap {
        why: format!("audio: {}", gap.why),
        ..gap
    });
    let ended = match main.ended {
        Ended::Complete => sound.ended,
        ended => ended,
    };
    Recording {
        gaps: main.gaps.into_iter().chain(of_sound).collect(),
        ended,
        ..main
    }
}

/// What is left to do once everything is in its file.
struct Finish<'a> {
    source: &'a Source<'a>,
    path: &'a Path,
}

impl Finish<'_> {
    /// Gives the recording its name; answers it, and the files beside it.
    async fn finish(
        &self,
        main: Out,
        audio: Option<Out>,
    ) -> Result<(PathBuf, Vec<PathBuf>), RecordError> {
        let outs: Vec<Out> = [Some(main), audio].into_iter().flatten().collect();
        let input = |out: &Out| {
            let part = out.part();
            let kind = Kind::of_file(&part);
            (part, kind)
        };
        let inputs: Vec<(PathBuf, Kind)> = outs.iter().map(input).collect();
        if let Some(joined) = self.join(&inputs).await {
            let (path, existing) = (self.path.to_owned(), self.source.options.existing);
            blocking(move || {
                let file = std::fs::File::open(&joined).and_then(|file| file.sync_all());
                file.map_err(|why| part::at(&joined, why))?;
                part::put(&joined, &path, existing)
            })
            .await?;
            for out in outs {
                out.discard().await?;
            }
            return Ok((self.path.to_owned(), Vec::new()));
        }
        self.keep(&outs, &inputs).await
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
            let finished = out.finish(free.clone(), self.source.options.existing).await;
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

/// Work with files, where it may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RecordError> + Send + 'static,
) -> Result<T, RecordError> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|failed| {
        Err(RecordError::File {
            path: PathBuf::new(),
            why: std::io::Error::other(failed.to_string()),
        })
    })
}
