//! Why a recording failed.

use std::io;
use std::path::PathBuf;

use sessile::renew::KeepError;
use thiserror::Error;

use crate::resolve::ResolveError;

/// Why a recording failed. What was recorded stays, and the same call goes on from there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Another recording writes this file.
    #[error("another recording is writing `{}`", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// There is a file of that name.
    #[error("`{}` is there already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be written.
    #[error("`{}` can't be written: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        why: io::Error,
    },
    /// The disk is full.
    #[error("there is no room left for `{}`; what is recorded stays, make room and record again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Nobody is logged in, and no login could be had.
    #[error("{url} gives a page that asks for a login, in place of the media")]
    LoggedOut {
        /// What was fetched.
        url: String,
    },
    /// Nothing came that could be recorded.
    #[error("{url} has nothing that could be recorded: {what}")]
    Nothing {
        /// The media.
        url: String,
        /// What is missing, in words.
        what: String,
    },
    /// The playlist can't be used.
    #[error("the playlist {url} can't be used: {what}")]
    Playlist {
        /// The playlist.
        url: String,
        /// What is wrong with it, in words.
        what: String,
    },
    /// The server refuses to give the media.
    #[error("{url} answered {status}")]
    Refused {
        /// What was fetched.
        url: String,
        /// The status.
        status: u16,
    },
    /// A request failed, or the login is gone.
    #[error(transparent)]
    Request(#[from] KeepError),
    /// The media's address stopped working, and the page gave no other.
    #[error("the media's address has stopped working, and resolving it again failed: {0}")]
    Resolve(#[from] ResolveError),
    /// The server's bytes aren't what it announced.
    #[error("{url} didn't give what it announced: {what}")]
    Wrong {
        /// What was fetched.
        url: String,
        /// What is wrong, in words.
        what: String,
    },
}

impl From<sessile::Error> for RecordError {
    fn from(error: sessile::Error) -> Self {
        Self::Request(error.into())
    }
}
