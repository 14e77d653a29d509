//! Logging in: what a page asks for and what to answer.
//!
//! Everything here is pure: pages come in as text, requests go out as values.

mod extract;
pub mod fill;
pub mod find;
pub mod form;
mod html;
pub mod messages;
pub mod page;
mod score;
mod token;
pub mod tokens;
pub(crate) mod words;

#[cfg(test)]
mod tests;
