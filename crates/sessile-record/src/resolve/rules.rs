//! Media by the rules of a site file: what the page shows, further requests, and an address made of
//! what they gave.

use std::collections::BTreeMap;
use std::sync::Arc;

use sessile::site::{Capture, Content, MediaRules, Replied, Step, Values, take_all};
use sessile::{Reply, Secret, ShownUrl};
use url::Url;

use super::{ResolveError, ask, expiry, kind, page, text};
use crate::address;
use crate::login_page;
use crate::media::{Media, Recorder};
use crate::through::Through;

type Captured = BTreeMap<String, Secret<String>>;

pub(super) async fn resolve(
    session: &Through,
    page: &Url,
    reply: Reply,
    rules: &MediaRules,
) -> Result<Media, ResolveError> {
    let answer = Answer::read(session, reply).await?;
    let found = follow(session, page, &answer, rules).await;
    found.map_err(|why| match why {
        ResolveError::Rule { .. } if answer.is_html && login_page::is_one(&answer.body) => {
            why.of_login_page(&answer.url)
        }
        why => why,
    })
}

/// Goes by the rules, from what the page answered.
async fn follow(
    session: &Through,
    page: &Url,
    answer: &Answer,
    rules: &MediaRules,
) -> Result<Media, ResolveError> {
    let here = answer.url.clone();
    let mut captured = Captured::new();
    captured.insert("page".to_owned(), Secret::new(here.to_string()));
    let title = page::look(&answer.replied().content, &here).title;
    captured.extend(answer.take(&rules.capture)?);
    let mut at = here.clone();
    for (index, step) in rules.steps.iter().enumerate() {
        at = run(session, step, index, &at, &mut captured).await?;
    }
    let fault = |what: String| ResolveError::Rule {
        page: ShownUrl(&at).to_string(),
        what,
    };
    let values = values(&captured);
    let url = rules.url.fill(&values, Some(&at)).map_err(&fault)?;
    if let Some(why) = address::refuse(&url, &here) {
        return Err(fault(format!("{} isn't fetched: {why}", ShownUrl(&url))));
    }
    let missing = |name: String| fault(format!("there is no {{{name}}}"));
    let own = rules.title.as_ref().map(|title| title.fill(&values));
    let own = own.transpose().map_err(&missing)?;
    let mut headers = vec![("referer".to_owned(), address::referer(&here, &url))];
    for (name, value) in &rules.headers {
        headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        let value = value.fill(&values).map_err(&missing)?;
        headers.push((name.clone(), value.expose().clone()));
    }
    let recorder = match rules.recorder {
        Some("hls") => Recorder::Hls,
        Some(_) => Recorder::Mp4,
        None => match kind::of_address(&url) {
            Some(recorder) => recorder,
            None => ask(session, &url, &here).await?.ok_or_else(|| {
                fault(format!(
                    "{} is neither a playlist nor a media file",
                    ShownUrl(&url)
                ))
            })?,
        },
    };
    Ok(Media {
        expires: expiry::of_url(&url).or_else(|| session.session().cookies_end(&url)),
        resolved_url: url,
        recorder,
        session: session.clone(),
        headers,
        title: own.map(|title| title.expose().clone()).or(title),
        page: page.clone(),
        rules: Some(Arc::new(rules.clone())),
        seen: None,
    })
}

fn values(captured: &Captured) -> Values<'_> {
    let mut values = Values::of("", None);
    values.captured = captured;
    values
}

/// Makes one request; answers where it ended.
async fn run(
    session: &Through,
    step: &Step,
    index: usize,
    here: &Url,
    captured: &mut Captured,
) -> Result<Url, ResolveError> {
    let number = index + 1;
    let name = match &step.name {
        Some(name) => format!("step {number} ({name})"),
        None => format!("step {number}"),
    };
    let fault = |what: String| ResolveError::Rule {
        page: ShownUrl(here).to_string(),
        what: format!("{name}: {what}"),
    };
    let values = values(captured);
    let url = step.url.fill(&values, Some(here)).map_err(&fault)?;
    if let Some(why) = address::refuse(&url, here) {
        return Err(fault(format!("{} isn't fetched: {why}", ShownUrl(&url))));
    }
    let request = step.request(&url, Some(here), &values);
    let request = request.map_err(|name| fault(format!("there is no {{{name}}}")))?;
    let request = request.redirect_rule(address::refuse_redirect);
    let reply = session.send(request).await?.reply;
    let answer = Answer::read(session, reply).await?;
    let found = step.take(&answer.replied()).map_err(fault)?;
    captured.extend(found);
    Ok(answer.url)
}

/// A reply that was read.
struct Answer {
    status: u16,
    url: Url,
    leads_to: Option<Url>,
    headers: http::HeaderMap,
    cookies: Vec<(String, Secret<String>)>,
    is_html: bool,
    body: String,
}

impl Answer {
    async fn read(session: &Through, reply: Reply) -> Result<Self, ResolveError> {
        let url = reply.url().clone();
        let location = reply.headers().get(http::header::LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        Ok(Self {
            status: reply.status().as_u16(),
            leads_to: location.and_then(|location| url.join(location).ok()),
            headers: reply.headers().clone(),
            cookies: session.session().cookies_for(&url),
            is_html: reply.is_html(),
            body: text(reply).await?,
            url,
        })
    }

    fn replied(&self) -> Replied<'_> {
        Replied {
            status: self.status,
            url: &self.url,
            leads_to: self.leads_to.as_ref(),
            headers: &self.headers,
            cookies: &self.cookies,
            content: Content::new(&self.body, self.is_html),
        }
    }

    fn take(&self, captures: &[(String, Capture)]) -> Result<Captured, ResolveError> {
        let found = take_all(captures, &self.replied());
        let found = found.map_err(|what| ResolveError::Rule {
            page: ShownUrl(&self.url).to_string(),
            what,
        })?;
        Ok(found.into_iter().collect())
    }
}
