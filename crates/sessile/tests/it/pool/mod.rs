//! The pool against the practice site.

mod rotation;
mod serving;
mod support;
