//! The daemon's traces, as a collector gets them.

use std::fs;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use sessile_practice::{ADA, ADA_PASSWORD, GRACE_PASSWORD};

use crate::support::collector::{Collector, Seen, attribute};
use crate::support::served::Served;
use crate::support::{Person, Practice, wait_for};

const CALLER: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A person with a session and a pool, both at the practice site.
fn person(site: &Practice) -> Person {
    let me = Person::new();
    site.log_in(&me, "site", "/login", "--remember").exits(0);
    let file = me.home().join("shop.toml");
    let text = format!(
        "base_url = \"{}\"\n[login]\nurl = \"/login\"\n[check]\nurl = \"/members\"\n\
         css = \"a[href='/logout']\"\n[pool]\nsize = 1\n",
        site.page("")
    );
    fs::write(&file, text).unwrap();
    me.run(&format!("pool create shop --site {}", file.display()))
        .exits(0);
    me.sessile(&format!("pool account add shop {ADA} --password-stdin"))
        .input(ADA_PASSWORD)
        .run()
        .exits(0);
    me
}

#[test]
fn requests_renewals_and_what_a_pool_does_are_traced_without_a_secret() {
    let (site, collector) = (Practice::start(), Collector::start());
    let me = person(&site);
    let serve = me
        .sessile("serve --listen 127.0.0.1:0 --json -vvv")
        .environment("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)
        .environment("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of-the-collector")
        .environment("OTEL_SERVICE_NAME", "robots");
    let daemon = Served::of(&me, serve);
    let members = format!(
        "/api/sessions/site/fetch?url={}?secret=in-the-query",
        site.page("/members")
    );
    daemon.ask(&members, &["--header", CALLER]).text();
    // The site sees of the caller's trace what the caller marks for it.
    let echo = format!("/api/sessions/site/fetch?url={}", site.page("/echo"));
    let unmarked = daemon.ask(&echo, &["--header", CALLER]).text();
    assert!(!unmarked.contains("0af765"), "{unmarked}");
    let marked = format!("sessile-header-{CALLER}");
    assert!(
        daemon
            .ask(&echo, &["--header", &marked])
            .text()
            .contains("0af765")
    );
    site.kill_sessions();
    daemon.ask(&members, &["--header", "x-second: 1"]).text();
    daemon
        .ask("/api/pools/shop/fetch?url=/members&wait=60", &[])
        .text();
    daemon
        .ask("/api/sessions/validate", &["--request", "POST"])
        .json();
    daemon
        .ask("/api/sessions/rotate", &["--request", "POST"])
        .json();
    wait_for("the rotation", || {
        let pool = daemon.ask("/api/pools/shop", &[]).json();
        (pool["retired"].as_u64() >= Some(1)).then_some(())
    });
    daemon.ask("/api/sessions/nobody", &[]).text();
    let mut secrets = vec![daemon.token.clone()];
    let bundle = daemon.ask("/api/sessions/site/bundle", &[]).json();
    let cookies = bundle["cookies"].as_array().unwrap().iter();
    secrets.extend(cookies.map(|cookie| cookie["value"].as_str().unwrap().to_owned()));
    let ended = daemon.stop().exits(0);
    assert!(!ended.stderr().contains("traces"), "{}", ended.shown());

    let seen = collector.seen();
    assert!(seen.services.iter().all(|name| name == "robots"));
    assert!(
        seen.heads
            .iter()
            .all(|head| head.starts_with("POST /v1/traces ")
                && head.to_lowercase().contains("x-key: of-the-collector")),
        "{:?}",
        seen.heads
    );
    check_requests(&seen);
    check_renewal(&seen);
    check_pool(&seen);
    // Nothing of what is exported has a secret in it, nor a query or a path of the site's.
    let all = format!("{seen:?}");
    secrets.extend([ADA_PASSWORD, GRACE_PASSWORD, "in-the-query", "/members"].map(str::to_owned));
    for secret in secrets {
        assert!(!all.contains(&secret), "{secret} in {all}");
    }
}

fn check_requests(seen: &Seen) {
    let fetch = seen.named("GET /api/sessions/{name}/fetch")[0];
    check_joined(fetch);
    check_attribute(fetch, "http.request.method", "GET");
    check_attribute(fetch, "http.route", "/api/sessions/{name}/fetch");
    check_attribute(fetch, "http.response.status_code", "200");
    check_attribute(fetch, "sessile.session", "site");
    let sent = seen.below(fetch, "GET");
    assert_eq!(sent.kind(), SpanKind::Client);
    check_attribute(sent, "server.address", "127.0.0.1");
    check_attribute(sent, "http.response.status_code", "200");
    check_attribute(sent, "url.scheme", "http");
    assert!(attribute(sent, "server.port").is_some());
    let refused = seen.named("GET /api/sessions/{name}")[0];
    check_attribute(refused, "http.response.status_code", "404");
}

fn check_renewal(seen: &Seen) {
    let renewal = seen.named("renewal")[0];
    let fetches = seen.named("GET /api/sessions/{name}/fetch");
    let mut above = fetches
        .iter()
        .filter(|fetch| fetch.span_id == renewal.parent_span_id);
    assert_eq!(above.next().unwrap().trace_id, renewal.trace_id);
    let login = seen.below(renewal, "login");
    check_attribute(login, "sessile.session", "site");
    seen.below(login, "POST");
}

fn check_pool(seen: &Seen) {
    let pooled = seen.named("GET /api/pools/{pool}/fetch")[0];
    check_attribute(seen.below(pooled, "lease"), "sessile.pool", "shop");
    for done in ["make", "rotate", "validate"] {
        let span = seen.named(done)[0];
        check_attribute(span, "sessile.pool", "shop");
        check_attribute(span, "sessile.seat", "shop~0");
    }
}

#[track_caller]
fn check_attribute(span: &Span, key: &str, expected: &str) {
    let found = attribute(span, key);
    assert_eq!(found.as_deref(), Some(expected), "{key} of {span:?}");
}

/// Whether a span is below the caller's.
#[track_caller]
fn check_joined(span: &Span) {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let (trace, parent) = (hex(&span.trace_id), hex(&span.parent_span_id));
    assert!(CALLER.contains(&format!("{trace}-{parent}")), "{span:?}");
    assert_eq!(span.kind(), SpanKind::Server);
}

#[test]
fn a_collector_that_is_down_or_hangs_costs_a_warning() {
    let hangs = Collector::that_hangs();
    for (url, patience) in [
        ("http://127.0.0.1:1", "10000"),
        (&*hangs.url, "100"),
        // The last batch has an end too.
        (&*hangs.url, "3600000"),
    ] {
        let me = Person::new();
        let serve = me
            .sessile(&format!("serve --listen 127.0.0.1:0 --json --otlp {url}"))
            .environment("OTEL_BSP_SCHEDULE_DELAY", "20")
            .environment("OTEL_EXPORTER_OTLP_TIMEOUT", patience);
        let daemon = Served::of(&me, serve);
        for _request in 0..20 {
            daemon.ask("/api/sessions", &[]).json();
        }
        let ended = daemon.stop().exits(0).says(&["unsaved=0"]);
        let warnings = ended.stderr().matches("takes no traces").count()
            + ended.stderr().matches("the last traces could not").count();
        assert_eq!(warnings, 1, "{}", ended.shown());
    }
}

#[test]
fn where_traces_go_is_said_with_care() {
    let me = Person::new();
    me.run("serve --otlp nowhere").exits(2).says(&["--otlp"]);
    me.run("serve --otlp http://ada:pw@127.0.0.1:4318")
        .exits(2)
        .says(&["OTEL_EXPORTER_OTLP_HEADERS"]);
    me.sessile("serve --otlp http://127.0.0.1:1")
        .environment("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
        .run()
        .exits(2)
        .says(&["OTEL_EXPORTER_OTLP_TIMEOUT", "milliseconds"]);
}
