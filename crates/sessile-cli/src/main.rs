//! `sessile`: keeps HTTP sessions logged in, from the command line.
//!
//! The map: `args` says what can be asked, `settings` where things are, `commands`
//! carries out, `printer` writes, `exit` ends. Rules of sessions are in the library.

#![forbid(unsafe_code)]

mod args;
mod batch_bar;
mod commands;
mod ended;
mod exit;
mod items;
mod key_file;
mod logging;
mod notify;
mod password;
mod printer;
mod progress;
mod request;
mod settings;
mod supervisor;
mod target_file;
mod traces;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use args::Cli;
use exit::{Exit, Failure, Stop};
use printer::{Printer, Style};
use settings::Environment;

/// Reads the command line, carries it out, and turns what comes of it into an exit code.
fn main() -> ExitCode {
    let environment = Environment::of_process();
    let line: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&line) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, &line, &environment).into(),
    };
    let style = Style::of_process(cli.global.json, cli.global.quiet, environment.no_colour());
    let mut printer = Printer::of_process(style);
    let traces = match traces::start(&cli, &environment) {
        Ok(traces) => traces,
        Err(failure) => {
            printer.failure(&failure);
            return failure.exit().into();
        }
    };
    let listener = traces.as_ref().map(traces::Traces::listener);
    logging::start(cli.log(), style.colour, listener);
    let outcome = commands::run(cli, &environment, &mut printer).and_then(|exit| {
        printer.flush()?;
        Ok(exit)
    });
    if let Some(traces) = traces {
        traces.end();
    }
    match outcome {
        Ok(exit) => exit.into(),
        // As shells say it of a program that a signal ended.
        Err(Stop::Ended(signal)) => ExitCode::from(128 + signal),
        Err(Stop::ReaderGone) => Exit::Done.into(),
        Err(Stop::Fail(failure)) => {
            printer.failure(&failure);
            failure.exit().into()
        }
    }
}

/// Says why the line was not understood, or shows the help or version it asked for.
fn refuse(error: &clap::Error, line: &[OsString], environment: &Environment) -> Exit {
    let wants_json = line.iter().any(|word| word == "--json");
    if !error.use_stderr() || !wants_json {
        // A reader that is gone has seen enough of it.
        _ = error.print();
        return if error.use_stderr() {
            Exit::Usage
        } else {
            Exit::Done
        };
    }
    let text = error.render().to_string();
    let message = text.trim_end().trim_start_matches("error: ");
    let style = Style::of_process(true, false, environment.no_colour());
    Printer::of_process(style).failure(&Failure::usage(message));
    Exit::Usage
}
