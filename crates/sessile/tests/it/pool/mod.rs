//! The pool against the practice site.

mod batch;
mod faults;
mod parts;
mod rotation;
mod serving;
mod shared;
mod store;
mod support;
