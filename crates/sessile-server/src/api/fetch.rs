//! A request through a session: the caller's body streams to the site, the site's reply to the caller.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use metrics::Counter;
use serde::Deserialize;
use sessile::renew::Answer;
use sessile::session::Redirects;
use sessile::{Error, Reply, Verdict};
use tokio::time::Instant;
use url::Url;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use super::extract::{Asked, MayUse, Named};
use super::{Daemon, FROM};
use crate::fetch::{VerdictName, add_headers, hand_out};
use crate::problem::{Kind, Problem};

/// Every method leads to the one handler.
pub(super) fn route() -> UtoipaMethodRouter<Daemon> {
    let (schemas, paths, _documented) = routes!(fetch);
    (schemas, paths, axum::routing::any(fetch))
}

/// What is fetched.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Fetch {
    /// The URL to fetch; it may be relative to the session's base URL.
    pub(super) url: String,
    /// How many redirects are followed, at most 20; 0 answers the redirect itself, with
    /// `Sessile-Location` in place of `Location`. Defaults to the session's habit.
    #[param(minimum = 0, maximum = 20)]
    pub(super) redirects: Option<u8>,
}

/// Sends a request through a session, and answers what the site answers.
///
/// Any method. The body streams both ways; one of up to 1 MiB whose length is known can be sent
/// again where the login has to be renewed. `Content-Type`, `Content-Encoding`, `Range`, `If-*` and
/// an `Accept` other than `*/*` go on to the site, other headers where their names begin with
/// `Sessile-Header-`. The answer has the site's status, headers and body, without its cookies, and
/// `Sessile-From: site`; an answer of the daemon itself has `Sessile-From: daemon`.
#[utoipa::path(method(get, post, put, patch, delete, options), path = "/api/sessions/{name}/fetch", tag = "sessions",
    params(("name" = String, Path, description = "The session"), Fetch),
    security(("token" = ["use"])),
    responses((status = 200, description = "What the site answered, whatever its status",
        headers(("Sessile-From" = String, description = "`site`"),
            ("Sessile-Session" = String, description = "The session, percent-encoded"),
            ("Sessile-Generation" = u64, description = "The login that it was sent with"),
            ("Sessile-Verdict" = String, description = "What the reply says of the session")))))]
pub(super) async fn fetch(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Named(name): Named,
    Asked(asked): Asked<Fetch>,
    request: Request,
) -> Result<Response, Problem> {
    let session = daemon.session(&name).await?;
    let request = for_site(&asked, request, daemon.metrics.sent()).await?;
    let sending = session.kept().send(request);
    let sent = measured(&daemon, sending, |answer| answer.reply.verdict()).await;
    let Answer { reply, renewal, .. } = sent.map_err(|error| {
        session.note_failure(&error);
        daemon.failed(&name, error)
    })?;
    if let Some(renewal) = renewal {
        session.note_since(daemon.now());
        let event = daemon.event("renewed").session(&name);
        daemon.tell(event.detail(&renewal.sign));
    }
    session.note(VerdictName::of(reply.verdict()));
    let generation = reply.generation();
    Ok(answer(
        reply,
        name.as_str(),
        generation,
        Passing {
            _session: session,
            received: daemon.metrics.received(),
        },
    ))
}

/// Sends, and counts what came of it.
pub(super) async fn measured<T, E>(
    daemon: &Daemon,
    sending: impl Future<Output = Result<T, E>>,
    verdict: impl FnOnce(&T) -> &Verdict,
) -> Result<T, E> {
    let began = Instant::now();
    let sent = sending.await;
    let verdict = sent
        .as_ref()
        .ok()
        .map(|sent| VerdictName::of(verdict(sent)));
    daemon.metrics.fetched(verdict, began.elapsed());
    sent
}

/// What stays until the body has passed.
pub(super) struct Passing<S> {
    /// In use until then.
    pub(super) _session: S,
    pub(super) received: Counter,
}

