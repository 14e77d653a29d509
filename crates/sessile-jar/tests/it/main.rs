//! The tests of the crate from outside, as one program.

mod cases;
mod conformance;
mod laws;
mod tree;
