//! A collector of OpenTelemetry traces, as far as a daemon sees it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

/// A running collector. Its threads end with the test's process.
pub(crate) struct Collector {
    pub(crate) url: String,
    seen: Arc<Mutex<Seen>>,
}

/// What it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) heads: Vec<String>,
    pub(crate) services: Vec<String>,
    pub(crate) spans: Vec<Span>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::answering(true)
    }

    /// One that takes everything and never answers.
    pub(crate) fn that_hangs() -> Self {
        Self::answering(false)
    }

    fn answering(answers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Seen>>::default();
        let taken = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, seen) = (stream.unwrap(), Arc::clone(&taken));
                thread::spawn(move || serve(&stream, &seen, answers));
            }
        });
        Self { url, seen }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Seen {
    /// All spans of this name.
    pub(crate) fn named(&self, name: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.name == name).collect()
    }

    /// The first span of this name below another.
    #[track_caller]
    pub(crate) fn below(&self, parent: &Span, name: &str) -> &Span {
        let found = self.spans.iter().find(|span| {
            span.name == name
                && span.trace_id == parent.trace_id
                && span.parent_span_id == parent.span_id
        });
        found.unwrap_or_else(|| panic!("no {name} below {parent:#?} in {:#?}", self.spans))
    }
}

/// The value of an attribute, as text.
pub(crate) fn attribute(span: &Span, key: &str) -> Option<String> {
    text(&span.attributes, key)
}

fn text(pairs: &[KeyValue], key: &str) -> Option<String> {
    let pair = pairs.iter().find(|pair| pair.key == key)?;
    let AnyValue { value } = pair.value.clone()?;
    match value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

fn serve(mut stream: &TcpStream, seen: &Mutex<Seen>, answers: bool) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some((head, body)) = read(&mut reader) {
        if !answers {
            continue;
        }
        let batch = ExportTraceServiceRequest::decode(&*body).unwrap();
        let mut seen = seen.lock().unwrap();
        seen.heads.push(head);
        for spans in batch.resource_spans {
            let resource = spans.resource.unwrap_or_default();
            seen.services
                .extend(text(&resource.attributes, "service.name"));
            let spans = spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
            seen.spans.extend(spans);
        }
        drop(seen);
        let answer =
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}
