//! `sessile backup`: every session, sealed, in one file.

use serde_json::json;
use sessile::store::{StoreOptions, StoreUrl, Vault};

use super::failure::Purpose;
use super::work::{self, Work};
use crate::args::BackupArgs;
use crate::exit::{Exit, Outcome};

/// Writes the file, and opens it again: what can't be read is no backup.
pub(super) async fn run(args: BackupArgs, work: &mut Work<'_>) -> Outcome {
    let key = work.settings()?.key;
    let vault = work.present_vault(Purpose::Manage).await?;
    vault.backup(&args.file).await?;
    let mut options = StoreOptions::default();
    options.create = false;
    let url = StoreUrl::sqlite(&args.file);
    let backup = Vault::open(&url, &work::source(&key)?, &options).await?;
    let sessions = backup.list().await?.len();
    let file = args.file.display();
    work.printer.note(&format!(
        "wrote {} to {file}; the key is not in it",
        counted(sessions)
    ));
    if work.json() {
        let document = json!({
            "file": file.to_string(),
            "sessions": sessions,
            "store": vault.place(),
        });
        work.printer.document(&document)?;
    }
    Ok(Exit::Done)
}

/// A number of sessions in words.
pub(super) fn counted(sessions: usize) -> String {
    match sessions {
        1 => "1 session".to_owned(),
        count => format!("{count} sessions"),
    }
}
