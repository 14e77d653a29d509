//! The practice site, seen from its sockets.

// The lints know helpers of tests by this attribute only.
#[cfg(test)]
mod browser;

mod api;
mod forms;
mod login;
mod media;
mod members;
mod parts;
mod site;
mod totp;
mod transport;
mod two_step;
