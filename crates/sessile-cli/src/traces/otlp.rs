//! Sends spans to a collector: OTLP over HTTP, as protobuf, in batches and from a thread of their own.
//!
//! How large batches and the queue are, which share of traces is kept, headers for the collector and
//! what is said of this process are OpenTelemetry's own variables, which its crates read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, Value};
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use sessile::blocking::Session;
use sessile::session::{Redirects, RetryPolicy};
use sessile::{Error, Profile, Request};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Span, dispatcher};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use url::Url;

use super::{Listener, Place};
use crate::exit::{Exit, Failure};
use crate::settings::Environment;

/// How long the collector may take for a batch, where its variable says nothing else.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the last batches may take when the daemon has stopped.
const LAST: Duration = Duration::from_secs(5);

/// The way of the daemon's traces to a collector.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    pub(super) fn start(place: &Place, environment: &Environment) -> Result<Option<Self>, Failure> {
        let collector = Collector::new(patience(environment)?).map_err(unusable)?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_protocol(Protocol::HttpBinary);
        if let Place::Collector(url) = place {
            exporter = exporter.with_endpoint(traces_of(url));
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter.build().map_err(unusable)?)
            .with_resource(resource())
            .build();
        Ok(Some(Self { provider }))
    }

    /// Hears of spans and of nothing else.
    pub(crate) fn listener(&self) -> Listener {
        let spans = Targets::new().with_target(sessile::spans::TARGET, LevelFilter::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("sessile"))
            .with_context_activation(false)
            .with_level(false)
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(spans)
            .boxed()
    }

    /// Sends what is left.
    pub(crate) fn end(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Joins a span to the trace that a caller's headers tell of (W3C Trace Context).
pub(crate) fn join(span: &Span, headers: &HeaderMap) {
    let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    // A span that nobody listens to has no parent.
    let _unheard = span.set_parent(parent);
}

/// Who asks for `http://collector:4318` means its path for traces, as with the variable.
fn traces_of(collector: &Url) -> String {
    format!("{}/v1/traces", collector.as_str().trim_end_matches('/'))
}

fn patience(environment: &Environment) -> Result<Duration, Failure> {
    for name in [
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
        "OTEL_EXPORTER_OTLP_TIMEOUT",
    ] {
        if let Some(text) = environment.text(name)? {
            let millis = text.parse().map_err(|_not_a_number| {
                Failure::usage(format!("{name} is a number of milliseconds"))
            })?;
            return Ok(Duration::from_millis(millis));
        }
    }
    Ok(PATIENCE)
}

/// What the variables say of this process; without a name it is called `sessile`.
fn resource() -> Resource {
    let said = Resource::builder().build();
    let is_named = said
        .get(&Key::from_static_str("service.name"))
        .is_some_and(|name| !is_unknown(&name));
    match is_named {
        true => said,
        false => Resource::builder().with_service_name("sessile").build(),
    }
}

/// What it is called where nothing is said.
fn is_unknown(name: &Value) -> bool {
    name.as_str().starts_with("unknown_service")
}

fn unusable(why: impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Usage,
        "traces",
        format!("traces can't be sent: {why}"),
    )
}

/// The collector, which is told from the exporter's own thread.
#[derive(Debug)]
struct Collector {
    session: Session,
    /// Whether the last batch was lost, which has been said.
    fails: AtomicBool,
}

impl Collector {
    fn new(patience: Duration) -> Result<Self, Error> {
        let options = Session::builder()
            .profile(Profile::None)
            .redirects(Redirects::Stay)
            .retry(RetryPolicy::never())
            .timeout(patience)
            .body_limit(1 << 20);
        Ok(Self {
            session: Session::build(options)?,
            fails: AtomicBool::new(false),
        })
    }

    fn post(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let mut post = Request::new(head.method, head.uri.to_string()).body(body);
        for (name, value) in &head.headers {
            post = post.header(name.as_str(), value.to_str()?);
        }
        let reply = self.session.send(post)?;
        let status = reply.status();
        let mut response = http::Response::new(reply.bytes()?);
        *response.status_mut() = status;
        Ok(response)
    }

    /// Says once that traces are lost, and once that they aren't any more.
    fn note(&self, sent: &Result<http::Response<Bytes>, HttpError>) {
        let why = match sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answers {}", response.status())),
            Err(error) => Some(error.to_string()),
        };
        let failed_before = self.fails.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(why) if !failed_before => {
                tracing::warn!(%why, "the collector takes no traces; they are dropped until it does");
            }
            None if failed_before => tracing::info!("the collector takes traces again"),
            Some(_) | None => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, HttpError> {
        // What is sent here isn't traced: that would have to be sent too.
        let sent = dispatcher::with_default(&Dispatch::none(), || self.post(request));
        self.note(&sent);
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_has_a_path_for_traces() {
        for (collector, expected) in [
            ("http://c.test:4318", "http://c.test:4318/v1/traces"),
            ("http://c.test:4318/", "http://c.test:4318/v1/traces"),
            ("https://c.test/otlp", "https://c.test/otlp/v1/traces"),
        ] {
            assert_eq!(traces_of(&collector.parse().unwrap()), expected);
        }
    }
}
