//! Whether a login worked, and how to see later that it still holds.

use url::Url;

use super::messages::{self, Refusal};
use super::visit::{self, Visit};
use super::{Known, Landed, Login, LoginError, Trail, flow};
use crate::check::evidence::Evidence;
use crate::check::learn::{self, Judgement};
use crate::record::Check;
use crate::redact::ShownUrl;
use crate::session::{Request, Session};

/// The check that says that a login holds, an earlier one or one that is learned now; none where
/// no page shows it.
pub(super) async fn check(
    session: &Session,
    member: &Session,
    login: &Login,
    known: &Known,
    landed: &Landed,
    trail: &mut Trail,
) -> Result<Option<Check>, LoginError> {
    match landed {
        Landed::Proven => Ok(known.check.clone()),
        Landed::On(_) if holds(member, known, trail).await? => Ok(known.check.clone()),
        Landed::On(page) => learn(session, member, login, page, trail).await,
    }
}

/// Whether the check of an earlier login says that this one holds.
pub(super) async fn holds(
    member: &Session,
    known: &Known,
    trail: &mut Trail,
) -> Result<bool, LoginError> {
    let Some(check) = &known.check else {
        return Ok(false);
    };
    let Judgement::Valid(why) = check.judge(&evidence(member, &check.url).await?) else {
        return Ok(false);
    };
    let shown = ShownUrl(&check.url).to_string();
    trail.say(format!("logged in: at {shown} {why}"));
    Ok(true)
}

/// Finds a page that shows whether one is logged in, by comparing it with what strangers get.
async fn learn(
    session: &Session,
    member: &Session,
    login: &Login,
    landed: &Visit,
    trail: &mut Trail,
) -> Result<Option<Check>, LoginError> {
    for url in candidates(login, landed, &trail.login_pages) {
        let ours = evidence(member, &url).await?;
        let strangers = [
            evidence(&session.stranger(), &url).await?,
            evidence(&session.stranger(), &url).await?,
        ];
        let names = [login.credentials.user.as_str()];
        let learned = learn::learn(&ours, [&strangers[0], &strangers[1]], &names);
        // What a second look doesn't bear out was chance.
        let again = evidence(member, &url).await?;
        if let Some(learned) = learned.and_then(|learned| learned.confirm(&again)) {
            let shown = ShownUrl(&url).to_string();
            let shows = learned.member.first().map_or_else(
                || format!("strangers get something else ({learned})"),
                |mark| format!("{mark}, which strangers don't see"),
            );
            trail.say(format!(
                "logged in as {}: at {shown} {shows}",
                login.credentials.user
            ));
            return Ok(Some(Check::learned(url, learned)));
        }
    }
    // Nothing to check by later; whether it worked shows at least in what the site handed out.
    let url = ShownUrl(&landed.url).to_string();
    let words = flow::words(landed, &login.credentials, &[]);
    if messages::classify_refusal(&words) != Refusal::Other {
        let message = words.join(" ");
        return Err(LoginError::Refused {
            url,
            user: login.credentials.user.clone(),
            message,
        });
    }
    if landed.cookies_set.is_empty() || login.check.is_some() {
        return Err(LoginError::CanNotTell { url });
    }
    trail.say(format!(
        "logged in as {}, it seems: the site set {}, but no page was found that shows it",
        login.credentials.user,
        landed.cookies_set.join(", ")
    ));
    Ok(None)
}

/// Pages that may show it, best first.
fn candidates(login: &Login, landed: &Visit, login_pages: &[Url]) -> Vec<Url> {
    if let Some(url) = &login.check {
        return vec![url.clone()];
    }
    let mut root = landed.url.clone();
    root.set_path("/");
    root.set_query(None);
    let started_at_form = login_pages
        .iter()
        .any(|page| page.path() == login.how.start().path());
    let mut urls = if started_at_form {
        vec![landed.url.clone(), root, login.how.start().clone()]
    } else {
        vec![login.how.start().clone(), landed.url.clone(), root]
    };
    for url in &mut urls {
        url.set_fragment(None);
    }
    urls.dedup();
    urls
}

async fn evidence(session: &Session, url: &Url) -> Result<Evidence, LoginError> {
    let request = visit::page_request(Request::get(url.as_str()));
    let mut reply = session.send(request).await?;
    Ok(visit::evidence(&mut reply).await?)
}
