//! Tests of the library through its public face.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod kept;
mod session;
mod store;
