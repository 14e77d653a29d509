//! `sessile copy`: the same session once more, under a name of its own.

use serde_json::json;
use sessile::renew;

use super::failure::{self, Purpose};
use super::work::{self, Work};
use crate::args::CopyArgs;
use crate::exit::{Exit, Outcome};

/// Copies; what has the name already stays.
pub(super) async fn run(args: CopyArgs, work: &mut Work<'_>) -> Outcome {
    let (from, to) = (work::name(&args.from)?, work::name(&args.to)?);
    let vault = work.present_vault(Purpose::Manage).await?;
    let copied = renew::copy(&vault, &from, &to, work.now()).await;
    copied.map_err(|error| failure::of_kept(&error, Purpose::Manage))?;
    work.printer
        .note(&format!("copied session `{from}` to `{to}`"));
    if work.json() {
        let document = json!({ "from": from.as_str(), "to": to.as_str() });
        work.printer.document(&document)?;
    }
    Ok(Exit::Done)
}
