//! Cookies of all kinds, and what came back of them.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use maud::html;
use serde_json::json;

use super::layout::Page;
use crate::visit::{Visit, cookies};
use crate::world::World;

const FIVE: [&str; 5] = [
    "five-session=1; Path=/",
    "five-lasting=2; Path=/; Max-Age=3600",
    "five-path=3; Path=/cookies",
    "five-hidden=4; Path=/; HttpOnly",
    "five-strict=5; Path=/; SameSite=Strict",
];

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/cookies/five", get(five))
        .route("/cookies/show", get(show))
}

async fn five(visit: Visit, headers: HeaderMap) -> Response {
    let received = cookies(&headers).into_iter();
    let received: Vec<_> = received
        .filter(|(name, _)| name.starts_with("five-"))
        .collect();
    let body = html! {
        p { "Five cookies are set by this page. Received were " (received.len()) ":" }
        ul { @for (name, value) in &received { li { code { (name) "=" (value) } } } }
    };
    let page = Page::new("Five cookies", visit.user.as_deref(), body);
    let five = AppendHeaders(FIVE.map(|cookie| (SET_COOKIE, cookie)));
    (five, page).into_response()
}

async fn show(headers: HeaderMap) -> Response {
    let lines = headers.get_all(COOKIE).into_iter();
    let lines: Vec<_> = lines
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    Json(json!({ "headers": lines, "cookies": cookies(&headers) })).into_response()
}
