//! The log of `--verbose` and of the daemon, on standard error.
//!
//! What is logged is decided where it happens; secrets never are (see `sessile::redact`).

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::args::LogFormat;

/// Starts the log; nothing is set up for level 0, which costs nothing.
pub(crate) fn start((level, format): (u8, LogFormat), colour: bool) {
    let ours = match level {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Only ours: the crates below would log what passes through them, cookies too.
    let filter = Targets::new().with_target("sessile", ours);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Text => {
            let lines = lines.with_ansi(colour).with_target(false).without_time();
            lines.with_filter(filter).boxed()
        }
    };
    tracing_subscriber::registry().with(layer).init();
}
