//! The log of `--verbose` and of the daemon, on standard error.
//!
//! What is logged is decided where it happens; secrets never are (see `sessile::redact`).

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::args::LogFormat;
use crate::traces::Listener;

/// Starts the log, and whoever listens beside it; nothing is set up where nobody listens, which costs
/// nothing.
pub(crate) fn start((level, format): (u8, LogFormat), colour: bool, beside: Option<Listener>) {
    let log = match level {
        0 => None,
        1 => Some(LevelFilter::INFO),
        2 => Some(LevelFilter::DEBUG),
        _ => Some(LevelFilter::TRACE),
    };
    let lines = log.map(|level| lines(level, format, colour));
    let listeners: Vec<Listener> = lines.into_iter().chain(beside).collect();
    if !listeners.is_empty() {
        tracing_subscriber::registry().with(listeners).init();
    }
}

fn lines(level: LevelFilter, format: LogFormat, colour: bool) -> Listener {
    // Only ours: the crates below would log what passes through them, cookies too. Spans are for
    // traces.
    let filter = Targets::new()
        .with_target("sessile", level)
        .with_target(sessile::spans::TARGET, LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Text => {
            let lines = lines.with_ansi(colour).with_target(false).without_time();
            lines.with_filter(filter).boxed()
        }
    }
}
