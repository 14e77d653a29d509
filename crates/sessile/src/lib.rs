//! HTTP sessions that stay logged in, across requests, processes and machines, without a person.
//!
//! | module | what is there |
//! | --- | --- |
//! | [`session`] | one identity towards one site; `run` is the life of a request |
//! | [`transport`] | the seam below: who sends the bytes |
//! | [`store`] | where sessions are kept, sealed: memory, one SQLite file |
//! | [`blocking`] | the session for programs without an async runtime |
//! | [`profile`] | the headers a session starts with, a browser's too |
//! | [`robots`] | what a site asks of programs |

#![forbid(unsafe_code)]

pub mod blocking;
pub mod check;
pub mod clock;
mod error;
pub mod login;
pub mod profile;
pub mod record;
mod redact;
pub mod renew;
pub mod robots;
pub mod secret;
pub mod session;
pub mod store;
pub mod transport;

pub use error::{Blame, Error, Obstacle, Phase, RedirectRefusal};
pub use profile::{Profile, ProfileChoice};
pub use redact::ShownUrl;
pub use secret::Secret;
pub use session::{Authorization, Reply, Request, Session, SessionState, Tier, Verdict};
