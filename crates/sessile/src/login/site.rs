//! A login as a site file says: which way it goes, and what it grants to the session.

use std::time::Duration;

use sessile_jar::{NewCookie, Scope, Timestamp};
use url::Url;

use super::answer::{Answer, exchange};
use super::second_factor::CodeSource;
use super::steps::{Draft, Grant, StepsFlow};
use super::{
    CodeWanted, Credentials, FormPlace, Known, Landed, LoginError, Trail, http_auth, json,
    messages, oauth2, visit, walk,
};
use crate::record::Tokens;
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::session::{Authorization, Request, Session, SessionState};
use crate::site::{
    BearerLogin, JsonLogin, Site, SiteLogin, StepsLogin, TokenPlace, Values, VisitLogin,
};

/// Makes the session one of this site.
pub(super) fn begin(member: &Session, site: &Site) {
    member.update(|state, _now| {
        state.set_base_url(site.home());
        // A dead token beside the password would be refused first.
        state.authorization = None;
    });
}

/// Logs in the way that the site file names, but for a window's, which is in `browser`.
pub(super) async fn log_in(
    member: &Session,
    site: &Site,
    credentials: &Credentials,
    known: &Known,
    trail: &mut Trail,
) -> Result<Landed, LoginError> {
    let mut codes = CodeSource::new(credentials, &known.factor);
    let codes = &mut codes;
    let grant = match &site.login {
        SiteLogin::Form(form) => {
            let mut place = FormPlace::new(form.url.clone());
            place.form.clone_from(&form.form);
            place.trusts_device = form.trusts_device;
            place.fields = form.fields.clone();
            place.inputs.clone_from(&form.inputs);
            return walk::log_in(member, &place, credentials, known, trail).await;
        }
        SiteLogin::HttpAuth(login) => {
            return http_auth::log_in(member, &login.url, login.scheme, credentials, trail).await;
        }
        SiteLogin::Bearer(login) => bearer(login, credentials, trail)?,
        SiteLogin::Json(login) => by_json(member, login, credentials, codes, trail).await?,
        SiteLogin::Steps(login) => by_steps(member, login, credentials, codes, trail).await?,
        SiteLogin::Visit(login) => return by_visit(member, login, site, trail).await,
        SiteLogin::OAuth2(login) => {
            return oauth2::log_in(member, login, credentials, trail).await;
        }
        SiteLogin::Browser(login) => {
            let url = ShownUrl(&login.url).to_string();
            return Err(LoginError::Unattended { url });
        }
    };
    let has_token = grant.token.is_some();
    apply(member, grant, site, trail)?;
    if !has_token && trail.cookies.is_empty() {
        let url = ShownUrl(site.login.url()).to_string();
        return Err(LoginError::CanNotTell { url });
    }
    Ok(Landed::Answered)
}

fn bearer(
    login: &BearerLogin,
    credentials: &Credentials,
    trail: &mut Trail,
) -> Result<Grant, LoginError> {
    trail.may_send(&login.url, &login.url)?;
    let token = credentials.password.as_ref().ok_or(LoginError::NotSafe {
        url: ShownUrl(&login.url).to_string(),
        what: "there is no token; it is given in the place of a password".to_owned(),
    })?;
    Ok(Grant {
        token: Some((login.into.clone(), token.clone())),
        expires_in: None,
    })
}

/// Visits the page; what it sets is the session.
async fn by_visit(
    member: &Session,
    login: &VisitLogin,
    site: &Site,
    trail: &mut Trail,
) -> Result<Landed, LoginError> {
    let answer = exchange(
        member,
        visit::page_request(Request::get(login.url.as_str())),
    )
    .await?;
    trail.say(answer.words.clone());
    trail.cookies.extend(answer.cookies_set.iter().cloned());
    answer.refuse_obstacles(&[])?;
    if answer.status >= 400 {
        let (url, status) = (ShownUrl(&answer.url).to_string(), answer.status);
        let what = format!("it answered the visit with {status}");
        return Err(LoginError::Step { url, what });
    }
    // Nothing tells one visitor from another, so there is nothing to be learned by comparing.
    Ok(match site.check {
        Some(_) => Landed::Answered,
        None => Landed::Found(None),
    })
}

async fn by_json(
    member: &Session,
    login: &JsonLogin,
    credentials: &Credentials,
    codes: &mut CodeSource<'_>,
    trail: &mut Trail,
) -> Result<Grant, LoginError> {
    let Credentials { user, password, .. } = credentials;
    let otp = match login.asks_for("otp") {
        true => Some(code(member, (&login.url, None), user, codes, trail).await?),
        false => None,
    };
    let values = Values {
        otp: otp.as_ref(),
        ..Values::of(user, password.as_ref())
    };
    let draft = json::draft(login, &values)?;
    let secrets = shown(password.as_ref());
    let answer = send(member, draft, &login.url, &secrets, trail).await?;
    json::grant(login, &answer, user, &secrets)
}

