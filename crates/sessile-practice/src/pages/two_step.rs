//! A login in two steps: the name on one page, the password on the next.
//!
//! The first page answers alike whether the name is known or not.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use maud::html;

use super::door::{self, Denial, Fields};
use super::layout::Page;
use crate::visit::{Visit, cookie};
use crate::world::World;

const FLOW: &str = "flow";
const SCOPE: &str = "Path=/two-step; HttpOnly; SameSite=Lax";
const START: &str = "/two-step/login";

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route(START, get(show_name).post(submit_name))
        .route(
            "/two-step/password",
            get(show_password).post(submit_password),
        )
}

async fn show_name(State(world): State<Arc<World>>, visit: Visit) -> Response {
    name_page(&world, &visit, None)
}

async fn submit_name(State(world): State<Arc<World>>, visit: Visit, fields: Fields) -> Response {
    let checked = visit
        .check(&world, fields.value("csrf"))
        .map_err(Denial::Forged);
    match checked.and_then(|()| fields.need("user")) {
        Ok(name) => {
            let flow = world.open_flow(name);
            let flow = AppendHeaders([(SET_COOKIE, format!("{FLOW}={flow}; {SCOPE}"))]);
            (flow, door::see_other("/two-step/password")).into_response()
        }
        Err(denial) => name_page(&world, &visit, Some(&denial)),
    }
}

async fn show_password(
    State(world): State<Arc<World>>,
    visit: Visit,
    headers: HeaderMap,
) -> Response {
    match flow(&world, &headers) {
        Some((_, name)) => password_page(&world, &visit, &name, None),
        None => door::see_other(START),
    }
}

async fn submit_password(
    State(world): State<Arc<World>>,
    visit: Visit,
    headers: HeaderMap,
    fields: Fields,
) -> Response {
    let Some((id, name)) = flow(&world, &headers) else {
        return door::see_other(START);
    };
    match check_password(&world, &visit, &name, &fields) {
        Ok(user) => {
            world.state().flows.revoke(&id);
            let gone = AppendHeaders([(SET_COOKIE, format!("{FLOW}=; {SCOPE}; Max-Age=0"))]);
            (gone, door::enter(&world, &visit, &user, &fields)).into_response()
        }
        Err(denial) => password_page(&world, &visit, &name, Some(&denial)),
    }
}

fn check_password(
    world: &World,
    visit: &Visit,
    name: &str,
    fields: &Fields,
) -> Result<String, Denial> {
    let checked = visit.check(world, fields.value("csrf"));
    checked.map_err(Denial::Forged)?;
    let user = world.try_password(name, fields.need("password")?);
    user.map_err(Denial::Refused)
}

/// The login under way: its id, and the name that was given.
fn flow(world: &World, headers: &HeaderMap) -> Option<(String, String)> {
    let id = cookie(headers, FLOW)?;
    let name = world.flow(&id)?;
    Some((id, name))
}

fn name_page(world: &World, visit: &Visit, denial: Option<&Denial>) -> Response {
    let body = html! {
        (door::alert(denial))
        form id="name" action=(START) method="post" {
            input type="hidden" name="csrf" value=(visit.token(world));
            (door::name_input())
            button type="submit" { "Next" }
        }
    };
    let page = Page::new("Who are you?", visit.user.as_deref(), body);
    door::shown(denial, (visit.seed_cookie(), page))
}

fn password_page(world: &World, visit: &Visit, name: &str, denial: Option<&Denial>) -> Response {
    let body = html! {
        (door::alert(denial))
        p { "Logging in as " strong { (name) } ". " a href=(START) { "Not you?" } }
        form id="password" action="/two-step/password" method="post" {
            input type="hidden" name="csrf" value=(visit.token(world));
            (door::password_input())
            button type="submit" { "Log in" }
        }
    };
    let page = Page::new("Your password", visit.user.as_deref(), body);
    door::shown(denial, (visit.seed_cookie(), page))
}
