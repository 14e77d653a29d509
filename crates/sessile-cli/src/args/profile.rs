//! `sessile profile`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// List the profiles
    List,
    /// Show the headers of one profile
    Show(ShowProfile),
}

#[derive(Args, Debug)]
#[command(after_help = "\
These are the headers of a page that a person opens. A request adds what depends on it,
Sec-Fetch-* for one.

Example:
  sessile profile show firefox/150/linux")]
pub(crate) struct ShowProfile {
    /// The profile, as `sessile profile list` names it
    pub(crate) name: String,
}
