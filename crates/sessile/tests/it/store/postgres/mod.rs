//! What only a store in PostgreSQL has to show; see `conformance` for what it has in common with others.

pub(crate) mod database;
mod lines;
mod opening;
pub(crate) mod proxy;
