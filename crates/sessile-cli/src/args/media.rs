//! `sessile resolve` and `sessile record`.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use sessile::ProfileChoice;
use sessile_record::Quality;

use super::connection::ConnectionArgs;
use super::manners::MannersArgs;
use super::values::{age, profile, size, time_limit};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sessile resolve -s shop https://shop.example/films/7
  sessile resolve -s shop https://shop.example/films/7 --json | sessile record --resolved -")]
pub(crate) struct ResolveArgs {
    /// The page, or the media itself
    pub(crate) url: String,

    #[command(flatten)]
    pub(crate) through: ThroughArgs,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sessile record -s shop https://shop.example/films/7
  sessile record -s shop https://shop.example/live -o evening.mp4 --duration 2h
  sessile record https://media.example/index.m3u8 --quality 720p -o films/")]
pub(crate) struct RecordArgs {
    /// The page, or the media itself
    #[arg(required_unless_present = "resolved", conflicts_with = "resolved")]
    pub(crate) url: Option<String>,

    /// Record what `sessile resolve --json` has found, from this file or from standard input (-)
    #[arg(long, value_name = "FILE")]
    pub(crate) resolved: Option<PathBuf>,

    /// Where to write: a file, or a folder for a file that is named after the media
    ///
    /// Defaults to the current folder. A name that ends with a slash is a folder's.
    #[arg(short, long, value_name = "FILE|FOLDER")]
    pub(crate) output: Option<PathBuf>,

    /// Put the recording in the place of a file that is there
    #[arg(long)]
    pub(crate) replace: bool,

    /// Which variant: best, worst, at most so many lines (720p) or bits per second (2M)
    #[arg(long, value_name = "QUALITY", default_value = "best")]
    pub(crate) quality: Quality,

    /// How many requests may be under way at once
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) parallel: NonZeroU16,

    /// Where a live recording begins
    #[arg(long, value_enum, value_name = "WHERE", default_value = "edge")]
    pub(crate) live_from: LiveFromArg,

    /// Record so much of the media's time: 10m, 2h
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub(crate) duration: Option<Duration>,

    /// End at this size: 500M, 2G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_size: Option<u64>,

    /// How often a piece is tried again in a row
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) retries: u32,

    /// Try a request again after this long without a byte; seconds, or with a unit
    #[arg(long, value_name = "SECONDS", value_parser = time_limit, default_value = "30")]
    pub(crate) patience: Duration,

    /// Leave segments as they come, where ffmpeg could make one MP4 of them
    #[arg(long)]
    pub(crate) no_remux: bool,

    #[command(flatten)]
    pub(crate) through: ThroughArgs,
}

/// What media is found and fetched through.
#[derive(Args, Debug)]
pub(crate) struct ThroughArgs {
    /// Use the session stored under this name; a login that dies meanwhile is renewed
    ///
    /// Defaults to a session in memory that ends with the command.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) session: Option<String>,

    /// Find media as the [media] section of this site file says
    ///
    /// Defaults to that of the file which the session logs in by.
    #[arg(long, value_name = "FILE")]
    pub(crate) site: Option<PathBuf>,

    /// The headers to send without a stored session: `none`, `standard`, `browser`, `chrome`,
    /// `firefox` or `safari`
    #[arg(long, value_name = "PROFILE", value_parser = profile, conflicts_with = "session")]
    pub(crate) profile: Option<ProfileChoice>,

    #[command(flatten)]
    pub(crate) manners: MannersArgs,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// Where a live recording begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LiveFromArg {
    /// Close to what is live now
    Edge,
    /// At the oldest that is still offered
    Start,
}
