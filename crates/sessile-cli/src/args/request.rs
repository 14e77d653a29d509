//! `sessile get`, `post` and the other verbs.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use sessile::{ProfileChoice, Tier};

use super::connection::ConnectionArgs;
use super::manners::MannersArgs;
use super::site::BySite;
use super::values::{Refused, profile, time_limit};

#[derive(Args, Debug)]
#[command(after_help = "\
Items:
  name=text      a field of the JSON object, or of the form with --form
  name:=json     a field of the JSON object that isn't text: n:=5 ok:=true
  name==text     a parameter of the URL's query
  Name:text      a header; `Name:` leaves the session's own out, `Name;` sends it empty
  name@file      a file of a form (name@file;type=image/png sets its type)
  @file          the whole body; @- reads standard input
  =@ :=@ ==@ :@  the same with the value read from a file
  A backslash takes a sign's meaning: 'a\\:b=c'

Examples:
  sessile get -s shop https://shop.example/orders
  sessile post -s shop /api/items name=lamp price:=12.5 X-Trace:1
  sessile post --form https://site.example/upload title=Cat photo@cat.jpg
  sessile get -s shop --site shop.toml --username ada --remember /orders
  curl -s https://a.example/data | sessile put https://b.example/data @-")]
pub(crate) struct RequestArgs {
    /// Use the session stored under this name, and store what the reply changes
    ///
    /// A dead login is renewed and the request sent again. Defaults to a session in
    /// memory that ends with the command.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) session: Option<String>,

    /// Make the session if none is stored under that name
    #[arg(long, requires = "session")]
    pub(crate) create: bool,

    /// Change nothing: no renewal, nothing written to the store
    #[arg(long, requires = "session", conflicts_with = "create")]
    pub(crate) read_only: bool,

    #[command(flatten)]
    pub(crate) by_site: BySite,

    /// The address; may be a path where the session or --base-url says the rest
    pub(crate) url: String,

    /// Fields, headers, query and files, as listed below
    #[arg(value_name = "ITEM")]
    pub(crate) items: Vec<String>,

    /// Send the fields as a form instead of JSON
    #[arg(short, long)]
    pub(crate) form: bool,

    /// Send the fields as a multipart form even without a file
    #[arg(long, conflicts_with = "form")]
    pub(crate) multipart: bool,

    /// Send this text as the whole body
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["form", "multipart"])]
    pub(crate) raw: Option<String>,

    /// Write the body to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Print the status line and the headers before the body
    #[arg(short, long)]
    pub(crate) include: bool,

    /// End with exit code 1 if the status is 400 or more
    #[arg(long)]
    pub(crate) fail: bool,

    /// Give back a redirect instead of following it
    #[arg(long)]
    pub(crate) no_follow: bool,

    /// Give up after this long in all; seconds, or with a unit
    ///
    /// Defaults to no limit in all, 10 for connecting and 30 without a byte.
    #[arg(long, value_name = "SECONDS", value_parser = time_limit)]
    pub(crate) timeout: Option<Duration>,

    /// Resolve the URL against this one
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,

    /// The headers to send: `none`, `standard`, `browser`, `chrome`, `firefox` or `safari`
    ///
    /// A browser is chosen at random, or named whole, as `firefox/150/linux`.
    /// A stored session keeps the one it was made with. Defaults to `standard`.
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    pub(crate) profile: Option<ProfileChoice>,

    /// The way to send it: directly, by the system's curl, by a browser, or by the next where
    /// one is refused
    ///
    /// The browser is a Chromium or Chrome that is found, or SESSILE_BROWSER. It opens pages,
    /// so it is for GET alone, and answers a page as its scripts have made it.
    #[arg(long, value_enum, value_name = "TIER", default_value = "direct")]
    pub(crate) tier: TierArg,

    #[command(flatten)]
    pub(crate) auth: AuthArgs,

    #[command(flatten)]
    pub(crate) manners: MannersArgs,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// The ways to send a request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum TierArg {
    /// Directly, then by curl and by a browser where a reply is challenged or blocked
    Auto,
    /// As a page in a browser that nobody sees
    Browser,
    /// By the system's curl
    Curl,
    /// By connections of its own
    #[default]
    Direct,
}

impl TierArg {
    /// The ways in the order in which they are tried.
    pub(crate) fn tiers(self) -> &'static [Tier] {
        match self {
            Self::Auto => &[Tier::Direct, Tier::Curl, Tier::Browser],
            Self::Browser => &[Tier::Browser],
            Self::Curl => &[Tier::Curl],
            Self::Direct => &[Tier::Direct],
        }
    }
}

/// HTTP authentication; its secret never stands on the command line.
#[derive(Args, Debug, Default)]
pub(crate) struct AuthArgs {
    /// Authenticate with a user and password, or with a token; the session keeps it
    #[arg(long, value_enum, value_name = "TYPE", requires = "auth_from")]
    pub(crate) auth_type: Option<AuthType>,

    /// The user of basic and digest authentication
    #[arg(
        long,
        value_name = "USER",
        requires = "auth_from",
        required_if_eq_any = [("auth_type", "basic"), ("auth_type", "digest")]
    )]
    pub(crate) auth_user: Option<String>,

    /// Read the password or token from standard input
    #[arg(long, group = "auth_from", requires = "auth_type")]
    pub(crate) auth_stdin: bool,

    /// Read the password or token from this environment variable
    #[arg(long, group = "auth_from", requires = "auth_type", value_name = "VAR")]
    pub(crate) auth_env: Option<String>,

    /// Doesn't exist; says why.
    #[arg(short = 'a', long = "auth", hide = true, num_args = 0..=1, default_missing_value = "", value_parser = NO_AUTH)]
    _auth: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum AuthType {
    /// A user and a password, in every request
    Basic,
    /// A token, in every request
    Bearer,
    /// A user and a password, proven without sending it
    Digest,
}

const NO_AUTH: Refused = Refused(
    "there is no --auth: an argument's value is seen by everyone in the process list, \
     and kept in the shell's history.\n\n\
     Use --auth-type basic --auth-user USER with --auth-stdin or --auth-env VAR",
);
