//! Carries requests to the pages: one task that owns all its connections.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{DATE, RANGE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::journal::LogLine;
use crate::pages;
use crate::visit::{SESSION, bearer, cookie};
use crate::wire::{Tap, Tapped};
use crate::world::World;

/// How long requests under way may take once the site stops.
const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// Until the next try after a connection could not be taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Set on an answer that logged somebody in.
#[derive(Clone)]
pub(crate) struct Entered(pub(crate) String);

#[derive(Clone)]
struct Connection {
    port: u16,
    tap: Tap,
}

/// Serves until `stop` changes or its sender is gone, then ends the
/// connections gracefully. Dropped, it cuts them.
pub(crate) async fn run(listener: TcpListener, world: Arc<World>, mut stop: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    let journal = middleware::from_fn_with_state(Arc::clone(&world), write_down);
    let router = pages::router()
        .with_state(Arc::clone(&world))
        .layer(journal);
    loop {
        world.count_connections(connections.len());
        tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => {
                let Ok((stream, peer)) = accepted else {
                    // Most likely no descriptors are left, and asking again
                    // at once would only ask the same.
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                let tap = Tap::default();
                let connection = Connection { port: peer.port(), tap: tap.clone() };
                let router = router.clone().layer(Extension(connection));
                connections.spawn(carry(Tapped::new(stream, tap), router, stop.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let all_done = async { while connections.join_next().await.is_some() {} };
    // Whoever takes longer is cut when `connections` is dropped.
    let _ = tokio::time::timeout(GRACE_PERIOD, all_done).await;
}

async fn carry(stream: Tapped, router: Router, mut stop: watch::Receiver<()>) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // A connection's error is the client's news, or one of ours made on purpose.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn write_down(
    State(world): State<Arc<World>>,
    Extension(connection): Extension<Connection>,
    mut request: Request,
    next: Next,
) -> Response {
    let user = user_of(&world, request.headers());
    let (method, path) = (
        request.method().to_string(),
        request.uri().path().to_owned(),
    );
    let range = request.headers().get(RANGE);
    let range = range.map(|range| String::from_utf8_lossy(range.as_bytes()).into_owned());
    world.state().journal.count(&path);
    if let Some(headers) = connection.tap.take_headers(&request) {
        request.extensions_mut().insert(headers);
    }
    let mut response = next.run(request).await;
    // The site has one clock, which tests move.
    if let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(world.now())) {
        response.headers_mut().insert(DATE, date);
    }
    let entered = response.extensions().get::<Entered>();
    let line = LogLine {
        method,
        path,
        status: response.status().as_u16(),
        user: entered.map(|Entered(name)| name.clone()).or(user),
        port: connection.port,
        range,
    };
    world.state().journal.write(line);
    response
}

fn user_of(world: &World, headers: &HeaderMap) -> Option<String> {
    let now = world.now();
    let state = world.state();
    let session = cookie(headers, SESSION);
    let session = session.and_then(|id| state.sessions.value(&id, now));
    let by_token = || state.tokens.value(bearer(headers)?, now).cloned();
    session
        .map(|session| session.user.clone())
        .or_else(by_token)
}
