//! The members' area, in four manners of turning strangers away.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use maud::{Markup, html};

use super::layout::Page;
use super::{door, login};
use crate::secret;
use crate::visit::{SESSION, Visit, cookie};
use crate::world::World;

const ADVERTISEMENTS: [&str; 4] = [
    "Fresh bread, every morning",
    "Learn the hurdy-gurdy in a week",
    "Umbrellas, hardly used",
    "Your lighthouse, repainted",
];

/// How many notes are kept.
const MAX_NOTES: usize = 10_000;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/members", get(redirecting))
        .route("/members/held", get(held))
        .route("/members/notes", get(notes).post(add_note))
        .route("/members/plain", get(plain))
        .route("/members/soft", get(soft))
        .route("/members/subtle", get(subtle))
}

async fn redirecting(State(world): State<Arc<World>>, visit: Visit) -> Response {
    let Some(user) = &visit.user else {
        return door::see_other("/login?next=/members");
    };
    area(&world, &visit, user)
}

/// As `/members` for programs, but waits until the site lets its visitors go, and only then looks
/// who they are.
async fn held(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    world.wait_to_go().await;
    let session = cookie(&headers, SESSION);
    match session.and_then(|id| world.use_session(&id)) {
        Some(user) => Json(serde_json::json!({ "user": user })).into_response(),
        None => door::see_other("/login?next=/members/held"),
    }
}

/// The notes that members have left, for programs.
async fn notes(State(world): State<Arc<World>>, visit: Visit) -> Response {
    if visit.user.is_none() {
        return door::see_other("/login?next=/members/notes");
    }
    Json(world.state().notes.clone()).into_response()
}

/// Takes a note. JSON alone: no form of another site can send that, so it needs no token.
async fn add_note(
    State(world): State<Arc<World>>,
    visit: Visit,
    note: Result<Json<serde_json::Value>, JsonRejection>,
) -> Response {
    if visit.user.is_none() {
        return door::see_other("/login?next=/members/notes");
    }
    let Json(note) = match note {
        Ok(note) => note,
        Err(rejection) => return rejection.into_response(),
    };
    let mut state = world.state();
    if state.notes.len() >= MAX_NOTES {
        return StatusCode::INSUFFICIENT_STORAGE.into_response();
    }
    state.notes.push(note);
    (StatusCode::CREATED, Json(state.notes.len())).into_response()
}

async fn plain(State(world): State<Arc<World>>, visit: Visit) -> Response {
    let Some(user) = &visit.user else {
        let body = html! { p { "Please log in to see this page." } };
        return Page::new("Members", None, body).into_response();
    };
    area(&world, &visit, user)
}

async fn soft(State(world): State<Arc<World>>, visit: Visit) -> Response {
    let Some(user) = &visit.user else {
        let body = login::form(&visit.token(&world), "/members/soft", None);
        return (visit.seed_cookie(), Page::new("Members", None, body)).into_response();
    };
    area(&world, &visit, user)
}

async fn subtle(visit: Visit) -> Response {
    let body = html! { p { "The same for everybody, but for the name in the corner." } };
    Page::new("News", visit.user.as_deref(), body).into_response()
}

/// What members see; no two loads of it are the same.
pub(super) fn area(world: &World, visit: &Visit, user: &str) -> Response {
    let body = html! {
        p { "Hello, " strong class="member" { (user) } "!" }
        (changing(world))
        (login::logout_form(&visit.token(world)))
    };
    let page = Page::new("Members", Some(user), body);
    (visit.seed_cookie(), page).into_response()
}

fn changing(world: &World) -> Markup {
    let views = {
        let mut state = world.state();
        state.views += 1;
        state.views
    };
    let now = world.now();
    let advertisement = ADVERTISEMENTS.get(secret::random_below(ADVERTISEMENTS.len()));
    html! {
        p { "This area was seen " span class="views" { (views) } " times. It is "
            time { (httpdate::fmt_http_date(now)) } " (" (milliseconds(now)) ")." }
        aside class="advertisement" {
            (advertisement.copied().unwrap_or_default()) " – offer " (secret::random_below(1_000_000))
        }
    }
}

fn milliseconds(now: SystemTime) -> u128 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_millis()
}
