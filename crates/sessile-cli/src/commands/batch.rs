//! `sessile batch`: one request for each of many targets.

use std::fs;
use std::io;
use std::path::{self, Path};
use std::pin::pin;

use futures_util::future::{Either, select};
use serde_json::json;
use sessile::Session;
use sessile::batch::{
    Batch, BatchError, BatchOptions, Bodies, End, Failures, Field, Found, Origin, Output, Patience,
    Report, Targets, Template, Through,
};
use sessile::renew::{KeepError, Kept};
use sessile::session::{Redirects, RetryPolicy, SessionBuilder};
use url::Url;

use super::connect;
use super::failure::{self, Purpose};
use super::manners;
use super::request::without_secret;
use super::work::{self, Work};
use crate::args::{BatchArgs, BodyPlace, MannersArgs};
use crate::batch_bar::BatchBar;
use crate::ended::Ended;
use crate::exit::{Exit, Failure, Outcome, Stop};
use crate::items;
use crate::request::content::{self, Body, Content, Encoding, Inputs};

/// Does what isn't done yet, and says what came of it.
pub(super) async fn run(args: BatchArgs, work: &mut Work<'_>) -> Outcome {
    let mut inputs = Inputs::of_process();
    let (targets, place) = targets(&args, &mut inputs)?;
    let template = template(&args, &mut inputs)?;
    let options = options(&args)?;
    let through = through(&args, work).await?;
    let kept = match &through {
        Through::Kept(kept) => Some(kept.clone()),
        _ => None,
    };
    let batch = Batch::new(through, template, options);
    let output = output(&args, &batch, place, work)?;
    let found = output.found().clone();
    tell_found(&found, &args, work);
    let ended = carry_out(&batch, targets, output, work).await;
    if let Some(kept) = kept {
        // What the exchanges changed is kept, whatever became of them.
        let saved = kept.save().await;
        saved.map_err(|error| failure::of_kept(&error, Purpose::Send))?;
        work.say_token_trouble(&kept);
    }
    tell(&ended?, &found, &args, work)
}

/// How a batch ended, and by which signal.
struct Ending {
    report: Report,
    signal: Option<u8>,
}

/// Carries the batch out. The first signal lets what is under way end, the second ends it too.
async fn carry_out(
    batch: &Batch,
    targets: Targets,
    output: Output,
    work: &mut Work<'_>,
) -> Outcome<Ending> {
    let unheard = |error| Failure::new(Exit::Failed, "signals", format!("cannot start: {error}"));
    let mut signals = Ended::listen().map_err(|error: io::Error| unheard(error))?;
    let bar = BatchBar::new(work.printer);
    let mut watch = |progress: &_| bar.show(progress);
    let mut running = pin!(batch.run(targets, output, &mut watch));
    let mut first = None;
    loop {
        match select(running.as_mut(), pin!(signals.wait())).await {
            Either::Left((ended, _)) => {
                bar.end();
                let report = ended.map_err(of_batch)?;
                let signal = first;
                return Ok(Ending { report, signal });
            }
            Either::Right((signal, _)) if first.is_some() => return Err(Stop::Ended(signal)),
            Either::Right((signal, _)) => {
                first = Some(signal);
                bar.say("finishing what is under way; once more ends at once");
                batch.stop().stop();
            }
        }
    }
}

