//! The sealed store.

mod conformance;
mod faults;
mod keys;
mod privacy;
mod processes;
mod support;
