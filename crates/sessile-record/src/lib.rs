//! From a page to its media, and the media to a file, through a session that stays logged in.

#![forbid(unsafe_code)]