fn targets(args: &BatchArgs, inputs: &mut Inputs) -> Outcome<(Targets, String)> {
    if args.targets == Path::new("-") {
        inputs.claim()?;
        let place = "standard input".to_owned();
        return Ok((Targets::reader(place.clone(), io::stdin()), place));
    }
    if let Some(output) = &args.output
        && is_same(&args.targets, output)
    {
        return Err(Failure::usage("--targets and --output name the same file").into());
    }
    let targets = Targets::file(&args.targets).map_err(of_batch)?;
    let place = path::absolute(&args.targets).unwrap_or_else(|_| args.targets.clone());
    Ok((targets, place.display().to_string()))
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

fn template(args: &BatchArgs, inputs: &mut Inputs) -> Outcome<Template> {
    let encoding = match (args.form, args.multipart) {
        (_, true) => Encoding::Multipart,
        (true, false) => Encoding::Form,
        (false, false) => Encoding::Json,
    };
    let items = items::parse_all(&args.items)
        .map_err(|bad| Failure::usage(bad.to_string()).hint(bad.advice()))?;
    let content = content::sort(items, encoding, inputs)?;
    let mut template = Template::new(args.method.clone());
    if let Some(url) = &args.url {
        template = template.url(url).map_err(Failure::from)?;
    }
    if args.repeatable {
        template = template.repeatable();
    }
    let template = fill(template, content, args.raw.clone(), inputs)?;
    if !template.has_place() {
        return Err(
            Failure::usage("neither --url nor an item has {target} in it")
                .hint("every target would be the same request; write {target} where it goes")
                .into(),
        );
    }
    Ok(template)
}

fn fill(
    mut template: Template,
    content: Content,
    raw: Option<String>,
    inputs: &mut Inputs,
) -> Result<Template, Failure> {
    for (name, value) in content.query {
        template = template.query(name, value);
    }
    for (name, value) in content.headers {
        template = match value {
            Some(value) => template.header(name, value),
            None => template.without_header(name),
        };
    }
    Ok(match (content.body, raw) {
        (Body::Empty, None) => template,
        (Body::Empty, Some(text)) => template.text(text),
        (_, Some(_)) => return Err(content::two_bodies()),
        (Body::Form(pairs), None) => template.form(pairs),
        (Body::Json(value), None) => template.json(value),
        (Body::Multipart(fields), None) => {
            let fields: Result<_, Failure> = fields.into_iter().map(field).collect();
            template.multipart(fields?)
        }
        (Body::Source(source), None) => template.bytes(inputs.bytes(&source)?),
    })
}

fn field(field: content::Field) -> Result<Field, Failure> {
    Ok(match field {
        content::Field::Text { name, text } => Field::Text { name, text },
        content::Field::File(file) => match file.source {
            items::Source::File(path) => Field::File {
                name: file.name,
                path,
                media_type: file.media_type,
            },
            items::Source::StandardInput => {
                let message = "a file from standard input can be sent once, not for every target";
                return Err(Failure::usage(message));
            }
        },
    })
}

fn options(args: &BatchArgs) -> Outcome<BatchOptions> {
    let mut options = BatchOptions::default();
    options.concurrency = args.concurrency;
    options.patience = Patience::default();
    options.patience.attempts = args.attempts.get();
    options.bodies = match &args.body {
        BodyPlace::Directory(path) => {
            fs::create_dir_all(path).map_err(|error| {
                let message = format!("cannot make `{}`: {error}", path.display());
                Failure::new(Exit::Failed, "outputFile", message)
            })?;
            Bodies::Files(path.clone())
        }
        BodyPlace::Inline => Bodies::Inline(args.body_limit),
        BodyPlace::Nowhere => Bodies::Leave,
    };
    Ok(options)
}

/// The session that the requests go through. What is tried again is the batch's business.
async fn through(args: &BatchArgs, work: &mut Work<'_>) -> Outcome<Through> {
    let mut builder = connect::builder(&args.connection, args.timeout, work)?;
    builder = builder.retry(RetryPolicy::never());
    if args.no_follow {
        builder = builder.redirects(Redirects::Stay);
    }
    let manners = MannersArgs {
        rate: args.rate,
        concurrency: None,
        robots: args.robots,
    };
    let builder = manners::add(manners, builder, work).await?;
    match &args.session {
        Some(name) => kept(name, builder, work).await.map(Through::Kept),
        None => plain(args, builder, work).map(Through::Plain),
    }
}

async fn kept(name: &str, builder: SessionBuilder, work: &Work<'_>) -> Outcome<Kept> {
    let name = work::name(name)?;
    let vault = work.vault().await?;
    let mut options = work.keeping()?;
    options.builder = builder;
    let kept = Kept::open(&vault, &name, options).await;
    Ok(kept.map_err(|error| failure::of_kept(&error, Purpose::Send))?)
}

fn plain(args: &BatchArgs, builder: SessionBuilder, work: &mut Work<'_>) -> Outcome<Session> {
    let profile = args.profile.clone().unwrap_or_default();
    work.say_age(&profile);
    let mut builder = builder.profile(profile);
    if let Some(base) = &args.base_url {
        without_secret(base)?;
        Url::parse(base)
            .map_err(|why| Failure::usage(format!("--base-url is not a URL: {why}")))?;
        builder = builder.base_url(base)?;
    }
    Ok(builder.build()?)
}

fn output(args: &BatchArgs, batch: &Batch, place: String, work: &mut Work<'_>) -> Outcome<Output> {
    let path = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let Some(path) = path else {
        return Ok(Output::stream(Box::new(work.printer.standard_output())));
    };
    let mut origin = Origin::new(place);
    if args.retry_failed {
        origin.failures = Failures::Retry;
    }
    Ok(batch.output(path, &origin).map_err(of_batch)?)
}

/// Says what is there from earlier runs.
fn tell_found(found: &Found, args: &BatchArgs, work: &mut Work<'_>) {
    let Some(path) = args.output.as_deref().map(Path::display) else {
        return;
    };
    if let Some(other) = &found.other_targets {
        work.printer.warn(&format!(
            "`{path}` was begun with the targets of {other}; those of now come to it"
        ));
    }
    if found.was_torn {
        work.printer.note(&format!(
            "`{path}` ended in the middle of a line, which was cut off"
        ));
    }
    if found.unreadable > 0 {
        let count = found.unreadable;
        work.printer.warn(&format!(
            "{count} lines of `{path}` could not be read and were taken out; their targets are done again"
        ));
    }
    if found.taken_out > 0 {
        let count = found.taken_out;
        work.printer
            .note(&format!("{count} that failed are done again"));
    }
    if found.done > 0 {
        let count = found.done;
        work.printer
            .note(&format!("going on: {count} are done already"));
    }
}

/// Says what came of it, and how the command ends.
fn tell(ended: &Ending, found: &Found, args: &BatchArgs, work: &mut Work<'_>) -> Outcome {
    let report = &ended.report;
    let file = args.output.as_deref();
    let is_whole = report.end == End::Complete;
    let failed = report.failed + found.failed;
    if report.duplicates > 0 {
        let count = report.duplicates;
        work.printer.note(&format!(
            "{count} targets came more than once and were done once"
        ));
    }
    if report.strangers > 0 {
        let count = report.strangers;
        work.printer.warn(&format!(
            "{count} lines of the output are for targets that aren't in the list"
        ));
    }
    let (done, now_failed) = (report.done, report.failed);
    work.printer
        .note(&format!("{done} done, {now_failed} of them failed"));
    if work.json() && file.is_some_and(|file| file != Path::new("-")) {
        work.printer.document(&json!({
            "output": file.map(|file| file.display().to_string()),
            "complete": is_whole,
            "before": found.done,
            "done": report.done,
            "failed": failed,
            "duplicates": report.duplicates,
            "notInTargets": report.strangers,
        }))?;
    }
    if let (false, Some(signal)) = (is_whole, ended.signal) {
        work.printer.note(match file {
            Some(_) => "the same command again goes on from here",
            None => "with -o FILE it could be gone on with",
        });
        work.printer.flush()?;
        return Err(Stop::Ended(signal));
    }
    if failed == 0 {
        return Ok(Exit::Done);
    }
    let failure = Failure::new(
        Exit::Failed,
        "targetsFailed",
        format!("{failed} targets failed"),
    );
    Err(match file {
        Some(_) => failure.hint("their lines say why; --retry-failed does them again"),
        None => failure.hint("their lines say why"),
    }
    .into())
}

fn of_batch(error: BatchError) -> Stop {
    let message = error.to_string();
    let failed = |kind| Failure::new(Exit::Failed, kind, message.clone());
    match error {
        BatchError::Output { cause, .. } if cause.kind() == io::ErrorKind::BrokenPipe => {
            Stop::ReaderGone
        }
        BatchError::Output { cause, .. } => failed("outputFile")
            .hint(match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::FileTooLarge => {
                    "make room; the same command again goes on where it was"
                }
                _ => "what was written stays; the same command again goes on where it was",
            })
            .into(),
        BatchError::Busy { .. } => failed("outputBusy")
            .hint("wait for it, or write another file with -o")
            .into(),
        BatchError::NotOurs { .. } => failed("outputTaken")
            .hint("write another file with -o")
            .into(),
        BatchError::OtherRequest { .. } => failed("otherRequest")
            .hint("write another file with -o, or remove this one and FILE.sessile beside it")
            .into(),
        BatchError::Session(error) => of_session(&error),
        _ => failed("targets").into(),
    }
}

fn of_session(error: &KeepError) -> Stop {
    let failure = failure::of_kept(error, Purpose::Send);
    match failure.advice() {
        Some(_) => failure,
        None => failure.hint("after that, the same command again goes on where it was"),
    }
    .into()
}
