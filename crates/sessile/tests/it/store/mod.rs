//! The sealed store.

mod agreement;
mod conformance;
mod faults;
mod keys;
#[cfg(feature = "postgres")]
mod postgres;
mod privacy;
mod processes;
mod support;
