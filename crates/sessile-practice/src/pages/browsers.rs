//! Pages for browsers: a check that only a script passes, logins by a link, and a login that a
//! script keeps in the browser's storage.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use maud::{PreEscaped, html};
use serde_json::json;

use super::door::{self, Fields};
use super::layout::Page;
use crate::visit::{Visit, cookie};
use crate::world::World;

/// The cookie that says that a script has run.
const CHECKED: &str = "checked";

const FOLLOW_LINK: &str = "
addEventListener('load', () => setTimeout(() => document.getElementById('magic').submit(), 200));
";

const KEEP_TOKEN: &str = "
const ticket = location.pathname.split('/').pop();
fetch('/app/token/' + ticket, { method: 'POST' }).then((reply) => reply.json()).then(({ token }) => {
  localStorage.setItem('token', token);
  location.replace('/app');
});
";

const SHOW_MEMBER: &str = "
const say = (text) => { document.getElementById('app').textContent = text; };
const token = localStorage.getItem('token');
if (token) {
  const headers = { Authorization: 'Bearer ' + token };
  fetch('/api/me', { headers })
    .then((reply) => reply.ok ? reply.json() : Promise.reject())
    .then(({ user }) => say('Hello, ' + user + '!'), () => say('Please log in.'));
} else {
  say('Please log in.');
}
";

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/app", get(app))
        .route("/app/magic/{ticket}", get(app_link))
        .route("/app/token/{ticket}", post(app_token))
        .route("/checked", get(checked))
        .route("/magic/{ticket}", get(link))
        .route("/magic", post(follow))
}

/// For whoever has run the script of the page that everybody else gets.
async fn checked(State(world): State<Arc<World>>, visit: Visit, headers: HeaderMap) -> Response {
    let token = cookie(&headers, CHECKED);
    if visit.check(&world, token.as_deref()).is_ok() {
        let body = html! { p { "Your browser runs scripts: this is the page behind the check." } };
        return Page::new("Checked", visit.user.as_deref(), body).into_response();
    }
    let token = visit.token(&world);
    // It is hexadecimal and a dot, so it can't end the string or the script.
    let script = format!(
        "setTimeout(() => {{
  document.cookie = '{CHECKED}={token}; path=/; max-age=3600; samesite=lax';
  location.reload();
}}, 100);"
    );
    let body = html! {
        p { "One moment: this site looks whether your browser runs scripts." }
        script { (PreEscaped(script)) }
    };
    let page = Page::new("Checking", visit.user.as_deref(), body);
    (StatusCode::FORBIDDEN, visit.seed_cookie(), page).into_response()
}

/// The page behind a link that logs in, as in a mail; its script does what a person would do.
async fn link(
    State(world): State<Arc<World>>,
    visit: Visit,
    Path(ticket): Path<String>,
) -> Response {
    let body = html! {
        form id="magic" action="/magic" method="post" {
            input type="hidden" name="csrf" value=(visit.token(&world));
            input type="hidden" name="ticket" value=(ticket);
            button type="submit" { "Log in" }
        }
        script { (PreEscaped(FOLLOW_LINK)) }
    };
    let page = Page::new("Log in by a link", visit.user.as_deref(), body);
    (visit.seed_cookie(), page).into_response()
}

async fn follow(State(world): State<Arc<World>>, visit: Visit, fields: Fields) -> Response {
    let is_ours = visit.check(&world, fields.value("csrf")).is_ok();
    let user = fields
        .value("ticket")
        .filter(|_| is_ours)
        .and_then(|ticket| world.use_link(ticket));
    match user {
        Some(user) => door::enter(&world, &visit, &user, &fields),
        None => used(&visit),
    }
}

fn used(visit: &Visit) -> Response {
    let body = html! { p role="alert" { "This link was used already." } };
    let page = Page::new("Log in by a link", visit.user.as_deref(), body);
    (StatusCode::FORBIDDEN, page).into_response()
}

/// The same for a program in the page: its login is a token in the browser's storage.
async fn app_link(visit: Visit) -> Response {
    let body = html! {
        p { "One moment." }
        script { (PreEscaped(KEEP_TOKEN)) }
    };
    Page::new("App", visit.user.as_deref(), body).into_response()
}

async fn app_token(State(world): State<Arc<World>>, Path(ticket): Path<String>) -> Response {
    let Some(user) = world.use_link(&ticket) else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let (token, _) = world.open_token(&user);
    (
        [(CACHE_CONTROL, "no-store")],
        Json(json!({ "token": token })),
    )
        .into_response()
}

async fn app(visit: Visit) -> Response {
    let body = html! {
        p id="app" { "Loading …" }
        noscript { "You need to enable JavaScript to use this page." }
        script { (PreEscaped(SHOW_MEMBER)) }
    };
    Page::new("App", visit.user.as_deref(), body).into_response()
}
