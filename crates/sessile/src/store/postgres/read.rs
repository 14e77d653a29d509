//! Queries outside of transactions.

use tokio_postgres::Row as Found;

use super::fault::Fault;
use super::hub::Hub;
use crate::clock::Timestamp;
use crate::store::{KeyRow, Name, Row, RowSummary, StoreError};

/// The row of that name.
pub(super) async fn load(hub: &Hub, name: &Name) -> Result<Option<Row>, StoreError> {
    let sql = "SELECT version, generation, created, updated, sealed FROM record WHERE name = $1";
    hub.patiently(async |line| {
        let found = line.row(sql, &[&name.as_str()]).await?;
        line.put_back();
        Ok(found.map(|found| row(name, &found)).transpose()?)
    })
    .await
}

/// At most `limit` rows behind `after`.
pub(super) async fn list(
    hub: &Hub,
    after: Option<&Name>,
    limit: usize,
) -> Result<Vec<RowSummary>, StoreError> {
    let sql = "SELECT version, generation, created, updated, name FROM record
               WHERE name > $1 ORDER BY name LIMIT $2";
    let after = after.map_or("", Name::as_str);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    hub.patiently(async |line| {
        let rows = line.rows(sql, &[&after, &limit]).await?;
        line.put_back();
        rows.iter()
            .map(|found| Ok(summary(&named(found)?, found)?))
            .collect()
    })
    .await
}

/// The sealed keys.
pub(super) async fn keys(hub: &Hub) -> Result<Option<KeyRow>, StoreError> {
    hub.patiently(async |line| {
        let found = line.row(KEYS, &[]).await?;
        line.put_back();
        Ok(found.as_ref().map(key_row).transpose()?)
    })
    .await
}

pub(super) const KEYS: &str = "SELECT revision, sealed FROM key_table";

pub(super) fn key_row(found: &Found) -> Result<KeyRow, tokio_postgres::Error> {
    Ok(KeyRow {
        revision: found.try_get::<_, i64>(0)?.cast_unsigned(),
        sealed: found.try_get(1)?,
    })
}

/// A row of `version, generation, created, updated, sealed`.
pub(super) fn row(name: &Name, found: &Found) -> Result<Row, tokio_postgres::Error> {
    Ok(Row {
        summary: summary(name, found)?,
        sealed: found.try_get(4)?,
    })
}

fn summary(name: &Name, found: &Found) -> Result<RowSummary, tokio_postgres::Error> {
    Ok(RowSummary {
        name: name.clone(),
        version: found.try_get::<_, i64>(0)?.cast_unsigned(),
        generation: found.try_get::<_, i64>(1)?.cast_unsigned(),
        created: Timestamp::from_millis(found.try_get(2)?),
        updated: Timestamp::from_millis(found.try_get(3)?),
    })
}

/// The name, which stands behind the numbers.
pub(super) fn named(found: &Found) -> Result<Name, Fault> {
    Ok(Name::stored(found.try_get("name")?)?)
}
