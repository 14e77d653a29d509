//! `sessile profile`, and what a person should know of the profile a session sends with.

use serde_json::{Map, Value, json};
use sessile::profile::{self, Browser};
use sessile::renew::Kept;
use sessile::{Profile, ProfileChoice};

use super::work::Work;
use crate::args::ProfileCommand;
use crate::exit::{Exit, Failure, Outcome};

/// Shows the profiles there are, or one of them.
pub(super) fn run(command: ProfileCommand, work: &mut Work<'_>) -> Outcome {
    match command {
        ProfileCommand::List => list(work)?,
        ProfileCommand::Show(args) => show(&named(&args.name)?, work)?,
    }
    Ok(Exit::Done)
}

fn list(work: &mut Work<'_>) -> Outcome<()> {
    let plain = [Profile::None, Profile::Standard];
    let all = plain
        .into_iter()
        .chain(profile::browsers().map(Profile::Browser));
    if work.json() {
        let profiles: Vec<Value> = all.map(|profile| identity(&profile).into()).collect();
        return work.printer.document(&json!({ "profiles": profiles }));
    }
    let rows: Vec<_> = all
        .map(|profile| {
            let agent = profile.headers().get("user-agent").map(text);
            [profile.to_string(), agent.unwrap_or_default()]
        })
        .collect();
    work.printer.table(["NAME", "USER AGENT"], &rows)?;
    let groups = "`browser`, `chrome`, `firefox` and `safari` choose one of these at random";
    work.printer.note(groups);
    say_age(work);
    Ok(())
}

fn say_age(work: &mut Work<'_>) {
    if let Some(stale) = profile::staleness(work.now()) {
        work.printer.warn(&stale.to_string());
    }
}

/// One profile; a name that stands for several has no headers.
fn named(name: &str) -> Result<Profile, Failure> {
    let listed = "`sessile profile list` shows those there are";
    match name.parse() {
        Ok(ProfileChoice::Exact(profile)) => Ok(profile),
        Ok(_) => Err(Failure::usage(format!("`{name}` stands for several profiles")).hint(listed)),
        Err(unknown) => Err(Failure::usage(unknown.to_string()).hint(listed)),
    }
}

fn show(shown: &Profile, work: &mut Work<'_>) -> Outcome<()> {
    let headers = shown.headers();
    if work.json() {
        let mut document = identity(shown);
        let headers: Map<String, Value> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value).into()))
            .collect();
        document.insert("headers".to_owned(), headers.into());
        return work.printer.document(&document.into());
    }
    for (name, value) in &headers {
        work.printer.line(&format!("{name}: {}", text(value)))?;
    }
    if shown.browser().is_some() {
        say_age(work);
    }
    Ok(())
}

/// What a profile is, for programs.
fn identity(profile: &Profile) -> Map<String, Value> {
    let browser = profile.browser();
    let fields = [
        ("name", json!(profile.to_string())),
        (
            "family",
            json!(browser.map(|browser| browser.family().to_string())),
        ),
        ("version", json!(browser.map(Browser::version))),
        ("system", json!(browser.map(Browser::system))),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn text(value: &http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Warns where the session has another profile than was asked for, or an old one.
pub(super) fn warn(kept: &Kept, asked: Option<&ProfileChoice>, work: &mut Work<'_>) {
    let Some(asked) = asked else { return };
    let (name, held) = (kept.name(), kept.record().state.profile());
    if !asked.accepts(&held) {
        work.printer.warn(&format!(
            "session {name} keeps the profile it was made with: {held}"
        ));
    }
    if let (Some(_), Some(stale)) = (held.browser(), profile::staleness(work.now())) {
        work.printer.warn(&stale.to_string());
    }
}
