//! A login in parts that only a script puts together: a ticket in a header, a token in a script,
//! and an address in JSON.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use maud::{PreEscaped, html};
use serde::Deserialize;
use serde_json::json;

use super::door::{self, Denial, Fields};
use super::layout::Page;
use crate::visit::Visit;
use crate::world::World;

/// The header with the ticket of a login under way.
const TICKET: &str = "x-login-ticket";
const TOKEN: &str = "x-csrf-token";

#[derive(Deserialize)]
struct Who {
    user: String,
}

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/parts/login", get(show))
        .route("/parts/who", post(who))
        .route("/parts/enter/{flow}", post(enter))
}

async fn show(State(world): State<Arc<World>>, visit: Visit) -> Response {
    // The token is hexadecimal and a dot, so it can't end the string or the script.
    let token = format!("window.__APP__ = {{ csrf: \"{}\" }};", visit.token(&world));
    let body = html! {
        div id="app" {}
        noscript { "You need to enable JavaScript to use this page." }
        script { (PreEscaped(token)) }
    };
    let page = Page::new("Log in", visit.user.as_deref(), body);
    let ticket = [(TICKET, world.open_flow(""))];
    (visit.seed_cookie(), ticket, page).into_response()
}

/// Takes the name, and answers where the password goes.
async fn who(
    State(world): State<Arc<World>>,
    visit: Visit,
    headers: HeaderMap,
    who: Result<Json<Who>, JsonRejection>,
) -> Response {
    let Ok(Json(who)) = who else {
        return error(StatusCode::BAD_REQUEST, "This is not the expected JSON.");
    };
    if let Err(forgery) = visit.check(&world, text(&headers, TOKEN)) {
        return error(StatusCode::FORBIDDEN, &forgery.to_string());
    }
    let Some(ticket) = text(&headers, TICKET).filter(|ticket| world.flow(ticket).is_some()) else {
        return error(StatusCode::FORBIDDEN, "This login has taken too long.");
    };
    world.state().flows.revoke(ticket);
    let next = format!("/parts/enter/{}", world.open_flow(&who.user));
    Json(json!({ "login": { "next": next } })).into_response()
}

async fn enter(
    State(world): State<Arc<World>>,
    visit: Visit,
    Path(flow): Path<String>,
    headers: HeaderMap,
    fields: Fields,
) -> Response {
    let admitted = admit(&world, &visit, &flow, text(&headers, TOKEN), &fields);
    match admitted {
        Ok(user) => {
            world.state().flows.revoke(&flow);
            door::enter(&world, &visit, &user, &fields)
        }
        Err(denial) => denial.onto(Json(json!({ "error": denial.to_string() }))),
    }
}

fn admit(
    world: &World,
    visit: &Visit,
    flow: &str,
    token: Option<&str>,
    fields: &Fields,
) -> Result<String, Denial> {
    visit.check(world, token).map_err(Denial::Forged)?;
    let name = world.flow(flow).filter(|name| !name.is_empty());
    let name = name.ok_or(Denial::Incomplete("user"))?;
    let user = world.try_password(&name, fields.need("password")?);
    user.map_err(Denial::Refused)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
