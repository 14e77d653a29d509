//! Where a store is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{PostgresUrl, StoreError};

/// Where a store is: `memory:`, `sqlite:PATH` or `postgres://USER@HOST:PORT/DATABASE`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// In this process only; gone when it ends.
    Memory,
    /// A PostgreSQL database, for any number of machines.
    Postgres(PostgresUrl),
    /// One SQLite file.
    Sqlite(PathBuf),
}

impl StoreUrl {
    /// The store in the SQLite file `path`.
    pub fn sqlite(path: impl AsRef<Path>) -> Self {
        Self::Sqlite(path.as_ref().to_owned())
    }

    /// Reads a URL; fails with [`StoreError::BadUrl`], which tells how to write it.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(bad(text, format!("for a file write `sqlite:{text}`")));
        };
        match (scheme.to_ascii_lowercase().as_str(), rest) {
            ("memory", "") => Ok(Self::Memory),
            ("memory", _) => Err(bad(text, "`memory:` takes nothing more".to_owned())),
            ("postgres" | "postgresql", _) => PostgresUrl::parse(text).map(Self::Postgres),
            ("sqlite", "") => Err(bad(text, "the path is missing: `sqlite:PATH`".to_owned())),
            ("sqlite", path) => sqlite_path(text, path),
            // What follows an unknown scheme may hold a password, so it is not shown.
            (other, _) => Err(bad(
                &format!("{other}:…"),
                "known are `memory:`, `sqlite:PATH` and `postgres://USER@HOST:PORT/DATABASE`"
                    .to_owned(),
            )),
        }
    }
}

fn sqlite_path(text: &str, path: &str) -> Result<StoreUrl, StoreError> {
    if path.contains('\0') {
        return Err(bad(text, "a path has no NUL character".to_owned()));
    }
    match path.strip_prefix("//") {
        None => Ok(StoreUrl::sqlite(path)),
        Some(absolute) if absolute.starts_with('/') => Ok(StoreUrl::sqlite(absolute)),
        Some(_) => Err(bad(
            text,
            "write `sqlite:PATH`, or `sqlite:///PATH` for a path from the root".to_owned(),
        )),
    }
}

fn bad(shown: &str, rule: String) -> StoreError {
    let shown = shown.to_owned();
    StoreError::BadUrl { shown, rule }
}

impl FromStr for StoreUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        Self::parse(text)
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Postgres(url) => url.fmt(f),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_forms_are_read() {
        check("memory:", Ok(StoreUrl::Memory));
        check("sqlite:a/b.db", Ok(StoreUrl::sqlite("a/b.db")));
        check("sqlite:/a/b.db", Ok(StoreUrl::sqlite("/a/b.db")));
        check("sqlite:///a/b.db", Ok(StoreUrl::sqlite("/a/b.db")));
    }

    #[test]
    fn others_are_told_how() {
        check("a.db", Err("for a file write `sqlite:a.db`"));
        check("sqlite:", Err("the path is missing: `sqlite:PATH`"));
        check("memory:x", Err("`memory:` takes nothing more"));
        check(
            "sqlite://a.db",
            Err("write `sqlite:PATH`, or `sqlite:///PATH` for a path from the root"),
        );
    }

    #[test]
    fn a_password_is_not_shown() {
        let error = StoreUrl::parse("other://me:hunter2@host/db").unwrap_err();
        assert_eq!(
            error.to_string(),
            "bad store URL \"other:…\": known are `memory:`, `sqlite:PATH` and `postgres://USER@HOST:PORT/DATABASE`"
        );
    }

    #[track_caller]
    fn check(text: &str, expected: Result<StoreUrl, &str>) {
        match (StoreUrl::parse(text), expected) {
            (Ok(url), Ok(wanted)) => assert_eq!(url, wanted),
            (Err(StoreError::BadUrl { rule, .. }), Err(wanted)) => assert_eq!(rule, wanted),
            (got, wanted) => panic!("{text}: {got:?}, not {wanted:?}"),
        }
    }
}
