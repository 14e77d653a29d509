//! A change: rows locked, decided, written and made final in one transaction.
//!
//! It takes two round trips: what is there, and what becomes of it. Up to the decision a broken line is no harm and
//! all is done again; from then on see `settle`.

use futures_util::future::{join, try_join_all, try_join3, try_join4};
use tokio_postgres::types::ToSql;

use super::fault::Fault;
use super::hub::Hub;
use super::line::Line;
use super::read;
use super::settle::{self, Evidence};
use crate::clock::Timestamp;
use crate::store::change::decide;
use crate::store::{
    Change, Current, Draft, Fence, KeyRow, Name, Next, Row, RowSummary, Source, StoreError,
    Transfer,
};

/// An open transaction that holds the locks of some names.
pub(super) struct Transaction<'a> {
    hub: &'a Hub,
    line: Line,
    rows: Vec<Option<Row>>,
    state: State,
}

/// What a change has to know, and how to ask later what became of it.
struct State {
    next_version: u64,
    now: Timestamp,
    key_revision: u64,
    id: settle::Id,
}

/// Nobody changes the keys while a row is written: a row sealed with a key that is just being dropped would be lost.
/// The locks are in memory and end with the transaction.
const SHARE_KEYS: &str =
    "SELECT pg_advisory_xact_lock_shared(hashtextextended('sessile keys ' || current_schema(), 0))";
pub(super) const LOCK_KEYS: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended('sessile keys ' || current_schema(), 0))";

/// For a row that isn't there yet, which nobody else can lock.
const LOCK_NAME: &str = "SELECT pg_advisory_xact_lock(hashtextextended('sessile ' || current_schema() || ' ' || $1::text, 0))";

const ROW: &str =
    "SELECT version, generation, created, updated, sealed FROM record WHERE name = $1 FOR UPDATE";

/// After the locks, so that a later version is that of a later write. A number that isn't used is left out.
const STATE: &str =
    "SELECT nextval('number'), now_ms(), coalesce((SELECT revision FROM key_table), 0),
                            pg_current_xact_id()::text, pg_backend_pid()";

const PUT: &str = "
    INSERT INTO record (name, version, generation, created, updated, sealed) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (name) DO UPDATE SET version = excluded.version, generation = excluded.generation,
    created = excluded.created, updated = excluded.updated, sealed = excluded.sealed";
const REMOVE: &str = "DELETE FROM record WHERE name = $1";
const RESEAL: &str = "UPDATE record SET sealed = $2 WHERE name = $1";

/// Whoever takes the lease next waits until this transaction has ended.
const FENCE: &str = "SELECT number FROM lease WHERE key = $1 FOR SHARE";

/// A statement with its values.
type Write<'a> = (&'static str, &'a [&'a (dyn ToSql + Sync)]);

pub(super) async fn update(
    hub: &Hub,
    name: &Name,
    change: Change,
) -> Result<Option<RowSummary>, StoreError> {
    let mut open = Transaction::begin(hub, &[name]).await?;
    let row = open.rows.pop().flatten();
    let before = row.as_ref().map(|row| row.summary.clone());
    match open.decide(name, row, change).await? {
        (open, Next::Keep) => {
            open.give_up().await;
            Ok(before)
        }
        (open, Next::Remove(fence)) => {
            let open = open.check_fence(fence.as_ref()).await?;
            let evidence = Evidence::Gone(name.as_str());
            open.commit(&[(REMOVE, &[&name.as_str()])], &evidence)
                .await?;
            Ok(None)
        }
        (open, Next::Reseal(sealed)) => {
            let evidence = Evidence::Row(name.as_str(), &sealed);
            let reseal: Write<'_> = (RESEAL, &[&name.as_str(), &sealed]);
            open.commit(&[reseal], &evidence).await?;
            Ok(before)
        }
        (open, Next::Write(draft)) => {
            let open = open.check_fence(draft.fence.as_ref()).await?;
            let created = before.map_or(open.state.now, |row| row.created);
            open.put(name, created, &draft, None).await.map(Some)
        }
    }
}

