//! Recording segments: one row for the variant, and one for its audio where that is apart.
//!
//! `track` is the life of a row, `segment` that of one item in it, `load` finds playlists, `out` is
//! the file, `finish` what becomes of it. What is fetched and written next is in `plan`.

mod cipher;
mod finish;
mod keys;
mod load;
mod out;
mod remux;
mod segment;
mod track;
mod variant;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use sessile::ShownUrl;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::media::Media;
use crate::record::part::{self, PartFile};
use crate::record::progress::Progress;
use crate::record::source::Source;
use crate::record::{Ended, Event, Gap, RecordError, RecordOptions, Recorded, place};
use finish::{Extent, Finish};
use load::{Choice, Loaded, Which};
use out::{Left, Out};
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
    let (loaded, choice, audio) = tokio::select! {
        biased;
        found = look(&source) => found?,
        () = options.stop.stopped() => return Err(nothing(&source)),
    };
    let is_live = !loaded.media.is_ended;
    source.set_live(is_live);
    // Bits per second change from day to day; lines make another recording.
    let height = choice.variant.and_then(|(height, _)| height);
    let header = format!("{header} {}", height.unwrap_or_default());
    let main = Row::open(&source, path.clone(), &header, loaded, is_direct).await?;
    let sound = match audio {
        None => None,
        Some(loaded) => {
            let beside = part::beside(&path, ".audio");
            Some(Row::open(&source, beside, &header, loaded, is_direct).await?)
        }
    };
    source.tell(Event::Started {
        path: path.clone(),
        total: None,
        resumed: main.left.bytes,
        is_live,
        variant: choice.variant,
    });
    let (recording, outs) = rows(&source, main, sound).await?;
    source.save().await;
    if recording.segments == 0 {
        return Err(nothing(&source));
    }
    let extent = match recording.ended {
        // What is live doesn't come again.
        Ended::Stopped if !is_live => Extent::Cut,
        _ => Extent::Whole,
    };
    let finish = Finish {
        source: &source,
        path: &path,
        extent,
    };
    let (path, beside) = finish.finish(&outs).await?;
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

/// What to say where nothing was recorded.
fn nothing(source: &Source<'_>) -> RecordError {
    let what = match source.options.stop.is_stopped() {
        true => "it was stopped before anything had come",
        false => "its playlist lists no segment that is there",
    };
    RecordError::Nothing {
        url: ShownUrl(&source.address().0).to_string(),
        what: what.to_owned(),
    }
}

/// Finds the variant, and its sound where that is apart.
async fn look(source: &Source<'_>) -> Result<(Loaded, Choice, Option<Loaded>), RecordError> {
    let quality = source.options.quality;
    let (loaded, choice) = load::insist(source, Which::Main, quality).await?;
    let audio = match choice.audio {
        None => None,
        Some(_) => Some(load::insist(source, Which::Audio, quality).await?.0),
    };
    Ok((loaded, choice, audio))
}

/// One playlist, the file it is recorded into, and what an earlier run has left there.
struct Row {
    loaded: Loaded,
    out: Out,
    left: Left,
}

impl Row {
    async fn open(
        source: &Source<'_>,
        path: PathBuf,
        header: &str,
        loaded: Loaded,
        is_direct: bool,
    ) -> Result<Self, RecordError> {
        let (out, left) = open(source, path, header, &loaded, is_direct).await?;
        Ok(Self { loaded, out, left })
    }
}

/// Records the variant, and its sound beside it where that is apart.
async fn rows(
    source: &Source<'_>,
    main: Row,
    sound: Option<Row>,
) -> Result<(Recording, Vec<Out>), RecordError> {
    let progress = Progress::new();
    progress.begin(main.left.bytes, None);
    let parallel = source.options.parallel.max(1);
    let shared = Shared::new(source, &progress, main.out);
    let video = |parallel| Track::new(&shared, Which::Main, parallel, main.loaded, &main.left);
    let Some(sound) = sound else {
        let recording = video(parallel).run().await?;
        return Ok((recording, vec![shared.out]));
    };
    let few = (parallel / 4).max(1);
    let video = video((parallel - few).max(1));
    let (told, limit) = watch::channel(None);
    let beside = Shared::new(source, &progress, sound.out);
    let sound = Track::new(&beside, Which::Audio, few, sound.loaded, &sound.left);
    let video = async {
        let made = video.run().await?;
        if matches!(made.ended, Ended::Duration | Ended::Silent | Ended::Size) {
            told.send_replace(Some(made.media_time));
        }
        Ok(made)
    };
    let (video, sound) = tokio::try_join!(video, sound.ends_with(limit).run())?;
    Ok((joined(video, sound), vec![shared.out, beside.out]))
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
fn joined(main: Recording, sound: Recording) -> Recording {
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
