//! What is under way, as spans of `tracing`, for whoever traces: requests to sites, logins, renewals,
//! and what pools do.
//!
//! Names and attributes are those of OpenTelemetry's conventions. No span has a URL, a header, a
//! value or the words of a site: any of them can be a secret. Where nobody listens to [`TARGET`], a
//! span costs a glance at a flag.

use tracing::{Span, info_span};

use crate::error::Error;
use crate::renew::KeepError;
use crate::store::Name;
use crate::transport::{Incoming, Outgoing};

/// The target of all spans; the log's lines have others.
pub const TARGET: &str = "sessile::span";

/// A request to a site, sent for the first time or again.
pub(crate) fn request(outgoing: &Outgoing, again: u32) -> Span {
    let url = &outgoing.url;
    let span = info_span!(
        target: TARGET,
        "request",
        otel.name = outgoing.method.as_str(),
        otel.kind = "client",
        otel.status_code = tracing::field::Empty,
        http.request.method = outgoing.method.as_str(),
        http.request.resend_count = tracing::field::Empty,
        http.response.status_code = tracing::field::Empty,
        server.address = url.host_str(),
        server.port = url.port_or_known_default(),
        url.scheme = url.scheme(),
        error.type = tracing::field::Empty,
    );
    if again > 0 {
        span.record("http.request.resend_count", again);
    }
    span
}

/// Ends the span of a request with what came of it.
pub(crate) fn answered(span: &Span, result: &Result<Incoming, Error>) {
    if span.is_disabled() {
        return;
    }
    match result {
        Ok(incoming) => {
            let status = incoming.status;
            span.record("http.response.status_code", status.as_u16());
            if status.is_client_error() || status.is_server_error() {
                failed(span, status.as_str());
            }
        }
        Err(error) => failed(span, error.kind()),
    }
}

/// A login of a session that has gone out, or is made.
pub(crate) fn login(session: &Name) -> Span {
    info_span!(
        target: TARGET,
        "login",
        otel.status_code = tracing::field::Empty,
        sessile.session = session.as_str(),
        error.type = tracing::field::Empty,
    )
}

/// A login or its token that is renewed.
pub(crate) fn renewal(session: &Name) -> Span {
    info_span!(
        target: TARGET,
        "renewal",
        otel.status_code = tracing::field::Empty,
        sessile.session = session.as_str(),
        error.type = tracing::field::Empty,
    )
}

/// Something that a pool does with a seat, as `rotate` or `validate`.
pub(crate) fn of_pool(task: &'static str, pool: &Name, seat: Option<&Name>) -> Span {
    info_span!(
        target: TARGET,
        "pool",
        otel.name = task,
        otel.status_code = tracing::field::Empty,
        sessile.pool = pool.as_str(),
        sessile.seat = seat.map(Name::as_str),
        error.type = tracing::field::Empty,
    )
}

/// Notes what came of a login or a renewal.
pub(crate) fn ended<T>(span: &Span, result: &Result<T, KeepError>) {
    if let Err(error) = result {
        failed(span, kind(error));
    }
}

/// Notes that what a span is of has failed: in one of few words.
pub(crate) fn failed(span: &Span, kind: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", kind);
}

fn kind(error: &KeepError) -> &'static str {
    match error {
        KeepError::LoggedOut { .. } => "logged-out",
        KeepError::Login(_) => "login",
        KeepError::NobodyWaits { .. } => "nobody-waits",
        KeepError::NotReplayable { .. } => "not-replayable",
        KeepError::Request(error) => error.kind(),
        KeepError::Store(_) => "store",
        KeepError::Tokens(_) => "token-file",
        KeepError::Unknown { .. } => "unknown-session",
        KeepError::Unreadable { .. } => "unreadable",
    }
}
