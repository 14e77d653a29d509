//! The spans of requests to the daemon, for whoever traces (see `sessile::spans`).
//!
//! Their attributes are those of OpenTelemetry's HTTP conventions, but for the path: it has names of
//! leases, and who knows one can use it. The route says where it went.

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, Method};
use sessile::pool::Lease;
use sessile::spans::TARGET;
use sessile::store::Name;
use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument as _, Level, Span, info_span, span_enabled};

use crate::daemon::Shared;
use crate::problem::{Kind, Problem};

/// Joins a request's span to the trace that its headers tell of.
pub type JoinTrace = fn(&Span, &HeaderMap);

/// A request to the daemon.
pub(crate) fn request(shared: &Shared, request: &Request) -> Span {
    let method = request.method().as_str();
    let span = info_span!(
        target: TARGET,
        "api",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = Empty,
        http.response.status_code = Empty,
        sessile.session = Empty,
        error.type = Empty,
    );
    if let Some(join) = shared.options.join_trace.filter(|_| !span.is_disabled()) {
        join(&span, request.headers());
    }
    span
}

/// Does the work of a request inside its span.
pub(crate) fn within<F: Future>(span: &Span, work: F) -> Instrumented<F> {
    work.instrument(span.clone())
}

/// Notes which session a request is for.
pub(crate) fn note_session(name: &Name) {
    if span_enabled!(target: TARGET, Level::INFO) {
        Span::current().record("sessile.session", name.as_str());
    }
}

/// Notes where a request is led, before anything is done for it: a span is named as it begins.
pub(crate) fn led(method: &Method, route: &str) {
    if span_enabled!(target: TARGET, Level::INFO) {
        let span = Span::current();
        span.record("otel.name", format!("{method} {route}"));
        span.record("http.route", route);
    }
}

/// Notes what was answered.
pub(crate) fn answered(span: &Span, response: &Response) {
    if span.is_disabled() {
        return;
    }
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    // By the convention a server's own failures are errors; a caller's mistakes are the caller's.
    if status.is_server_error() {
        let kind = response.extensions().get::<Kind>().map(|kind| kind.name());
        failed(span, kind.unwrap_or(status.as_str()));
    }
}

/// Waiting for a lease.
pub(crate) fn lease(pool: &Name) -> Span {
    info_span!(
        target: TARGET,
        "lease",
        otel.status_code = Empty,
        sessile.pool = pool.as_str(),
        sessile.session = Empty,
        error.type = Empty,
    )
}

/// Notes what became of waiting for a lease.
pub(crate) fn leased(span: &Span, granted: &Result<Lease, Problem>) {
    if span.is_disabled() {
        return;
    }
    match granted {
        Ok(lease) => _ = span.record("sessile.session", lease.name().as_str()),
        Err(problem) => failed(span, problem.kind().name()),
    }
}

fn failed(span: &Span, kind: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", kind);
}
