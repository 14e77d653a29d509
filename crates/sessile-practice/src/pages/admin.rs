//! What another process may do to the site, and what it may know.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::visit::bearer;
use crate::world::World;

#[derive(Deserialize)]
struct Victim {
    user: Option<String>,
}

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/_practice/kill", post(kill))
        .route("/_practice/stats", get(stats))
}

/// Forgets all sessions and bearer tokens, or those of `?user=`.
async fn kill(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Query(victim): Query<Victim>,
) -> Response {
    if !bearer(&headers).is_some_and(|token| world.is_admin(token)) {
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    let is_doomed = |name: &str| victim.user.as_deref().is_none_or(|user| user == name);
    let mut state = world.state();
    let sessions = state
        .sessions
        .revoke_all(|session| is_doomed(&session.user));
    let tokens = state.tokens.revoke_all(|user| is_doomed(user));
    Json(json!({ "sessions": sessions, "tokens": tokens })).into_response()
}

async fn stats(State(world): State<Arc<World>>) -> Response {
    let now = world.now();
    let state = world.state();
    Json(json!({
        "attempts": state.attempts,
        "items": state.items.len(),
        "logins": state.logins,
        "requests": state.journal.counts(),
        "sessions": state.sessions.alive(now),
        "tokens": state.tokens.alive(now),
    }))
    .into_response()
}
