//! `sessile list`: what the store knows without opening a session.

use serde_json::{Value, json};

use super::show;
use super::work::Work;
use crate::exit::{Exit, Outcome};

/// Lists the sessions by name.
pub(super) async fn run(work: &mut Work<'_>) -> Outcome {
    let vault = work.vault().await?;
    let rows = vault.list().await?;
    if work.json() {
        let sessions: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({
                    "name": row.name.as_str(),
                    "generation": row.generation,
                    "created": show::time(row.created),
                    "updated": show::time(row.updated),
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
    let now = work.now();
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
    Ok(Exit::Done)
}
