//! `sessile site`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::connection::ConnectionArgs;
use super::login::PasswordFrom;
use super::second_factor::SecondFactorArgs;
use super::values::time_limit;

#[derive(Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// Read site files and say what they mean, or all that is wrong with them
    Check(SiteCheckArgs),
    /// Log in as a site file says, check it, and see whether a logout would be noticed
    Try(Box<SiteTryArgs>),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Asks no site. Exit code 2 where a file has mistakes.

Example:
  sessile site check shop.toml")]
pub(crate) struct SiteCheckArgs {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Stores nothing, unless a session is named.

Example:
  sessile site try shop.toml --username ada")]
pub(crate) struct SiteTryArgs {
    /// The file
    pub(crate) file: PathBuf,

    /// Who logs in
    #[arg(short, long, value_name = "USER")]
    pub(crate) username: Option<String>,

    #[command(flatten)]
    pub(crate) password: PasswordFrom,

    /// Store the session under this name
    #[arg(short, long, value_name = "NAME")]
    pub(crate) session: Option<String>,

    /// Give up a request after this long; seconds, or with a unit
    ///
    /// Defaults to no limit in all, 10 for connecting and 30 without a byte.
    #[arg(long, value_name = "SECONDS", value_parser = time_limit)]
    pub(crate) timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) second_factor: SecondFactorArgs,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// A login that a request may need first.
#[derive(Args, Debug)]
#[command(next_help_heading = "Site file")]
pub(crate) struct BySite {
    /// Log in as this file says where that hasn't been done yet, and follow its rules
    ///
    /// A stored session that was logged in by an earlier state of the file goes by this one from
    /// now on.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["create", "read_only", "auth_type"])]
    pub(crate) site: Option<PathBuf>,

    /// Who logs in
    #[arg(short, long, value_name = "USER", requires = "site")]
    pub(crate) username: Option<String>,

    #[command(flatten)]
    pub(crate) password: PasswordFrom,

    /// Keep the password, sealed, so that a dead login renews itself
    #[arg(long, requires_all = ["site", "session"])]
    pub(crate) remember: bool,
}
