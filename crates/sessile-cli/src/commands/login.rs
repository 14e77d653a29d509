//! `sessile login`: logs in and stores the session.

use serde_json::json;
use sessile::Secret;
use sessile::login::{Credentials, FormPlace, How, Login, LoginReport, StepListener};
use sessile::renew::{Kept, KeptOptions};
use url::Url;

use super::connect;
use super::failure::{self, Purpose};
use super::profile;
use super::work::{self, Work};
use crate::args::{LoginArgs, PasswordFrom};
use crate::exit::{Exit, Failure, Outcome};
use crate::password::{self, Origin};
use crate::printer::plain;

/// Logs in; a login that fails leaves what was stored as it was.
pub(super) async fn run(args: LoginArgs, work: &mut Work<'_>) -> Outcome {
    let name = work::name(&args.name)?;
    // The store first: nobody should type a password for a store that can't take the session.
    let vault = work.vault().await?;
    let mut options = KeptOptions::default();
    options.builder = connect::builder(&args.connection, args.timeout, work)?;
    let login = login(&args, work)?;
    work.say_age(&login.profile);
    let done = Kept::log_in(&vault, &name, login, options).await;
    let (kept, report) = done.map_err(|error| failure::of_kept(&error, Purpose::Send))?;
    work.say_token_trouble(&kept);
    profile::warn(&kept, args.profile.as_ref(), work);
    let (generation, place) = (report.generation, vault.place());
    work.printer.note(&format!(
        "saved session {name} (generation {generation}) in {place}"
    ));
    if work.json() {
        work.printer.document(&document(&args, &report, place))?;
    }
    Ok(Exit::Done)
}

fn login(args: &LoginArgs, work: &Work<'_>) -> Result<Login, Failure> {
    let url = url(&args.url, "the address")?;
    let check = args.check.as_deref().map(|page| url.join(page)).transpose();
    let check = check.map_err(|why| Failure::usage(format!("--check is not a URL: {why}")))?;
    let what = format!("password of {}", plain(&args.username));
    let password = password::read(&origin(&args.password), &what, work.environment)?;
    let mut place = FormPlace::new(url);
    place.form.clone_from(&args.form);
    let mut credentials = Credentials::default();
    credentials.user.clone_from(&args.username);
    credentials.password = Some(Secret::from(password.to_string()));
    let mut login = Login::new(How::Form(place), credentials);
    let note = work.printer.noter();
    login.person.hears = Some(StepListener::new(move |step| note(&plain(step))));
    login.remember = args.remember;
    login.check = check;
    login.profile = args.profile.clone().unwrap_or_default();
    Ok(login)
}

fn url(text: &str, what: &str) -> Result<Url, Failure> {
    let bad = |why: String| {
        Failure::usage(format!("{what} is not a web address: {why}"))
            .hint("write it whole: https://host/path")
    };
    let url = Url::parse(text).map_err(|why| bad(why.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(bad(format!("`{scheme}` is neither http nor https"))),
    }
}

fn origin(from: &PasswordFrom) -> Origin {
    let PasswordFrom {
        password_stdin,
        password_env,
        password_command,
        ..
    } = from;
    match (password_stdin, password_env, password_command) {
        (true, _, _) => Origin::StandardInput,
        (false, Some(variable), _) => Origin::Environment(variable.clone()),
        (false, None, Some(command)) => Origin::Command(command.clone()),
        (false, None, None) => Origin::Prompt,
    }
}

fn document(args: &LoginArgs, report: &LoginReport, place: &str) -> serde_json::Value {
    json!({
        "name": args.name,
        "user": args.username,
        "generation": report.generation,
        "cookies": report.cookies,
        "steps": report.steps,
        "check": report.check.as_ref().map(|check| json!({
            "page": sessile::ShownUrl(&check.url).to_string(),
            "rule": check.rule.to_string(),
        })),
        "remembered": args.remember,
        "store": place,
    })
}
