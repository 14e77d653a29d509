//! What is said of a batch: what was there, and what came of it.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use sessile::batch::{End, Found, Progress};

use super::super::show;
use super::super::work::Work;
use super::Ending;
use crate::args::BatchArgs;
use crate::exit::{Exit, Failure, Outcome, Stop};

/// Says what is there from earlier runs.
pub(super) fn tell_found(found: &Found, args: &BatchArgs, work: &mut Work<'_>) {
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
            "{} of `{path}` could not be read, and {} done again",
            many(count, "line"),
            if count == 1 {
                "its target is"
            } else {
                "their targets are"
            },
        ));
    }
    if found.taken_out > 0 {
        let count = found.taken_out;
        let failed = many(count, "target");
        work.printer.note(&format!(
            "{failed} that failed before, or went without the pool: done again"
        ));
    }
    if found.done > 0 {
        let count = found.done;
        work.printer
            .note(&format!("going on: {} done already", many(count, "target")));
    }
}

/// What has been said of a pool that has no session to give.
#[derive(Default)]
pub(super) struct LackOfSessions {
    is_wait_told: bool,
    is_fallback_told: bool,
}

/// Sessions that are just being made are no news.
const PATIENCE: Duration = Duration::from_secs(5);

impl LackOfSessions {
    /// What is to be said now, where it hasn't been said before.
    pub(super) fn text(&mut self, progress: &Progress, args: &BatchArgs) -> Option<String> {
        if let (Some(why), false) = (&progress.why_fallback, self.is_fallback_told) {
            self.is_fallback_told = true;
            return Some(format!(
                "warning: {why}; sent without the pool, which the lines say; --no-fallback makes \
                 it an error"
            ));
        }
        let lack = progress.lack.as_ref()?;
        if lack.waited < PATIENCE || self.is_wait_told {
            return None;
        }
        self.is_wait_told = true;
        Some(waiting(&lack.why, args))
    }
}

fn waiting(why: &str, args: &BatchArgs) -> String {
    let wait = show::length(args.wait);
    let then = match args.no_fallback {
        true => "is an error",
        false => "is sent without the pool",
    };
    format!("{why}; waiting: a target that has none after {wait} (--wait) {then}")
}

/// Says what came of it, and how the command ends.
pub(super) fn tell(
    ended: &Ending,
    found: &Found,
    args: &BatchArgs,
    work: &mut Work<'_>,
) -> Outcome {
    let report = &ended.report;
    let file = args.output.as_deref();
    let is_whole = report.end == End::Complete;
    let failed = report.failed + found.failed;
    if report.duplicates > 0 {
        let lines = many(report.duplicates, "line");
        work.printer
            .note(&format!("{lines} of the list came before, and did nothing"));
    }
    if report.strangers > 0 {
        let lines = many(report.strangers, "line");
        work.printer.warn(&format!(
            "{lines} of the output: for targets that aren't in the list"
        ));
    }
    let (done, now_failed) = (many(report.done, "target"), report.failed);
    work.printer
        .note(&format!("{done} done, {now_failed} of them failed"));
    if report.fallbacks > 0 {
        let targets = many(report.fallbacks, "target");
        work.printer.warn(&format!(
            "{targets} sent without a session of the pool: --retry-failed does them again through it"
        ));
    }
    if work.json() && file.is_some_and(|file| file != Path::new("-")) {
        work.printer.document(&json!({
            "output": file.map(|file| file.display().to_string()),
            "complete": is_whole,
            "before": found.done,
            "done": report.done,
            "failed": failed,
            "duplicates": report.duplicates,
            "fallbacks": report.fallbacks,
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
    let message = format!("{} failed", many(failed, "target"));
    let failure = Failure::new(Exit::Failed, "targetsFailed", message);
    Err(match file {
        Some(_) => failure.hint("their lines say why; --retry-failed does them again"),
        None => failure.hint("their lines say why"),
    }
    .into())
}

/// A number of things, in words.
fn many(count: u64, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    fn args(more: &str) -> BatchArgs {
        let line = format!("sessile batch shop --targets t --url /{{target}} {more}");
        match Cli::try_parse_from(line.split_whitespace())
            .unwrap()
            .command
        {
            Command::Batch(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_fallback_is_told_once() {
        let (args, mut told) = (args(""), LackOfSessions::default());
        let mut progress = Progress::default();
        assert_eq!(told.text(&progress, &args), None);
        progress.why_fallback = Some(Arc::from("all are in use"));
        let text = told.text(&progress, &args).unwrap();
        assert!(
            text.starts_with("warning: all are in use; sent without"),
            "{text}"
        );
        assert_eq!(told.text(&progress, &args), None);
    }

    #[test]
    fn a_wait_is_told_with_its_end() {
        assert_eq!(
            waiting("logins fail", &args("")),
            "logins fail; waiting: a target that has none after 1 min 30 s (--wait) is sent without \
             the pool"
        );
        let text = waiting("logins fail", &args("--no-fallback --wait 5s"));
        assert!(text.ends_with("after 5 s (--wait) is an error"), "{text}");
    }
}
