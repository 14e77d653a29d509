//! Checks that are learned: how a page shows that its reader is logged in.
//!
//! Everything here is pure. Fetching the pages, once as a member and twice as
//! a stranger, is the caller's.

pub mod evidence;
pub mod learn;
pub mod mark;

#[cfg(test)]
mod tests;
