#![doc = include_str!("../README.md")]
//!
//! # Where things are
//! [`Jar`] has everything: [`Jar::store`] and [`Jar::write_cookie_header`] for HTTP,
//! [`Jar::insert`] and its neighbours for cookies by hand, [`Jar::changes_since`] and
//! [`Jar::apply`] for merging, [`Jar::explain`] and [`Jar::explain_store`] for the reasons.
//! [`Target`] is where a request goes, [`Context`] who asks.
#![forbid(unsafe_code)]

mod context;
mod cookie;
mod date;
mod delta;
mod domain;
mod evict;
mod explain;
mod hand;
mod header;
mod index;
mod jar;
mod options;
mod parse;
mod path;
mod punycode;
mod record;
mod refusal;
mod related;
mod select;
mod storage;
mod suffix;
mod target;
mod time;

pub use context::{Ancestors, Api, Context, Navigation, Partition, Site};
pub use cookie::{Cookie, NewCookie, SameSite, Scope};
pub use date::parse_date;
pub use delta::{DecodeError, Delta, Revision};
pub use explain::{Note, Omission, Sending, Storing};
pub use header::Line;
pub use jar::Jar;
pub use options::{Limits, Options};
pub use parse::SetCookie;
pub use refusal::Refusal;
pub use storage::Stored;
pub use suffix::{NoSuffixes, PublicSuffixes, SuffixList};
pub use target::{BadUrl, Target};
pub use time::Timestamp;
