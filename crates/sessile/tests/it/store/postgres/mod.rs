//! What only a store in PostgreSQL has to show; see `conformance` for what it has in common with others.

pub(super) mod database;
mod lines;
mod opening;
mod proxy;
