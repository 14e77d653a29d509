//! `sessile check`, `status`, `copy`, `rename`, `clean` and `rm`.

use std::time::Duration;

use clap::{ArgGroup, Args};

use super::connection::ConnectionArgs;
use super::values::age;

#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 logged in, 3 not logged in, 4 a person is needed

Example:
  sessile check shop --explain || sessile login shop https://shop.example/login --username ada")]
pub(crate) struct CheckArgs {
    /// The session
    pub(crate) name: String,

    /// Say what the answer rests on
    #[arg(long)]
    pub(crate) explain: bool,

    /// Log in again if the login is dead
    #[arg(long)]
    pub(crate) renew: bool,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// The session
    pub(crate) name: String,

    /// Show the values of cookies, headers and credentials
    #[arg(long)]
    pub(crate) show_secrets: bool,
}

#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("which").required(true).args(["name", "all", "older_than"]),
    after_help = "\
Examples:
  sessile clean shop
  sessile clean --older-than 24h --cookies-only"
)]
pub(crate) struct CleanArgs {
    /// The session
    pub(crate) name: Option<String>,

    /// Every session
    #[arg(long)]
    pub(crate) all: bool,

    /// Every session whose last login (or making) is longer ago: 24h, 90m, 7d
    ///
    /// Without an age it is 24h, after which `list` and `status` warn.
    #[arg(long, value_name = "AGE", value_parser = age, num_args = 0..=1, default_missing_value = "24h")]
    pub(crate) older_than: Option<Duration>,

    /// Remove the cookies and keep the rest
    #[arg(long)]
    pub(crate) cookies_only: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RmArgs {
    /// The sessions
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
The copy is a session of its own: what one of them changes, the other doesn't see, and a login
renewed in one may end the other's at the site.

Example:
  sessile copy shop shop-before")]
pub(crate) struct CopyArgs {
    /// The session
    pub(crate) from: String,

    /// The name of the copy
    pub(crate) to: String,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Programs that use the session under its old name find none there from now on.

Example:
  sessile rename shop shop.ada")]
pub(crate) struct RenameArgs {
    /// The session
    pub(crate) from: String,

    /// Its next name
    pub(crate) to: String,
}
