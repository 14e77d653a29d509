//! `sessile restore`: a backup takes the place of what the store holds.

use std::path::Path;

use serde_json::json;
use sessile::store::{RowSummary, StoreError, StoreOptions, StoreUrl, Vault};

use super::backup::counted;
use super::work::{self, Work};
use crate::args::RestoreArgs;
use crate::exit::{Exit, Failure, Outcome};

/// Restores; sessions that are there are replaced only with --force.
pub(super) async fn run(args: RestoreArgs, work: &mut Work<'_>) -> Outcome {
    // First the backup, so that one that can't be used makes neither a store nor a key.
    let saved = look_into(&args.file, work).await?;
    let vault = work.vault().await?;
    let present = vault.list().await?;
    if !present.is_empty() && !args.force {
        return Err(would_replace(&present, saved, vault.place()).into());
    }
    vault.restore(&args.file).await?;
    let (file, place) = (args.file.display(), vault.place());
    let instead = match present.len() {
        0 => String::new(),
        count => format!(", in place of {}", counted(count)),
    };
    work.printer.note(&format!(
        "restored {} from {file} into {place}{instead}",
        counted(saved)
    ));
    if work.json() {
        let document = json!({
            "file": file.to_string(),
            "restored": saved,
            "replaced": present.len(),
            "store": place,
        });
        work.printer.document(&document)?;
    }
    Ok(Exit::Done)
}

/// How many sessions the backup holds; fails where it, or the key to it, can't be used.
async fn look_into(file: &Path, work: &Work<'_>) -> Outcome<usize> {
    let mut options = StoreOptions::default();
    options.create = false;
    let source = work::present_source(&work.settings()?.key)?;
    let opened = Vault::open(&StoreUrl::sqlite(file), &source, &options).await;
    match opened {
        Err(error @ StoreError::WrongKey { .. }) => Err(Failure::from(error)
            .hint("it was made before the key was changed: with its own key it opens as a store of its own, `--store sqlite:FILE --key-file FILE`")
            .into()),
        opened => Ok(opened?.list().await?.len()),
    }
}

fn would_replace(present: &[RowSummary], saved: usize, place: &str) -> Failure {
    let names = present
        .iter()
        .take(SHOWN)
        .map(|row| format!("`{}`", row.name));
    let names = names.collect::<Vec<_>>().join(", ");
    let more = match present.len().saturating_sub(SHOWN) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    let message = format!(
        "the store {place} holds {} ({names}{more}), which the {} of the backup would replace; \
         nothing was changed",
        counted(present.len()),
        counted(saved),
    );
    Failure::new(Exit::Failed, "storeNotEmpty", message)
        .hint("`sessile backup FILE` keeps what is there; --force replaces it")
}

/// How many names are shown of those that would go.
const SHOWN: usize = 5;
