//! Tests of the library through its public face.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod batch;
mod blocking;
mod formats;
mod hard;
mod kept;
mod late;
mod notify;
mod pool;
mod profile;
mod quiet;
mod recorder;
mod refresh;
mod request;
mod second_factor;
mod session;
mod site_login;
mod store;
mod strangers;
mod upkeep;
