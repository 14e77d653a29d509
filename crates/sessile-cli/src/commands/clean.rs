//! `sessile clean`: sessions are emptied, their names stay.

use std::time::Duration;

use serde_json::json;
use sessile::renew;
use sessile::store::Name;

use super::failure::{self, Purpose};
use super::show;
use super::work::{self, Work};
use crate::args::CleanArgs;
use crate::exit::{Exit, Outcome};

/// Empties the sessions meant, while others may use them.
pub(super) async fn run(args: CleanArgs, work: &mut Work<'_>) -> Outcome {
    let one = args.name.as_deref().map(work::name).transpose()?;
    let vault = work.present_vault(Purpose::Manage).await?;
    let names: Vec<Name> = match one {
        Some(name) => vec![name],
        None => {
            let rows = vault.list().await?;
            rows.into_iter().map(|row| row.name).collect()
        }
    };
    let (cookies_only, older_than) = (args.cookies_only, args.older_than);
    let (now, mut cleaned) = (work.now(), Vec::new());
    for name in &names {
        let change = renew::edit(&vault, name, move |record| {
            let since = record.last.login.unwrap_or(record.created);
            let due = older_than.is_none_or(|age: Duration| show::between(since, now) >= age);
            if due && cookies_only {
                record.state.jar_mut().clear(now);
            } else if due {
                record.empty(now);
            }
            due
        });
        if change
            .await
            .map_err(|error| failure::of_kept(&error, Purpose::Manage))?
        {
            if cookies_only {
                work.step(&vault, name).await?;
            }
            cleaned.push(name.to_string());
        }
    }
    let what = match cookies_only {
        true => "removed the cookies of session",
        false => "emptied session",
    };
    for name in &cleaned {
        work.printer.note(&format!("{what} {name}"));
    }
    if cleaned.is_empty() {
        work.printer
            .note("no session was old enough, nothing was changed");
    }
    if work.json() {
        work.printer.document(&json!({ "cleaned": cleaned }))?;
    }
    Ok(Exit::Done)
}
