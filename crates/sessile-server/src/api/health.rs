//! How the daemon is, for those who run it.

use std::iter;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

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
    let pools = daemon.pools.all();
    let of_pools = pools
        .iter()
        .map(|pool| (pool.name().as_str(), SessionStats::of_pool(pool)));
    let counts: Vec<_> = iter::once(("", SessionStats::outside_pools(&daemon)))
        .chain(of_pools)
        .collect();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    let text = daemon.metrics.render() + &gauges(&counts);
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// How many sessions there are. Written here, and not kept anywhere, so that a pool that is gone is
/// told of no more.
fn gauges(counts: &[(&str, SessionStats)]) -> String {
    let mut text = String::new();
    for (name, what, count) in GAUGES {
        text.push_str(&format!("# HELP {name} {what}\n# TYPE {name} gauge\n"));
        for (pool, stats) in counts {
            let (pool, count) = (escaped(pool), count(stats));
            text.push_str(&format!("{name}{{pool=\"{pool}\"}} {count}\n"));
        }
        text.push('\n');
    }
    text
}

/// A gauge's name, what it says, and where it is counted.
type SessionGauge = (&'static str, &'static str, fn(&SessionStats) -> usize);

const GAUGES: [SessionGauge; 3] = [
    (
        "sessile_sessions",
        "Sessions that this daemon has open, by pool; those of no pool have an empty one.",
        SessionStats::total,
    ),
    (
        "sessile_sessions_active",
        "Sessions in use at this moment, by pool.",
        SessionStats::active,
    ),
    (
        "sessile_sessions_valid",
        "Sessions whose login holds as far as is known, by pool.",
        SessionStats::valid,
    ),
];

/// As the value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', r#"\""#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_as_prometheus_reads_them() {
        let counts = [
            ("", SessionStats::default()),
            (r#"a"b\c"#, SessionStats::default()),
        ];
        let text = gauges(&counts);
        let start = "# HELP sessile_sessions Sessions that this daemon has open, by pool; those of no \
                     pool have an empty one.\n# TYPE sessile_sessions gauge\n\
                     sessile_sessions{pool=\"\"} 0\nsessile_sessions{pool=\"a\\\"b\\\\c\"} 0\n\n# HELP";
        assert!(text.starts_with(start), "{text}");
        assert_eq!(text.lines().count(), 3 * 5);
    }
}