/// The caller's request, as one to the site.
pub(super) async fn for_site(
    asked: &Fetch,
    request: Request,
    sent: Counter,
) -> Result<sessile::Request, Problem> {
    let (head, body) = request.into_parts();
    let mut wanted = add_headers(
        sessile::Request::new(head.method, &asked.url),
        &head.headers,
    )?;
    wanted = match asked.redirects {
        None => wanted,
        Some(0) => wanted.redirects(Redirects::Stay),
        Some(count @ 1..=20) => wanted.redirects(Redirects::Follow(count.into())),
        Some(_) => return Err(Problem::new(Kind::BadRequest, "`redirects` is at most 20")),
    };
    if body.is_end_stream() {
        return Ok(wanted);
    }
    if length(&head.headers).is_some_and(|length| length <= REPLAYABLE) {
        let collected = body.collect().await.map_err(|_broken| cut_short())?;
        let bytes = collected.to_bytes();
        sent.increment(bytes.len() as u64);
        return Ok(wanted.body(bytes));
    }
    let pieces = body.into_data_stream();
    let counted = pieces.inspect_ok(move |piece: &Bytes| sent.increment(piece.len() as u64));
    let broken = |_error| Error::BadRequest {
        what: "the caller's body didn't come to its end".to_owned(),
    };
    Ok(wanted.stream(counted.map_err(broken).boxed()))
}

/// How long a body is, where that is said.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn cut_short() -> Problem {
    Problem::new(Kind::BadRequest, "the body didn't come to its end")
}

/// The site's reply, as the daemon's answer.
pub(super) fn answer<S: Send + 'static>(
    reply: Reply,
    session: &str,
    generation: u64,
    passing: Passing<S>,
) -> Response {
    let verdict = VerdictName::of(reply.verdict());
    let status = reply.status();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    hand_out(reply.headers(), reply.is_decoded(), headers);
    if status.is_redirection() {
        point(reply.url(), headers);
    }
    headers.insert(FROM, HeaderValue::from_static("site"));
    headers.insert(VERDICT, HeaderValue::from_static(verdict.as_str()));
    headers.insert(GENERATION, generation.into());
    if let Ok(name) = HeaderValue::from_str(&percent_encoded(session)) {
        headers.insert(SESSION, name);
    }
    *response.body_mut() = passed_on(reply, passing);
    response
}

/// Says where a redirect leads in a field of our own: whoever follows redirects by itself would send
/// its token there, or resolve a path as if it were the daemon's.
fn point(from: &Url, headers: &mut HeaderMap) {
    let Some(place) = headers.remove(header::LOCATION) else {
        return;
    };
    let whole = place.to_str().ok().and_then(|place| from.join(place).ok());
    let whole = whole.and_then(|url| HeaderValue::from_str(url.as_str()).ok());
    headers.insert(LOCATION, whole.unwrap_or(place));
}

/// The body, as fast as it is taken. Where it breaks off, so does the answer.
fn passed_on<S: Send + 'static>(reply: Reply, passing: Passing<S>) -> Body {
    let pieces = stream::try_unfold((reply, passing), |(mut reply, passing)| async move {
        let piece = reply.chunk().await?;
        Ok::<_, Error>(piece.map(|piece| {
            passing.received.increment(piece.len() as u64);
            (piece, (reply, passing))
        }))
    });
    Body::from_stream(pieces)
}

fn percent_encoded(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// How large a body may be that is kept in case it has to be sent again.
const REPLAYABLE: u64 = 1024 * 1024;

const LOCATION: HeaderName = HeaderName::from_static("sessile-location");
const GENERATION: HeaderName = HeaderName::from_static("sessile-generation");
const SESSION: HeaderName = HeaderName::from_static("sessile-session");
const VERDICT: HeaderName = HeaderName::from_static("sessile-verdict");

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_small_body_can_be_sent_again_and_a_stream_cannot() {
        check(Body::empty(), None, true).await;
        check(Body::from("words"), Some("5"), true).await;
        check(Body::from("words"), None, false).await;
        check(Body::from("words"), Some("1048577"), false).await;
    }

    async fn check(body: Body, length: Option<&str>, expected: bool) {
        let mut request = http::Request::post("/");
        if let Some(length) = length {
            request = request.header(header::CONTENT_LENGTH, length);
        }
        let asked = Fetch {
            url: "http://a.test/".to_owned(),
            redirects: None,
        };
        let wanted = for_site(&asked, request.body(body).unwrap(), Counter::noop());
        let can_be_sent_again = wanted.await.unwrap().try_clone().is_some();
        assert_eq!(can_be_sent_again, expected, "{length:?}");
    }
}
