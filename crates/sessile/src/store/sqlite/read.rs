//! Queries, for whoever has a connection.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::fault::Fault;
use crate::clock::Timestamp;
use crate::store::{KeyRow, Name, Row, RowSummary, StoreError};

/// The row of that name.
pub(super) fn row(connection: &Connection, name: &Name) -> Result<Option<Row>, Fault> {
    let sql = "SELECT version, generation, created, updated, sealed FROM record WHERE name = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let row = statement.query_row([name.as_str()], |row| {
        let summary = RowSummary {
            name: name.clone(),
            version: row.get::<_, i64>(0)?.cast_unsigned(),
            generation: row.get::<_, i64>(1)?.cast_unsigned(),
            created: Timestamp::from_millis(row.get(2)?),
            updated: Timestamp::from_millis(row.get(3)?),
        };
        Ok(Row {
            summary,
            sealed: row.get(4)?,
        })
    });
    Ok(row.optional()?)
}

/// At most `limit` rows behind `after`.
pub(super) fn list(
    connection: &Connection,
    after: Option<&Name>,
    limit: usize,
) -> Result<Vec<RowSummary>, Fault> {
    let sql = "SELECT name, version, generation, created, updated FROM record
               WHERE name > ?1 ORDER BY name LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let after = after.map_or("", Name::as_str);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![after, limit], |row| {
        let name: String = row.get(0)?;
        Ok(RowSummary {
            name: Name::stored(&name).map_err(|error| strange(0, error))?,
            version: row.get::<_, i64>(1)?.cast_unsigned(),
            generation: row.get::<_, i64>(2)?.cast_unsigned(),
            created: Timestamp::from_millis(row.get(3)?),
            updated: Timestamp::from_millis(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The sealed keys.
pub(super) fn keys(connection: &Connection) -> Result<Option<KeyRow>, Fault> {
    let mut statement = connection.prepare_cached("SELECT revision, sealed FROM key_table")?;
    let row = statement.query_row((), |row| {
        let revision = row.get::<_, i64>(0)?.cast_unsigned();
        Ok(KeyRow {
            revision,
            sealed: row.get(1)?,
        })
    });
    Ok(row.optional()?)
}

fn strange(column: usize, error: StoreError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}
