//! From the words of a command line to what a request carries.
//!
//! Sending it is the business of `commands::request`.

pub(crate) mod body;
pub(crate) mod content;
