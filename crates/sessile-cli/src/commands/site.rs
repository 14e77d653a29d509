//! `sessile site`: reads site files, and tries them.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use sessile::login::{Credentials, Login, LoginReport, StepListener};
use sessile::renew::{CheckReport, Kept, KeptOptions};
use sessile::site::{LARGEST, MediaRules, Site, SiteErrors, SiteLogin, SitePool};
use sessile::store::{KeySource, Name, StoreOptions, StoreUrl, Vault};
use sessile::{Secret, ShownUrl, Verdict};

use super::backup::counted;
use super::connect;
use super::failure::{self, Purpose};
use super::login;
use super::show;
use super::visit;
use super::work::{self, Work};
use crate::args::{PasswordFrom, SiteCheckArgs, SiteCommand, SiteTryArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::plain;

pub(super) async fn run(command: SiteCommand, work: &mut Work<'_>) -> Outcome {
    match command {
        SiteCommand::Check(args) => check(&args, work),
        SiteCommand::Try(args) => try_out(&args, work).await,
    }
}

/// Reads a site file that has to be right.
pub(super) fn read(file: &Path) -> Result<Site, Failure> {
    decode(file)?.map_err(|errors| mistakes(&[errors]))
}

fn decode(file: &Path) -> Result<Result<Site, SiteErrors>, Failure> {
    use std::io::Read as _;
    let name = file.display().to_string();
    let opened = std::fs::File::open(file);
    let read = opened.and_then(|opened| {
        let mut bytes = Vec::new();
        // One byte too many is refused; the rest of a device that never ends isn't read.
        opened.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let bytes = read.map_err(|error| {
        Failure::usage(format!(
            "cannot read the site file `{}`: {error}",
            plain(&name)
        ))
    })?;
    Ok(Site::decode(&bytes, &name))
}

fn mistakes(all: &[SiteErrors]) -> Failure {
    let told: Vec<String> = all
        .iter()
        .map(|errors| plain(&errors.to_string()))
        .collect();
    Failure::new(Exit::Usage, "siteFile", told.join("\n"))
        .hint("docs/site-file.md lists every key with an example")
}

/// What the site's login needs, from where it is.
pub(super) fn credentials(
    site: &Site,
    user: Option<&str>,
    from: &PasswordFrom,
    work: &Work<'_>,
) -> Result<Credentials, Failure> {
    if user.is_none() && site.login.asks_for("user") {
        let what = format!("a login of kind `{}` needs --username", site.login.kind());
        return Err(Failure::usage(what));
    }
    let user = user.unwrap_or_default();
    // A client's secret is asked for by the client's name.
    let whose = match &site.login {
        SiteLogin::OAuth2(login) => &login.client_id,
        _ => user,
    };
    let password = match site.login.asks_for("password") {
        true => Some(login::password(from, whose, work)?),
        false => None,
    };
    Ok(Credentials::new(user, password))
}

/// Says what the files mean.
fn check(args: &SiteCheckArgs, work: &mut Work<'_>) -> Outcome {
    let mut read = Vec::new();
    for file in &args.files {
        read.push((file.display().to_string(), decode(file)?));
    }
    let has_mistakes = read.iter().any(|(_, site)| site.is_err());
    if work.json() {
        let files: Vec<Value> = read
            .iter()
            .map(|(file, site)| document(file, site))
            .collect();
        work.printer.document(&json!({ "files": files }))?;
        return Ok(if has_mistakes {
            Exit::Usage
        } else {
            Exit::Done
        });
    }
    let mut errors = Vec::new();
    for (file, site) in read {
        match site {
            Ok(site) => tell(&file, &site, work)?,
            Err(found) => errors.push(found),
        }
    }
    match errors.is_empty() {
        true => Ok(Exit::Done),
        false => Err(mistakes(&errors).into()),
    }
}

fn tell(file: &str, site: &Site, work: &mut Work<'_>) -> Outcome<()> {
    work.printer.line(&format!("{}: understood", plain(file)))?;
    for (what, text) in meaning(site) {
        work.printer
            .line(&format!("  {what:<8} {}", plain(&text)))?;
    }
    Ok(())
}

/// What a site file means, in words.
fn meaning(site: &Site) -> Vec<(&'static str, String)> {
    let url = ShownUrl(site.login.url());
    let mut lines = vec![
        ("site", site.name.clone()),
        ("login", format!("{} at {url}", site.login.kind())),
        ("needs", needs(site).join(", ")),
    ];
    match &site.check {
        Some(check) => {
            let rules: Vec<String> = check.rules.iter().map(ToString::to_string).collect();
            let page = ShownUrl(&check.url);
            lines.push(("check", format!("{page}: {}", rules.join(", and "))));
        }
        None => lines.push(("check", "learned at the login".to_owned())),
    }
    for rule in &site.expired {
        lines.push(("expired", rule.to_string()));
    }
    if !site.renew.cookies.is_empty() {
        let (cookies, before) = (site.renew.cookies.join(", "), site.renew.before);
        lines.push(("renew", format!("{before:?} before {cookies} ends")));
    }
    if let Some(interval) = site.limits.interval {
        lines.push(("limits", format!("{interval:?} between two requests")));
    }
    if let Some(most) = site.limits.at_once {
        lines.push(("limits", format!("{most} requests at once")));
    }
    if let Some(media) = &site.media {
        lines.push(("media", found(media)));
    }
    if site.pool != SitePool::default() {
        lines.push(("pool", of_pool(&site.pool)));
    }
    lines
}

/// What holds for a pool, in words.
fn of_pool(pool: &SitePool) -> String {
    let each = pool.sessions_per_account;
    let [checked, followed] = [pool.validate_every, pool.rotate_every].map(show::length);
    format!(
        "{}, {each} for each account; checked every {checked}, another one after {followed}",
        counted(pool.size)
    )
}

/// How media is found, in words.
fn found(media: &MediaRules) -> String {
    let captures: Vec<&str> = media
        .capture
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let captures = match captures.is_empty() {
        true => "nothing".to_owned(),
        false => captures.join(", "),
    };
    let recorder = media
        .recorder
        .map_or_else(String::new, |id| format!(", recorded as {id}"));
    let requests = media.steps.len();
    format!("{captures} from the page, then {requests} requests{recorder}")
}

fn needs(site: &Site) -> Vec<&'static str> {
    let all = [
        ("user", "a user name"),
        ("password", "a password"),
        ("otp", "a code of the second factor"),
    ];
    let needed = all
        .into_iter()
        .filter(|(name, _)| site.login.asks_for(name));
    let needed: Vec<&str> = needed.map(|(_, words)| words).collect();
    match needed.is_empty() {
        true => vec!["nothing"],
        false => needed,
    }
}

fn document(file: &str, read: &Result<Site, SiteErrors>) -> Value {
    match read {
        Ok(site) => {
            let asks = |name: &str| site.login.asks_for(name);
            json!({
                "file": file,
                "ok": true,
                "name": site.name,
                "kind": site.login.kind(),
                "url": ShownUrl(site.login.url()).to_string(),
                "needs": { "user": asks("user"), "password": asks("password"), "otp": asks("otp") },
                "meaning": meaning(site).iter().map(|(what, text)| json!([what, text])).collect::<Value>(),
            })
        }
        Err(errors) => {
            let errors = errors.errors.iter().map(|error| {
                json!({
                    "line": error.line,
                    "column": error.column,
                    "message": error.message,
                    "hint": error.hint,
                })
            });
            json!({ "file": file, "ok": false, "errors": errors.collect::<Value>() })
        }
    }
}

/// Logs in, checks, and asks the same as a stranger.
async fn try_out(args: &SiteTryArgs, work: &mut Work<'_>) -> Outcome {
    let site = read(&args.file)?;
    let code_wait = args.second_factor.otp_wait;
    if code_wait.is_some() && args.session.is_none() {
        let what = "--otp-wait needs --session: `sessile otp` finds a login by its session's name";
        return Err(Failure::usage(what).into());
    }
    let (name, vault) = place(args.session.as_deref(), work).await?;
    let credentials = credentials(&site, args.username.as_deref(), &args.password, work)?;
    let mut options = KeptOptions::default();
    options.code_wait = code_wait;
    options.builder = connect::builder(&args.connection, args.timeout, work)?;
    let kind = site.login.kind();
    work.printer.note(&format!("1. log in ({kind})"));
    let mut asked = Login::site(Arc::new(site), credentials);
    login::second_factor(&mut asked, &args.second_factor, work)?;
    let note = work.printer.noter();
    asked.person.hears = Some(StepListener::new(move |step| {
        note(&format!("   {}", plain(step)));
    }));
    asked.person.visit = Some(visit::ask(true, work));
    let failed = |error| failure::of_kept(&error, Purpose::Check);
    let (kept, report) = Kept::log_in(&vault, &name, asked, options)
        .await
        .map_err(failed)?;
    let member = kept.check().await.map_err(failed)?;
    work.printer.note("2. check as the one who logged in");
    explain(&member, work);
    let stranger = kept.check_as_stranger().await.map_err(failed)?;
    work.printer
        .note("3. check as a stranger: a logout would look like this");
    explain(&stranger, work);
    if work.json() {
        work.printer.document(&tried(&report, &member, &stranger))?;
    }
    judged(&member, &stranger, work)
}

/// Where the session goes: to the store where it is named, else nowhere.
pub(super) async fn place(session: Option<&str>, work: &Work<'_>) -> Outcome<(Name, Vault)> {
    if let Some(name) = session {
        return Ok((work::name(name)?, work.vault().await?));
    }
    // Nothing of it leaves this process: any key does.
    let key = KeySource::Bytes(Secret::from([0; 32]));
    let url = StoreUrl::parse("memory:")?;
    let vault = Vault::open(&url, &key, &StoreOptions::default()).await?;
    Ok((work::name("unnamed")?, vault))
}

/// What a check found, rule by rule.
pub(super) fn explain(report: &CheckReport, work: &mut Work<'_>) {
    let verdict = match (&report.verdict, report.is_certain) {
        (Verdict::Valid, true) => "logged in".to_owned(),
        (Verdict::Valid, false) => "nothing tells whether this is logged in".to_owned(),
        (other, _) => other.to_string(),
    };
    work.printer
        .note(&format!("   {}: {}", report.page, plain(&verdict)));
    rules(report, work);
}

/// Each rule of a check, and whether it holds.
pub(super) fn rules(report: &CheckReport, work: &mut Work<'_>) {
    for finding in &report.findings {
        let answer = if finding.holds { "yes" } else { "no " };
        work.printer
            .note(&format!("     {answer} {}", plain(&finding.rule)));
    }
}

fn judged(member: &CheckReport, stranger: &CheckReport, work: &mut Work<'_>) -> Outcome {
    if !matches!(member.verdict, Verdict::Valid) {
        let what = format!(
            "the check says that the login failed: {}",
            plain(&member.why)
        );
        return Err(Failure::new(Exit::NotLoggedIn, "checkFailed", what).into());
    }
    let is_told = matches!(stranger.verdict, Verdict::Expired(_));
    if !member.is_certain || !is_told {
        let what =
            "the check doesn't tell a member from a stranger: a dead login would not be seen";
        let hint = "name in [check] what only members see: an element, a text, a status";
        return Err(Failure::new(Exit::Failed, "checkTellsNothing", what)
            .hint(hint)
            .into());
    }
    work.printer
        .note("works: logs in, and a dead login is seen");
    Ok(Exit::Done)
}

fn tried(report: &LoginReport, member: &CheckReport, stranger: &CheckReport) -> Value {
    json!({
        "steps": report.steps,
        "cookies": report.cookies,
        "member": checked(member),
        "stranger": checked(stranger),
    })
}

/// A check for programs.
pub(super) fn checked(report: &CheckReport) -> Value {
    json!({
        "loggedIn": report.verdict == Verdict::Valid && report.is_certain,
        "page": report.page,
        "why": report.why,
        "rules": findings(report),
    })
}

/// Each rule and whether it holds, for programs.
pub(super) fn findings(report: &CheckReport) -> Value {
    let findings = report.findings.iter();
    findings
        .map(|finding| json!({ "rule": finding.rule, "holds": finding.holds }))
        .collect()
}
