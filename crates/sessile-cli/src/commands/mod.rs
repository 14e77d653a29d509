//! One file a command: each translates its arguments into calls of the library and
//! the answer into output. A rule found here is in the wrong crate.

mod completions;

use crate::args::{Cli, Command};
use crate::exit::Outcome;
use crate::printer::Printer;
use crate::settings::Environment;

/// Carries out one command.
pub(crate) fn run(cli: Cli, environment: &Environment, printer: &mut Printer) -> Outcome {
    match cli.command {
        Command::Completions { shell } => completions::run(shell, printer),
        _ => unimplemented!(),
    }
}
