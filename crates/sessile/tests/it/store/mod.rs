//! The sealed store.

mod conformance;
mod support;
