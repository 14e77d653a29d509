//! From a page's address to its media.
//!
//! The site's own rules come first (`rules`); without them the page is looked through for what pages
//! commonly have (`page`, `script`, `structured`), then the frames in it. `kind` says what an address
//! or a reply is, `expiry` when an address stops working.

mod error;
mod expiry;
mod kind;
mod page;
mod rules;
mod script;
mod structured;

use std::sync::Arc;

use sessile::site::{Content, MediaRules};
use sessile::{Reply, Request, ShownUrl};
use url::Url;

use crate::address;
use crate::login_page;
use crate::media::{Media, Recorder, Seen};
use crate::through::{Against, Login, Through};

pub use error::ResolveError;
use page::{Candidate, Sight};

/// How much of a page is looked at.
const LOOK_AT: usize = 8 << 20;

/// How many addresses are asked what they are.
const MOST_ASKED: usize = 8;

/// How many frames of a page are looked into.
const MOST_FRAMES: usize = 4;

/// Finds the media of a page.
///
/// # Errors
///
/// [`ResolveError`]; where nothing was found it names what was looked for.
pub async fn resolve(
    session: &Through,
    page: &Url,
    rules: Option<&MediaRules>,
) -> Result<Media, ResolveError> {
    let found = find(session, page, rules).await;
    let Err(ResolveError::LoggedOut { page: shown, why }) = found else {
        return found;
    };
    match session.see_to_login(Against::LoginPage).await? {
        // Members see such a form there too.
        Login::Holds => Err(*why),
        Login::Renewed => match find(session, page, rules).await {
            Err(ResolveError::LoggedOut { why, .. }) => Err(*why),
            found => found,
        },
        Login::Unknown => Err(ResolveError::LoggedOut { page: shown, why }),
    }
}

async fn find(
    session: &Through,
    page: &Url,
    rules: Option<&MediaRules>,
) -> Result<Media, ResolveError> {
    let reply = fetch(session, page, None).await?;
    if let Some(rules) = rules {
        return rules::resolve(session, page, reply, rules).await;
    }
    let here = reply.url().clone();
    // Where the page leads may be signed for a minute; the page leads there each time.
    let direct = |recorder| found(session, page, page.clone(), recorder, None);
    let recorder = kind::of_reply(&reply);
    if recorder == Some(Recorder::Mp4) {
        return Ok(direct(Recorder::Mp4));
    }
    let text = text(reply).await?;
    let is_playlist = text.trim_start_matches('\u{feff}').starts_with("#EXTM3U");
    if is_playlist || recorder == Some(Recorder::Hls) {
        let seen = Seen { base: here, text };
        return Ok(Media {
            seen: is_playlist.then(|| Arc::new(seen)),
            ..direct(Recorder::Hls)
        });
    }
    let sight = page::look(&Content::new(&text, true), &here);
    if let Some(media) = first(session, page, &here, &sight).await? {
        return Ok(media);
    }
    for frame in sight.frames.iter().take(MOST_FRAMES) {
        // What a frame refuses is no reason to give up the page.
        let Ok(reply) = fetch(session, frame, Some(&here)).await else {
            continue;
        };
        let inside = reply.url().clone();
        if let Some(recorder) = kind::of_reply(&reply) {
            return Ok(found(session, page, inside, recorder, sight.title.clone()));
        }
        let mut seen = page::look(&Content::new(&self::text(reply).await?, true), &inside);
        seen.title = sight.title.clone().or(seen.title);
        if let Some(media) = first(session, page, &inside, &seen).await? {
            return Ok(media);
        }
    }
    let nothing = ResolveError::Nothing {
        page: ShownUrl(&here).to_string(),
        looked: page::looked_for(&sight),
    };
    Err(match login_page::is_one(&text) {
        true => nothing.of_login_page(&here),
        false => nothing,
    })
}

/// The first candidate that is media.
async fn first(
    session: &Through,
    page: &Url,
    here: &Url,
    sight: &Sight,
) -> Result<Option<Media>, ResolveError> {
    let mut asked = 0;
    for candidate in &sight.candidates {
        let Candidate { url, kind } = candidate;
        if address::refuse(url, here).is_some() {
            continue;
        }
        let recorder = match kind.or_else(|| kind::of_address(url)) {
            Some(recorder) => Some(recorder),
            None if asked < MOST_ASKED => {
                asked += 1;
                ask(session, url, here).await?
            }
            None => None,
        };
        if let Some(recorder) = recorder {
            let title = sight.title.clone();
            return Ok(Some(found(session, page, url.clone(), recorder, title)));
        }
    }
    Ok(None)
}

/// Asks an address what it is.
async fn ask(session: &Through, url: &Url, here: &Url) -> Result<Option<Recorder>, ResolveError> {
    match fetch(session, url, Some(here)).await {
        Ok(reply) => Ok(kind::of_reply(&reply)),
        Err(
            ResolveError::BadAddress { .. }
            | ResolveError::LoggedOut { .. }
            | ResolveError::Refused { .. },
        ) => Ok(None),
        Err(ResolveError::Request(sessile::renew::KeepError::Request(_))) => Ok(None),
        Err(other) => Err(other),
    }
}

fn found(
    session: &Through,
    page: &Url,
    url: Url,
    recorder: Recorder,
    title: Option<String>,
) -> Media {
    let expires = expiry::of_url(&url).or_else(|| session.session().cookies_end(&url));
    let headers = match *page == url {
        true => Vec::new(),
        false => vec![("referer".to_owned(), address::referer(page, &url))],
    };
    Media {
        resolved_url: url,
        recorder,
        session: session.clone(),
        headers,
        title,
        expires,
        page: page.clone(),
        rules: None,
        seen: None,
    }
}

async fn fetch(session: &Through, url: &Url, from: Option<&Url>) -> Result<Reply, ResolveError> {
    const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let mut request = Request::get(url.as_str())
        .redirect_rule(address::refuse_redirect)
        .header("accept", ACCEPT);
    if let Some(from) = from {
        request = request.header("referer", &address::referer(from, url));
    }
    checked(session.send(request).await?.reply)
}

/// A reply that isn't a refusal.
fn checked(reply: Reply) -> Result<Reply, ResolveError> {
    let status = reply.status();
    let is_login = matches!(reply.verdict(), sessile::Verdict::Expired(_));
    if status.is_success() && !is_login {
        return Ok(reply);
    }
    let refused = ResolveError::Refused {
        page: ShownUrl(reply.url()).to_string(),
        status: status.as_u16(),
    };
    Err(match is_login {
        true => refused.of_login_page(reply.url()),
        false => refused,
    })
}

/// The body as text, as far as it is looked at.
async fn text(mut reply: Reply) -> Result<String, ResolveError> {
    let mut bytes = Vec::new();
    while let Some(piece) = reply.chunk().await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > LOOK_AT {
            bytes.truncate(LOOK_AT);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The same page again: its address may have a new signature.
pub(crate) async fn again(media: &Media) -> Result<Media, ResolveError> {
    resolve(&media.session, &media.page, media.rules.as_deref()).await
}
