//! Why a batch ends before its end.

use std::sync::Arc;

use thiserror::Error;

use crate::pool::PoolError;

/// Why a batch can't begin, or ends before all targets are done. What was written stays, and the
/// same batch goes on from there.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Another process writes the same file.
    #[error("`{path}` is being written by another batch")]
    Busy {
        /// The output.
        path: String,
    },
    /// The output is there already and no batch wrote it.
    #[error("`{path}` isn't the output of a batch (line {line}); nothing was changed")]
    NotOurs {
        /// The output.
        path: String,
        /// The first line that no batch has written.
        line: u64,
    },
    /// The output was begun with another request.
    #[error("`{path}` was begun with another request ({begun}); nothing was changed")]
    OtherRequest {
        /// The output.
        path: String,
        /// What it was begun with, without secrets.
        begun: String,
    },
    /// The output can't be written or read.
    #[error("cannot {doing} `{path}`: {cause}")]
    Output {
        /// What was attempted.
        doing: &'static str,
        /// The output.
        path: String,
        /// The operating system's words.
        cause: Arc<std::io::Error>,
    },
    /// The session, or the pool, can't be used any more; the targets aren't at fault.
    #[error(transparent)]
    Session(#[from] PoolError),
    /// The list of targets can't be read.
    #[error("cannot read {place}: {cause}")]
    Targets {
        /// The list.
        place: String,
        /// The operating system's words.
        cause: Arc<std::io::Error>,
    },
}

impl BatchError {
    pub(super) fn output(doing: &'static str, path: &str, cause: std::io::Error) -> Self {
        Self::Output {
            doing,
            path: path.to_owned(),
            cause: Arc::new(cause),
        }
    }
}
