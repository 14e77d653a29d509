//! The tests of the crate from outside, as one program.

mod cases;
mod conformance;
mod jar;
mod laws;
mod tree;
