//! What all logins with a form share: the fields, the checks, and the cookies
//! that a login gives.

use std::fmt;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::response::{AppendHeaders, IntoResponse, Response};
use maud::{Markup, html};

use crate::csrf::Forgery;
use crate::secret;
use crate::server::Entered;
use crate::visit::{CSRF, SESSION, Visit, browser_cookie};
use crate::world::{Refusal, Remember, World};

/// Where a login leads that wasn't asked for by another page.
pub(super) const INSIDE: &str = "/members";

/// The fields of a form as sent, in order.
pub(super) struct Fields(Vec<(String, String)>);

/// Why a login form opened nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Denial {
    Forged(Forgery),
    /// A field that the page has did not come along, or not with a value the page offers.
    Incomplete(&'static str),
    Refused(Refusal),
}

impl Fields {
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        let (_, value) = fields.find(|(found, _)| found == name)?;
        Some(value)
    }

    /// Fields that the site fills in itself.
    pub(super) fn of(pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter();
        Self(
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    /// The values of all fields whose names start so, one after the other.
    pub(super) fn joined(&self, start: &str) -> String {
        let fields = self.0.iter().filter(|(name, _)| name.starts_with(start));
        fields.map(|(_, value)| value.as_str()).collect()
    }

    /// Fails when there is no such field.
    pub(super) fn need(&self, name: &'static str) -> Result<&str, Denial> {
        self.value(name).ok_or(Denial::Incomplete(name))
    }

    /// Fails unless the field has one of these values.
    pub(super) fn need_one_of(&self, name: &'static str, offered: &[&str]) -> Result<(), Denial> {
        let is_offered = offered.contains(&self.need(name)?);
        is_offered.then_some(()).ok_or(Denial::Incomplete(name))
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = FormRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, FormRejection> {
        let Form(fields) = Form::from_request(request, state).await?;
        Ok(Self(fields))
    }
}

/// Checks token, name and password, and logs in.
pub(super) fn admit(
    world: &World,
    visit: &Visit,
    fields: &Fields,
    token: Option<&str>,
) -> Result<Response, Denial> {
    visit.check(world, token).map_err(Denial::Forged)?;
    let (name, password) = (fields.need("user")?, fields.need("password")?);
    let user = world
        .try_password(name, password)
        .map_err(Denial::Refused)?;
    Ok(enter(world, visit, &user, fields))
}

/// The answer to a login that succeeded. The session's id and the form tokens'
/// cookie are new, whatever the visitor came with.
pub(super) fn enter(world: &World, visit: &Visit, user: &str, fields: &Fields) -> Response {
    let remember = match fields.value("remember") {
        Some("yes") => Remember::Lasting,
        _ => Remember::Session,
    };
    let id = world.open_session(user, remember, visit.session.as_deref());
    let mut session = browser_cookie(SESSION, &id);
    if remember == Remember::Lasting {
        session += &format!("; Max-Age={}", world.lifetime(remember).as_secs());
    }
    let cookies = AppendHeaders([
        (SET_COOKIE, session),
        (SET_COOKIE, browser_cookie(CSRF, &secret::random())),
    ]);
    let next = fields.value("next").filter(|next| is_local(next));
    let mut response = (cookies, see_other(next.unwrap_or(INSIDE))).into_response();
    response.extensions_mut().insert(Entered(user.to_owned()));
    response
}

/// Sends the browser on by a GET.
pub(super) fn see_other(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, path)]).into_response()
}

/// A page's `next` must not lead off the site: `//other.example/` and
/// `/\other.example/` would, and a line break would not even be a header.
pub(super) fn is_local(next: &str) -> bool {
    let mut letters = next.bytes();
    let starts_here = letters.next() == Some(b'/') && !matches!(letters.next(), Some(b'/' | b'\\'));
    starts_here && next.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Denial {
    /// The page that shows this denial, with the status and headers it has.
    pub(super) fn onto(&self, page: impl IntoResponse) -> Response {
        let wait = match self {
            Self::Refused(Refusal::TooMany(wait)) => Some(wait.as_secs().max(1).to_string()),
            Self::Forged(_) | Self::Incomplete(_) | Self::Refused(_) => None,
        };
        let wait = AppendHeaders(wait.map(|seconds| (RETRY_AFTER, seconds)));
        (self.status(), wait, page).into_response()
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Forged(_) | Self::Refused(Refusal::Locked) => StatusCode::FORBIDDEN,
            Self::Incomplete(_) => StatusCode::BAD_REQUEST,
            Self::Refused(Refusal::TooMany(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::Refused(Refusal::UsedCode | Refusal::Wrong | Refusal::WrongCode) => {
                StatusCode::OK
            }
        }
    }
}

/// The page, as the denial has it if there is one.
pub(super) fn shown(denial: Option<&Denial>, page: impl IntoResponse) -> Response {
    match denial {
        None => page.into_response(),
        Some(denial) => denial.onto(page),
    }
}

/// The denial's message, where there is one.
pub(super) fn alert(denial: Option<&Denial>) -> Markup {
    html! { @if let Some(denial) = denial { p role="alert" { (denial.to_string()) } } }
}

/// The input for a user's name.
pub(super) fn name_input() -> Markup {
    html! { label { "User name" input type="text" name="user" autocomplete="username" required; } }
}

/// The input for a password.
pub(super) fn password_input() -> Markup {
    html! { label { "Password" input type="password" name="password" autocomplete="current-password" required; } }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forged(forgery) => forgery.fmt(f),
            Self::Incomplete(field) => write!(
                f,
                "The field “{field}” is missing or has a value this form does not offer."
            ),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_stays_on_the_site() {
        check("/members?page=2", true);
        check("/", true);
        check("//other.example/", false);
        check("/\\other.example/", false);
        check("http://other.example/", false);
        check("members", false);
        check("", false);
        check("/a\r\nSet-Cookie: a=b", false);
    }

    #[track_caller]
    fn check(next: &str, expected: bool) {
        assert_eq!(is_local(next), expected, "{next:?}");
    }
}
