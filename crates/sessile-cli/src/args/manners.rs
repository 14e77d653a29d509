//! The options about manners: how often a host is asked, and what it wants to be left alone with.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;

use super::values::{at_once, rate};

#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Manners towards hosts")]
pub(crate) struct MannersArgs {
    /// Send a host at most so many requests in a second, minute, hour or day: 5/s, 30/m
    ///
    /// They are spread evenly. Everybody who uses the same store keeps one rate, and the pause
    /// that a host asks for with Retry-After. Defaults to no limit.
    #[arg(long, value_name = "N/UNIT", value_parser = rate)]
    pub(crate) rate: Option<Duration>,

    /// Have at most so many requests to a host running at once, among all who use the store
    #[arg(long, value_name = "N", value_parser = at_once)]
    pub(crate) concurrency: Option<NonZeroUsize>,

    /// Ask the site's robots.txt first, as the program `sessile`, and keep to its Crawl-delay
    #[arg(long)]
    pub(crate) robots: bool,
}
