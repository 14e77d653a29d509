//! The sealed store.

mod agreement;
mod conformance;
mod faults;
mod keys;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod privacy;
mod processes;
pub(crate) mod support;
