//! `sessile login`: logs in and stores the session.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use sessile::Secret;
use sessile::login::{
    AskCode, AskDone, Credentials, FormPlace, How, Login, LoginReport, OtpSecret, StepListener,
    Window,
};
use sessile::renew::Kept;
use sessile::site::SiteLogin;
use url::Url;
use zeroize::Zeroizing;

use super::connect;
use super::failure::{self, Purpose};
use super::profile;
use super::site;
use super::visit;
use super::work::{self, Work};
use crate::args::{LoginArgs, PasswordFrom, SecondFactorArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::password::{self, Origin};
use crate::printer::plain;

/// Logs in; a login that fails leaves what was stored as it was.
pub(super) async fn run(args: LoginArgs, work: &mut Work<'_>) -> Outcome {
    let name = work::name(&args.name)?;
    // The store first: nobody should type a password for a store that can't take the session.
    let vault = work.vault().await?;
    let mut options = work.keeping()?;
    options.code_wait = args.second_factor.otp_wait;
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
    let mut login = match (&args.site, &args.username) {
        (Some(file), user) => {
            let site = site::read(file)?;
            let credentials = site::credentials(&site, user.as_deref(), &args.password, work)?;
            let opens = matches!(site.login, SiteLogin::Browser(_));
            let mut login = Login::site(Arc::new(site), credentials);
            login.person.window = opens.then(|| window(args, work)).transpose()?;
            login
        }
        (None, Some(user)) => by_form(args, user, work)?,
        (None, None) => Login::browser(place(args)?, window(args, work)?),
    };
    let start = login.how.start();
    let check = args.check.as_deref();
    let check = check.map(|page| start.join(page)).transpose();
    login.check = check.map_err(|why| Failure::usage(format!("--check is not a URL: {why}")))?;
    let note = work.printer.noter();
    login.person.hears = Some(StepListener::new(move |step| note(&plain(step))));
    login.person.visit = Some(visit::ask(!args.no_open, work));
    second_factor(&mut login, &args.second_factor, work)?;
    login.remember = args.remember;
    if let Some(profile) = &args.profile {
        login.profile = profile.clone();
    }
    Ok(login)
}

/// The address, which the command line is refused without where there is no site file.
fn place(args: &LoginArgs) -> Result<Url, Failure> {
    url(args.url.as_deref().unwrap_or_default(), "the address")
}

fn by_form(args: &LoginArgs, user: &str, work: &Work<'_>) -> Result<Login, Failure> {
    let mut place = FormPlace::new(place(args)?);
    place.form.clone_from(&args.form);
    place.trusts_device = args.second_factor.trust_device;
    let password = password(&args.password, user, work)?;
    let credentials = Credentials::new(user, Some(password));
    Ok(Login::new(How::Form(place), credentials))
}

/// Where the login's codes come from.
pub(super) fn second_factor(
    login: &mut Login,
    args: &SecondFactorArgs,
    work: &Work<'_>,
) -> Result<(), Failure> {
    if args.trust_device && login.how.site().is_some() {
        let what = "--trust-device is for a login without a site file";
        let hint = "write `trust_device = true` into the file's [login]";
        return Err(Failure::usage(what).hint(hint));
    }
    login.credentials.otp = otp_secret(args)?;
    login.person.code = ask_code(args, work::person().code, work);
    Ok(())
}

/// What the codes are made from, where a file was named.
fn otp_secret(args: &SecondFactorArgs) -> Result<Option<OtpSecret>, Failure> {
    otp_secret_in(args.otp_secret_file.as_deref())
}

/// What the codes are made from, where a file has it.
pub(super) fn otp_secret_in(file: Option<&Path>) -> Result<Option<OtpSecret>, Failure> {
    let Some(file) = file else {
        return Ok(None);
    };
    let shown = file.display();
    let text = fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|error| {
        let message = format!("cannot read the secret of one-time codes in `{shown}`: {error}");
        Failure::new(Exit::Failed, "input", message)
    })?;
    let secret = OtpSecret::parse(&text).map_err(|why| {
        Failure::usage(format!("`{shown}` is no secret of one-time codes: {why}"))
            .hint("write what the site shows beside the QR code into it, or the otpauth:// address")
    })?;
    Ok(Some(secret))
}

/// Who is asked for a code: a command, or `person`; nobody where it comes from elsewhere.
fn ask_code(args: &SecondFactorArgs, person: Option<AskCode>, work: &Work<'_>) -> Option<AskCode> {
    if args.otp_wait.is_some() {
        return None;
    }
    let Some(command) = args.otp_command.clone() else {
        return person;
    };
    let note = work.printer.noter();
    Some(Arc::new(move |_wanted| {
        let code = password::from_command(&command);
        let code = code.map_err(|failure| note(&failure.to_string())).ok()?;
        if code.trim().is_empty() {
            note("the command of --otp-command printed no code");
            return None;
        }
        Some(Secret::from(code.trim().to_owned()))
    }))
}

/// The password, from where it is.
pub(super) fn password(
    from: &PasswordFrom,
    user: &str,
    work: &Work<'_>,
) -> Result<Secret<String>, Failure> {
    let what = match user {
        "" => "token".to_owned(),
        user => format!("password of {}", plain(user)),
    };
    let password = password::read(&origin(from), &what, work.environment)?;
    Ok(Secret::from(password.to_string()))
}

/// The window that a person logs in with, where there is a place for one.
fn window(args: &LoginArgs, work: &Work<'_>) -> Result<Window, Failure> {
    if !args.headless && !work.environment.has_display() {
        let message = "a person has to log in, and there is no display to open a window on";
        let hint = "run this where you sit, or set DISPLAY; \
                    --headless is for pages that log in by themselves";
        return Err(Failure::new(Exit::PersonNeeded, "noDisplay", message).hint(hint));
    }
    let mut window = Window::default();
    window.is_shown = !args.headless;
    if let Some(patience) = args.wait {
        window.patience = patience;
    }
    window.is_done = Some(done_by_enter());
    Ok(window)
}

/// Hears whether Enter was pressed. Its end says nothing: many programs are run without an input.
fn done_by_enter() -> AskDone {
    let is_done = Arc::new(AtomicBool::new(false));
    let hears = Arc::clone(&is_done);
    // A thread that the end of the program doesn't wait for.
    std::thread::spawn(move || {
        let mut line = String::new();
        if std::io::stdin()
            .read_line(&mut line)
            .is_ok_and(|read| read > 0)
        {
            hears.store(true, Ordering::SeqCst);
        }
    });
    Arc::new(move || is_done.load(Ordering::SeqCst))
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
