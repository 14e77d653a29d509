//! `sessile record`: the media of a page, into a file.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Mutex;

use futures_util::future::{Either, select};
use serde_json::json;
use sessile::session::SessionBuilder;
use sessile_record::{
    Ended, Existing, Handover, LiveFrom, Media, RecordOptions, Recorded, Remux, Target,
};

use super::media::{self, Way};
use super::work::Work;
use crate::args::{LiveFromArg, RecordArgs};
use crate::ended::Ended as Signals;
use crate::exit::{Exit, Failure, Outcome, Stop};
use crate::progress::Progress;
use crate::settings::Environment;

/// More than any handed-over media.
const LARGEST_HANDOVER: u64 = 1024 * 1024;

/// Records, and tells how it goes.
pub(super) async fn run(args: RecordArgs, work: &mut Work<'_>) -> Outcome {
    let handover = args.resolved.as_deref().map(handover).transpose()?;
    let page = args.url.as_deref().map(media::address).transpose()?;
    let handed = handover
        .as_ref()
        .and_then(|handed| handed.session.as_deref());
    let name = args.through.session.as_deref().or(handed);
    let patient = |builder: SessionBuilder| builder.patience(patience(&args));
    let way = Way::open(name, &args.through, patient, work).await?;
    let found = find(handover, page, &way).await;
    let recorded = match found {
        Ok(media) => record(media, &options(&args, work.environment), work).await,
        Err(stop) => Err(stop),
    };
    way.close(work).await?;
    let recorded = recorded?;
    finish(&recorded, work)?;
    Ok(Exit::Done)
}

fn patience(args: &RecordArgs) -> sessile::transport::Patience {
    sessile::transport::Patience {
        read: args.patience,
        ..Default::default()
    }
}

/// What another process has found.
fn handover(file: &Path) -> Result<Handover, Failure> {
    let read = match file == Path::new("-") {
        true => read_all(std::io::stdin()),
        false => std::fs::File::open(file).and_then(read_all),
    };
    let shown = file.display();
    let text = read.map_err(|error| Failure::usage(format!("cannot read `{shown}`: {error}")))?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::usage(format!(
            "`{shown}` is not what `sessile resolve --json` writes: {error}"
        ))
    })
}

fn read_all(from: impl std::io::Read) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(LARGEST_HANDOVER).read_to_string(&mut text)?;
    Ok(text)
}

async fn find(handover: Option<Handover>, page: Option<url::Url>, way: &Way) -> Outcome<Media> {
    if let Some(handover) = handover {
        return Ok(handover.with(way.through.clone(), way.rules.clone()));
    }
    let Some(page) = page else {
        return Err(Failure::usage("neither a URL nor --resolved is given").into());
    };
    Ok(sessile_record::resolve(&way.through, &page, way.rules.as_deref()).await?)
}

fn options(args: &RecordArgs, environment: &Environment) -> RecordOptions {
    let mut options = RecordOptions::default();
    options.target = target(args.output.as_deref());
    options.existing = match args.replace {
        true => Existing::Replace,
        false => Existing::Refuse,
    };
    options.quality = args.quality;
    options.parallel = args.parallel.get().into();
    options.live_from = match args.live_from {
        LiveFromArg::Edge => LiveFrom::Edge,
        LiveFromArg::Start => LiveFrom::Start,
    };
    options.duration = args.duration;
    options.size = args.max_size;
    options.retries = args.retries;
    if args.no_remux {
        options.remux = Remux::Never;
    } else if let Some(program) = environment.program("ffmpeg") {
        options.remux = Remux::WherePresent(program);
    }
    options
}

fn target(output: Option<&Path>) -> Target {
    let Some(path) = output else {
        return Target::Folder(PathBuf::from("."));
    };
    let is_folder = path.is_dir() || path.as_os_str().to_string_lossy().ends_with('/');
    match is_folder {
        true => Target::Folder(path.to_owned()),
        false => Target::File(path.to_owned()),
    }
}

/// Records until the end, or until a signal: the first ends the recording, the second the program.
async fn record(media: Media, options: &RecordOptions, work: &mut Work<'_>) -> Outcome<Recorded> {
    let unheard = |error| Failure::new(Exit::Failed, "signals", format!("cannot start: {error}"));
    let mut signals = Signals::listen().map_err(|error: std::io::Error| unheard(error))?;
    let progress = Mutex::new(Progress::new(work.printer, options.stop.clone()));
    let listener = |event: sessile_record::Event| {
        if let Ok(mut progress) = progress.lock() {
            progress.hear(&event);
        }
    };
    let mut recording = pin!(sessile_record::record(media, options, &listener));
    let signal = match select(recording.as_mut(), pin!(signals.wait())).await {
        Either::Left((recorded, _)) => return Ok(recorded?),
        Either::Right((signal, _)) => signal,
    };
    options.stop.stop();
    match select(recording, pin!(signals.wait())).await {
        Either::Left((recorded, _)) => Ok(recorded?),
        Either::Right(_) => Err(Stop::Ended(signal)),
    }
}

/// Says what came of it. Programs have heard it as the last event.
fn finish(recorded: &Recorded, work: &mut Work<'_>) -> Outcome<()> {
    let counts = recorded.gaps.iter().map(|gap| gap.count);
    let lost = counts.fold(0, u64::saturating_add);
    if lost > 0 {
        let what = if lost == 1 {
            "segment is"
        } else {
            "segments are"
        };
        work.printer.warn(&format!("{lost} {what} missing"));
    }
    if work.json() {
        return Ok(());
    }
    if recorded.ended != Ended::Complete {
        work.printer
            .note(&format!("ended: {}", ended(recorded.ended)));
    }
    let files = std::iter::once(&recorded.path).chain(&recorded.beside);
    for file in files {
        work.printer.line(&file.display().to_string())?;
    }
    Ok(())
}

/// Why it ended, as a word for programs.
pub(crate) fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Complete => "complete",
        Ended::Duration => "duration",
        Ended::Silent => "silent",
        Ended::Size => "size",
        Ended::Stopped => "stopped",
        _ => "other",
    }
}

/// What came of it, for programs.
pub(crate) fn document(recorded: &Recorded) -> serde_json::Value {
    json!({
        "event": "finished",
        "path": recorded.path.display().to_string(),
        "beside": recorded.beside.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "bytes": recorded.bytes,
        "segments": recorded.segments,
        "mediaSeconds": recorded.media_time.map(|time| time.as_secs_f64()),
        "gaps": recorded.gaps.iter().map(gap).collect::<Vec<_>>(),
        "ended": ended(recorded.ended),
    })
}

/// What is missing, for programs.
pub(crate) fn gap(gap: &sessile_record::Gap) -> serde_json::Value {
    json!({ "first": gap.first, "count": gap.count, "why": gap.why })
}
