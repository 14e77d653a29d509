//! `sessile tokens`: a session kept in step with a small JSON file of named tokens.

use std::path;

use serde_json::{Value, json};
use sessile::ShownUrl;
use sessile::renew::{self, KeepError};
use sessile::store::{Name, Vault};
use sessile::token_file::{Stepped, TokenFile, TokenNames};
use url::Url;

use super::failure::{self, Purpose};
use super::work::{self, Work};
use crate::args::TokensArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::plain;

/// Begins, ends, or brings in step.
pub(super) async fn run(args: TokensArgs, work: &mut Work<'_>) -> Outcome {
    let name = work::name(&args.name)?;
    let chosen = chosen(&args)?;
    let vault = work.present_vault(Purpose::Manage).await?;
    match chosen {
        None if args.stop => stop(&vault, &name, work).await,
        None => step(&vault, &name, work).await,
        Some(file) => {
            let now = work.now();
            let stepped = match args.once {
                true => renew::bring_in_step(&vault, &name, file.clone(), now).await,
                false => renew::keep_in_step(&vault, &name, file.clone(), now).await,
            };
            let stepped = stepped.map_err(managed)?;
            if !args.once {
                work.printer.note(&format!(
                    "session {name} is kept in step with {}",
                    file.path()
                ));
            }
            tell(&name, Some(&file).filter(|_| !args.once), &stepped, work)
        }
    }
}

fn chosen(args: &TokensArgs) -> Outcome<Option<TokenFile>> {
    let (Some(file), Some(url)) = (&args.file, &args.url) else {
        return Ok(None);
    };
    let url =
        Url::parse(url).map_err(|why| Failure::usage(format!("--url is not a URL: {why}")))?;
    let file = path::absolute(file)
        .map_err(|why| Failure::usage(format!("--file is not a place: {why}")))?;
    let names = match &args.names {
        Some(names) => TokenNames::Listed(names.clone()),
        None => TokenNames::OfTheFile,
    };
    let file = TokenFile::new(file, url, names);
    Ok(Some(file.map_err(|why| Failure::usage(why.to_string()))?))
}

async fn stop(vault: &Vault, name: &Name, work: &mut Work<'_>) -> Outcome {
    let stopped = renew::stop_in_step(vault, name).await.map_err(managed)?;
    work.printer.note(&match &stopped {
        Some(file) => format!(
            "session {name} is no longer kept in step with {}",
            file.path()
        ),
        None => format!("session {name} has no token file"),
    });
    if work.json() {
        let stopped = stopped.as_ref().map(TokenFile::path);
        work.printer.document(&json!({ "stopped": stopped }))?;
    }
    Ok(Exit::Done)
}

async fn step(vault: &Vault, name: &Name, work: &mut Work<'_>) -> Outcome {
    let stepped = renew::step(vault, name, work.now())
        .await
        .map_err(managed)?;
    let Some(stepped) = stepped else {
        let message = format!("session {name} has no token file");
        return Err(Failure::new(Exit::Failed, "noTokenFile", message)
            .hint(format!(
                "`sessile tokens {name} --file FILE --url URL` gives it one"
            ))
            .into());
    };
    let record = work::look_at(vault, name).await?.record();
    tell(name, record.token_file.as_ref(), &stepped, work)
}

fn tell(name: &Name, file: Option<&TokenFile>, stepped: &Stepped, work: &mut Work<'_>) -> Outcome {
    say(name, stepped, work);
    if work.json() {
        let refused: Vec<Value> = stepped
            .refused
            .iter()
            .map(|(token, why)| json!({ "name": token, "why": why }))
            .collect();
        work.printer.document(&json!({
            "name": name.as_str(),
            "tokenFile": file.map(document),
            "toSession": stepped.to_session,
            "toFile": stepped.to_file,
            "refused": refused,
        }))?;
        return Ok(Exit::Done);
    }
    if let Some(file) = file {
        work.printer.line(&shown(file))?;
    }
    Ok(Exit::Done)
}

fn say(name: &Name, stepped: &Stepped, work: &mut Work<'_>) {
    let mut note = |tokens: &[String], way: &str| {
        if !tokens.is_empty() {
            let tokens = plain(&tokens.join(", "));
            work.printer.note(&format!("{way}: {tokens}"));
        }
    };
    note(
        &stepped.to_session,
        &format!("from the file into session {name}"),
    );
    note(
        &stepped.to_file,
        &format!("from session {name} into the file"),
    );
    for (token, why) in &stepped.refused {
        let token = plain(token);
        work.printer
            .warn(&format!("token `{token}` stays as it is: {why}"));
    }
}

/// A token file for programs.
pub(super) fn document(file: &TokenFile) -> Value {
    json!({
        "path": file.path(),
        "url": ShownUrl(file.url()).to_string(),
        "names": match file.names() {
            TokenNames::Listed(names) => Some(names),
            TokenNames::OfTheFile => None,
        },
        "known": file.known().collect::<Vec<_>>(),
    })
}

/// A token file for people.
pub(super) fn shown(file: &TokenFile) -> String {
    let names = match file.names() {
        TokenNames::Listed(names) => names.join(", "),
        TokenNames::OfTheFile => {
            let known: Vec<&str> = file.known().collect();
            format!("what it names ({})", known.join(", "))
        }
    };
    let names = plain(&names);
    format!("{}: {names}, for {}", file.path(), ShownUrl(file.url()))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err asks for"
)]
fn managed(error: KeepError) -> Failure {
    failure::of_kept(&error, Purpose::Manage)
}
