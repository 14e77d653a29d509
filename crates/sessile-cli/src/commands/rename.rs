//! `sessile rename`: a session gets another name.

use serde_json::json;

use super::failure;
use super::failure::Purpose;
use super::work::{self, Work};
use crate::args::RenameArgs;
use crate::exit::{Exit, Outcome};

/// Renames; what has the name already stays.
pub(super) async fn run(args: RenameArgs, work: &mut Work<'_>) -> Outcome {
    let (from, to) = (work::name(&args.from)?, work::name(&args.to)?);
    let vault = work.present_vault(Purpose::Manage).await?;
    let renamed = vault.rename(&from, &to).await;
    renamed.map_err(failure::of_managed)?;
    work.printer
        .note(&format!("session `{from}` is `{to}` from now on"));
    if work.json() {
        let document = json!({ "from": from.as_str(), "to": to.as_str() });
        work.printer.document(&document)?;
    }
    Ok(Exit::Done)
}
