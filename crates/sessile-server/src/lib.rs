//! Sessions over HTTP: the daemon, as a library.

#![forbid(unsafe_code)]
