//! What the database or the line to it says went wrong, in our own words.

use std::error::Error as _;
use std::time::Duration;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

use super::Site;
use crate::store::StoreError;

/// What went wrong, not yet told where it happened.
#[derive(Debug)]
pub(super) enum Fault {
    /// All connections are in use, and stay so.
    Crowded,
    /// What the database, or its driver, says.
    Engine(tokio_postgres::Error),
    /// No answer came.
    Silent(Duration),
    /// What we say.
    Store(StoreError),
    /// No answer came to a call for a connection.
    Undialled,
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Engine(error),
            PoolError::Timeout(TimeoutType::Create) => Self::Undialled,
            // The pool's other words are about its set-up, and about waiting.
            _ => Self::Crowded,
        }
    }
}

impl Fault {
    /// Whether the line is broken, or the server has no time for anybody.
    pub(super) fn is_cut(&self) -> bool {
        let Self::Engine(error) = self else {
            return false;
        };
        match error.code() {
            None => error.is_closed() || (is_of_system(error) && !is_tls(error)),
            Some(code) => is_line_code(code),
        }
    }

    /// Whether a server that starts or stops says so: it will answer in a moment.
    pub(super) fn is_starting(&self) -> bool {
        matches!(self, Self::Engine(error) if error.code() == Some(&SqlState::CANNOT_CONNECT_NOW))
    }

    /// Whether a value can't be what it says it is.
    pub(super) fn is_out_of_range(&self) -> bool {
        matches!(self, Self::Engine(error) if error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE))
    }

    /// Whether there is no such table or column.
    pub(super) fn is_unknown_table(&self) -> bool {
        let Self::Engine(error) = self else {
            return false;
        };
        let unknown = [
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_COLUMN,
            SqlState::UNDEFINED_FUNCTION,
            SqlState::INVALID_SCHEMA_NAME,
        ];
        error.code().is_some_and(|code| unknown.contains(code))
    }

    pub(super) fn at(self, site: &Site) -> StoreError {
        let place = site.place.clone();
        match self {
            Self::Store(error) => error,
            Self::Silent(waited) => StoreError::Unreachable {
                place,
                detail: format!("no answer for {} ms", waited.as_millis()),
            },
            Self::Crowded => StoreError::Unreachable {
                place,
                detail: format!(
                    "no connection was free for {} ms",
                    site.patience().as_millis()
                ),
            },
            Self::Undialled => Self::Silent(site.silence()).at(site),
            Self::Engine(ref error) if self.is_cut() => StoreError::Unreachable {
                place,
                detail: words(error),
            },
            Self::Engine(error) => refusal(&error, site),
        }
    }
}

fn refusal(error: &tokio_postgres::Error, site: &Site) -> StoreError {
    let (place, detail) = (site.place.clone(), words(error));
    let code = error.code().map_or("", SqlState::code);
    match code {
        "" if is_tls(error) => StoreError::Unreachable { place, detail },
        "" if is_login(error) => StoreError::Denied { place, detail },
        "40P01" | "55P03" | "57014" => StoreError::Locked {
            place,
            holder: "another writer".to_owned(),
            waited: site.patience(),
        },
        "53100" => StoreError::Full { place },
        "3F000" | "42703" | "42883" | "42P01" => StoreError::Corrupt { place, detail },
        "25006" | "3D000" | "42501" => StoreError::Denied { place, detail },
        _ if code.starts_with("28") => StoreError::Denied { place, detail },
        _ if code.starts_with("53") => StoreError::Unreachable { place, detail },
        _ if code.starts_with("XX") => StoreError::Corrupt { place, detail },
        _ => StoreError::Io {
            doing: "use",
            place,
            detail,
        },
    }
}

/// The database's sentence, or the driver's with its reason.
pub(super) fn words(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    match error.source() {
        Some(reason) => reason.to_string(),
        None => error.to_string(),
    }
}

fn is_line_code(code: &SqlState) -> bool {
    let code = code.code();
    code.starts_with("08") || matches!(code, "25P03" | "57P01" | "57P02" | "57P03" | "57P05")
}

fn is_of_system(error: &tokio_postgres::Error) -> bool {
    error
        .source()
        .is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// A password that is wanted and wasn't given, or a way of asking for it that isn't known here.
fn is_login(error: &tokio_postgres::Error) -> bool {
    let said = error.to_string();
    said.starts_with("authentication error") || said.starts_with("invalid configuration")
}

/// A server without TLS, or with another's certificate, stays so.
fn is_tls(error: &tokio_postgres::Error) -> bool {
    error
        .to_string()
        .starts_with("error performing TLS handshake")
}
