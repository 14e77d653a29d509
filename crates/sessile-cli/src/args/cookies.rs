//! `sessile cookies`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::values::time_limit;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sessile cookies shop list
  sessile cookies shop get sessionid
  sessile cookies shop set lang=en --url https://shop.example/
  sessile cookies shop explain https://shop.example/orders")]
pub(crate) struct CookiesArgs {
    /// The session
    pub(crate) name: String,

    #[command(subcommand)]
    pub(crate) command: CookiesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CookiesCommand {
    /// List the cookies, values masked
    List {
        /// Show the values
        #[arg(long)]
        show_secrets: bool,
    },
    /// Print the value of one cookie, alone
    Get {
        /// The cookie's name
        cookie: String,
        /// The one that is sent to this URL, where several have the name
        #[arg(long)]
        url: Option<String>,
    },
    /// Set one cookie, as the site at --url would
    Set(Box<SetCookie>),
    /// Remove one cookie
    Rm {
        /// The cookie's name
        cookie: String,
        /// Only the one that is sent to this URL
        #[arg(long)]
        url: Option<String>,
    },
    /// Say of each cookie whether it is sent to a URL, and by which rule
    Explain(ExplainCookies),
}

#[derive(Args, Debug)]
pub(crate) struct ExplainCookies {
    /// Where a request would go
    pub(crate) url: String,
}

#[derive(Args, Debug)]
#[command(after_help = "\
An argument's value is seen in the process list: with --value-stdin it isn't.

Example:
  printf %s \"$TOKEN\" | sessile cookies shop set token --value-stdin --url https://shop.example/")]
pub(crate) struct SetCookie {
    /// The cookie as NAME=VALUE, or NAME with --value-stdin
    #[arg(value_name = "NAME=VALUE")]
    pub(crate) cookie: String,

    /// The URL that sets it; its host and path bound it where no option does
    #[arg(long)]
    pub(crate) url: String,

    /// Read the value from standard input
    #[arg(long)]
    pub(crate) value_stdin: bool,

    /// Send it to this domain and all below it
    #[arg(long)]
    pub(crate) domain: Option<String>,

    /// Send it to this path and all below it
    #[arg(long)]
    pub(crate) path: Option<String>,

    /// Send it over https only
    #[arg(long)]
    pub(crate) secure: bool,

    /// Hide it from scripts
    #[arg(long)]
    pub(crate) http_only: bool,

    /// Whether requests that come from other sites carry it
    #[arg(long, value_enum, value_name = "RULE")]
    pub(crate) same_site: Option<SameSiteArg>,

    /// Keep it for this long; seconds, or with a unit
    #[arg(long, value_name = "SECONDS", value_parser = time_limit, conflicts_with = "expires")]
    pub(crate) max_age: Option<Duration>,

    /// Keep it until this date: 'Sun, 06 Nov 2033 08:49:37 GMT'
    #[arg(long, value_name = "DATE")]
    pub(crate) expires: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SameSiteArg {
    /// Top-level navigation carries it
    Lax,
    /// All do; the cookie must be secure
    None,
    /// None do
    Strict,
}
