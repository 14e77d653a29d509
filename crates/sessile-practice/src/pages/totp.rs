//! A login with a second factor: name and password, then a code, in one field or in six boxes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use super::door::{self, Denial, Fields};
use super::layout::Page;
use super::members;
use crate::totp::TOTP_SECRET;
use crate::visit::{Visit, cookie};
use crate::world::World;

/// Who has given the password and not yet the code.
const HALFWAY: &str = "halfway";
/// A device that was to be remembered.
const DEVICE: &str = "device";
const SCOPE: &str = "Path=/totp; HttpOnly; SameSite=Lax";

/// How the code is asked for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Shape {
    Boxes,
    Field,
}

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/totp", get(show_secret))
        .route("/totp/{shape}/login", get(show_login).post(submit_login))
        .route("/totp/{shape}/code", get(show_code).post(submit_code))
        .route("/totp/{shape}/members", get(show_members))
}

async fn show_secret(State(world): State<Arc<World>>, visit: Visit) -> Response {
    let period = world.totp_period().as_secs();
    let secret = TOTP_SECRET.trim_end_matches('=');
    let body = html! {
        p { "Every user’s second factor has the secret " code { (secret) } "." }
        p { code { "otpauth://totp/Practice?secret=" (secret) "&period=" (period) } }
    };
    Page::new("The second factor", visit.user.as_deref(), body).into_response()
}

async fn show_login(
    State(world): State<Arc<World>>,
    Path(shape): Path<Shape>,
    visit: Visit,
) -> Response {
    login_page(&world, shape, &visit, None)
}

async fn submit_login(
    State(world): State<Arc<World>>,
    Path(shape): Path<Shape>,
    visit: Visit,
    headers: HeaderMap,
    fields: Fields,
) -> Response {
    let user = match check_password(&world, &visit, &fields) {
        Ok(user) => user,
        Err(denial) => return login_page(&world, shape, &visit, Some(&denial)),
    };
    let device = cookie(&headers, DEVICE);
    if device.is_some_and(|device| world.knows_device(&device, &user)) {
        world.state().logins += 1;
        return enter(&world, shape, &visit, &user);
    }
    let id = world.open_halfway(&user);
    let halfway = AppendHeaders([(SET_COOKIE, format!("{HALFWAY}={id}; {SCOPE}"))]);
    (halfway, door::see_other(&shape.path("code"))).into_response()
}

fn check_password(world: &World, visit: &Visit, fields: &Fields) -> Result<String, Denial> {
    let checked = visit.check(world, fields.value("csrf"));
    checked.map_err(Denial::Forged)?;
    let (name, password) = (fields.need("user")?, fields.need("password")?);
    let user = world.check_password(name, password);
    user.map_err(Denial::Refused)
}

async fn show_code(
    State(world): State<Arc<World>>,
    Path(shape): Path<Shape>,
    visit: Visit,
    headers: HeaderMap,
) -> Response {
    let id = cookie(&headers, HALFWAY);
    match id.and_then(|id| world.halfway(&id)) {
        Some(_user) => code_page(&world, shape, &visit, None),
        None => door::see_other(&shape.path("login")),
    }
}

async fn submit_code(
    State(world): State<Arc<World>>,
    Path(shape): Path<Shape>,
    visit: Visit,
    headers: HeaderMap,
    fields: Fields,
) -> Response {
    let id = cookie(&headers, HALFWAY).unwrap_or_default();
    let Some(user) = world.halfway(&id) else {
        return door::see_other(&shape.path("login"));
    };
    if let Err(forgery) = visit.check(&world, fields.value("csrf")) {
        return code_page(&world, shape, &visit, Some(&Denial::Forged(forgery)));
    }
    if let Err(refusal) = world.try_code(&id, &user, &fields.joined("code")) {
        return code_page(&world, shape, &visit, Some(&Denial::Refused(refusal)));
    }
    let gone = format!("{HALFWAY}=; {SCOPE}; Max-Age=0");
    let device = fields
        .value("trust")
        .map(|_yes| world.remember_device(&user));
    let device = device.map(|device| format!("{DEVICE}={device}; {SCOPE}; Max-Age=2592000"));
    let cookies = [Some(gone), device].into_iter().flatten();
    let cookies: Vec<_> = cookies.map(|line| (SET_COOKIE, line)).collect();
    (AppendHeaders(cookies), enter(&world, shape, &visit, &user)).into_response()
}

async fn show_members(
    State(world): State<Arc<World>>,
    Path(shape): Path<Shape>,
    visit: Visit,
) -> Response {
    match &visit.user {
        Some(user) => members::area(&world, &visit, user),
        None => door::see_other(&shape.path("login")),
    }
}

fn enter(world: &World, shape: Shape, visit: &Visit, user: &str) -> Response {
    let next = Fields::of(&[("next", &shape.path("members"))]);
    door::enter(world, visit, user, &next)
}

fn login_page(world: &World, shape: Shape, visit: &Visit, denial: Option<&Denial>) -> Response {
    let body = html! {
        (door::alert(denial))
        form id="login" action=(shape.path("login")) method="post" {
            input type="hidden" name="csrf" value=(visit.token(world));
            (door::name_input())
            (door::password_input())
            button type="submit" { "Log in" }
        }
    };
    let page = Page::new("Log in", visit.user.as_deref(), body);
    door::shown(denial, (visit.seed_cookie(), page))
}

fn code_page(world: &World, shape: Shape, visit: &Visit, denial: Option<&Denial>) -> Response {
    let body = html! {
        (door::alert(denial))
        p { "Enter the 6-digit code of your authenticator app." }
        form id="second" action=(shape.path("code")) method="post" {
            input type="hidden" name="csrf" value=(visit.token(world));
            (code_inputs(shape))
            label class="inline" { input type="checkbox" name="trust" value="yes"; "Remember this device for 30 days" }
            button type="submit" { "Verify" }
        }
    };
    let page = Page::new("Two-factor authentication", visit.user.as_deref(), body);
    door::shown(denial, (visit.seed_cookie(), page))
}

fn code_inputs(shape: Shape) -> Markup {
    match shape {
        Shape::Boxes => html! {
            @for at in 1..=6 {
                input type="text" name=(format!("code{at}")) maxlength="1" inputmode="numeric"
                    aria-label=(format!("Digit {at}"));
            }
        },
        Shape::Field => html! {
            label {
                "Code"
                input type="text" name="code" maxlength="6" inputmode="numeric"
                    autocomplete="one-time-code" required;
            }
        },
    }
}

impl Shape {
    fn path(self, page: &str) -> String {
        match self {
            Self::Boxes => format!("/totp/boxes/{page}"),
            Self::Field => format!("/totp/field/{page}"),
        }
    }
}
