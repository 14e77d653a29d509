//! A Chromium of one's own, for what only a browser gets through and for logins by a person.
//!
//! It has an empty profile in a folder of its own, talks to us through a pipe, and is gone with
//! its folder when the value is dropped. What a request makes of it is in `transport/browser`, a
//! login in `login/browser`. Nothing is disguised: a page sees a Chromium that is driven.

mod cookies;
mod fault;
mod journey;
mod launch;
mod pipe;
mod storage;
mod visit;
mod window;

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use crate::secret::Secret;
use sessile_jar::{Jar, Timestamp};

pub(crate) use cookies::Cookies;
pub(crate) use fault::Fault;
pub(crate) use journey::Document;
pub(crate) use launch::Launch;
pub use storage::OriginStorage;
pub(crate) use storage::bring as bring_storage;
pub(crate) use visit::{NoPage, Order, UserAgent, Visited};
pub(crate) use window::Sight;

use launch::Process;
use pipe::{Message, Pipe};

/// How long a browser that is asked to end may take before it is made to.
const FAREWELL: Duration = Duration::from_secs(3);

/// A browser that runs, with one page.
pub(crate) struct Browser {
    // Before the process, so that its end of the pipe is closed first.
    pipe: Pipe,
    process: Process,
    user_agent: String,
    /// The page, and our session with it, in the protocol's words.
    target: String,
    page: String,
    frame: String,
    /// Where a person has been.
    visited: Vec<Url>,
}

impl Browser {
    /// Starts a browser; it has to answer each command within `patience`.
    pub(crate) async fn start(launch: &Launch, patience: Duration) -> Result<Self, Fault> {
        let started = launch.start()?;
        let mut browser = Self {
            pipe: Pipe::new(started.input, started.output, patience),
            process: started.process,
            user_agent: String::new(),
            target: String::new(),
            page: String::new(),
            frame: String::new(),
            visited: Vec::new(),
        };
        let version = browser.ask("Browser.getVersion", json!({})).await?;
        browser.user_agent = text(&version["userAgent"]);
        let page = match browser.pages().await?.into_iter().next() {
            Some(page) => page,
            None => {
                let blank = json!({ "url": "about:blank" });
                let made = browser.ask("Target.createTarget", blank).await?;
                text(&made["targetId"])
            }
        };
        browser.attach(page).await?;
        Ok(browser)
    }

    /// What it calls itself.
    pub(crate) fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// The pages that are open.
    async fn pages(&mut self) -> Result<Vec<String>, Fault> {
        let targets = self.ask("Target.getTargets", json!({})).await?;
        let targets = targets["targetInfos"].as_array().into_iter().flatten();
        let pages = targets.filter(|target| target["type"] == "page");
        Ok(pages.map(|page| text(&page["targetId"])).collect())
    }

    /// Makes a page the one that commands go to.
    async fn attach(&mut self, target: String) -> Result<(), Fault> {
        let params = json!({ "targetId": target, "flatten": true });
        let attached = self.ask("Target.attachToTarget", params).await?;
        self.target = target;
        self.page = text(&attached["sessionId"]);
        self.tell("Page.enable", json!({})).await?;
        let tree = self.tell("Page.getFrameTree", json!({})).await?;
        self.frame = text(&tree["frameTree"]["frame"]["id"]);
        Ok(())
    }

    /// Goes by another name.
    pub(crate) async fn go_by(&mut self, agent: &UserAgent) -> Result<(), Fault> {
        let mut params = json!({ "userAgent": agent.name });
        if let Some(languages) = &agent.languages {
            params["acceptLanguage"] = languages.as_str().into();
        }
        if let Some(hints) = &agent.hints {
            params["userAgentMetadata"] = hints.clone();
        }
        self.tell("Network.setUserAgentOverride", params).await?;
        self.user_agent.clone_from(&agent.name);
        Ok(())
    }

    /// Believes every server.
    pub(crate) async fn trust_anyone(&mut self) -> Result<(), Fault> {
        let ignore = json!({ "ignore": true });
        self.tell("Security.setIgnoreCertificateErrors", ignore)
            .await?;
        Ok(())
    }

