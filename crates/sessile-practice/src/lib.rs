//! A small website on loopback to practise logging in against.
//!
//! It checks what a real site checks: form tokens bound to a cookie,
//! passwords, locked accounts, too many attempts, sessions that end. It knows
//! nothing of the client under test, so it can't be kind to it.
//!
//! `site` is the handle, `world` what the site remembers, `pages` what it
//! shows, one file a topic, `media` what there is to record, and `server` carries the bytes.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), sessile_practice::StartError> {
//! use sessile_practice::{Options, Site};
//!
//! let site = Site::start(Options::default()).await?;
//! assert!(site.url().starts_with("http://127.0.0.1:"));
//! assert_eq!(site.logins(), 0);
//! site.stop().await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod clock;
mod csrf;
mod journal;
mod media;
mod options;
mod pages;
mod secret;
mod server;
mod site;
mod throttle;
mod tickets;
mod totp;
mod visit;
mod wire;
mod world;

pub use clock::Clock;
pub use journal::LogLine;
pub use media::{Fault, MediaFault};
pub use options::{
    ADA, ADA_PASSWORD, Expiry, GRACE, GRACE_PASSWORD, LOCKED, LOCKED_PASSWORD, Options, User,
};
pub use site::{Site, StartError};
pub use totp::TOTP_SECRET;
