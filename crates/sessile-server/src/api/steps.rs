//! What is done with one session: logged in, checked, emptied, given a code.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sessile::login::{Credentials, FormPlace, How, Login, OtpSecret};
use sessile::renew::{self, Kept};
use sessile::site::Site;
use sessile::store::Name;
use sessile::{ProfileChoice, Secret};
use url::Url;
use utoipa::ToSchema;
use zeroize::Zeroize;

use super::extract::{Given, May, MayManage, MayUse, MaybeGiven, Named};
use super::{Daemon, sessions};
use crate::fetch::VerdictName;
use crate::problem::{Kind, Problem};

/// How to log in for the first time. Without it a session is logged in again as it was before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NewLogin {
    /// The login page, or any page that leads to it. Not with `site`.
    url: Option<String>,
    /// A site file's text.
    site: Option<String>,
    username: Option<String>,
    #[schema(format = Password)]
    password: Option<String>,
    /// What the codes of a second factor are made from: base32, or an `otpauth://` address.
    otp_secret: Option<String>,
    /// Whether the credentials are kept, sealed, for renewals. Defaults to no.
    #[serde(default)]
    remember: bool,
    /// The headers of a session that is made, as `browser` or `standard`.
    profile: Option<String>,
}

impl Drop for NewLogin {
    fn drop(&mut self) {
        self.password.zeroize();
        self.otp_secret.zeroize();
    }
}

/// A login that worked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginDone {
    session: String,
    /// Counts the logins.
    generation: u64,
    /// The names of the cookies that it set.
    cookies: Vec<String>,
    /// What was done, in words.
    steps: Vec<String>,
    /// How it is seen later whether the login still holds, in words; none where nothing shows it.
    #[schema(required = true)]
    check: Option<String>,
}

/// Logs a session in, for the first time or again.
///
/// A login that asks for a one-time code waits for one to be handed over. What was stored stays
/// where it fails. It goes on where nobody waits for the answer.
#[utoipa::path(post, path = "/api/sessions/{name}/login", tag = "sessions",
    params(("name" = String, Path, description = "The session")),
    request_body = Option<NewLogin>,
    security(("token" = ["manage"])),
    responses((status = 200, body = LoginDone, description = "It is logged in")))]
pub(super) async fn login(
    May(caller): MayManage,
    State(daemon): State<Daemon>,
    Named(name): Named,
    MaybeGiven(new): MaybeGiven<NewLogin>,
) -> Result<Json<LoginDone>, Problem> {
    daemon.outside_pools(&name)?;
    let login = match new {
        Some(new) => first_login(&new)?,
        None => login_again(&daemon, &name).await?,
    };
    tracing::info!(session = %name, caller = %caller.name, "logging in");
    let (work, tasks) = (Arc::clone(&daemon), daemon.tasks.clone());
    let done = tasks
        .spawn(async move { carry_out(&work, &name, login).await })
        .await;
    done.map_err(|_panic| Problem::new(Kind::Internal, "the login met a fault of the daemon"))?
}

async fn carry_out(daemon: &Daemon, name: &Name, login: Login) -> Result<Json<LoginDone>, Problem> {
    let done = Kept::log_in(&daemon.vault, name, login, daemon.keeping()).await;
    let (kept, report) = match done {
        Ok(done) => done,
        Err(error) => {
            let event = daemon.event("loginFailed").session(name);
            daemon.tell(event.detail(&error));
            tracing::warn!(session = %name, %error, "the login failed");
            return Err(daemon.failed(name, error));
        }
    };
    kept.close().await?;
    daemon.sessions.note_login(name, daemon.now());
    daemon.tell(daemon.event("login").session(name));
    Ok(Json(LoginDone {
        session: name.to_string(),
        generation: report.generation,
        cookies: report.cookies,
        steps: report.steps,
        check: report.check.map(|check| check.rule.to_string()),
    }))
}

async fn login_again(daemon: &Daemon, name: &Name) -> Result<Login, Problem> {
    let record = sessions::look_at(daemon, name).await?.record();
    let Some(kept) = record.login else {
        let detail = format!("session `{name}` has never been logged in: say how");
        return Err(Problem::new(Kind::NotLoggedIn, detail));
    };
    let mut login = Login::new(kept.how, kept.credentials);
    login.remember = true;
    Ok(login)
}

fn first_login(new: &NewLogin) -> Result<Login, Problem> {
    let bad = |detail: String| Problem::new(Kind::BadRequest, detail);
    let password = new.password.clone().map(Secret::from);
    let mut credentials = Credentials::new(new.username.clone().unwrap_or_default(), password);
    if let Some(text) = &new.otp_secret {
        let secret = OtpSecret::parse(text).map_err(|why| bad(format!("`otpSecret`: {why}")))?;
        credentials.otp = Some(secret);
    }
    let mut login = Login::new(way(new)?, credentials);
    login.remember = new.remember;
    if let Some(profile) = &new.profile {
        let profile: Result<ProfileChoice, _> = profile.parse();
        login.profile = profile.map_err(|why| bad(why.to_string()))?;
    }
    Ok(login)
}

