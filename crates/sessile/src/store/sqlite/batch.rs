//! What happens inside one transaction: several independent jobs, each of which can fail alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Site;
use super::fault::Fault;
use super::read;
use crate::clock::Timestamp;
use crate::store::change::decide;
use crate::store::lease::{KEPT_LEASES, PURGE_EVERY};
use crate::store::{
    Acquired, Change, Current, Draft, Fence, HolderId, KeyRow, Lease, LeaseKey, Name, Next, Row,
    RowSummary, Source, StoreError, Transfer,
};

/// An open write transaction.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    site: &'a Site,
    connection: &'a Connection,
    now: Timestamp,
    /// The last version or lease number given out, and whether it is written already.
    last: u64,
    written_last: u64,
    key_revision: u64,
    written_bytes: usize,
    /// Why the whole transaction is gone, if it is.
    lost: Option<StoreError>,
}

impl<'a> Batch<'a> {
    pub(super) fn begin(site: &'a Site, connection: &'a Connection) -> Result<Self, StoreError> {
        site.patiently(|| run(connection, "BEGIN IMMEDIATE"))?;
        let state = connection
            .prepare_cached("SELECT last, (SELECT revision FROM key_table) FROM sequence")
            .and_then(|mut statement| {
                statement.query_row((), |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?))
                })
            });
        match state {
            Ok((last, revision)) => Ok(Self {
                site,
                connection,
                now: site.options.clock.now(),
                last: last.cast_unsigned(),
                written_last: last.cast_unsigned(),
                key_revision: revision.map_or(0, i64::cast_unsigned),
                written_bytes: 0,
                lost: None,
            }),
            Err(error) => {
                roll_back(connection);
                Err(Fault::from(error).at(site))
            }
        }
    }

    /// Makes everything durable. On failure nothing of the batch was stored.
    pub(super) fn commit(mut self) -> Result<(), StoreError> {
        if let Some(error) = self.lost.take() {
            return Err(error);
        }
        let outcome = self
            .save_last()
            .and_then(|()| run(self.connection, "COMMIT"));
        if outcome.is_err() {
            roll_back(self.connection);
        }
        outcome.map_err(|fault| fault.at(self.site))
    }

    /// Bytes written so far, to keep a batch to a bounded size.
    pub(super) const fn written_bytes(&self) -> usize {
        self.written_bytes
    }

    /// Whether a fault took the whole transaction away, with the jobs done before it.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Does one job so that its failure or panic undoes nothing but itself.
    pub(super) fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.sql("SAVEPOINT job")?;
        let key_revision = self.key_revision;
        let outcome = catch_unwind(AssertUnwindSafe(|| work(self)));
        let outcome = outcome.unwrap_or_else(|_panic| {
            let subject = "the store".to_owned();
            Err(StoreError::ChangePanicked { subject })
        });
        let Err(error) = outcome else {
            self.sql("RELEASE job")?;
            return outcome;
        };
        self.key_revision = key_revision;
        if self.connection.is_autocommit() {
            self.lost = Some(error.clone());
            return Err(error);
        }
        self.sql("ROLLBACK TO job")?;
        self.sql("RELEASE job")?;
        Err(error)
    }

    pub(super) fn update(
        &mut self,
        name: &Name,
        change: Change,
    ) -> Result<Option<RowSummary>, StoreError> {
        let row = self.row(name)?;
        let before = row.as_ref().map(|row| row.summary.clone());
        let next = self.decide(name, row, change)?;
        self.apply(name, before, next)
    }

    pub(super) fn transfer(
        &mut self,
        transfer: &Transfer,
        change: Change,
    ) -> Result<RowSummary, StoreError> {
        let Transfer { from, to, source } = transfer;
        let unknown = || StoreError::UnknownName {
            name: from.to_string(),
        };
        let row = self.row(from)?.ok_or_else(unknown)?;
        if self.row(to)?.is_some() {
            let name = to.to_string();
            return Err(StoreError::NameTaken { name });
        }
        let created = row.summary.created;
        let next = self.decide(from, Some(row), change)?;
        let Some(mut summary) = self.apply(to, None, next)? else {
            return Err(unknown());
        };
        if *source == Source::Remove {
            self.remove(from)?;
            let keep_age = "UPDATE record SET created = ?2 WHERE name = ?1";
            self.execute(keep_age, params![to.as_str(), created.as_millis()])?;
            summary.created = created;
        }
        Ok(summary)
    }

    fn decide(&self, name: &Name, row: Option<Row>, change: Change) -> Result<Next, StoreError> {
        let current = Current {
            row,
            next_version: self.last + 1,
            key_revision: self.key_revision,
            now: self.now,
        };
        decide(name, change, current)
    }

    fn apply(
        &mut self,
        name: &Name,
        before: Option<RowSummary>,
        next: Next,
    ) -> Result<Option<RowSummary>, StoreError> {
        match next {
            Next::Keep => Ok(before),
            Next::Remove(fence) => {
                self.check_fence(fence.as_ref())?;
                self.remove(name)?;
                Ok(None)
            }
            Next::Reseal(sealed) => {
                self.written_bytes += sealed.len();
                let reseal = "UPDATE record SET sealed = ?2 WHERE name = ?1";
                self.execute(reseal, params![name.as_str(), sealed])?;
                Ok(before)
            }
            Next::Write(draft) => {
                self.check_fence(draft.fence.as_ref())?;
                self.put(name, before.map_or(self.now, |row| row.created), &draft)
                    .map(Some)
            }
        }
    }

    fn put(
        &mut self,
        name: &Name,
        created: Timestamp,
        draft: &Draft,
    ) -> Result<RowSummary, StoreError> {
        self.written_bytes += draft.sealed.len();
        let summary = RowSummary {
            name: name.clone(),
            version: self.next_number(),
            generation: draft.generation,
            created,
            updated: self.now,
        };
        self.execute(
            "INSERT INTO record (name, version, generation, created, updated, sealed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (name) DO UPDATE SET version = excluded.version, generation = excluded.generation,
             updated = excluded.updated, sealed = excluded.sealed",
            params![
                name.as_str(),
                summary.version.cast_signed(),
                summary.generation.cast_signed(),
                created.as_millis(),
                self.now.as_millis(),
                draft.sealed,
            ],
        )?;
        Ok(summary)
    }

    fn remove(&self, name: &Name) -> Result<(), StoreError> {
        self.execute("DELETE FROM record WHERE name = ?1", [name.as_str()])
            .map(drop)
    }

    pub(super) fn acquire(
        &mut self,
        key: &LeaseKey,
        holder: &HolderId,
        ttl: Duration,
    ) -> Result<Acquired, StoreError> {
        if let Some((other, until)) = self.held_by(key)?
            && other != *holder
            && until > self.now
        {
            return Ok(Acquired::Busy {
                holder: other,
                until,
            });
        }
        let number = self.next_number();
        if number.is_multiple_of(PURGE_EVERY) {
            self.purge_leases()?;
        }
        let until = self.now.plus(ttl);
        self.execute(
            "INSERT INTO lease (key, number, holder, until) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key) DO UPDATE SET number = excluded.number, holder = excluded.holder,
             until = excluded.until",
            params![
                key.as_str(),
                number.cast_signed(),
                holder.as_str(),
                until.as_millis()
            ],
        )?;
        Ok(Acquired::Granted(Lease::new(
            key.clone(),
            holder.clone(),
            number,
            until,
        )))
    }

    pub(super) fn extend(&self, lease: Lease, ttl: Duration) -> Result<Lease, StoreError> {
        let until = self.now.plus(ttl);
        let extended = self.execute(
            "UPDATE lease SET until = ?3 WHERE key = ?1 AND number = ?2 AND holder IS NOT NULL",
            params![
                lease.key.as_str(),
                lease.number.cast_signed(),
                until.as_millis()
            ],
        )?;
        match extended {
            0 => Err(lease.fence().lost()),
            _ => Ok(Lease { until, ..lease }),
        }
    }

    // The number stays, so that a late write under it is told from one under a successor's.
    pub(super) fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let number = lease.number.cast_signed();
        let release = "UPDATE lease SET holder = NULL WHERE key = ?1 AND number = ?2";
        self.execute(release, params![lease.key.as_str(), number])
            .map(drop)
    }

    /// Drops the leases that ended long ago.
    fn purge_leases(&self) -> Result<(), StoreError> {
        let ended = self.now.as_millis().saturating_sub(KEPT_LEASES);
        self.execute("DELETE FROM lease WHERE until < ?1", [ended])
            .map(drop)
    }

    pub(super) fn save_keys(
        &mut self,
        expected: u64,
        sealed: Vec<u8>,
    ) -> Result<KeyRow, StoreError> {
        if self.key_revision != expected {
            let stored = read::keys(self.connection).map_err(|fault| fault.at(self.site))?;
            return stored.ok_or_else(|| self.corrupt("its key table is gone"));
        }
        let revision = expected + 1;
        self.execute(
            "INSERT OR REPLACE INTO key_table (id, revision, sealed) VALUES (0, ?1, ?2)",
            params![revision.cast_signed(), sealed],
        )?;
        self.key_revision = revision;
        Ok(KeyRow { revision, sealed })
    }

    fn row(&self, name: &Name) -> Result<Option<Row>, StoreError> {
        read::row(self.connection, name).map_err(|fault| fault.at(self.site))
    }

    fn held_by(&self, key: &LeaseKey) -> Result<Option<(HolderId, Timestamp)>, StoreError> {
        let held = "SELECT holder, until FROM lease WHERE key = ?1 AND holder IS NOT NULL";
        let found = self
            .connection
            .prepare_cached(held)
            .and_then(|mut statement| {
                statement
                    .query_row([key.as_str()], |row| {
                        Ok((row.get::<_, String>(0)?, row.get(1)?))
                    })
                    .optional()
            });
        match found.map_err(|error| Fault::from(error).at(self.site))? {
            None => Ok(None),
            Some((holder, until)) => {
                let holder = HolderId::parse(&holder)
                    .map_err(|_rule| self.corrupt("a lease has no holder"))?;
                Ok(Some((holder, Timestamp::from_millis(until))))
            }
        }
    }

    fn check_fence(&self, fence: Option<&Fence>) -> Result<(), StoreError> {
        let Some(fence) = fence else {
            return Ok(());
        };
        let number = "SELECT number FROM lease WHERE key = ?1";
        let number = self
            .connection
            .prepare_cached(number)
            .and_then(|mut statement| {
                statement
                    .query_row([fence.key.as_str()], |row| row.get::<_, i64>(0))
                    .optional()
            });
        match number.map_err(|error| Fault::from(error).at(self.site))? {
            Some(number) if number.cast_unsigned() == fence.number => Ok(()),
            _ => Err(fence.lost()),
        }
    }

    const fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn save_last(&self) -> Result<(), Fault> {
        if self.last == self.written_last {
            return Ok(());
        }
        let mut statement = self
            .connection
            .prepare_cached("UPDATE sequence SET last = ?1")?;
        statement.execute([self.last.cast_signed()])?;
        Ok(())
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
        let done = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params));
        done.map_err(|error| Fault::from(error).at(self.site))
    }

    fn sql(&self, sql: &str) -> Result<(), StoreError> {
        run(self.connection, sql).map_err(|fault| fault.at(self.site))
    }

    fn corrupt(&self, detail: &str) -> StoreError {
        StoreError::Corrupt {
            place: self.site.place.clone(),
            detail: detail.to_owned(),
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        roll_back(self.connection);
    }
}

fn run(connection: &Connection, sql: &str) -> Result<(), Fault> {
    connection.prepare_cached(sql)?.execute(())?;
    Ok(())
}

fn roll_back(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(fault) = run(connection, "ROLLBACK")
    {
        tracing::error!(?fault, "a transaction could not be rolled back");
    }
}
