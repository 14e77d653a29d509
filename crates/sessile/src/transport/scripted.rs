//! A transport in memory: replies that a test has written, and a record of what was asked.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use url::Url;

use super::{Incoming, Outgoing, OutgoingBody, Patience, Transport};
use crate::error::Error;

/// Answers requests by a script; a request that isn't in it is a panic that names it.
///
/// When it is dropped, what was scripted and never asked is a panic too, so that a test can't
/// pass by asking nothing.
///
/// ```
/// use sessile::transport::{ScriptedReply, ScriptedTransport};
/// use sessile::{Request, Session};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), sessile::Error> {
/// let script = ScriptedTransport::new();
/// script.on("GET http://a.test/", ScriptedReply::ok("hello").header("set-cookie", "id=1"));
/// let session = Session::builder().transport(script.clone()).build()?;
///
/// assert_eq!(session.get("http://a.test/").await?.text().await?, "hello");
/// assert_eq!(script.sent()[0].header("host"), Some("a.test"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct ScriptedTransport {
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    expected: VecDeque<Expected>,
    sent: Vec<Sent>,
    is_closed: bool,
}

/// One line of the script.
#[derive(Debug)]
struct Expected {
    matcher: String,
    reply: ScriptedReply,
    repeats: bool,
    was_asked: bool,
}

impl ScriptedTransport {
    /// A transport that expects nothing yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Answers the next request that the matcher fits: a method and a whole URL, as in
    /// `GET http://a.test/`; a `*` at the end fits any rest. Lines are tried in the order in which
    /// they were written, and each answers once.
    pub fn on(&self, matcher: impl Into<String>, reply: ScriptedReply) {
        self.expect(matcher.into(), reply, false);
    }

    /// As [`ScriptedTransport::on`], as often as it is asked, and at least once.
    pub fn on_each(&self, matcher: impl Into<String>, reply: ScriptedReply) {
        self.expect(matcher.into(), reply, true);
    }

    /// What was asked so far, in order.
    pub fn sent(&self) -> Vec<Sent> {
        self.lock().sent.clone()
    }

    /// Takes what was asked so far out of the record.
    pub fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.lock().sent)
    }

    /// What was scripted and not asked.
    pub fn unasked(&self) -> Vec<String> {
        let script = self.lock();
        let unasked = script.expected.iter().filter(|line| !line.was_asked);
        unasked.map(|line| line.matcher.clone()).collect()
    }

    /// Says what was scripted and not asked.
    ///
    /// # Panics
    ///
    /// Where there is any.
    #[track_caller]
    pub fn assert_done(&self) {
        let unasked = self.unasked();
        assert!(unasked.is_empty(), "scripted, but never asked: {unasked:?}");
    }

    fn expect(&self, matcher: String, reply: ScriptedReply, repeats: bool) {
        let line = Expected {
            matcher,
            reply,
            repeats,
            was_asked: false,
        };
        self.lock().expected.push_back(line);
    }

    fn answer(&self, sent: Sent) -> Result<Incoming, Error> {
        let asked = format!("{} {}", sent.method, sent.url);
        let mut script = self.lock();
        if script.is_closed {
            return Err(Error::Closed);
        }
        script.sent.push(sent);
        let found = script
            .expected
            .iter()
            .position(|line| fits(&line.matcher, &asked));
        let Some(at) = found else {
            let unasked: Vec<_> = script.expected.iter().map(|line| &line.matcher).collect();
            panic!("nothing is scripted for `{asked}`, only {unasked:?}");
        };
        script.expected[at].was_asked = true;
        if script.expected[at].repeats {
            return script.expected[at].reply.clone().into_incoming();
        }
        let line = script.expected.remove(at).expect("found above");
        drop(script);
        line.reply.into_incoming()
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ScriptedTransport {
    fn drop(&mut self) {
        // A second panic would hide the first.
        if !std::thread::panicking() {
            self.assert_done();
        }
    }
}

impl Transport for ScriptedTransport {
    fn send(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Error>> {
        async move { self.answer(Sent::of(request).await?) }.boxed()
    }

    fn connections(&self) -> usize {
        0
    }

    fn close(&self) {
        self.lock().is_closed = true;
    }
}

fn fits(matcher: &str, asked: &str) -> bool {
    match matcher.strip_suffix('*') {
        Some(start) => asked.starts_with(start),
        None => asked == matcher,
    }
}

/// A request as it went out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sent {
    /// The method.
    pub method: Method,
    /// The absolute URL.
    pub url: Arc<Url>,
    /// The headers, in order.
    pub headers: HeaderMap,
    /// The body; `None` where there was none.
    pub body: Option<Bytes>,
    /// How long it was to wait.
    pub patience: Patience,
}

impl Sent {
    async fn of(request: Outgoing) -> Result<Self, Error> {
        let body = match request.body {
            OutgoingBody::Bytes(bytes) => Some(bytes),
            OutgoingBody::Empty => None,
            OutgoingBody::Stream(mut pieces) => {
                let mut whole = BytesMut::new();
                while let Some(piece) = pieces.next().await {
                    whole.extend_from_slice(&piece?);
                }
                Some(whole.freeze())
            }
        };
        Ok(Self {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body,
            patience: request.patience,
        })
    }

    /// The first value of a header, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The request line and every header in order, one a line: secrets included.
    pub fn head(&self) -> String {
        let mut text = format!("{} {}\n", self.method, self.url);
        for (name, value) in &self.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            writeln!(text, "{name}: {value}").expect("a string takes everything");
        }
        text
    }
}

