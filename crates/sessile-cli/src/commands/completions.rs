//! `sessile completions`: a script that teaches a shell our words.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::{Exit, Outcome};
use crate::printer::Printer;

/// Prints the script.
pub(super) fn run(shell: Shell, printer: &mut Printer) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sessile", &mut script);
    printer.bytes(&script)?;
    Ok(Exit::Done)
}
