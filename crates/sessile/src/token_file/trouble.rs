//! Why a token file is left alone.

use thiserror::Error;

/// Why a token file can't be kept in step. The file is as it was.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum TokenTrouble {
    /// The path isn't one that can be kept.
    #[error("{path} can't be kept as the token file's place: it must be absolute, and text")]
    BadPath {
        /// The path.
        path: String,
    },
    /// The tokens' URL isn't a web address.
    #[error("{url} is no web address that a token could be sent to")]
    BadUrl {
        /// The URL.
        url: String,
    },
    /// Somebody else writes the file all the time, or stands still while he does.
    #[error("the token file {path} is being written by another program; it is left alone for now")]
    Busy {
        /// The file.
        path: String,
    },
    /// The file isn't an object of tokens.
    #[error(
        "the token file {path} is damaged at line {line}, column {column}: {what}; it is left alone until it is repaired or removed"
    )]
    Corrupt {
        /// The file.
        path: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What is wrong there; no value is shown.
        what: String,
    },
    /// The system refuses.
    #[error("could not {doing} the token file {path}: {detail}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The file.
        path: String,
        /// The system's words.
        detail: String,
    },
    /// The file is larger than a small file of tokens.
    #[error("the token file {path} is larger than 1 MiB; it is left alone")]
    TooLarge {
        /// The file.
        path: String,
    },
}
