//! `sessile access`.

use std::time::Duration;

use clap::{Args, Subcommand};
use sessile_server::access::Scope;

use super::values::age;

#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// Make a token and print it, this once
    Add(AccessAdd),
    /// List the tokens: names, scopes and times
    List,
    /// Remove tokens; a running daemon knows it within a second
    Rm {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
}

#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  sessile access add collector --scope use --expires-in 30d")]
pub(crate) struct AccessAdd {
    /// What to call it, after who is to have it
    pub(crate) name: String,

    /// What it allows: read (to look, secrets masked), use (to send through sessions and to get
    /// what they are made of) or manage (all else). Each includes those before it
    #[arg(long, default_value = "read", value_name = "SCOPE")]
    pub(crate) scope: Scope,

    /// How long it is good for: 24h, 30d
    ///
    /// Defaults to: until it is removed.
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub(crate) expires_in: Option<Duration>,
}
