//! HTTP sessions that stay logged in, across requests, processes and machines.
#![forbid(unsafe_code)]

pub mod clock;
pub mod secret;
pub mod store;
