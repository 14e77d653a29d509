//! The life of a request, from the caller's words to the reply.
//!
//! Each step is a pure decision from a file beside this one, or one call: resolve the URL, merge
//! headers, add the cookies, send, take cookies in, judge, follow or answer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, stream};
use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::time::{sleep, timeout_at};
use url::Url;

use super::auth::DigestPrompt;
use super::deadline::Deadline;
use super::fallback::{self, Tier};
use super::hop::Hop;
use super::manners::{Ender, Turn};
use super::redirect::{self, Attempt, Decision};
use super::reply::{Reply, ReplyBody};
use super::request::Request;
use super::retry::{self, Outcome, Sent};
use super::verdict::{self, Sign, Verdict};
use super::{Inner, Live, cookies, decode, permission, prepare, window};
use crate::error::Error;
use crate::profile::{self, Browser, Occasion, RequestKind};
use crate::redact::ShownUrl;
use crate::spans;
use crate::transport::{Incoming, Outgoing};

pub(super) async fn run(session: &Inner, mut request: Request) -> Result<Reply, Error> {
    if let Some(mistake) = request.mistake.take() {
        return Err(mistake);
    }
    let hop = Hop::first(session, request)?;
    let Some(limit) = hop.timeout.or(session.habits.timeout) else {
        return fetch(session, hop).await;
    };
    let deadline = Deadline::in_time(limit);
    let url = Arc::clone(&hop.url);
    match timeout_at(deadline.at, fetch(session, hop)).await {
        Ok(reply) => {
            let mut reply = reply?;
            reply.body.keep(deadline, url);
            Ok(reply)
        }
        Err(_elapsed) => Err(deadline.error(&url)),
    }
}

/// Sends by the request's way, or by several where it allows that.
async fn fetch(session: &Inner, mut hop: Hop) -> Result<Reply, Error> {
    match *hop.request.tiers {
        [] => {}
        [only] => hop.tier = only,
        // Boxed, since few requests are sent in several ways.
        [_, _, ..] => return fallback::climb(session, hop).boxed().await,
    }
    follow(session, hop).await
}

pub(super) async fn follow(session: &Inner, mut hop: Hop) -> Result<Reply, Error> {
    let started = session.clock.now();
    loop {
        if let Some(manners) = session
            .habits
            .manners
            .as_ref()
            .filter(|_| hop.request.asks_robots)
        {
            permission::ask(session, manners, &hop.url).boxed().await?;
        }
        let Answered {
            incoming,
            generation,
            ender,
        } = attempt(session, &mut hop).await?;
        let decision = decide(session, &hop, &incoming);
        let verdict = match &decision {
            Decision::Follow(next) if is_login_redirect(session, &hop.url, &next.url) => {
                Verdict::Expired(Sign::LoginRedirect(next.url.path().to_owned()))
            }
            Decision::Follow(_) => Verdict::Valid,
            Decision::Fail { .. } | Decision::Stop => stopped(session, &hop, &incoming),
        };
        match decision {
            Decision::Follow(next) if verdict == Verdict::Valid => {
                let status = incoming.status;
                drain(session, Ok(incoming)).await;
                hop.advance(status, next);
            }
            Decision::Fail { to, why } => {
                return Err(Error::Redirect {
                    from: ShownUrl(&hop.url).to_string(),
                    to,
                    why,
                });
            }
            Decision::Follow(_) | Decision::Stop => {
                let elapsed = session.clock.now().as_millis() - started.as_millis();
                let elapsed = Duration::from_millis(u64::try_from(elapsed).unwrap_or(0));
                let mut reply = reply(session, hop, incoming, verdict, generation);
                (reply.elapsed, reply.ender) = (elapsed, ender);
                if reply.may_hide_challenge() {
                    reply.look_for_challenge().boxed().await;
                }
                return Ok(reply);
            }
        }
    }
}

/// What a reply says that leads nowhere else.
fn stopped(session: &Inner, hop: &Hop, incoming: &Incoming) -> Verdict {
    // A browser is where it was redirected to already.
    if let (Tier::Browser, Some(first)) = (hop.tier, hop.passed.first())
        && is_login_redirect(session, &first.url, &hop.url)
    {
        return Verdict::Expired(Sign::LoginRedirect(hop.url.path().to_owned()));
    }
    let now = session.clock.now().as_seconds();
    verdict::of_reply(incoming.status, &incoming.headers, now)
}

