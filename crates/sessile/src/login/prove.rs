//! Whether a login worked, and how to see later that it still holds.

use url::Url;

use super::messages::{self, Refusal};
use super::visit::{self, Visit};
use super::{Known, Landed, Login, LoginError, Trail, flow};
use crate::check::evidence::Evidence;
use crate::check::learn::{self, Judgement};
use crate::check::mark::Mark;
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
    // The person in front of a window was kept waiting until the site's own check said so.
    let own = login.how.check();
    if let Some(check) = own.filter(|_| !matches!(landed, Landed::Found(_))) {
        return by_site(member, check, login, landed, trail).await;
    }
    match landed {
        Landed::Found(check) => Ok(check.clone()),
        Landed::Proven => Ok(known.check.clone()),
        Landed::Answered | Landed::On(_) if holds(member, known, trail).await? => {
            Ok(known.check.clone())
        }
        Landed::Answered => learn_after_requests(session, member, login, trail).await,
        Landed::On(page) => learn(session, member, login, page, trail).await,
    }
}

/// Asks the check of the site file.
async fn by_site(
    member: &Session,
    check: Check,
    login: &Login,
    landed: &Landed,
    trail: &mut Trail,
) -> Result<Option<Check>, LoginError> {
    let url = ShownUrl(&check.url).to_string();
    let (judgement, status) = judge(member, &check).await?;
    match judgement {
        Judgement::Valid(why) => {
            trail.say(format!("logged in: at {url} {why}"));
            Ok(Some(check))
        }
        Judgement::Expired(why) => {
            // The page after the login may say it in the site's own words.
            let words = match landed {
                Landed::On(page) => flow::words(page, &login.credentials, &[]),
                Landed::Answered | Landed::Found(_) | Landed::Proven => Vec::new(),
            };
            let start = ShownUrl(login.how.start()).to_string();
            let user = login.credentials.user.clone();
            Err(match words.is_empty() {
                true => LoginError::Unproven {
                    url: start,
                    user,
                    what: format!("the check at {url}, which answered {status}: {why}"),
                },
                false => LoginError::Refused {
                    url: start,
                    user,
                    message: words.join(" "),
                },
            })
        }
        Judgement::Unsure(why) => Err(LoginError::Step {
            url,
            what: format!("the check can't tell whether the login worked: {why}"),
        }),
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
    let (Judgement::Valid(why), _status) = judge(member, check).await? else {
        return Ok(false);
    };
    let shown = ShownUrl(&check.url).to_string();
    trail.say(format!("logged in: at {shown} {why}"));
    Ok(true)
}

/// A page that shows a login.
pub(super) struct Proof {
    pub(super) check: Check,
    /// How it shows, in words.
    pub(super) why: String,
    /// Whether it tells members from strangers by more than a difference between two pages.
    pub(super) is_beyond_doubt: bool,
}

/// What the check of a site file says, where it says that somebody is logged in.
pub(super) async fn by_rule(member: &Session, check: Check) -> Result<Option<Proof>, LoginError> {
    let (judgement, _status) = judge(member, &check).await?;
    Ok(match judgement {
        Judgement::Valid(why) => Some(Proof {
            why: format!("logged in: at {} {why}", ShownUrl(&check.url)),
            check,
            is_beyond_doubt: true,
        }),
        Judgement::Expired(_) | Judgement::Unsure(_) => None,
    })
}

/// The first of these pages that strangers get another one of.
pub(super) async fn learn_at(
    session: &Session,
    member: &Session,
    login: &Login,
    urls: Vec<Url>,
) -> Result<Option<Proof>, LoginError> {
    for url in urls {
        let ours = evidence(member, &url).await?;
        let strangers = [
            evidence(&session.stranger(), &url).await?,
            evidence(&session.stranger(), &url).await?,
        ];
        let user = login.credentials.user.as_str();
        let learned = learn::learn(&ours, [&strangers[0], &strangers[1]], &[user]);
        // What a second look doesn't bear out was chance.
        let again = evidence(member, &url).await?;
        if let Some(learned) = learned.and_then(|learned| learned.confirm(&again)) {
            let shown = ShownUrl(&url).to_string();
            let shows = learned.member.first().map_or_else(
                || format!("strangers get something else ({learned})"),
                |mark| format!("{mark}, which strangers don't see"),
            );
            let why = format!("{}: at {shown} {shows}", logged_in(login));
            let mut marks = learned.member.iter().chain(&learned.stranger);
            return Ok(Some(Proof {
                is_beyond_doubt: marks.any(Mark::is_strong),
                check: Check::learned(url, learned),
                why,
            }));
        }
    }
    Ok(None)
}

/// Finds a page that shows whether one is logged in, by comparing it with what strangers get.
async fn learn(
    session: &Session,
    member: &Session,
    login: &Login,
    landed: &Visit,
    trail: &mut Trail,
) -> Result<Option<Check>, LoginError> {
    let urls = candidates(login, landed, &trail.login_pages);
    if let Some(proof) = learn_at(session, member, login, urls).await? {
        trail.say(proof.why);
        return Ok(Some(proof.check));
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

/// The same after requests that were no pages: what they granted says that it worked.
async fn learn_after_requests(
    session: &Session,
    member: &Session,
    login: &Login,
    trail: &mut Trail,
) -> Result<Option<Check>, LoginError> {
    let start = login.how.start();
    let home = member.read(|state| state.base_url().cloned());
    let urls = match &login.check {
        Some(url) => vec![url.clone()],
        None => {
            let mut urls = vec![start.clone()];
            urls.extend(home.filter(|home| home != start));
            urls
        }
    };
    if let Some(proof) = learn_at(session, member, login, urls).await? {
        trail.say(proof.why);
        return Ok(Some(proof.check));
    }
    if login.check.is_some() {
        let url = ShownUrl(start).to_string();
        return Err(LoginError::CanNotTell { url });
    }
    let logged_in = logged_in(login);
    trail.say(format!(
        "{logged_in}, it seems: no page was found that shows it"
    ));
    Ok(None)
}

fn logged_in(login: &Login) -> String {
    match login.credentials.user.as_str() {
        "" => "logged in".to_owned(),
        user => format!("logged in as {user}"),
    }
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

/// What a check says of its page, and the page's status.
async fn judge(member: &Session, check: &Check) -> Result<(Judgement, u16), LoginError> {
    let request = visit::page_request(Request::get(check.url.as_str()));
    let mut reply = member.send(request).await?;
    let (judgement, _findings) = visit::judge(check, &mut reply, member).await?;
    Ok((judgement, reply.status().as_u16()))
}

async fn evidence(session: &Session, url: &Url) -> Result<Evidence, LoginError> {
    let request = visit::page_request(Request::get(url.as_str()));
    let mut reply = session.send(request).await?;
    Ok(visit::evidence(&mut reply).await?)
}
