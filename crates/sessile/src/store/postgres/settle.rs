//! What became of a transaction whose line broke when it was to be made final.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::fault::Fault;
use super::hub::Hub;
use super::line::Line;
use crate::store::StoreError;

/// By what the database knows a transaction.
pub(super) struct Id {
    pub(super) transaction: String,
    /// Of the server, which did it.
    pub(super) process: i32,
}

/// What is there if a change was stored. A server that crashed may give the number of a transaction that it forgot to
/// another one: that the number was committed is not enough. What is sealed is never sealed twice alike.
pub(super) enum Evidence<'a> {
    /// There is no row of that name.
    Gone(&'a str),
    /// The keys, and how often they were changed.
    Keys(i64, &'a [u8]),
    /// The row of that name holds this.
    Row(&'a str, &'a [u8]),
}

enum Outcome {
    Committed,
    Undone,
    Unknown,
}

const STATUS: &str = "SELECT pg_xact_status($1::text::xid8)";

/// A server that has not yet noticed that the line is gone is told so. The number is compared, since another process
/// can have got the place.
const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE pid = $1 AND backend_xid = ($2::text::xid8)::xid";

/// Asks on another line; `fault` is what happened to the first.
pub(super) async fn settle(
    hub: &Hub,
    id: &Id,
    evidence: &Evidence<'_>,
    fault: Fault,
) -> Result<(), StoreError> {
    let outcome = hub
        .patiently(async |line| {
            let mut outcome = ask(&line, id, hub.site.patience()).await?;
            if matches!(outcome, Outcome::Committed) && !evidence.is_there(&line).await? {
                // Forgotten, or stored and overwritten by somebody else since then.
                outcome = Outcome::Unknown;
            }
            if matches!(outcome, Outcome::Committed) {
                // It may have died between the commit and the announcement. Where this one gets lost too, others see
                // the change a little later.
                let announced = hub.announce(&line).await;
                tracing::debug!(?announced, "a change was stored, though its line broke");
            }
            line.put_back();
            Ok(outcome)
        })
        .await;
    hub.changes.bump();
    match outcome {
        Ok(Outcome::Committed) => Ok(()),
        Ok(Outcome::Undone) => Err(fault.at(&hub.site)),
        Ok(Outcome::Unknown) | Err(_) => Err(StoreError::Unclear {
            place: hub.site.place.clone(),
            detail: detail(&fault.at(&hub.site)),
        }),
    }
}

async fn ask(line: &Line, id: &Id, patience: Duration) -> Result<Outcome, Fault> {
    let start = Instant::now();
    loop {
        let row = match line.row(STATUS, &[&id.transaction]).await {
            // The number is still to come: a server that crashed has forgotten it.
            Err(fault) if fault.is_out_of_range() => return Ok(Outcome::Undone),
            answer => answer?,
        };
        let status: Option<String> = row.map_or(Ok(None), |row| row.try_get(0))?;
        match status.as_deref() {
            Some("committed") => return Ok(Outcome::Committed),
            Some("aborted") => return Ok(Outcome::Undone),
            Some(_in_progress) if start.elapsed() < patience => {}
            _ => return Ok(Outcome::Unknown),
        }
        line.rows(END, &[&id.process, &id.transaction]).await?;
        sleep(Duration::from_millis(10)).await;
    }
}

impl Evidence<'_> {
    async fn is_there(&self, line: &Line) -> Result<bool, Fault> {
        let found = match self {
            Self::Gone(name) => {
                let gone = "SELECT WHERE NOT EXISTS (SELECT FROM record WHERE name = $1)";
                line.row(gone, &[name]).await
            }
            Self::Keys(revision, sealed) => {
                let keys = "SELECT FROM key_table WHERE revision = $1 AND sealed = $2";
                line.row(keys, &[revision, sealed]).await
            }
            Self::Row(name, sealed) => {
                let row = "SELECT FROM record WHERE name = $1 AND sealed = $2";
                line.row(row, &[name, sealed]).await
            }
        };
        Ok(found?.is_some())
    }
}

fn detail(error: &StoreError) -> String {
    match error {
        StoreError::Unreachable { detail, .. } => detail.clone(),
        other => other.to_string(),
    }
}