/// A reply of the script.
#[derive(Clone, Debug)]
pub struct ScriptedReply {
    result: Result<StatusCode, Error>,
    headers: HeaderMap,
    pieces: Vec<Result<Bytes, Error>>,
}

impl ScriptedReply {
    /// A reply with a status and nothing else.
    ///
    /// # Panics
    ///
    /// Where the number is no status.
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status between 100 and 999");
        Self {
            result: Ok(status),
            headers: HeaderMap::new(),
            pieces: Vec::new(),
        }
    }

    /// Status 200 and a body.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::status(200).body(body)
    }

    /// A redirect.
    pub fn redirect(status: u16, to: &str) -> Self {
        Self::status(status).header("location", to)
    }

    /// No reply but an error.
    pub fn fail(error: Error) -> Self {
        Self {
            result: Err(error),
            headers: HeaderMap::new(),
            pieces: Vec::new(),
        }
    }

    /// Adds a header.
    ///
    /// # Panics
    ///
    /// Where name or value can't be a header's.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        let value = HeaderValue::from_str(value).expect("a header's value");
        self.headers.append(name, value);
        self
    }

    /// Adds a piece of the body.
    pub fn body(mut self, piece: impl Into<Bytes>) -> Self {
        self.pieces.push(Ok(piece.into()));
        self
    }

    /// Breaks the body off with an error.
    pub fn then_fail(mut self, error: Error) -> Self {
        self.pieces.push(Err(error));
        self
    }

    fn into_incoming(self) -> Result<Incoming, Error> {
        Ok(Incoming {
            status: self.result?,
            version: Version::HTTP_11,
            headers: self.headers,
            body: stream::iter(self.pieces).boxed(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "never asked: [\"GET http://a.test/\"]")]
    fn what_is_never_asked_is_said() {
        let script = ScriptedTransport::new();
        script.on("GET http://a.test/", ScriptedReply::ok(""));
    }

    #[test]
    fn matchers_fit_whole_or_by_their_start() {
        assert!(fits("GET http://a.test/", "GET http://a.test/"));
        assert!(!fits("GET http://a.test/", "GET http://a.test/x"));
        assert!(fits("GET http://a.test/*", "GET http://a.test/x"));
        assert!(fits("POST *", "POST http://a.test/x"));
        assert!(!fits("POST *", "GET http://a.test/x"));
    }
}