pub(super) async fn transfer(
    hub: &Hub,
    transfer: &Transfer,
    change: Change,
) -> Result<RowSummary, StoreError> {
    let Transfer { from, to, source } = transfer;
    let unknown = || StoreError::UnknownName {
        name: from.to_string(),
    };
    let mut open = Transaction::begin(hub, &[from, to]).await?;
    let (target, row) = (open.rows.pop().flatten(), open.rows.pop().flatten());
    let Some(row) = row else {
        open.give_up().await;
        return Err(unknown());
    };
    if target.is_some() {
        open.give_up().await;
        let name = to.to_string();
        return Err(StoreError::NameTaken { name });
    }
    let age = row.summary.created;
    let (open, next) = open.decide(from, Some(row), change).await?;
    let Next::Write(draft) = next else {
        open.give_up().await;
        return Err(unknown());
    };
    let open = open.check_fence(draft.fence.as_ref()).await?;
    match source {
        Source::Keep => {
            let now = open.state.now;
            open.put(to, now, &draft, None).await
        }
        Source::Remove => open.put(to, age, &draft, Some(from)).await,
    }
}

pub(super) async fn save_keys(
    hub: &Hub,
    expected: u64,
    sealed: Vec<u8>,
) -> Result<KeyRow, StoreError> {
    let mut open = Transaction::begin_with(hub, LOCK_KEYS, &[]).await?;
    if open.state.key_revision != expected {
        let stored = open.line.row(read::KEYS, &[]).await;
        let stored = stored.and_then(|row| Ok(row.as_ref().map(read::key_row).transpose()?));
        let stored = stored.map_err(|fault| fault.at(&hub.site))?;
        open.give_up().await;
        return stored.ok_or_else(|| hub.site.corrupt("its key table is gone"));
    }
    let save = "INSERT INTO key_table (id, revision, sealed) VALUES (0, $1, $2)
                ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, sealed = excluded.sealed";
    let revision = expected + 1;
    open.rows.clear();
    let number = revision.cast_signed();
    let evidence = Evidence::Keys(number, &sealed);
    open.commit(&[(save, &[&number, &sealed])], &evidence)
        .await?;
    Ok(KeyRow { revision, sealed })
}

impl<'a> Transaction<'a> {
    /// Waits for the locks of `names` and reads their rows.
    pub(super) async fn begin(hub: &'a Hub, names: &[&Name]) -> Result<Self, StoreError> {
        Self::begin_with(hub, SHARE_KEYS, names).await
    }

    /// The same under another lock on the keys.
    pub(super) async fn begin_with(
        hub: &'a Hub,
        keys: &'static str,
        names: &[&Name],
    ) -> Result<Self, StoreError> {
        let begun = hub
            .patiently(async |line| {
                let (rows, state) = open(&line, keys, names).await?;
                Ok((line, rows, state))
            })
            .await;
        let (line, rows, state) = begun?;
        Ok(Self {
            hub,
            line,
            rows,
            state,
        })
    }

    pub(super) const fn line(&self) -> &Line {
        &self.line
    }

    /// Lets the change decide; one that fails ends the transaction.
    async fn decide(
        self,
        name: &Name,
        row: Option<Row>,
        change: Change,
    ) -> Result<(Self, Next), StoreError> {
        let current = Current {
            row,
            next_version: self.state.next_version,
            key_revision: self.state.key_revision,
            now: self.state.now,
        };
        match decide(name, change, current) {
            Ok(next) => Ok((self, next)),
            Err(error) => {
                self.give_up().await;
                Err(error)
            }
        }
    }

    async fn check_fence(self, fence: Option<&Fence>) -> Result<Self, StoreError> {
        let Some(fence) = fence else {
            return Ok(self);
        };
        let number = self.line.row(FENCE, &[&fence.key.as_str()]).await;
        let number =
            number.and_then(|row| Ok(row.map(|row| row.try_get::<_, i64>(0)).transpose()?));
        match number.map_err(|fault| fault.at(&self.hub.site))? {
            Some(number) if number.cast_unsigned() == fence.number => Ok(self),
            _ => {
                self.give_up().await;
                Err(fence.lost())
            }
        }
    }

