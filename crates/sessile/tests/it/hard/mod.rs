//! A login that dies under many at once: in one process against a site in memory, with the time
//! standing still, and in several processes against the practice site.

mod processes;
mod together;
mod town;
