//! A browser in which a person does something, watched from aside.
//!
//! Nothing is typed or clicked from here; what it shows is looked at now and then.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::pipe::{Event, Message};
use super::{Browser, Cookies, Fault, OriginStorage, text};

/// How long a look at a page may take; a page that shows a message box answers later.
const LOOK: Duration = Duration::from_secs(5);

/// What a browser shows and has at one moment.
#[derive(Clone, PartialEq)]
pub(crate) struct Sight {
    /// The page; `None` while another one is on its way.
    pub(crate) url: Option<Url>,
    /// Whether the page is there with all that it loads.
    pub(crate) is_complete: bool,
    pub(crate) cookies: Cookies,
    pub(crate) storage: Option<OriginStorage>,
}

impl Browser {
    /// Goes to a page and leaves it to whoever sits there.
    pub(crate) async fn show(&mut self, url: &Url) -> Result<(), Fault> {
        self.visited.push(url.clone());
        let params = json!({ "url": url.as_str() });
        self.post("Page.navigate", params).await.map(drop)
    }

    /// Lets time go by and notes where that leads.
    pub(crate) async fn linger(&mut self, span: Duration) -> Result<(), Fault> {
        let end = Instant::now() + span;
        while let Ok(message) = timeout_at(end, self.next()).await {
            if let Message::Event(event) = message? {
                self.note(&event);
            }
        }
        Ok(())
    }

    /// The pages of all sites that the person has been to, one a site and address.
    pub(crate) fn visited(&self) -> &[Url] {
        &self.visited
    }

    fn note(&mut self, event: &Event) {
        let frame = &event.params["frame"];
        if event.method != "Page.frameNavigated" || !frame["parentId"].is_null() {
            return;
        }
        let url = frame["url"].as_str().and_then(|url| Url::parse(url).ok());
        let Some(url) = url.filter(Url::has_host) else {
            return;
        };
        if self.visited.iter().all(|seen| seen.host() != url.host()) {
            self.visited.push(url);
        }
    }

    /// What it shows; `None` where no page is left to look at.
    pub(crate) async fn sight(&mut self) -> Result<Option<Sight>, Fault> {
        let seen = match timeout(LOOK, self.look(WHERE)).await {
            Ok(Ok(seen)) => seen,
            // The page is being replaced by another one, or it was closed.
            Ok(Err(Fault::Refuse { .. } | Fault::Babble(_))) => {
                if !self.turn_to_open_page().await? {
                    return Ok(None);
                }
                serde_json::Value::Null
            }
            Ok(Err(fault)) => return Err(fault),
            Err(_busy) => serde_json::Value::Null,
        };
        let url = Url::parse(&text(&seen["url"])).ok().filter(Url::has_host);
        let storage = match url {
            Some(_) => self.storage().await.unwrap_or_default(),
            None => None,
        };
        Ok(Some(Sight {
            url,
            is_complete: seen["is_complete"] == true,
            cookies: self.cookies().await?,
            storage,
        }))
    }

    /// The page as it stands.
    pub(crate) async fn source(&mut self) -> Result<String, Fault> {
        let source = timeout(LOOK, self.look("document.documentElement.outerHTML")).await;
        Ok(text(&source.map_err(|_busy| Fault::Hang(LOOK))??))
    }

    /// Looks at another page where this one was closed; answers whether there is one.
    async fn turn_to_open_page(&mut self) -> Result<bool, Fault> {
        let pages = self.pages().await?;
        let Some(page) = pages.first() else {
            return Ok(false);
        };
        if !pages.contains(&self.target) {
            self.attach(page.clone()).await?;
        }
        Ok(true)
    }
}

const WHERE: &str = "({ url: location.href, is_complete: document.readyState === 'complete' })";
