//! What the daemon counts, in the names and units of the Prometheus conventions.
//!
//! A recorder of its own: two daemons in one process don't count together.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::fetch::VerdictName;

/// The counters of one daemon.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    verdicts: Vec<(VerdictName, Counter)>,
    failed: Counter,
    seconds: Histogram,
    sent: Counter,
    received: Counter,
    connections: Gauge,
    refused: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let builder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .expect("there are buckets");
        let recorder = builder.build_recorder();
        for (name, unit, what) in DESCRIBED {
            recorder.describe_counter(name.into(), unit, what.into());
        }
        let what = "Open connections to this daemon.";
        recorder.describe_gauge("sessile_connections".into(), None, what.into());
        let what = "Time from a request through a session to the head of the site's reply.";
        recorder.describe_histogram(
            "sessile_request_seconds".into(),
            Some(Unit::Seconds),
            what.into(),
        );
        let counter = |key: &Key| recorder.register_counter(key, &META);
        let requests = |verdict: &'static str| {
            counter(&labelled("sessile_requests_total", "verdict", verdict))
        };
        let verdicts = VerdictName::ALL.map(|verdict| (verdict, requests(verdict.as_str())));
        let bytes = |way| counter(&labelled("sessile_bytes_total", "direction", way));
        Self {
            verdicts: verdicts.into(),
            failed: requests("none"),
            seconds: recorder
                .register_histogram(&Key::from_static_name("sessile_request_seconds"), &META),
            sent: bytes("sent"),
            received: bytes("received"),
            connections: recorder
                .register_gauge(&Key::from_static_name("sessile_connections"), &META),
            refused: counter(&Key::from_static_name("sessile_connections_refused_total")),
            handle: recorder.handle(),
            recorder,
        }
    }

    /// A request through a session was answered with this verdict, or not at all.
    pub(crate) fn fetched(&self, verdict: Option<VerdictName>, took: Duration) {
        let counter = verdict.and_then(|verdict| {
            let mut known = self.verdicts.iter();
            known.find_map(|(name, counter)| (*name == verdict).then_some(counter))
        });
        counter.unwrap_or(&self.failed).increment(1);
        self.seconds.record(took.as_secs_f64());
    }

    /// Counts bytes of bodies sent to sites.
    pub(crate) fn sent(&self) -> Counter {
        self.sent.clone()
    }

    /// Counts bytes of bodies received from sites.
    pub(crate) fn received(&self) -> Counter {
        self.received.clone()
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> Gauge {
        self.connections.clone()
    }

    /// A connection was refused because there were too many.
    pub(crate) fn refused(&self) {
        self.refused.increment(1);
    }

    /// The API answered a request.
    pub(crate) fn answered(&self, route: &str, status: u16) {
        let labels = vec![
            Label::new("route", route.to_owned()),
            Label::new("status", status.to_string()),
        ];
        let key = Key::from_parts("sessile_http_requests_total", labels);
        self.recorder.register_counter(&key, &META).increment(1);
    }

    /// Everything, in Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }

    /// Puts what was measured into its buckets, so that it takes no more room.
    pub(crate) fn tidy(&self) {
        self.handle.run_upkeep();
    }
}

fn labelled(name: &'static str, label: &'static str, value: &'static str) -> Key {
    Key::from_parts(name, vec![Label::from_static_parts(label, value)])
}

const META: Metadata<'static> = Metadata::new("sessile", Level::INFO, None);

const SECONDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

const DESCRIBED: [(&str, Option<Unit>, &str); 4] = [
    (
        "sessile_requests_total",
        None,
        "Requests through sessions, by what the site's reply said of the session; `none` where there was no reply.",
    ),
    (
        "sessile_bytes_total",
        Some(Unit::Bytes),
        "Bytes of bodies that went to sites and came from them.",
    ),
    (
        "sessile_http_requests_total",
        None,
        "Requests to this daemon.",
    ),
    (
        "sessile_connections_refused_total",
        None,
        "Connections to this daemon that were refused because there were too many.",
    ),
];

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}
