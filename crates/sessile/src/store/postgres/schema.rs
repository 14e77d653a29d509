//! The tables: recognised, made, migrated.

use tokio_postgres::SimpleQueryMessage;

use super::Site;
use super::fault::Fault;
use super::line::Line;
use crate::store::StoreError;

/// Each step brings a store to the next format; the first makes an empty one.
const MIGRATIONS: &[&str] = &[
    // Format 1. Sealed bytes don't compress. Names are in the order of their bytes, whatever the database's language.
    // A test puts a clock of its own in place of the function.
    "CREATE TABLE format (
        id smallint PRIMARY KEY CHECK (id = 0),
        application text NOT NULL,
        number integer NOT NULL
     );
     INSERT INTO format VALUES (0, 'sessile', 0);
     CREATE TABLE record (
        name text COLLATE \"C\" PRIMARY KEY,
        version bigint NOT NULL,
        generation bigint NOT NULL,
        created bigint NOT NULL,
        updated bigint NOT NULL,
        sealed bytea NOT NULL
     );
     ALTER TABLE record ALTER COLUMN sealed SET STORAGE EXTERNAL;
     CREATE TABLE lease (
        key text COLLATE \"C\" PRIMARY KEY,
        number bigint NOT NULL,
        holder text,
        until bigint NOT NULL
     ) WITH (fillfactor = 50);
     CREATE TABLE key_table (
        id smallint PRIMARY KEY CHECK (id = 0),
        revision bigint NOT NULL,
        sealed bytea NOT NULL
     );
     CREATE SEQUENCE number;
     CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE
        AS 'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint';",
];

/// `pg_current_xact_id` came with it.
const OLDEST_SERVER: i32 = 130_000;

/// Whether the database holds a store of ours; makes or migrates it if need be.
pub(super) async fn recognise(site: &Site, line: &Line) -> Result<(), Fault> {
    if is_current(line).await? {
        return Ok(());
    }
    check_server(site, line).await?;
    match identity(site, line).await? {
        Identity::Ours(format) if format == known_format() => Ok(()),
        Identity::Empty | Identity::None if !site.options.create => {
            let place = site.place.clone();
            Err(StoreError::NoStore { place }.into())
        }
        Identity::Empty | Identity::None | Identity::Ours(_) => migrate(site, line).await,
    }
}

/// Whether it is plainly what it is to be, in one round trip. Whatever else it may be is looked at more closely.
async fn is_current(line: &Line) -> Result<bool, Fault> {
    let known = known_format();
    let look = format!("SELECT FROM format WHERE application = 'sessile' AND number = {known}");
    match line.heard(line.client().simple_query(&look)).await {
        Ok(said) => Ok(said
            .iter()
            .any(|part| matches!(part, SimpleQueryMessage::Row(_)))),
        Err(fault) if fault.is_cut() => Err(fault),
        Err(_refused) => Ok(false),
    }
}

async fn check_server(site: &Site, line: &Line) -> Result<(), Fault> {
    let row = line
        .row("SELECT current_setting('server_version_num')::integer", &[])
        .await?;
    let version: i32 = row.map_or(Ok(0), |row| row.try_get(0))?;
    if version >= OLDEST_SERVER {
        return Ok(());
    }
    let place = site.place.clone();
    let detail = format!(
        "it is PostgreSQL {}; 13 or later is needed",
        version / 10_000
    );
    Err(StoreError::Denied { place, detail }.into())
}

enum Identity {
    /// There is no schema of that name.
    None,
    /// The schema is there and has nothing in it.
    Empty,
    Ours(i32),
}

async fn identity(site: &Site, line: &Line) -> Result<Identity, Fault> {
    let look = "SELECT to_regnamespace($1) IS NOT NULL,
                       to_regclass($1 || '.format') IS NOT NULL,
                       EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace($1))";
    let row = line.row(look, &[&site.url.schema]).await?;
    let row = row.expect("a row without a table is always there");
    match (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?) {
        (false, _, _) => Ok(Identity::None),
        (true, true, _) => format(site, line).await.map(Identity::Ours),
        (true, false, false) => Ok(Identity::Empty),
        (true, false, true) => Err(foreign(site)),
    }
}

async fn format(site: &Site, line: &Line) -> Result<i32, Fault> {
    let known = known_format();
    let found = line
        .row("SELECT application, number FROM format", &[])
        .await;
    let row = match found {
        Err(fault) if fault.is_unknown_table() => return Err(foreign(site)),
        found => found?.ok_or_else(|| foreign(site))?,
    };
    let (Ok("sessile"), Ok(number)) = (row.try_get(0), row.try_get::<_, i32>(1)) else {
        return Err(foreign(site));
    };
    if number > known {
        return Err(Fault::Store(StoreError::NewerVersion {
            place: site.place.clone(),
            found: number.cast_unsigned(),
            known: known.cast_unsigned(),
        }));
    }
    Ok(number)
}

fn foreign(site: &Site) -> Fault {
    let schema = &site.url.schema;
    Fault::Store(StoreError::NotAStore {
        place: site.place.clone(),
        detail: format!("the schema `{schema}` holds something else; `?schema=NAME` names another"),
    })
}

fn known_format() -> i32 {
    i32::try_from(MIGRATIONS.len()).expect("migrations are few")
}

/// One at a time, in one transaction; a fault closes the line, which undoes it.
async fn migrate(site: &Site, line: &Line) -> Result<(), Fault> {
    line.say("BEGIN").await?;
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('sessile schema ' || $1::text, 0))";
    line.execute(lock, &[&site.url.schema]).await?;
    // Looked at again: another process may have been faster.
    let done = match identity(site, line).await? {
        Identity::None => {
            line.say(&format!("CREATE SCHEMA {}", site.url.schema))
                .await?;
            0
        }
        Identity::Empty => 0,
        Identity::Ours(format) => usize::try_from(format).unwrap_or(0),
    };
    for step in MIGRATIONS.get(done..).unwrap_or_default() {
        line.say(step).await?;
    }
    line.execute("UPDATE format SET number = $1", &[&known_format()])
        .await?;
    line.say("COMMIT").await
}