fn decide(session: &Inner, hop: &Hop, incoming: &Incoming) -> Decision {
    let cookies = session.live().state.jar.line_revision();
    redirect::decide(&Attempt {
        policy: hop.request.redirects.unwrap_or(session.habits.redirects),
        may_downgrade: session.habits.may_downgrade,
        rule: hop.request.redirect_rule,
        method: &hop.request.method,
        url: &hop.url,
        status: incoming.status,
        location: incoming.headers.get(LOCATION).map(HeaderValue::as_bytes),
        is_replayable: hop.request.body.is_replayable(),
        body_stays: hop.request.body_stays,
        followed: hop.passed.len(),
        was_there: &|method, url| hop.was_at(method, url, cookies),
    })
}

fn is_login_redirect(session: &Inner, from: &Url, to: &Url) -> bool {
    session.live().state.signs.is_login_redirect(from, to)
}

/// Reads the little that a reply on the way carries, so that its connection can be used again.
async fn drain(session: &Inner, result: Result<Incoming, Error>) {
    const LITTLE: u64 = 64 * 1024;
    let Ok(incoming) = result else { return };
    let mut body = ReplyBody::new(incoming.body, LITTLE.min(session.habits.body_limit));
    // Its body says nothing; if it can't be read, the next request has a new connection.
    let _unreadable = body.skip_little().await;
}

/// On whose behalf a request was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Sender {
    identity: u32,
    /// The login.
    generation: u64,
}

impl Sender {
    fn of(live: &Live) -> Self {
        Self {
            identity: live.identity,
            generation: live.state.generation,
        }
    }
}

/// What came of one request.
struct Answered {
    incoming: Incoming,
    /// The login that it was sent with.
    generation: u64,
    ender: Option<Ender>,
}

/// Sends one request as often as the rules allow, with its cookies in both directions.
async fn attempt(session: &Inner, hop: &mut Hop) -> Result<Answered, Error> {
    let mut made = 0;
    let mut has_answered_digest = false;
    loop {
        // A browser has tried again by itself where that helps.
        let is_replayable = hop.request.body.is_replayable() && hop.tier != Tier::Browser;
        let turn = match &session.habits.manners {
            // Boxed, so that sessions without manners carry no room for the wait.
            Some(manners) => Some(manners.wait(&hop.url).boxed().await?),
            None => None,
        };
        let (outgoing, sender) = prepare(session, hop)?;
        let span = spans::request(&outgoing, made);
        let sending = exchange(session, hop, outgoing, sender.generation);
        let mut result = match &turn {
            Some(turn) => turn.during(sending).boxed().await,
            None => sending.await,
        };
        spans::answered(&span, &result);
        drop(span);
        let ender = match (turn, &mut result) {
            (Some(turn), Ok(incoming)) => mind(session, &hop.url, incoming, turn).boxed().await,
            (Some(_), Err(_)) | (None, _) => None,
        };
        if let Ok(incoming) = &result {
            take_in(session, hop, incoming, sender);
            let is_refused = incoming.status == StatusCode::UNAUTHORIZED;
            if is_refused && is_replayable && !has_answered_digest && meet(session, hop, incoming) {
                has_answered_digest = true;
                drain(session, result).await;
                continue;
            }
        }
        let Some(wait) = wait_before_next(session, hop, is_replayable, made, &result) else {
            return Ok(Answered {
                incoming: result?,
                generation: sender.generation,
                ender,
            });
        };
        drain(session, result).await;
        sleep(wait).await;
        made += 1;
    }
}

/// One exchange by the way that the request goes.
async fn exchange(
    session: &Inner,
    hop: &mut Hop,
    outgoing: Outgoing,
    generation: u64,
) -> Result<Incoming, Error> {
    match hop.tier {
        // Boxed, since few requests go by a browser.
        Tier::Browser => {
            window::visit(session, hop, outgoing, generation)
                .boxed()
                .await
        }
        Tier::Curl => session.ladder.curl().send(outgoing).await,
        Tier::Direct => session.transport.send(outgoing).await,
    }
}

/// Heeds the pause that a host asks all for, and leaves its turn to the body.
async fn mind(session: &Inner, url: &Url, incoming: &mut Incoming, turn: Turn) -> Option<Ender> {
    let body = std::mem::replace(&mut incoming.body, Box::pin(stream::empty()));
    let (body, ender) = turn.hold(body);
    incoming.body = body;
    let is_pause = matches!(
        incoming.status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    let now = session.clock.now().as_seconds();
    if is_pause
        && let Some(pause) = verdict::retry_after(&incoming.headers, now)
        && let Some(manners) = &session.habits.manners
    {
        manners.pause(url, pause).await;
    }
    ender
}

fn wait_before_next(
    session: &Inner,
    hop: &Hop,
    is_replayable: bool,
    made: u32,
    result: &Result<Incoming, Error>,
) -> Option<Duration> {
    let outcome = match result {
        Ok(incoming) => Outcome::Replied {
            status: incoming.status,
            retry_after: verdict::retry_after(&incoming.headers, session.clock.now().as_seconds()),
        },
        Err(error) => Outcome::Failed(error),
    };
    let sent = Sent {
        is_repeatable: hop.request.is_repeatable(),
        is_replayable,
        again: made,
    };
    retry::decide(&session.habits.retry, sent, &outcome, jitter)
}

/// A number between 0 and 1 that spreads those who failed together.
fn jitter() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / f64::from(u32::MAX)
}

