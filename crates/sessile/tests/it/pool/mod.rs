//! The pool against the practice site.

mod batch;
mod parts;
mod rotation;
mod serving;
mod shared;
mod support;
