//! The sealed store.

mod agreement;
mod conformance;
#[cfg(feature = "postgres")]
mod database;
mod faults;
mod keys;
mod privacy;
mod processes;
mod support;
