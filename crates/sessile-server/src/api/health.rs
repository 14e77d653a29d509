//! How the daemon is, for those who run it.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use metrics::Label;

use super::Daemon;
use super::extract::MayRead;
use super::stats::SessionStats;
use crate::problem::{Kind, Problem};

/// Whether the daemon runs. Wants no token.
#[utoipa::path(get, path = "/healthz", tag = "daemon",
    responses((status = 200, body = String, content_type = "text/plain", description = "It does")))]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the daemon can serve: its store answers, and it isn't stopping. Wants no token.
#[utoipa::path(get, path = "/readyz", tag = "daemon",
    responses((status = 200, body = String, content_type = "text/plain", description = "It can")))]
pub(super) async fn ready(State(daemon): State<Daemon>) -> Result<&'static str, Problem> {
    if daemon.closing.is_cancelled() {
        return Err(Problem::new(Kind::Closing, "the daemon is stopping"));
    }
    match daemon.does_store_answer().await {
        true => Ok("ok\n"),
        false => Err(Problem::new(
            Kind::Store,
            "the store can't be used now; the daemon's log says why",
        )),
    }
}

/// What is counted, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "daemon",
    security(("token" = ["read"])),
    responses((status = 200, body = String, content_type = "text/plain", description = "Every metric")))]
pub(super) async fn metrics(_may: MayRead, State(daemon): State<Daemon>) -> Response {
    let counts = SessionStats::outside_pools(&daemon);
    tell(&daemon, "", &counts);
    for pool in daemon.pools.all() {
        tell(&daemon, pool.name().as_str(), &SessionStats::of_pool(&pool));
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], daemon.metrics.render()).into_response()
}

fn tell(daemon: &Daemon, pool: &str, stats: &SessionStats) {
    let all = [
        ("sessile_sessions", stats.total()),
        ("sessile_sessions_active", stats.active()),
        ("sessile_sessions_valid", stats.valid()),
    ];
    for (name, count) in all {
        let labels = vec![Label::new("pool", pool.to_owned())];
        let count = u32::try_from(count).map_or(f64::MAX, f64::from);
        daemon.metrics.set(name, labels, count);
    }
}
