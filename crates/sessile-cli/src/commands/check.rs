//! `sessile check`: is the session still logged in?

use serde_json::json;
use sessile::record::Record;
use sessile::renew::{CheckReport, Kept};
use sessile::{Authorization, Verdict};
use sessile_jar::Timestamp;

use super::connect;
use super::failure::{self, Purpose};
use super::show;
use super::work::{self, Work};
use crate::args::CheckArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::plain;

/// Asks the site; renews only when told to.
pub(super) async fn run(args: CheckArgs, work: &mut Work<'_>) -> Outcome {
    let name = work::name(&args.name)?;
    let vault = work.present_vault(Purpose::Check).await?;
    let mut options = work.keeping()?;
    options.builder = connect::builder(&args.connection, None, work)?;
    let used = |error| failure::of_kept(&error, Purpose::Check);
    let kept = Kept::open(&vault, &name, options).await.map_err(used)?;
    if !may_be_logged_in(&kept.record()) {
        return Err(no_login(name.as_str()).into());
    }
    let renewed = match args.renew {
        true => kept.renew().await.map_err(used)?.is_some(),
        false => false,
    };
    let report = kept.check().await.map_err(used)?;
    kept.save().await.map_err(used)?;
    work.say_token_trouble(&kept);
    if work.json() {
        let now = work.now();
        work.printer
            .document(&document(&kept, &report, renewed, now))?;
    } else {
        tell(&args, &kept, &report, renewed, work);
    }
    Ok(exit(&report.verdict))
}

/// Whether the session has anything by which a site could know it, or a login to renew.
fn may_be_logged_in(record: &Record) -> bool {
    let state = &record.state;
    record.login.is_some()
        || record.check.is_some()
        || state.authorization().is_some()
        || state.jar().iter().next().is_some()
        || !state.headers().is_empty()
}

/// Asking would mislead: pages that strangers may see answer an empty session with a 200.
fn no_login(name: &str) -> Failure {
    Failure::new(
        Exit::NotLoggedIn,
        "noLogin",
        format!("session `{name}` holds no login: no cookies, no authorization, no headers"),
    )
    .hint(format!(
        "`sessile login {name} URL --username USER` logs in"
    ))
}

fn exit(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Valid => Exit::Done,
        Verdict::Expired(_) => Exit::NotLoggedIn,
        Verdict::Challenged(_) => Exit::PersonNeeded,
        // The site is in trouble, or refuses us: that says nothing of the login.
        _ => Exit::Failed,
    }
}

fn document(kept: &Kept, report: &CheckReport, renewed: bool, now: Timestamp) -> serde_json::Value {
    let record = kept.record();
    json!({
        "name": kept.name().as_str(),
        "loggedIn": report.verdict == Verdict::Valid,
        "verdict": word(&report.verdict),
        "why": report.why,
        "page": report.page,
        "generation": record.state.generation(),
        "authorization": record.state.authorization().map(Authorization::kind),
        "accessToken": record.tokens.as_ref().map(|tokens| show::token_document(tokens, now)),
        "renewed": renewed,
        "rules": super::site::findings(report),
        "rule": record.check.map(|check| check.rule.to_string()),
    })
}

/// The verdict as a word for programs.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Blocked => "blocked",
        Verdict::Challenged(_) => "challenged",
        Verdict::Expired(_) => "expired",
        Verdict::Failing(_) => "failing",
        Verdict::RateLimited { .. } => "rateLimited",
        Verdict::Valid => "valid",
        _ => "other",
    }
}

fn tell(args: &CheckArgs, kept: &Kept, report: &CheckReport, renewed: bool, work: &mut Work<'_>) {
    let (name, record) = (kept.name(), kept.record());
    if renewed {
        let generation = record.state.generation();
        work.printer.note(&format!(
            "session {name}: logged in again (generation {generation})"
        ));
    }
    work.printer.note(&format!(
        "session {name}: {}",
        plain(&report.verdict.to_string())
    ));
    if !args.explain {
        return;
    }
    work.printer.note(&format!("  looked at   {}", report.page));
    work.printer
        .note(&format!("  and found   {}", plain(&report.why)));
    let rests_on = match record.check {
        Some(check) => plain(&check.rule.to_string()),
        None => "nothing was learned at a login; status and redirects have to do".to_owned(),
    };
    work.printer.note(&format!("  by the rule {rests_on}"));
    super::site::rules(report, work);
}
