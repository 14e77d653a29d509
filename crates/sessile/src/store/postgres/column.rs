//! Reads the first column of what a query answers, for who keeps something else in a database than
//! sessions. It can't write.

use futures_util::future::{Either, select};
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::fault;
use super::line::Dial;
use crate::store::{PostgresUrl, StoreOptions};

/// What every such connection is told first.
const SETTINGS: &str = "SET statement_timeout = '10s'; BEGIN READ ONLY";

/// The first column as texts; fails with what is wrong, in words.
pub(crate) async fn read_column(
    url: &PostgresUrl,
    sql: &str,
    most: usize,
) -> Result<Vec<String>, String> {
    let words = |error: &Error| format!("{url}: {}", fault::words(error));
    let dial = Dial::new(url, &StoreOptions::default()).map_err(|error| error.to_string())?;
    let (client, connection, _settings) = dial.bare().await.map_err(|error| words(&error))?;
    let asking = Box::pin(ask(client, sql, most));
    match select(asking, Box::pin(connection)).await {
        Either::Left((answer, _connection)) => answer.map_err(|error| words(&error)),
        Either::Right((Err(error), _)) => Err(words(&error)),
        Either::Right((Ok(()), _)) => Err(format!("{url}: the connection was closed")),
    }
}

async fn ask(client: Client, sql: &str, most: usize) -> Result<Vec<String>, Error> {
    client.batch_execute(SETTINGS).await?;
    // More than one statement can't be prepared, so none of them can end the transaction.
    client.prepare(sql).await?;
    let messages = client.simple_query(sql).await?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(rows.take(most).collect())
}
