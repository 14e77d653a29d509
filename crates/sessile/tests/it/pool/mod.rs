//! The pool against the practice site.

mod batch;
mod rotation;
mod serving;
mod support;
