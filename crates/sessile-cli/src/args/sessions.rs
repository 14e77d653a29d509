//! `sessile check`, `status`, `clean` and `rm`.

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
    #[arg(long, value_name = "AGE", value_parser = age)]
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