fn way(new: &NewLogin) -> Result<How, Problem> {
    let bad = |detail: String| Problem::new(Kind::BadRequest, detail);
    match (&new.site, &new.url) {
        (Some(text), None) => {
            let site = Site::parse(text, "site").map_err(|why| bad(why.to_string()))?;
            Ok(Login::site(Arc::new(site), Credentials::default()).how)
        }
        (None, Some(url)) => {
            let url = Url::parse(url).map_err(|why| bad(format!("`url`: {why}")))?;
            if !matches!(url.scheme(), "http" | "https") || new.username.is_none() {
                return Err(bad(
                    "a login wants an http or https `url` and a `username`".to_owned()
                ));
            }
            Ok(How::Form(FormPlace::new(url)))
        }
        (Some(_), Some(_)) | (None, None) => {
            Err(bad("a first login wants either `url` or `site`".to_owned()))
        }
    }
}

/// What a check has found.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Checked {
    session: String,
    /// `valid`, `expired`, `challenged`, `blocked`, `rate-limited` or `failing`.
    verdict: &'static str,
    /// Whether the check can tell; where it can't, the verdict is `valid`.
    is_certain: bool,
    /// The page that was looked at, without its query's values.
    page: String,
    /// In words.
    why: String,
}

/// Asks the site whether a session is logged in; renews nothing.
#[utoipa::path(post, path = "/api/sessions/{name}/check", tag = "sessions",
    params(("name" = String, Path, description = "The session")),
    security(("token" = ["use"])),
    responses((status = 200, body = Checked, description = "What the site said")))]
pub(super) async fn check(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Named(name): Named,
) -> Result<Json<Checked>, Problem> {
    let session = daemon.session(&name).await?;
    let report = session
        .kept()
        .check()
        .await
        .map_err(|error| daemon.failed(&name, error))?;
    let verdict = VerdictName::of(&report.verdict);
    session.note(verdict);
    let event = daemon.event("checked").session(&name);
    daemon.tell(event.detail(&verdict.as_str()));
    Ok(Json(Checked {
        session: name.to_string(),
        verdict: verdict.as_str(),
        is_certain: report.is_certain,
        page: report.page,
        why: report.why,
    }))
}

/// What of a session is emptied.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Cleaning {
    /// Whether login, headers and authorization stay. Defaults to no.
    #[serde(default)]
    cookies_only: bool,
}

/// Empties a session: cookies, login and headers; its name stays.
#[utoipa::path(post, path = "/api/sessions/{name}/clean", tag = "sessions",
    params(("name" = String, Path, description = "The session")),
    request_body = Option<Cleaning>,
    security(("token" = ["manage"])),
    responses((status = 204, description = "It is empty")))]
pub(super) async fn clean(
    May(caller): MayManage,
    State(daemon): State<Daemon>,
    Named(name): Named,
    MaybeGiven(cleaning): MaybeGiven<Cleaning>,
) -> Result<StatusCode, Problem> {
    daemon.outside_pools(&name)?;
    let (cookies_only, now) = (cleaning.unwrap_or_default().cookies_only, daemon.now());
    let change = renew::edit(&daemon.vault, &name, move |record| match cookies_only {
        true => record.state.jar_mut().clear(now),
        false => record.empty(now),
    });
    change.await.map_err(|error| daemon.failed(&name, error))?;
    daemon.note_reset();
    tracing::info!(session = %name, caller = %caller.name, "cleaned");
    daemon.tell(daemon.event("cleaned").session(&name));
    Ok(StatusCode::NO_CONTENT)
}

/// A one-time code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneTimeCode {
    code: String,
}

impl Drop for OneTimeCode {
    fn drop(&mut self) {
        self.code.zeroize();
    }
}

/// Hands a one-time code to a login of this session that waits for one, anywhere.
#[utoipa::path(post, path = "/api/sessions/{name}/otp", tag = "sessions",
    params(("name" = String, Path, description = "The session")),
    request_body = OneTimeCode,
    security(("token" = ["use"])),
    responses((status = 204, description = "The login has taken it")))]
pub(super) async fn otp(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Named(name): Named,
    Given(given): Given<OneTimeCode>,
) -> Result<StatusCode, Problem> {
    let code: String = given.code.split([' ', '-']).collect();
    if code.is_empty() {
        return Err(Problem::new(Kind::BadRequest, "the code is empty"));
    }
    let handed = renew::hand_over_code(&daemon.vault, &name, Secret::from(code), daemon.now());
    handed.await?;
    Ok(StatusCode::NO_CONTENT)
}
