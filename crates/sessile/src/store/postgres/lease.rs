//! Leases, by the database's clock. Each is one statement, so that a line that breaks leaves nothing half done.

use std::time::Duration;

use super::fault::Fault;
use super::hub::Hub;
use super::line::Line;
use crate::clock::Timestamp;
use crate::store::lease::{KEPT_LEASES, PURGE_EVERY};
use crate::store::{Acquired, HolderId, Lease, LeaseKey, StoreError};

/// The number in SET is drawn when the row is locked, so that it is higher than that of every lease on it before.
const TAKE: &str = "
    INSERT INTO lease AS held (key, number, holder, until)
    VALUES ($1, nextval('number'), $2, now_ms() + $3)
    ON CONFLICT (key) DO UPDATE
    SET number = nextval('number'), holder = excluded.holder, until = now_ms() + $3
    WHERE held.holder IS NULL OR held.holder = excluded.holder OR held.until <= now_ms()
    RETURNING number, until";

const PURGE: &str = "DELETE FROM lease WHERE until < now_ms() - $1::bigint";

const LOOK: &str = "SELECT holder, until FROM lease WHERE key = $1 AND holder IS NOT NULL";

/// Repeated after a broken line, it finds the lease its own and takes it again.
pub(super) async fn acquire(
    hub: &Hub,
    key: &LeaseKey,
    holder: &HolderId,
    ttl: Duration,
) -> Result<Acquired, StoreError> {
    let acquired = hub
        .patiently(async |line| {
            let acquired = take(&line, key, holder, ttl).await?;
            if let Acquired::Granted(lease) = &acquired
                && lease.number.is_multiple_of(PURGE_EVERY)
            {
                line.execute(PURGE, &[&KEPT_LEASES]).await?;
            }
            line.put_back();
            Ok(acquired)
        })
        .await;
    // Whoever gets a lease sees what was stored under it before, even if no announcement came yet.
    hub.changes.bump();
    acquired
}

async fn take(
    line: &Line,
    key: &LeaseKey,
    holder: &HolderId,
    ttl: Duration,
) -> Result<Acquired, Fault> {
    loop {
        let values = (key.as_str(), holder.as_str(), millis(ttl));
        let taken = line.row(TAKE, &[&values.0, &values.1, &values.2]).await?;
        if let Some(row) = taken {
            let number = row.try_get::<_, i64>(0)?.cast_unsigned();
            let until = Timestamp::from_millis(row.try_get(1)?);
            return Ok(Acquired::Granted(Lease::new(
                key.clone(),
                holder.clone(),
                number,
                until,
            )));
        }
        // Given back in between, it is free for the next try.
        if let Some(row) = line.row(LOOK, &[&key.as_str()]).await? {
            let holder = HolderId::parse(row.try_get(0)?)?;
            let until = Timestamp::from_millis(row.try_get(1)?);
            return Ok(Acquired::Busy { holder, until });
        }
    }
}

pub(super) async fn extend(hub: &Hub, lease: Lease, ttl: Duration) -> Result<Lease, StoreError> {
    let extend = "UPDATE lease SET until = now_ms() + $3
                  WHERE key = $1 AND number = $2 AND holder IS NOT NULL RETURNING until";
    let (number, millis) = (lease.number.cast_signed(), millis(ttl));
    let until = hub
        .patiently(async |line| {
            let row = line
                .row(extend, &[&lease.key.as_str(), &number, &millis])
                .await?;
            line.put_back();
            Ok(row.map(|row| row.try_get(0)).transpose()?)
        })
        .await?;
    match until.map(Timestamp::from_millis) {
        None => Err(lease.fence().lost()),
        Some(until) => Ok(Lease { until, ..lease }),
    }
}

// The number stays, so that a late write under it is told from one under a successor's.
pub(super) async fn release(hub: &Hub, lease: &Lease) -> Result<(), StoreError> {
    let release = "UPDATE lease SET holder = NULL WHERE key = $1 AND number = $2";
    let number = lease.number.cast_signed();
    hub.patiently(async |line| {
        line.execute(release, &[&lease.key.as_str(), &number])
            .await?;
        line.put_back();
        Ok(())
    })
    .await
}

/// A hundred years are as good as forever, and can be added to any time.
fn millis(ttl: Duration) -> i64 {
    const LONGEST: i64 = 100 * 365 * 24 * 3600 * 1000;
    i64::try_from(ttl.as_millis()).map_or(LONGEST, |millis| millis.min(LONGEST))
}
