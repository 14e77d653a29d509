//! Pages for what happens between a client and a server below any login.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::ExtensionRejection;
use axum::extract::{Path, Query};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::media::Broken;
use crate::wire::RawHeaders;
use crate::world::World;

const LONGEST_WAIT: u64 = 60_000;
const MOST_REDIRECTS: u32 = 1_000;

#[derive(Deserialize)]
struct Wait {
    ms: u64,
}

#[derive(Deserialize)]
struct Later {
    retry_after: Option<u32>,
}

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/cut", get(cut))
        .route("/echo", any(echo))
        .route("/redirect/{n}", get(redirect))
        .route("/redirect-loop", get(redirect_loop))
        .route("/slow", get(slow))
        .route("/status/{code}", any(status))
}

async fn echo(
    method: Method,
    uri: Uri,
    raw: Result<Extension<RawHeaders>, ExtensionRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let headers = raw.map_or_else(|_| parsed(&headers), |Extension(RawHeaders(raw))| raw);
    Json(json!({
        "method": method.as_str(),
        "path": uri.path(),
        "query": uri.query(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    }))
    .into_response()
}

/// The headers of a request whose bytes could not be had.
fn parsed(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = headers.iter();
    headers
        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
        .collect()
}

async fn slow(Query(wait): Query<Wait>) -> Response {
    let ms = wait.ms.min(LONGEST_WAIT);
    tokio::time::sleep(Duration::from_millis(ms)).await;
    format!("That took {ms} ms.\n").into_response()
}

/// Any final status, with a `Retry-After` if `?retry_after=` asks for one.
async fn status(Path(code): Path<u16>, Query(later): Query<Later>) -> Response {
    let status = StatusCode::from_u16(code);
    let status = status
        .ok()
        .filter(|status| !status.is_informational() && code < 600);
    let Some(status) = status else {
        return (
            StatusCode::BAD_REQUEST,
            "There is no such status to answer with.\n",
        )
            .into_response();
    };
    let retry = later
        .retry_after
        .map(|seconds| (RETRY_AFTER, seconds.to_string()));
    (status, AppendHeaders(retry), format!("status {code}\n")).into_response()
}

async fn redirect(Path(n): Path<u32>) -> Response {
    match n {
        0 => "The end of the redirects.\n".into_response(),
        1..=MOST_REDIRECTS => found(&format!("/redirect/{}", n - 1)),
        _ => (StatusCode::BAD_REQUEST, "That is too many redirects.\n").into_response(),
    }
}

async fn redirect_loop() -> Response {
    found("/redirect-loop")
}

fn found(path: &str) -> Response {
    (StatusCode::FOUND, [(LOCATION, path)]).into_response()
}

/// An answer that promises more than it brings.
async fn cut() -> Response {
    let headers = [(CONTENT_TYPE, "text/plain"), (CONTENT_LENGTH, "1000")];
    let piece = Bytes::from_static(b"This answer ends in the mid");
    (headers, Broken::cut(piece)).into_response()
}
