//! `sessile login`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sessile::ProfileChoice;

use super::connection::ConnectionArgs;
use super::second_factor::SecondFactorArgs;
use super::values::{Refused, profile, time_limit};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sessile login shop https://shop.example/login --username ada
  pass show shop | sessile login shop https://shop.example/login --username ada --password-stdin
  sessile login shop https://shop.example/login --username ada \\
    --password-command 'pass show shop' --remember
  sessile login shop --site shop.toml --username ada
  sessile login shop https://shop.example/login --browser")]
pub(crate) struct LoginArgs {
    /// The name to store the session under
    pub(crate) name: String,

    /// The page with the login form, or a page that leads to it
    #[arg(required_unless_present = "site", conflicts_with = "site")]
    pub(crate) url: Option<String>,

    /// Who logs in
    #[arg(
        short,
        long,
        value_name = "USER",
        required_unless_present_any = ["browser", "site"],
        conflicts_with = "browser"
    )]
    pub(crate) username: Option<String>,

    /// Log in yourself, in a browser's window that is opened for it
    ///
    /// It closes by itself when the login shows; else close it, or press Enter here. The
    /// browser is a Chromium or Chrome that is found, or SESSILE_BROWSER.
    #[arg(long, group = "way", conflicts_with_all = ["form", "remember", "password_from"])]
    pub(crate) browser: bool,

    /// Open no window, for a page that logs in by itself, as by a link
    #[arg(long, requires = "way")]
    pub(crate) headless: bool,

    /// How long to wait for the login in the browser; seconds, or with a unit
    ///
    /// Defaults to ten minutes.
    #[arg(long, value_name = "TIME", requires = "way", value_parser = time_limit)]
    pub(crate) wait: Option<Duration>,

    /// Log in as this file says; `sessile site check` reads one, docs/site-file.md explains it
    #[arg(long, group = "way", value_name = "FILE", conflicts_with = "browser")]
    pub(crate) site: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) password: PasswordFrom,

    /// Keep the password, sealed, so that a dead login renews itself
    #[arg(long)]
    pub(crate) remember: bool,

    /// The headers to send: `none`, `standard`, `browser`, `chrome`, `firefox` or `safari`
    ///
    /// A browser is chosen at random, or named whole, as `firefox/150/linux`.
    /// A stored session keeps the one it was made with. Defaults to `standard`.
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    pub(crate) profile: Option<ProfileChoice>,

    /// Give up a request after this long; seconds, or with a unit
    ///
    /// Defaults to no limit in all, 10 for connecting and 30 without a byte.
    #[arg(long, value_name = "SECONDS", value_parser = time_limit)]
    pub(crate) timeout: Option<Duration>,

    /// Which form of the page is the login, by its id, name or address
    ///
    /// Defaults to the one that looks like it.
    #[arg(long, value_name = "FORM", conflicts_with = "site")]
    pub(crate) form: Option<String>,

    /// A page that shows whether one is logged in
    ///
    /// Defaults to the page the login leads to.
    #[arg(long, value_name = "URL")]
    pub(crate) check: Option<String>,

    /// Show a page that a person has to open, and start no browser
    #[arg(long)]
    pub(crate) no_open: bool,

    #[command(flatten)]
    pub(crate) second_factor: SecondFactorArgs,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// Where the password comes from; a prompt on the terminal unless an option says otherwise.
#[derive(Args, Debug, Default)]
pub(crate) struct PasswordFrom {
    /// Read the password from standard input
    #[arg(long, group = "password_from")]
    pub(crate) password_stdin: bool,

    /// Read the password from this environment variable
    #[arg(long, group = "password_from", value_name = "VAR")]
    pub(crate) password_env: Option<String>,

    /// Read the password from the first line this command prints
    #[arg(long, group = "password_from", value_name = "CMD")]
    pub(crate) password_command: Option<String>,

    /// Doesn't exist; says why.
    #[arg(long = "password", hide = true, num_args = 0..=1, default_missing_value = "", value_parser = NO_PASSWORD)]
    _password: Option<String>,
}

const NO_PASSWORD: Refused = Refused(
    "there is no --password: an argument's value is seen by everyone in the process list, \
     and kept in the shell's history.\n\n\
     Use --password-stdin, --password-env VAR or --password-command CMD, \
     or leave it out to be asked",
);
