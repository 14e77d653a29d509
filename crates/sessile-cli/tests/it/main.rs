//! The built binary against real websites, from outside: what it prints, how it exits, what it leaves.
//!
//! `scripts/test` installs the websites and says where they are; without it these tests fail.

#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may fail where it stands, and say why"
)]

mod bad_input;
mod batch;
mod browser;
mod browser_login;
mod cli;
mod demo;
mod django;
mod docs;
mod housekeeping;
mod httpbin;
mod manners;
mod many_tokens;
mod oauth;
mod otp;
mod output;
mod pool;
mod pool_served;
mod postgres;
mod recording;
mod schemathesis;
mod secrets;
mod serve;
mod servers;
mod site;
mod site_kinds;
mod support;
mod tiers;
mod tokens;
#[cfg(feature = "otel")]
mod traces;
