//! One page, fetched the way a person's browser asks for pages.

use http::{HeaderMap, StatusCode, header};
use sessile_jar::{Context, Timestamp};
use url::Url;

use super::page::{self, Page};
use crate::check::evidence::Evidence;
use crate::check::learn::{Finding, Judgement};
use crate::error::Error;
use crate::record::{Check, CheckRule};
use crate::redact::ShownUrl;
use crate::session::{self, Reply, Request, Session, Verdict};
use crate::site::{Content, Seen};

/// What pages are asked for with; sites that speak JSON too answer a page to this.
const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// How much of a page is looked at.
const LOOK_AT: u64 = 4 * 1024 * 1024;

/// A page with how it was reached.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) page: Page,
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) verdict: Verdict,
    pub(crate) cookies_set: Vec<String>,
    /// The scheme of HTTP authentication that a 401 asks for.
    pub(crate) auth_scheme: Option<String>,
    /// By how many milliseconds the site's clock is ahead of ours, where it tells the time.
    pub(crate) clock_ahead: Option<i64>,
    /// How to say it to a person: method, address, status, where it led.
    pub(crate) words: String,
}

/// Asks for a page, not for data.
pub(crate) fn page_request(request: Request) -> Request {
    request.header(header::ACCEPT.as_str(), ACCEPT)
}

/// Fetches a page.
pub(crate) async fn visit(session: &Session, request: Request) -> Result<Visit, Error> {
    let method = request.method().clone();
    let asked = request.url().to_owned();
    let mut reply = session.send(page_request(request)).await?;
    let page = page(&mut reply).await?;
    let first = reply.history().first().map_or(reply.url(), |hop| &hop.url);
    let mut words = format!("{method} {}", ShownUrl(first));
    let statuses = reply.history().iter().map(|hop| hop.status);
    let status = statuses
        .chain([reply.status()])
        .next()
        .unwrap_or(reply.status());
    words.push_str(&format!(" → {}", status.as_u16()));
    if first != reply.url() {
        words.push_str(&format!(" to {}", shown_near(reply.url(), &asked)));
    }
    Ok(Visit {
        page,
        url: reply.url().clone(),
        status: reply.status().as_u16(),
        verdict: reply.verdict().clone(),
        cookies_set: reply.cookies_set().to_vec(),
        auth_scheme: auth_scheme(&reply),
        clock_ahead: clock_ahead(reply.headers(), session.now()),
        words,
    })
}

fn auth_scheme(reply: &Reply) -> Option<String> {
    let asks = reply.headers().get(header::WWW_AUTHENTICATE)?;
    let scheme = asks.to_str().ok()?.split([' ', ',']).next()?;
    let is_asked = reply.status() == StatusCode::UNAUTHORIZED && !scheme.is_empty();
    is_asked.then(|| scheme.to_owned())
}

/// What the `Date` of a reply says of the site's clock. A copy from a cache has an old one.
pub(super) fn clock_ahead(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    if headers.contains_key(header::AGE) {
        return None;
    }
    let date = headers.get(header::DATE)?.to_str().ok()?;
    let date = Timestamp::from(httpdate::parse_http_date(date).ok()?);
    // It counts whole seconds: within the one that it shows, our clock is right.
    let ahead = date.as_millis().checked_sub(now.as_millis())?;
    Some(if (-1000..=0).contains(&ahead) {
        0
    } else {
        ahead
    })
}

/// The page in a reply, whose body stays in its place.
async fn page(reply: &mut Reply) -> Result<Page, Error> {
    let kind = reply.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let url = reply.url().clone();
    Ok(Page::decode(
        reply.peek(LOOK_AT).await?,
        kind.as_deref(),
        &url,
    ))
}

/// The text of a reply, whose body stays in its place: in the encoding that its head names, else in
/// UTF-8 or, where it isn't that, in windows-1252.
pub(crate) async fn text(reply: &mut Reply, limit: u64) -> Result<String, Error> {
    let kind = reply.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let bytes = reply.peek(limit).await?;
    Ok(page::decode(bytes, kind.as_deref()).0.into_owned())
}

/// What a reply shows of a login.
pub(crate) async fn evidence(reply: &mut Reply) -> Result<Evidence, Error> {
    let status = reply.status().as_u16();
    if !reply.is_html() {
        let url = reply.url().clone();
        let text = String::from_utf8_lossy(reply.peek(LOOK_AT).await?).into_owned();
        return Ok(Evidence::plain(status, &url, &text));
    }
    Ok(Evidence::page(status, &page(reply).await?))
}

/// What a check says of a reply to `session`, and what each of its rules does. The body stays in
/// its place.
pub(crate) async fn judge(
    check: &Check,
    reply: &mut Reply,
    session: &Session,
) -> Result<(Judgement, Vec<Finding>), Error> {
    match &check.rule {
        CheckRule::Learned(learned) => {
            let evidence = evidence(reply).await?;
            Ok((learned.judge(&evidence), learned.findings(&evidence)))
        }
        CheckRule::Site(rules) => {
            let judge = |seen: &Seen<'_>| (rules.judge(seen), rules.findings(seen));
            look(reply, session, judge).await
        }
    }
}

/// Shows a reply to rules of a site file; its body stays in its place.
pub(crate) async fn look<T>(
    reply: &mut Reply,
    session: &Session,
    judge: impl FnOnce(&Seen<'_>) -> T,
) -> Result<T, Error> {
    let text = text(reply, LOOK_AT).await?;
    let names = cookie_names(session, reply.url());
    Ok(judge(&Seen {
        status: reply.status().as_u16(),
        url: reply.url(),
        content: &Content::new(&text, reply.is_html()),
        cookies: &names,
    }))
}

/// The names of the cookies that go to a page.
fn cookie_names(session: &Session, url: &Url) -> Vec<String> {
    let (now, context) = (session.now(), Context::default());
    let Some(target) = session::target(url) else {
        return Vec::new();
    };
    session.read(|state| {
        let cookies = state.jar().select(&target, &context, now);
        cookies
            .map(|cookie| cookie.name_lossy().into_owned())
            .collect()
    })
}

/// A path where it stays on the same site, else the whole URL.
fn shown_near(url: &Url, from: &str) -> String {
    let shown = ShownUrl(url).to_string();
    match Url::parse(from) {
        Ok(from) if from.origin() == url.origin() => {
            let origin = url.origin().ascii_serialization();
            shown
                .strip_prefix(&origin)
                .map(str::to_owned)
                .unwrap_or(shown)
        }
        Ok(_) | Err(_) => shown,
    }
}