/// The request as it goes out, and for whom.
fn prepare(session: &Inner, hop: &mut Hop) -> Result<(Outgoing, Sender), Error> {
    let now = session.clock.now();
    let mut live = session.live();
    let mut headers = prepare::headers(&mut live, &hop.request, &hop.url, now)?;
    live.state.counts.requests += 1;
    let browser = live.state.profile.browser();
    let sender = Sender::of(&live);
    hop.cookies = live.state.jar.line_revision();
    drop(live);
    let body = hop
        .request
        .body
        .outgoing()
        .ok_or_else(|| Error::bad_request("the body was streamed and can't be sent again"))?;
    if let Some(browser) = browser {
        headers = dress(browser, headers, hop);
    }
    let outgoing = Outgoing {
        method: hop.request.method.clone(),
        url: Arc::clone(&hop.url),
        headers,
        body,
        patience: session.habits.patience,
    };
    Ok((outgoing, sender))
}

/// The headers that a request would be sent with now.
pub(super) fn headers_of(session: &Inner, mut request: Request) -> Result<HeaderMap, Error> {
    if let Some(mistake) = request.mistake.take() {
        return Err(mistake);
    }
    let hop = Hop::first(session, request)?;
    let mut live = session.live();
    let headers = prepare::headers(&mut live, &hop.request, &hop.url, session.clock.now())?;
    Ok(match live.state.profile.browser() {
        Some(browser) => dress(browser, headers, &hop),
        None => headers,
    })
}

/// What the browser adds for this very request, in its order.
fn dress(browser: Browser, headers: HeaderMap, hop: &Hop) -> HeaderMap {
    let request = &hop.request;
    let passed = hop.passed.iter().map(|passed| &passed.url);
    let occasion = Occasion {
        method: &request.method,
        chain: passed.chain([&*hop.url]).collect(),
        kind: request
            .kind
            .unwrap_or_else(|| RequestKind::of(&request.method, &request.headers)),
        length: request.body.length(),
        without: &request.without,
    };
    profile::dress(browser, headers, &occasion)
}

/// Remembers a digest challenge; answers whether there is now something to answer it with.
fn meet(session: &Inner, hop: &Hop, incoming: &Incoming) -> bool {
    let mut live = session.live();
    let may = live
        .state
        .scope
        .as_ref()
        .is_some_and(|scope| scope.covers(&hop.url));
    let is_digest = matches!(
        live.state.authorization,
        Some(super::Authorization::Digest { .. })
    );
    if !may || !is_digest || hop.request.headers.contains_key(AUTHORIZATION) {
        return false;
    }
    live.digest = DigestPrompt::of(&incoming.headers).map(Box::new);
    live.digest.is_some()
}

/// Stores the reply's cookies, unless the session is another one since the request was sent, or has
/// logged in anew.
fn take_in(session: &Inner, hop: &mut Hop, incoming: &Incoming, sender: Sender) {
    let now = session.clock.now();
    let mut live = session.live();
    live.state.counts.replies += 1;
    if Sender::of(&live) != sender {
        return;
    }
    let jar = &mut live.state.jar;
    cookies::take_in(jar, &hop.url, &incoming.headers, now, &mut hop.cookies_set);
}

fn reply(
    session: &Inner,
    hop: Hop,
    incoming: Incoming,
    verdict: Verdict,
    generation: u64,
) -> Reply {
    let has_body = hop.request.method != Method::HEAD
        && !matches!(
            incoming.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    let body = if has_body {
        decode::decoded(&incoming.headers, incoming.body, &hop.url)
    } else {
        incoming.body
    };
    Reply {
        status: incoming.status,
        version: incoming.version,
        headers: incoming.headers,
        url: hop.url,
        history: hop.passed,
        elapsed: Duration::ZERO,
        verdict,
        generation,
        cookies_set: hop.cookies_set,
        tier: hop.tier,
        passed_over: Vec::new(),
        ender: None,
        body: ReplyBody::new(body, session.habits.body_limit),
    }
}

#[cfg(test)]
mod tests;