    /// A command to the browser.
    async fn ask(&mut self, method: &'static str, params: Value) -> Result<Value, Fault> {
        let result = self.pipe.call(None, method, params).await;
        self.explained(result).await
    }

    /// A command to the page.
    async fn tell(&mut self, method: &'static str, params: Value) -> Result<Value, Fault> {
        let result = self.pipe.call(Some(&self.page), method, params).await;
        self.explained(result).await
    }

    /// A command to the page whose answer comes as a message.
    async fn post(&mut self, method: &'static str, params: Value) -> Result<u64, Fault> {
        let result = self.pipe.send(Some(&self.page), method, params).await;
        self.explained(result).await
    }

    async fn next(&mut self) -> Result<Message, Fault> {
        let result = self.pipe.next().await;
        self.explained(result).await
    }

    /// Why it has ended, in place of the bare fact.
    async fn explained<T>(&mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        match result {
            Err(Fault::End(_)) => Err(self.process.obituary().await),
            other => other,
        }
    }

    /// Gives it a jar's cookies; answers those that it has then.
    pub(crate) async fn give_cookies(
        &mut self,
        jar: &Jar,
        now: Timestamp,
    ) -> Result<Cookies, Fault> {
        let cookies = cookies::for_browser(jar, now);
        let all = json!({ "cookies": cookies });
        match self.ask("Storage.setCookies", all).await {
            Ok(_) => {}
            Err(Fault::Refuse { .. }) => {
                for cookie in cookies {
                    let name = text(&cookie["name"]);
                    let one = json!({ "cookies": [cookie] });
                    match self.ask("Storage.setCookies", one).await {
                        Ok(_) => {}
                        Err(Fault::Refuse { why, .. }) => {
                            tracing::debug!(cookie = name, why, "the browser refuses a cookie");
                        }
                        Err(other) => return Err(other),
                    }
                }
            }
            Err(other) => return Err(other),
        }
        self.cookies().await
    }

    /// All its cookies, those hidden from scripts too.
    pub(crate) async fn cookies(&mut self) -> Result<Cookies, Fault> {
        let answer = self.ask("Storage.getCookies", json!({})).await?;
        Ok(Cookies::read(&answer))
    }

    /// Ends it; nothing of it is left then.
    pub(crate) async fn close(mut self) {
        let ending = async {
            self.ask("Browser.close", json!({})).await?;
            loop {
                self.pipe.next().await?;
            }
        };
        // However that goes, the processes are gone after this.
        let _end: Result<Result<(), Fault>, _> = tokio::time::timeout(FAREWELL, ending).await;
        let Self { pipe, process, .. } = self;
        drop(pipe);
        process.end().await;
    }

    /// Looks at the page with scripts of our own, in a world that the page's can't reach.
    async fn look(&mut self, script: &str) -> Result<Value, Fault> {
        let frame = json!({ "frameId": self.frame });
        let world = self.tell("Page.createIsolatedWorld", frame).await?;
        let params = json!({
            "expression": script,
            "contextId": world["executionContextId"],
            "returnByValue": true,
        });
        let answer = self.tell("Runtime.evaluate", params).await?;
        match &answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].clone()),
            _ => Err(Fault::Babble("a look at the page failed")),
        }
    }

    /// The storage of the page that it shows; `None` where the page has no origin.
    pub(crate) async fn storage(&mut self) -> Result<Option<OriginStorage>, Fault> {
        let seen = self.look(STORAGE).await?;
        let Some(origin) = seen["origin"].as_str().filter(|origin| *origin != "null") else {
            return Ok(None);
        };
        let items = seen["items"].as_array().into_iter().flatten();
        let items = items.map(|item| (text(&item[0]), Secret::from(text(&item[1]))));
        Ok(Some(OriginStorage::new(origin, items.collect())))
    }
}

/// What a page keeps; a page without an origin may not even ask.
const STORAGE: &str = "(() => {
    try { return { origin: location.origin, items: Object.entries(localStorage) } }
    catch { return { origin: 'null' } }
})()";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
