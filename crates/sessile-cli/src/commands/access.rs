//! `sessile access`: who may ask a daemon for what.

use serde_json::{Value, json};
use sessile::store::Name;
use sessile_server::access::{self, Grant, Listed, NewGrant};

use super::failure::Purpose;
use super::show;
use super::work::{self, Work};
use crate::args::{AccessAdd, AccessCommand};
use crate::exit::{Exit, Failure, Outcome};

/// Makes, lists or removes tokens.
pub(super) async fn run(command: AccessCommand, work: &mut Work<'_>) -> Outcome {
    match command {
        AccessCommand::Add(args) => add(args, work).await,
        AccessCommand::List => list(work).await,
        AccessCommand::Rm { names } => rm(&names, work).await,
    }
}

async fn add(args: AccessAdd, work: &mut Work<'_>) -> Outcome {
    let (name, now) = (work::name(&args.name)?, work.now());
    let vault = work.vault().await?;
    let new = NewGrant {
        name,
        scope: args.scope,
        expires: args.expires_in.map(|time| now.plus(time)),
    };
    let expires = new.expires.map(show::time);
    let token = access::add(&vault, new, now).await.map_err(Failure::from)?;
    let (name, scope) = (&args.name, args.scope);
    if work.json() {
        work.printer.document(&json!({
            "name": name,
            "scope": scope.as_str(),
            "expires": expires,
            "token": token.expose(),
        }))?;
    } else {
        work.printer.line(token.expose())?;
        work.printer.note(&format!(
            "token {name} allows `{scope}`; it isn't shown again"
        ));
    }
    Ok(Exit::Done)
}

async fn list(work: &mut Work<'_>) -> Outcome {
    let vault = work.present_vault(Purpose::Manage).await?;
    let Listed {
        grants, unreadable, ..
    } = access::list(&vault).await.map_err(Failure::from)?;
    if work.json() {
        let tokens: Vec<Value> = grants.iter().map(document).collect();
        let unreadable: Vec<&str> = unreadable.iter().map(Name::as_str).collect();
        work.printer
            .document(&json!({ "tokens": tokens, "unreadable": unreadable }))?;
        return Ok(Exit::Done);
    }
    for name in &unreadable {
        work.printer.warn(&format!(
            "token {name} isn't one that this version understands; `sessile access rm {name}` removes it"
        ));
    }
    if grants.is_empty() {
        work.printer
            .note(&format!("no tokens in {}", vault.place()));
        return Ok(Exit::Done);
    }
    let now = work.now();
    let rows: Vec<_> = grants
        .iter()
        .map(|grant| {
            [
                grant.name.to_string(),
                grant.scope.to_string(),
                show::ago(grant.created, now),
                grant
                    .last_used
                    .map_or_else(|| "never".to_owned(), |at| show::ago(at, now)),
                grant.expires.map_or_else(|| "never".to_owned(), show::time),
            ]
        })
        .collect();
    work.printer
        .table(["NAME", "SCOPE", "MADE", "LAST USED", "EXPIRES"], &rows)?;
    Ok(Exit::Done)
}

fn document(grant: &Grant) -> Value {
    json!({
        "name": grant.name.as_str(),
        "scope": grant.scope.as_str(),
        "created": show::time(grant.created),
        "lastUsed": grant.last_used.map(show::time),
        "expires": grant.expires.map(show::time),
    })
}

async fn rm(names: &[String], work: &mut Work<'_>) -> Outcome {
    let vault = work.present_vault(Purpose::Manage).await?;
    for name in names {
        let name = work::name(name)?;
        if !access::remove(&vault, &name).await.map_err(Failure::from)? {
            let message = format!("there is no token `{name}` in {}", vault.place());
            let failure = Failure::new(Exit::Failed, "unknownToken", message);
            return Err(failure
                .hint("`sessile access list` shows those there are")
                .into());
        }
        work.printer.note(&format!("removed token {name}"));
    }
    if work.json() {
        work.printer.document(&json!({ "removed": names }))?;
    }
    Ok(Exit::Done)
}
