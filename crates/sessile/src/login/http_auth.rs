//! A login by HTTP authentication (RFC 7617, RFC 7616): the site asks for it with a 401.

use url::Url;

use super::answer::exchange;
use super::find::NoLoginForm;
use super::{Credentials, FormPlace, Known, Landed, LoginError, Trail, home, walk};
use crate::redact::ShownUrl;
use crate::session::{Authorization, Request, Session};
use crate::site::HttpScheme;

/// Logs in by form; where the site asks in a 401 instead, by what it asks for.
pub(super) async fn or_form(
    member: &Session,
    place: &FormPlace,
    credentials: &Credentials,
    known: &Known,
    trail: &mut Trail,
) -> Result<Landed, LoginError> {
    let done = walk::log_in(member, place, credentials, known, trail).await;
    let scheme = match &done {
        Err(LoginError::NoForm {
            why: NoLoginForm::HttpAuthentication { scheme },
            ..
        }) => named(scheme),
        Err(_) | Ok(_) => None,
    };
    match scheme {
        Some(scheme) => {
            trail.say(format!(
                "the site asks for HTTP authentication ({})",
                word(scheme)
            ));
            log_in(member, &place.url, scheme, credentials, trail).await
        }
        None => done,
    }
}

/// Sends name and password in the header that the site asks for.
pub(super) async fn log_in(
    member: &Session,
    url: &Url,
    scheme: HttpScheme,
    credentials: &Credentials,
    trail: &mut Trail,
) -> Result<Landed, LoginError> {
    let shown = ShownUrl(url).to_string();
    let user = credentials.user.clone();
    let Some(password) = credentials.password.clone() else {
        return Err(LoginError::NotSafe {
            url: shown,
            what: "there is no password".to_owned(),
        });
    };
    trail.may_send(url, url)?;
    let secret = password.clone();
    member.update(|state, _now| {
        // The header goes to the origin that asked, and to no other.
        let is_home = state
            .base_url()
            .is_some_and(|base| base.origin() == url.origin());
        if !is_home {
            state.set_base_url(home(url));
        }
        state.set_authorization(match scheme {
            HttpScheme::Basic => Authorization::Basic { user, password },
            HttpScheme::Digest => Authorization::Digest { user, password },
        });
    });
    let answer = exchange(member, Request::get(url.as_str())).await?;
    trail.say(answer.words.clone());
    trail.cookies.extend(answer.cookies_set.iter().cloned());
    let secrets = [secret.expose().as_str()];
    answer.refuse_obstacles(&secrets)?;
    match answer.status {
        401 | 403 => {
            let silence = format!("it answered {} without a word", answer.status);
            Err(answer.refusal(&credentials.user, &silence, &secrets))
        }
        status if status >= 400 => Err(LoginError::Step {
            url: shown,
            what: format!("it answered {status}, which says nothing of the login"),
        }),
        _ => Ok(Landed::Answered),
    }
}

fn named(scheme: &str) -> Option<HttpScheme> {
    match scheme.to_ascii_lowercase().as_str() {
        "basic" => Some(HttpScheme::Basic),
        "digest" => Some(HttpScheme::Digest),
        _ => None,
    }
}

fn word(scheme: HttpScheme) -> &'static str {
    match scheme {
        HttpScheme::Basic => "basic",
        HttpScheme::Digest => "digest",
    }
}
