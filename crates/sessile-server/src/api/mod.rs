//! The HTTP API: which path leads where, and what holds for all of them.
//!
//! Handlers translate; the document in `openapi` is made of them.

mod bundle;
mod document;
mod events;
mod extract;
mod fetch;
mod health;
mod leases;
mod pools;
mod sessions;
mod stats;
mod steps;
mod targets;
mod view;

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, header};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::daemon::Shared;
use crate::problem::{Kind, Problem};
use crate::traced;

/// The API's document, OpenAPI 3.1, as JSON.
pub fn openapi() -> String {
    let (_router, mut api) = routes().split_for_parts();
    document::complete(&mut api);
    let mut text = api
        .to_pretty_json()
        .expect("the document is text all through");
    text.push('\n');
    text
}

/// What state handlers get.
type Daemon = Arc<Shared>;

fn routes() -> OpenApiRouter<Daemon> {
    OpenApiRouter::with_openapi(document::Document::openapi())
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::show, sessions::delete))
        .routes(routes!(stats::sessions))
        .routes(routes!(stats::active))
        .routes(routes!(stats::cookies))
        .routes(routes!(stats::recent))
        .routes(routes!(steps::login))
        .routes(routes!(steps::check))
        .routes(routes!(steps::clean))
        .routes(routes!(steps::otp))
        .routes(routes!(bundle::headers))
        .routes(routes!(bundle::bundle))
        .routes(fetch::route())
        .routes(routes!(pools::rotate))
        .routes(routes!(pools::validate))
        .routes(routes!(pools::refresh))
        .routes(routes!(targets::show, targets::ensure))
        .routes(routes!(pools::list))
        .routes(routes!(pools::show))
        .routes(routes!(leases::create))
        .routes(leases::pool_fetch_route())
        .routes(routes!(leases::show, leases::change, leases::finish))
        .routes(routes!(leases::headers))
        .routes(routes!(leases::bundle))
        .routes(leases::fetch_route())
        .routes(routes!(events::events))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(document::openapi_json))
}

/// Every path. Where a browser's pages could ask too, only those that know it by its own name are
/// served.
pub(crate) fn router(shared: &Daemon, checks_host: bool) -> Router {
    let (router, _document) = routes().split_for_parts();
    let around = Around {
        shared: Arc::clone(shared),
        checks_host,
    };
    router
        .fallback(nowhere)
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(LARGEST_DOCUMENT))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(around, attend))
        .with_state(Arc::clone(shared))
}

/// How large a JSON document may be that is sent to the daemon itself.
const LARGEST_DOCUMENT: usize = 256 * 1024;

async fn nowhere() -> Problem {
    Problem::new(
        Kind::NotFound,
        "/api/openapi.json says which paths there are",
    )
}

async fn other_method() -> Problem {
    Problem::new(
        Kind::MethodNotAllowed,
        "the field `Allow` says which methods this path takes",
    )
}

/// Says nothing of what happened: it may hold anything.
fn panicked(_what: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request met a fault of the daemon");
    Problem::new(
        Kind::Internal,
        "this request met a fault of the daemon; others go on",
    )
    .into_response()
}

/// Whether a path is served while the daemon stops: leases are used up and given back.
fn is_served_to_the_end(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz") || path.starts_with("/api/leases/")
}

#[derive(Clone)]
struct Around {
    shared: Daemon,
    checks_host: bool,
}

/// Tells the daemon's own answers from a site's.
pub(crate) const FROM: HeaderName = HeaderName::from_static("sessile-from");

/// What is done for every request: whom it is addressed to, what its answer says of itself, what is
/// counted and logged. The URL isn't logged: it may hold anything.
async fn attend(State(around): State<Around>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let span = traced::request(&around.shared, &request, route.as_ref());
    let mut response = if around.checks_host && !extract::is_for_loopback(request.headers()) {
        let detail = "over plain loopback only the names `localhost` and 127.0.0.1 are served";
        Problem::new(Kind::Misdirected, detail).into_response()
    } else if around.shared.closing.is_cancelled() && !is_served_to_the_end(request.uri().path()) {
        Problem::new(Kind::Closing, "the daemon is stopping").into_response()
    } else {
        traced::within(&span, next.run(request)).await
    };
    traced::answered(&span, &response);
    let headers = response.headers_mut();
    if !headers.contains_key(FROM) {
        headers.insert(FROM, HeaderValue::from_static("daemon"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
    }
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status().as_u16();
    around.shared.metrics.answered(route, status);
    let problem = response.extensions().get::<Kind>().map(|kind| kind.name());
    tracing::debug!(%method, route, status, problem, "answered");
    response
}
