//! The form login, taken step by step: fetches what `flow` asks for.

use sessile_jar::{Api, Context, Jar, Timestamp};
use url::Url;

use super::fill::Submission;
use super::flow::{Action, FormLogin};
use super::form::FormMethod;
use super::second_factor::CodeSource;
use super::visit::{Visit, visit};
use super::{Credentials, FormPlace, Known, Landed, LoginError, Trail, prove};
use crate::redact::ShownUrl;
use crate::session::{self, Request, Session};

/// How many pages a login may take.
const PAGES: usize = 12;

/// Finds the form, fills it in and sends it.
pub(super) async fn log_in(
    member: &Session,
    place: &FormPlace,
    credentials: &Credentials,
    known: &Known,
    trail: &mut Trail,
) -> Result<Landed, LoginError> {
    let mut codes = CodeSource::new(credentials, &known.factor);
    let mut flow = FormLogin::new(place, credentials, trail);
    match walk(member, &mut flow, &mut codes).await {
        Ok(page) => Ok(Landed::On(Box::new(page))),
        // The cookies alone may have opened the door, as single sign-on does.
        Err(LoginError::NoForm { .. }) if prove::holds(member, known, trail).await? => {
            Ok(Landed::Proven)
        }
        Err(error) => Err(error),
    }
}

/// Goes from page to page until the form was sent; answers the page it led to.
async fn walk(
    member: &Session,
    flow: &mut FormLogin<'_>,
    codes: &mut CodeSource<'_>,
) -> Result<Visit, LoginError> {
    let mut page = visit(member, Request::get(flow.start().as_str())).await?;
    for _page in 0..PAGES {
        let jar = member.read(|state| state.jar().clone());
        let visible = visible(&jar, &page.url, member.now());
        let request = match flow.next(&page, &visible)? {
            Action::AskCode(wanted) => {
                let ahead = page.clock_ahead;
                let code = codes.next(member, wanted, ahead, flow.trail).await;
                let submission = flow.send_code(&page, code, &visible)?;
                request(&submission)
            }
            Action::Done => return Ok(page),
            Action::Fetch(url) => Request::get(url.as_str()),
            Action::Submit(submission) => request(&submission),
        };
        page = visit(member, request).await?;
    }
    let url = ShownUrl(&page.url).to_string();
    Err(LoginError::CanNotTell { url })
}

/// The form as a request, with the headers that a browser adds and frameworks check.
fn request(submission: &Submission) -> Request {
    let mut request = match submission.method {
        FormMethod::Get => Request::get(submission.url.as_str()),
        FormMethod::Post => Request::post(submission.url.as_str())
            .keep_body_home()
            .header("origin", &submission.origin)
            .body(submission.body.expose().clone()),
    };
    request = request.header("referer", submission.referer.as_str());
    if let Some(kind) = &submission.content_type {
        request = request.header("content-type", kind);
    }
    for (name, value) in &submission.headers {
        request = request.header(name, value.expose());
    }
    request
}

/// The cookies that a script on the page could read; some forms send one of them back.
fn visible(jar: &Jar, url: &Url, now: Timestamp) -> Vec<(String, String)> {
    let Some(target) = session::target(url) else {
        return Vec::new();
    };
    let mut script = Context::default();
    script.api = Api::NonHttp;
    let cookies = jar.select(&target, &script, now);
    cookies
        .map(|cookie| {
            (
                cookie.name_lossy().into_owned(),
                cookie.value_lossy().into_owned(),
            )
        })
        .collect()
}
