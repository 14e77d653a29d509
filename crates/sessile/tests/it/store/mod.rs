//! The sealed store.

mod agreement;
mod conformance;
#[cfg(feature = "postgres")]
mod database;
mod faults;
mod keys;
#[cfg(feature = "postgres")]
mod lines;
#[cfg(feature = "postgres")]
mod opening;
mod privacy;
mod processes;
#[cfg(feature = "postgres")]
mod proxy;
mod support;
