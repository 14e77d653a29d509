//! HTTP sessions that stay logged in, across requests, processes and machines, without a person.
//!
//! | module | what is there |
//! | --- | --- |
//! | [`session`] | one identity towards one site; `run` is the life of a request |
//! | [`transport`] | the seam below: who sends the bytes |
//! | [`profile`] | the headers a session starts with |
//! | [`robots`] | what a `robots.txt` allows |
//! | [`site`] | the site file: how one site logs in |
//! | [`login`] | logging in with a URL, a user name and a password |
//! | [`check`] | what tells a member's page from a stranger's |
//! | [`record`] | everything that is kept of one session |
//! | [`store`] | where sessions are kept, sealed: memory, one SQLite file |
//! | [`renew`] | kept sessions, which many processes share and which log in again by themselves |
//! | [`pool`] | many sessions of one site as one resource |
//! | [`batch`] | many targets through a session, resumable |
//! | [`token_file`] | a small JSON file of named tokens, kept in step with a session's cookies |
//! | [`blocking`] | sessions, kept ones too, for programs without an async runtime |
//! | [`spans`] | what is under way, for whoever traces |
//! | [`clock`], [`secret`] | the time as an argument; values that don't show |

#![forbid(unsafe_code)]

pub mod batch;
pub mod blocking;
mod browser;
pub mod check;
pub mod clock;
mod error;
pub mod login;
pub mod pool;
pub mod profile;
pub mod record;
mod redact;
pub mod renew;
pub mod robots;
pub mod secret;
pub mod session;
pub mod site;
pub mod spans;
pub mod store;
pub mod token_file;
pub mod transport;

pub use error::{Blame, Error, Obstacle, Phase, RedirectRefusal, TlsFault};
pub use profile::{Profile, ProfileChoice};
pub use redact::ShownUrl;
pub use secret::Secret;
pub use session::{Authorization, Reply, Request, Session, SessionState, Tier, Verdict};