async fn by_steps(
    member: &Session,
    login: &StepsLogin,
    credentials: &Credentials,
    codes: &mut CodeSource<'_>,
    trail: &mut Trail,
) -> Result<Grant, LoginError> {
    let mut flow = StepsFlow::new(login, &credentials.user, credentials.password.as_ref());
    let mut here = login.url.clone();
    let mut ahead = None;
    loop {
        let otp = match flow.wants_code() {
            true => Some(code(member, (&here, ahead), &credentials.user, codes, trail).await?),
            false => None,
        };
        let Some(draft) = flow.next(otp.as_ref())? else {
            return flow.grant();
        };
        let answer = send(member, draft, &here, &flow.secrets(), trail).await?;
        flow.take(&answer)?;
        ahead = answer.clock_ahead.or(ahead);
        here = answer.url;
    }
}

fn shown(password: Option<&Secret<String>>) -> Vec<&str> {
    let secrets = password.into_iter();
    secrets.map(|secret| secret.expose().as_str()).collect()
}

/// Sends one request; a secret goes only where it may, and nowhere into words.
async fn send(
    member: &Session,
    draft: Draft,
    page: &Url,
    secrets: &[&str],
    trail: &mut Trail,
) -> Result<Answer, LoginError> {
    if draft.is_secret {
        trail.may_send(page, &draft.url)?;
    }
    let answer = exchange(member, draft.request).await?;
    trail.say(messages::blank(&answer.words, secrets));
    trail.cookies.extend(answer.cookies_set.iter().cloned());
    Ok(answer)
}

/// A code of the second factor, from whoever has one; for a page whose site's clock is ahead of ours
/// by so much, where it has told.
async fn code(
    member: &Session,
    (page, ahead): (&Url, Option<i64>),
    user: &str,
    codes: &mut CodeSource<'_>,
    trail: &mut Trail,
) -> Result<Secret<String>, LoginError> {
    let wanted = CodeWanted {
        user: user.to_owned(),
        page: ShownUrl(page).to_string(),
        message: "the site file asks for a code of the second factor".to_owned(),
        digits: None,
        refused: 0,
    };
    let missing = LoginError::SecondFactor {
        url: wanted.page.clone(),
        user: wanted.user.clone(),
        message: wanted.message.clone(),
    };
    let code = codes.next(member, wanted, ahead, trail).await;
    code.ok_or(missing)
}

/// Puts what was granted where it belongs.
fn apply(member: &Session, grant: Grant, site: &Site, trail: &mut Trail) -> Result<(), LoginError> {
    let Some((place, token)) = grant.token else {
        return Ok(());
    };
    trail.say(format!(
        "got a token, which goes into {}",
        described(&place)
    ));
    let lifetime = grant.expires_in.map(Duration::from_secs);
    if lifetime.is_some() {
        trail.tokens = Some(Tokens::for_time(member.now(), lifetime));
    }
    let done = member.update(|state, now| match place {
        TokenPlace::Bearer => {
            state.set_authorization(Authorization::Bearer(token));
            Ok(())
        }
        TokenPlace::Header(name) => {
            state.set_authorization(Authorization::Named { name, value: token });
            Ok(())
        }
        TokenPlace::Cookie(name) => {
            let lives = grant
                .expires_in
                .and_then(|seconds| i64::try_from(seconds).ok());
            let ends = lives.map(|seconds| now.plus_seconds(seconds));
            insert(state, &name, &token, (&site.home(), ends), now)
        }
    });
    done.map_err(|what| LoginError::Step {
        url: ShownUrl(site.login.url()).to_string(),
        what,
    })
}

fn described(place: &TokenPlace) -> String {
    match place {
        TokenPlace::Bearer => "the header `Authorization`".to_owned(),
        TokenPlace::Cookie(name) => format!("the cookie `{name}`"),
        TokenPlace::Header(name) => format!("the header `{name}`"),
    }
}

fn insert(
    state: &mut SessionState,
    name: &str,
    token: &Secret<String>,
    (home, expires): (&Url, Option<Timestamp>),
    now: Timestamp,
) -> Result<(), String> {
    let mut cookie = NewCookie::new(name, token.expose().as_str());
    cookie.scope = Scope::HostOnly(home.host_str().unwrap_or_default().to_owned());
    cookie.secure = home.scheme() == "https";
    cookie.http_only = true;
    cookie.expires = expires;
    let placed = state.jar_mut().insert(&cookie, now);
    placed
        .map(drop)
        .map_err(|why| format!("the cookie `{name}`: {why}"))
}
