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

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, header};
use tower::Service as _;
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

/// Every path, as it is served.
pub(crate) struct Api {
    shared: Daemon,
    router: Router,
    /// Where a browser's pages could ask too, only those that know it by its own name are served.
    checks_host: bool,
}

impl Api {
    pub(crate) fn new(shared: &Daemon, checks_host: bool) -> Self {
        let (router, _document) = routes().split_for_parts();
        let router = router
            .fallback(nowhere)
            .method_not_allowed_fallback(other_method)
            .layer(DefaultBodyLimit::max(LARGEST_DOCUMENT))
            .layer(middleware::from_fn(note_route))
            .with_state(Arc::clone(shared));
        Self {
            shared: Arc::clone(shared),
            router,
            checks_host,
        }
    }

    /// What is done for every request: whom it is addressed to, what its answer says of itself,
    /// what is counted and logged. The URL isn't logged: it may hold anything.
    pub(crate) async fn answer(&self, request: Request) -> Response {
        let method = request.method().clone();
        let span = traced::request(&self.shared, &request);
        let mut response = match self.refusal(&request) {
            Some(problem) => problem.into_response(),
            None => {
                // Not named before it is awaited: it would be kept twice.
                let answer = AssertUnwindSafe(traced::within(&span, self.pass_on(request)))
                    .catch_unwind()
                    .await;
                answer.unwrap_or_else(|_what| panicked())
            }
        };
        let headers = response.headers_mut();
        if !headers.contains_key(FROM) {
            headers.insert(FROM, HeaderValue::from_static("daemon"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            );
        }
        let status = response.status().as_u16();
        let extensions = response.extensions();
        let route = extensions.get::<Route>().map(Route::path);
        traced::answered(&span, &response);
        let route = route.unwrap_or("none");
        self.shared.metrics.answered(route, status);
        let problem = response.extensions().get::<Kind>().map(|kind| kind.name());
        tracing::debug!(%method, route, status, problem, "answered");
        response
    }

    /// Why a request isn't looked at, where it isn't.
    fn refusal(&self, request: &Request) -> Option<Problem> {
        if self.checks_host && !extract::is_for_loopback(request.headers()) {
            let detail = "over plain loopback only the names `localhost` and 127.0.0.1 are served";
            return Some(Problem::new(Kind::Misdirected, detail));
        }
        let is_late = self.shared.closing.is_cancelled();
        (is_late && !is_served_to_the_end(request.uri().path()))
            .then(|| Problem::new(Kind::Closing, "the daemon is stopping"))
    }

    /// Requests through sessions are most of all, and go past the router, which costs as much as
    /// all that is done for them here.
    async fn pass_on(&self, request: Request) -> Response {
        if let Some(name) = fetch::session_in(request.uri().path()) {
            let name = name.to_owned();
            traced::led(request.method(), fetch::PATH);
            let answer = fetch::through(&self.shared, &name, request).await;
            let mut response = answer.into_response();
            response.extensions_mut().insert(Route::Fetch);
            return response;
        }
        let answer = self.router.clone().call(request).await;
        answer.unwrap_or_else(|never| match never {})
    }
}

/// Where a request was led, as its answer carries it along.
#[derive(Clone)]
enum Route {
    Fetch,
    Other(MatchedPath),
}

impl Route {
    fn path(&self) -> &str {
        match self {
            Self::Fetch => fetch::PATH,
            Self::Other(path) => path.as_str(),
        }
    }
}

async fn note_route(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    if let Some(path) = &path {
        traced::led(request.method(), path.as_str());
    }
    let mut response = next.run(request).await;
    if let Some(path) = path {
        response.extensions_mut().insert(Route::Other(path));
    }
    response
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
fn panicked() -> Response {
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

/// Tells the daemon's own answers from a site's.
pub(crate) const FROM: HeaderName = HeaderName::from_static("sessile-from");

#[cfg(test)]
mod tests {
    use sessile::store::{StoreOptions, Vault};

    use super::*;
    use crate::daemon::DaemonOptions;

    /// It is copied to its place for each request, and stays there while the site is waited for.
    #[tokio::test]
    async fn a_request_takes_little_room() {
        let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
        let daemon = crate::Daemon::new(vault, DaemonOptions::default());
        let api = Api::new(&daemon.0, false);
        let room = size_of_val(&api.answer(Request::default()));
        assert!(room <= 12 * 1024, "{room} bytes");
    }
}
