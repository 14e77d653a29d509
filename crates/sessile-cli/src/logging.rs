//! The log of `--verbose`, on standard error.
//!
//! What is logged is decided where it happens; secrets never are (see `sessile::redact`).

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// Starts the log; nothing is set up for level 0, which costs nothing.
pub(crate) fn start(level: u8, colour: bool) {
    let ours = match level {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Only ours: the crates below would log what passes through them, cookies too.
    let filter = Targets::new().with_target("sessile", ours);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(colour)
        .with_target(false)
        .without_time();
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .init();
}
