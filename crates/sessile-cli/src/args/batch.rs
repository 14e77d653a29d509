//! `sessile batch`.

use std::convert::Infallible;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use http::Method;
use sessile::ProfileChoice;

use super::connection::ConnectionArgs;
use super::values::{at_once, profile, rate, time_limit};

#[derive(Args, Debug)]
#[command(after_help = "\
Targets:
  One a line. Blank lines and lines that begin with # are skipped, and what comes twice is done
  once. A line that begins with { is JSON: {\"target\": \"17\", \"url\": \"https://h/x\"}, where
  `url` is optional. Without --url the targets are URLs. In the path, query or fragment of --url
  a target is percent-encoded; as a host it has to be one. In items it goes in as it is.

Output:
  A line of JSON for each target: target, url, status, verdict, session, fallback (where it was
  sent without the pool), attempts, elapsedMs, body (or bodyBase64, bodyFile, bodyTruncated) and
  error {kind, message}. Lines are appended
  whole and are on the disk within a second. The same command again goes on where it was:
  what has a line is done. What the command was is kept in FILE.sessile.

Examples:
  sessile batch -s shop --targets ids.txt --url 'https://shop.example/items/{target}' -o items.jsonl
  sessile batch -s shop --targets ids.txt --url /items/{target} -o items.jsonl --retry-failed
  sessile batch shops --targets ids.txt --url /items/{target} -o items.jsonl --concurrency 20
  sessile batch --targets urls.txt -o pages.jsonl --body pages --rate 5/s
  sessile batch -s shop --targets ids.txt --url /api --method POST id={target} -o done.jsonl")]
pub(crate) struct BatchArgs {
    /// Use the session stored under this name, and store what the replies change
    ///
    /// A dead login is renewed and the requests sent again. Defaults to a session in
    /// memory that ends with the command.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) session: Option<String>,

    /// The pool whose sessions are used, a lease for each target
    ///
    /// It has none of = : @ ; in its name, so that it isn't taken for an item. Where its site
    /// file names targets, the same target gets the same session.
    #[arg(value_name = "POOL")]
    pub(crate) pool: Option<String>,

    /// How long a target waits for a session of the pool, then it is sent without one
    ///
    /// What a killed process held is taken over after half a minute.
    #[arg(long, value_name = "TIME", value_parser = time_limit, default_value = "90s")]
    pub(crate) wait: Duration,

    /// Fail where no session of the pool can be had, instead of sending without one
    #[arg(long)]
    pub(crate) no_fallback: bool,

    /// The file with the targets; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) targets: PathBuf,

    /// The address, {target} standing for the target; may be a path where the session or
    /// --base-url says the rest
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) url: Option<String>,

    /// Fields, headers, query and files as for `sessile get`, {target} standing for the target
    #[arg(value_name = "ITEM")]
    pub(crate) items: Vec<String>,

    /// The method of the requests
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub(crate) method: Method,

    /// Send the fields as a form instead of JSON
    #[arg(short, long)]
    pub(crate) form: bool,

    /// Send the fields as a multipart form even without a file
    #[arg(long, conflicts_with = "form")]
    pub(crate) multipart: bool,

    /// Send this text as the whole body
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["form", "multipart"])]
    pub(crate) raw: Option<String>,

    /// The file for the lines; one that is there is gone on with
    ///
    /// Defaults to standard output, which can't be gone on with.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Where the bodies go: `inline` (into the lines), `none`, or a directory, a file for each
    #[arg(long, value_name = "WHERE", default_value = "inline")]
    pub(crate) body: BodyPlace,

    /// How many bytes of a body go into a line at most
    #[arg(long, value_name = "BYTES", default_value_t = 1024 * 1024)]
    pub(crate) body_limit: u64,

    /// How many targets are under way at once
    #[arg(long, value_name = "N", default_value = "8", value_parser = at_once)]
    pub(crate) concurrency: NonZeroUsize,

    /// How often a target is tried in all
    ///
    /// One that the host refuses because it is asked too much is tried up to ten times.
    #[arg(long, value_name = "N", default_value = "4")]
    pub(crate) attempts: NonZeroU32,

    /// Do the targets again that failed in an earlier run, or had to go without the pool
    #[arg(long, requires = "output")]
    pub(crate) retry_failed: bool,

    /// Sending a request twice does no more than sending it once, whatever the method
    ///
    /// A POST or PATCH that may have arrived isn't tried again otherwise.
    #[arg(long)]
    pub(crate) repeatable: bool,

    /// Give back redirects instead of following them
    #[arg(long)]
    pub(crate) no_follow: bool,

    /// Give up an attempt after this long in all; seconds, or with a unit
    ///
    /// Defaults to no limit in all, 10 for connecting and 30 without a byte.
    #[arg(long, value_name = "SECONDS", value_parser = time_limit)]
    pub(crate) timeout: Option<Duration>,

    /// Resolve the URLs against this one
    #[arg(long, value_name = "URL", conflicts_with = "session")]
    pub(crate) base_url: Option<String>,

    /// The headers to send: `none`, `standard`, `browser`, `chrome`, `firefox` or `safari`
    ///
    /// A stored session keeps the one it was made with. Defaults to `standard`.
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    pub(crate) profile: Option<ProfileChoice>,

    /// Send a host at most so many requests in a second, minute, hour or day: 5/s, 30/m
    ///
    /// They are spread evenly. Everybody who uses the same store keeps one rate. Defaults to
    /// no limit but the pauses that a host asks for.
    #[arg(long, value_name = "N/UNIT", value_parser = rate)]
    pub(crate) rate: Option<Duration>,

    /// Ask the sites' robots.txt first, as the program `sessile`, and keep to its Crawl-delay
    #[arg(long)]
    pub(crate) robots: bool,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// Where the bodies go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum BodyPlace {
    Directory(PathBuf),
    Inline,
    Nowhere,
}

impl FromStr for BodyPlace {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "inline" => Self::Inline,
            "none" => Self::Nowhere,
            path => Self::Directory(path.into()),
        })
    }
}
