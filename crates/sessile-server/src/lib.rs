//! Sessions over HTTP: the daemon, as a library.
//!
//! `daemon` is what all requests share, `serve` takes connections and ends them, `listen` says where.
//! `api` translates requests into calls of the library: one file a topic, each with its wire types.
//! `access` is who may ask, `problem` and `faults` what goes wrong, `fetch` what passes between a
//! caller and a site, `open` the sessions in use, `pools` and
//! `leases` those of pools, `events`, `metrics` and `traced` what is told of it all.
//! Rules of sessions and pools are not here: they are the library's.

#![forbid(unsafe_code)]

pub mod access;
mod api;
mod daemon;
mod events;
mod faults;
mod fetch;
mod leases;
mod listen;
mod metrics;
mod open;
mod pools;
mod problem;
mod serve;
mod times;
mod traced;

pub use api::openapi;
pub use daemon::{Daemon, DaemonOptions};
pub use listen::{ListenError, Listener, TlsFiles};
pub use serve::{Report, serve};
pub use traced::JoinTrace;
