//! Many sessions of one site as one resource.
//!
//! A pool has *seats*, each an identity of its own towards the site. A *member* is one session made
//! for a seat; a *lease* is the right to use it. [`state`] decides, without a clock and without IO.

pub mod state;
