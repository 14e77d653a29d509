#![forbid(unsafe_code)]
//! Sessions that stay logged in.

pub mod check;
pub mod login;
pub mod secret;
