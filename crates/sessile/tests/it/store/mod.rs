//! The sealed store.

mod agreement;
mod conformance;
mod faults;
mod keys;
mod privacy;
mod processes;
mod support;
