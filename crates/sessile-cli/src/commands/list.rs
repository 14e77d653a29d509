//! `sessile list`: what the store knows without opening a session.

use serde_json::{Value, json};
use sessile::store::RowSummary;
use sessile_jar::Timestamp;

use super::backup::counted;
use super::failure::Purpose;
use super::show;
use super::work::Work;
use crate::exit::{Exit, Outcome};

/// Lists the sessions by name.
pub(super) async fn run(work: &mut Work<'_>) -> Outcome {
    let vault = work.present_vault(Purpose::Manage).await?;
    let rows = vault.list().await?;
    let now = work.now();
    if work.json() {
        let sessions: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({
                    "name": row.name.as_str(),
                    "generation": row.generation,
                    "created": show::time(row.created),
                    "updated": show::time(row.updated),
                    "isOld": is_old(row, now),
                })
            })
            .collect();
        work.printer.document(&json!({ "sessions": sessions }))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        work.printer
            .note(&format!("no sessions in {}", vault.place()));
        return Ok(Exit::Done);
    }
    let old = rows.iter().filter(|row| is_old(row, now)).count();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            [
                row.name.to_string(),
                row.generation.to_string(),
                show::ago(row.created, now),
                show::ago(row.updated, now),
            ]
        })
        .collect();
    work.printer
        .table(["NAME", "GENERATION", "MADE", "CHANGED"], &rows)?;
    if old > 0 {
        work.printer.warn(&format!(
            "{} last changed more than 24 h ago; `sessile clean --older-than 24h` empties those \
             whose login is that old",
            counted(old)
        ));
    }
    Ok(Exit::Done)
}

/// Whether nothing happened to it for a day: its login is at least that old.
fn is_old(row: &RowSummary, now: Timestamp) -> bool {
    show::between(row.updated, now) > show::OLD
}
