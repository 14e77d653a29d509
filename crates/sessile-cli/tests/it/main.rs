//! The built binary against real websites, from outside: what it prints, how it exits, what it leaves.
//!
//! `scripts/test` installs the websites and says where they are; without it these tests fail.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod batch;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod browser_login;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod django;
#[cfg(test)]
mod housekeeping;
#[cfg(test)]
mod httpbin;
#[cfg(test)]
mod manners;
#[cfg(test)]
mod many_tokens;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod otp;
#[cfg(test)]
mod output;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod schemathesis;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod site;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tiers;
#[cfg(test)]
mod tokens;
