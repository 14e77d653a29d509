//! `sessile rm`: sessions leave the store.

use serde_json::json;

use super::failure::Purpose;
use super::work::{self, Work};
use crate::args::RmArgs;
use crate::exit::{Exit, Failure, Outcome};

/// Removes the sessions; one that isn't there doesn't keep the others.
pub(super) async fn run(args: RmArgs, work: &mut Work<'_>) -> Outcome {
    let names = args
        .names
        .iter()
        .map(|name| work::name(name))
        .collect::<Outcome<Vec<_>>>()?;
    let vault = work.present_vault(Purpose::Manage).await?;
    let (mut removed, mut unknown) = (Vec::new(), Vec::new());
    for name in &names {
        match vault.remove(name).await? {
            true => removed.push(name.to_string()),
            false => unknown.push(format!("`{name}`")),
        }
    }
    for name in &removed {
        work.printer.note(&format!("removed session `{name}`"));
    }
    if work.json() {
        work.printer.document(&json!({ "removed": removed }))?;
    }
    if unknown.is_empty() {
        return Ok(Exit::Done);
    }
    let message = format!(
        "there is no session {} in {}",
        unknown.join(", "),
        vault.place()
    );
    Err(Failure::new(Exit::Failed, "unknownSession", message)
        .hint("`sessile list` shows those there are")
        .into())
}
