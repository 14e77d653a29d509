//! A request that a browser carries out: what it takes along, and what comes back.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use url::Url;

use super::Inner;
use super::hop::Hop;
use super::reply::Hop as Passed;
use super::verdict::{self, Verdict};
use crate::browser;
use crate::error::{Error, RedirectRefusal};
use crate::redact::ShownUrl;
use crate::transport::{Incoming, Luggage, Outgoing};

/// Opens a page in a browser and moves the request to where that led. The cookies that changed
/// there change in the jar, unless a newer login has begun since.
pub(super) async fn visit(
    session: &Inner,
    hop: &mut Hop,
    outgoing: Outgoing,
    generation: u64,
) -> Result<Incoming, Error> {
    let luggage = {
        let live = session.live();
        Luggage {
            jar: live.state.jar.clone(),
            storage: live.state.storage.clone(),
            now: session.clock.now(),
            is_refusal,
        }
    };
    let arrival = session.ladder.browser().visit(outgoing, luggage).await?;
    let passed = arrival.passed.iter().map(|(url, _)| url.clone());
    let pages: Vec<Url> = passed.chain([arrival.url.clone()]).collect();
    if !session.habits.may_downgrade {
        refuse_downgrade(&pages)?;
    }
    let now = session.clock.now();
    let mut live = session.live();
    if live.state.generation == generation {
        let jar = &mut live.state.jar;
        let (before, after) = (&arrival.before, &arrival.after);
        hop.cookies_set = after.bring_changes(before, jar, &pages, now);
        browser::bring_storage(&mut live.state.storage, arrival.storage);
    }
    drop(live);
    let passed = arrival.passed.into_iter();
    hop.passed = passed.map(|(url, status)| Passed { url, status }).collect();
    hop.url = Arc::new(arrival.url);
    Ok(arrival.incoming)
}

/// Whether a script of the page may still let the browser in.
fn is_refusal(status: StatusCode, headers: &HeaderMap) -> bool {
    let is_busy = matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    );
    let verdict = verdict::of_reply(status, headers, 0);
    is_busy || matches!(verdict, Verdict::Blocked | Verdict::Challenged(_))
}

/// What came from an unprotected page is not taken in place of what was asked of a protected one.
fn refuse_downgrade(pages: &[Url]) -> Result<(), Error> {
    let is_downgrade = |pair: &&[Url]| pair[0].scheme() == "https" && pair[1].scheme() == "http";
    match pages.windows(2).find(is_downgrade) {
        Some(pair) => Err(Error::Redirect {
            from: ShownUrl(&pair[0]).to_string(),
            to: ShownUrl(&pair[1]).to_string(),
            why: RedirectRefusal::Downgrade,
        }),
        None => Ok(()),
    }
}
