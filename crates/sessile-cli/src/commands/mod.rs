//! One file a command: each translates its arguments into calls of the library and
//! the answer into output. A rule found here is in the wrong crate.

mod access;
mod backup;
mod batch;
mod by_site;
mod check;
mod clean;
mod completions;
mod connect;
mod cookies;
mod copy;
mod demo;
mod failure;
mod key;
mod list;
mod login;
mod manners;
mod media;
mod otp;
mod output;
mod pool;
mod profile;
mod record;
mod rename;
mod request;
mod resolve;
mod restore;
mod rm;
mod serve;
mod show;
mod site;
mod status;
mod tokens;
mod visit;
mod work;

use crate::args::{Cli, Command};
use crate::exit::{Exit, Failure, Outcome, Stop};
use crate::printer::Printer;
use crate::settings::Environment;

use http::Method;

use work::Work;

/// How programs read of a recording.
pub(crate) mod recording {
    pub(crate) use super::record::{document, gap};
}

/// Carries out one command.
pub(crate) fn run(cli: Cli, environment: &Environment, printer: &mut Printer) -> Outcome {
    if let Command::Completions { shell } = cli.command {
        return completions::run(shell, printer);
    }
    let work = Work::new(&cli.global, environment, printer);
    // One thread: a start that costs little, and no command but the daemon keeps two busy.
    let mut builder = match cli.command {
        Command::Serve(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder
        .enable_all()
        .build()
        .map_err(|error| no_runtime(&error))?
        .block_on(dispatch(cli.command, work))
}

async fn dispatch(command: Command, mut work: Work<'_>) -> Outcome {
    let work = &mut work;
    match command {
        Command::Access { command } => access::run(command, work).await,
        Command::Backup(args) => backup::run(args, work).await,
        Command::Batch(args) => batch::run(*args, work).await,
        Command::Check(args) => check::run(*args, work).await,
        Command::Clean(args) => clean::run(args, work).await,
        Command::Completions { shell } => completions::run(shell, work.printer),
        Command::Cookies(args) => cookies::run(args, work).await,
        Command::Copy(args) => copy::run(args, work).await,
        Command::Delete(args) => request::run(Method::DELETE, *args, work).await,
        Command::Demo(args) => demo::run(args, work).await,
        Command::Get(args) => request::run(Method::GET, *args, work).await,
        Command::Head(args) => request::run(Method::HEAD, *args, work).await,
        Command::Key { command } => key::run(command, work).await,
        Command::List => list::run(work).await,
        Command::Login(args) => login::run(*args, work).await,
        Command::Otp(args) => otp::run(args, work).await,
        Command::Options(args) => request::run(Method::OPTIONS, *args, work).await,
        Command::Patch(args) => request::run(Method::PATCH, *args, work).await,
        Command::Pool { command } => pool::run(command, work).await,
        Command::Post(args) => request::run(Method::POST, *args, work).await,
        Command::Profile { command } => profile::run(command, work),
        Command::Put(args) => request::run(Method::PUT, *args, work).await,
        Command::Record(args) => record::run(*args, work).await,
        Command::Rename(args) => rename::run(args, work).await,
        Command::Resolve(args) => resolve::run(*args, work).await,
        Command::Restore(args) => restore::run(args, work).await,
        Command::Rm(args) => rm::run(args, work).await,
        Command::Serve(args) => serve::run(args, work).await,
        Command::Site { command } => site::run(command, work).await,
        Command::Status(args) => status::run(args, work).await,
        Command::Tokens(args) => tokens::run(args, work).await,
    }
}

fn no_runtime(error: &std::io::Error) -> Stop {
    Failure::new(Exit::Failed, "runtime", format!("cannot start: {error}")).into()
}