    /// Writes a row, takes another one away, and commits.
    async fn put(
        self,
        name: &Name,
        created: Timestamp,
        draft: &Draft,
        gone: Option<&Name>,
    ) -> Result<RowSummary, StoreError> {
        let summary = RowSummary {
            name: name.clone(),
            version: self.state.next_version,
            generation: draft.generation,
            created,
            updated: self.state.now,
        };
        let numbers = [summary.version, summary.generation].map(u64::cast_signed);
        let times = [created, summary.updated].map(Timestamp::as_millis);
        let (text, gone) = (name.as_str(), gone.map(Name::as_str));
        let values: [&(dyn ToSql + Sync); 6] = [
            &text,
            &numbers[0],
            &numbers[1],
            &times[0],
            &times[1],
            &draft.sealed,
        ];
        let put: Write<'_> = (PUT, &values);
        let evidence = Evidence::Row(text, &draft.sealed);
        match gone {
            None => self.commit(&[put], &evidence).await?,
            Some(gone) => {
                let remove: Write<'_> = (REMOVE, &[&gone]);
                self.commit(&[put, remove], &evidence).await?;
            }
        }
        Ok(summary)
    }

    /// Writes, and makes everything durable. The writes and the end go out together.
    pub(super) async fn commit(
        self,
        writes: &[Write<'_>],
        evidence: &Evidence<'_>,
    ) -> Result<(), StoreError> {
        let Self {
            hub, line, state, ..
        } = self;
        let prepared = try_join_all(writes.iter().map(|(sql, _values)| line.prepared(sql))).await;
        let statements = prepared.map_err(|fault| fault.at(&hub.site))?;
        let client = line.client();
        let written = statements.iter().zip(writes);
        let written = try_join_all(
            written.map(|(statement, (_sql, values))| client.execute(statement, values)),
        );
        let ended = client.batch_execute(&hub.commit);
        let outcome = line.heard(async { Ok(join(written, ended).await) }).await;
        let fault = match outcome {
            Ok((Ok(_counts), Ok(()))) => {
                line.put_back();
                hub.changes.bump();
                return Ok(());
            }
            // What the database refused to write it did not commit either.
            Ok((Err(refused), Ok(()))) => return Err(Fault::from(refused).at(&hub.site)),
            Ok((Ok(_), Err(error)) | (Err(error), Err(_))) => Fault::from(error),
            Err(fault) => fault,
        };
        drop(line);
        settle::settle(hub, &state.id, evidence, fault).await
    }

    /// Ends the transaction without a trace.
    pub(super) async fn give_up(self) {
        match self.line.say("ROLLBACK").await {
            Ok(()) => self.line.put_back(),
            // The database undoes what was open on a line that broke.
            Err(fault) => tracing::debug!(?fault, "a transaction ended with its line"),
        }
    }
}

/// Takes the locks and reads the rows. All statements go out together; the database does them in this order.
async fn open(
    line: &Line,
    keys: &'static str,
    names: &[&Name],
) -> Result<(Vec<Option<Row>>, State), Fault> {
    let prepared = try_join4(
        line.prepared(keys),
        line.prepared(LOCK_NAME),
        line.prepared(ROW),
        line.prepared(STATE),
    );
    let (keys, lock, select, state) = prepared.await?;
    let client = line.client();
    // In one order everywhere, so that nobody waits for somebody who waits for him.
    let mut ordered = names.to_vec();
    ordered.sort_unstable();
    ordered.dedup();
    let lock_name = async |name: &&Name| client.execute(&lock, &[&name.as_str()]).await;
    let read_row = async |name: &&Name| {
        let row = client.query_opt(&select, &[&name.as_str()]).await?;
        row.map(|row| read::row(name, &row)).transpose()
    };
    let locks = try_join3(
        client.batch_execute("BEGIN"),
        client.execute(&keys, &[]),
        try_join_all(ordered.iter().map(lock_name)),
    );
    let rows = try_join_all(names.iter().map(read_row));
    let asked = try_join3(locks, rows, client.query_one(&state, &[]));
    let (_locked, rows, state) = line.heard(asked).await?;
    Ok((rows, State::read(&state)?))
}

impl State {
    fn read(found: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            next_version: found.try_get::<_, i64>(0)?.cast_unsigned(),
            now: Timestamp::from_millis(found.try_get(1)?),
            key_revision: found.try_get::<_, i64>(2)?.cast_unsigned(),
            id: settle::Id {
                transaction: found.try_get(3)?,
                process: found.try_get(4)?,
            },
        })
    }
}
