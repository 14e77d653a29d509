//! `sessile batch`: one request for each of many targets.

mod asked;
mod sessions;
mod told;

use std::io;
use std::path::Path;
use std::pin::pin;

use futures_util::future::{Either, select};
use sessile::batch::{Batch, BatchError, Failures, Origin, Output, Progress, Report, Targets};

use super::work::Work;
use crate::args::BatchArgs;
use crate::batch_bar::BatchBar;
use crate::ended::Ended;
use crate::exit::{Exit, Failure, Outcome, Stop};
use crate::request::content::Inputs;

use sessions::Sessions;

/// Does what isn't done yet, and says what came of it.
pub(super) async fn run(args: BatchArgs, work: &mut Work<'_>) -> Outcome {
    let mut inputs = Inputs::of_process();
    let (targets, place) = asked::targets(&args, &mut inputs)?;
    let template = asked::template(&args, &mut inputs)?;
    let options = asked::options(&args)?;
    let sessions = Sessions::open(&args, work).await?;
    let batch = Batch::new(sessions.through(), template, options);
    let ended = match output(&args, &batch, place, work) {
        Ok(output) => {
            let found = output.found().clone();
            told::tell_found(&found, &args, work);
            let ended = carry_out(&batch, targets, output, &args, work).await;
            ended.map(|ended| (ended, found))
        }
        Err(stop) => Err(stop),
    };
    if let Err(Stop::Ended(signal)) = ended {
        return Err(Stop::Ended(signal));
    }
    // What the exchanges changed is kept, whatever became of them.
    let closed = close(sessions, work).await;
    let (ended, found) = ended?;
    let exit = told::tell(&ended, &found, &args, work)?;
    closed.map(|()| exit)
}

/// Closes the sessions, unless a signal says that there is no time for it.
async fn close(sessions: Sessions, work: &mut Work<'_>) -> Outcome<()> {
    let mut signals = listen()?;
    match select(pin!(sessions.close(work)), pin!(signals.wait())).await {
        Either::Left((closed, _)) => closed,
        Either::Right((signal, _)) => Err(Stop::Ended(signal)),
    }
}

fn listen() -> Outcome<Ended> {
    Ok(Ended::listen()
        .map_err(|error| Failure::new(Exit::Failed, "signals", format!("cannot start: {error}")))?)
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
    args: &BatchArgs,
    work: &Work<'_>,
) -> Outcome<Ending> {
    let mut signals = listen()?;
    let bar = BatchBar::new(work.printer);
    let mut lack = told::LackOfSessions::default();
    let mut watch = |progress: &Progress| {
        bar.show(progress);
        if let Some(text) = lack.text(progress, args) {
            bar.say(&text);
        }
    };
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

fn output(args: &BatchArgs, batch: &Batch, place: String, work: &Work<'_>) -> Outcome<Output> {
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
    batch.output(path, &origin).map_err(of_batch)
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
        BatchError::Session(error) => {
            let failure = Failure::from(error);
            match failure.advice() {
                Some(_) => failure.into(),
                None => failure
                    .hint("after that, the same command again goes on where it was")
                    .into(),
            }
        }
        _ => failed("targets").into(),
    }
}
