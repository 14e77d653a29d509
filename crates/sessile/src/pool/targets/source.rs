//! Reads targets: from a list, a file, or a database, where only reading is allowed.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::secret::Secret;
use crate::site::TargetSource;

/// How many targets are read at most.
const MOST: usize = 100_000;

/// The largest file of targets.
const LARGEST: u64 = 16 * 1024 * 1024;

/// How long another's writing is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// All targets of a source, in its order; fails with what is wrong, in words.
pub(super) async fn read(
    source: TargetSource,
    password: Option<Secret<String>>,
) -> Result<Vec<String>, String> {
    match source {
        TargetSource::List(all) => Ok(all),
        TargetSource::File(path) => aside(move || from_file(&path)).await,
        TargetSource::Query { database, sql } => match database.split_once("://") {
            Some(("postgres" | "postgresql", _)) => from_postgres(&database, &sql, password).await,
            Some(("sqlite", path)) => {
                let path = path.to_owned();
                aside(move || from_sqlite(Path::new(&path), &sql)).await
            }
            Some((scheme, _)) => Err(format!("databases of the kind `{scheme}` aren't known")),
            None => aside(move || from_sqlite(Path::new(&database), &sql)).await,
        },
    }
}

/// Files are read on a thread of their own.
async fn aside(
    work: impl FnOnce() -> Result<Vec<String>, String> + Send + 'static,
) -> Result<Vec<String>, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_panic| Err("reading them failed".to_owned()))
}

/// One a line; empty lines and those that begin with `#` are none.
fn from_file(path: &Path) -> Result<Vec<String>, String> {
    let place = path.display();
    let fault = |error: std::io::Error| format!("{place}: {error}");
    let size = std::fs::metadata(path).map_err(fault)?.len();
    if size > LARGEST {
        return Err(format!("{place} is larger than {} MiB", LARGEST >> 20));
    }
    let text = std::fs::read_to_string(path).map_err(fault)?;
    let lines = text.lines().map(str::trim);
    let targets = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(targets.take(MOST).map(str::to_owned).collect())
}

fn from_sqlite(path: &Path, sql: &str) -> Result<Vec<String>, String> {
    let place = path.display();
    let fault = |error: rusqlite::Error| format!("{place}: {error}");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_timeout(BUSY).map_err(fault)?;
    let mut statement = connection.prepare(sql).map_err(fault)?;
    if !statement.readonly() {
        return Err(format!("{place}: the query of the targets would write"));
    }
    let mut rows = statement.query(()).map_err(fault)?;
    let mut targets = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        let target = match row.get_ref(0).map_err(fault)? {
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Null => continue,
            ValueRef::Blob(_) | ValueRef::Real(_) => {
                return Err(format!(
                    "{place}: the query's first column is neither text nor whole numbers"
                ));
            }
        };
        targets.push(target);
        if targets.len() == MOST {
            break;
        }
    }
    Ok(targets)
}

#[cfg(not(feature = "postgres"))]
async fn from_postgres(
    _url: &str,
    _sql: &str,
    _password: Option<Secret<String>>,
) -> Result<Vec<String>, String> {
    std::future::ready(Err(
        "this program was built without the feature `postgres`".to_owned()
    ))
    .await
}

#[cfg(feature = "postgres")]
async fn from_postgres(
    url: &str,
    sql: &str,
    password: Option<Secret<String>>,
) -> Result<Vec<String>, String> {
    use crate::store::PostgresUrl;
    let url = PostgresUrl::parse(url).map_err(|error| error.to_string())?;
    let url = match password {
        Some(password) => url.with_password(password),
        None => url,
    };
    crate::store::read_column(&url, sql, MOST).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn targets_come_from_files_and_databases() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("targets.txt");
        std::fs::write(&file, "# live\n1\n\n two \n").unwrap();
        check(TargetSource::File(file), Ok(&["1", "two"])).await;
        let database = folder.path().join("events.db");
        let connection = Connection::open(&database).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE e (id, live); INSERT INTO e VALUES (7, 1), ('x', 1), (9, 0)",
            )
            .unwrap();
        let query = |sql: &str| TargetSource::Query {
            database: database.display().to_string(),
            sql: sql.to_owned(),
        };
        check(query("SELECT id FROM e WHERE live"), Ok(&["7", "x"])).await;
        check(query("DELETE FROM e RETURNING id"), Err("would write")).await;
        check(query("SELECT id FROM absent"), Err("no such table: absent")).await;
        check(query("SELECT 1.5"), Err("neither text nor whole numbers")).await;
        let missing = TargetSource::File(folder.path().join("missing"));
        check(missing, Err("No such file")).await;
    }

    async fn check(source: TargetSource, expected: Result<&[&str], &str>) {
        let found = read(source, None).await;
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }
}
