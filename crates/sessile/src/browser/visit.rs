//! One page opened in a browser that nobody sees, until it is there with all it loads.
//!
//! Redirects, scripts and reloads are the browser's; where it went is in `journey`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sessile_jar::{Jar, Timestamp};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::journey::Journey;
use super::pipe::{Event, Message};
use super::{Browser, Cookies, Document, Fault, OriginStorage, text};
use crate::secret::Secret;

/// How long a page that refuses may look at the browser before it lets it in.
const SECOND_THOUGHTS: Duration = Duration::from_secs(15);

/// After how long a silence a browser is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(5);

/// How long it may take to say so.
const PULSE: Duration = Duration::from_secs(10);

/// How many bytes of a body the browser keeps for us.
const BODY: u64 = 256 * 1024 * 1024;

/// What to open, and with what.
pub(crate) struct Order<'a> {
    pub(crate) url: &'a Url,
    pub(crate) referrer: Option<String>,
    /// Headers for the URL's origin alone.
    pub(crate) headers: Vec<(String, Secret<String>)>,
    pub(crate) user_agent: Option<UserAgent>,
    /// What the proxy asks for.
    pub(crate) proxy_login: Option<(String, Secret<String>)>,
    pub(crate) trusts_anyone: bool,
    pub(crate) jar: &'a Jar,
    pub(crate) storage: &'a [OriginStorage],
    pub(crate) now: Timestamp,
    /// How long it may take until the head of a document is there.
    pub(crate) head: Duration,
    /// How long a document may go on loading.
    pub(crate) loading: Duration,
    /// Whether the head of a reply is a refusal that a script may still turn.
    pub(crate) is_refusal: fn(StatusCode, &HeaderMap) -> bool,
}

/// Who the browser says it is, in place of its own name.
pub(crate) struct UserAgent {
    pub(crate) name: String,
    pub(crate) languages: Option<String>,
    /// What the client hints say.
    pub(crate) hints: Option<Value>,
}

/// What came of it.
pub(crate) struct Visited {
    pub(crate) document: Document,
    pub(crate) passed: Vec<(Url, StatusCode)>,
    pub(crate) body: Bytes,
    /// Whether the body is text that the browser has read, in UTF-8 now.
    pub(crate) is_text: bool,
    pub(crate) before: Cookies,
    pub(crate) after: Cookies,
    pub(crate) storage: Option<OriginStorage>,
}

/// Why a page isn't there.
#[derive(Debug)]
pub(crate) enum NoPage {
    /// It is something to save, not to show.
    Download,
    Fault(Fault),
    /// In the browser's words, as `net::ERR_CONNECTION_REFUSED`.
    Net(String),
    /// No document came in time.
    Late,
}

impl From<Fault> for NoPage {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Browser {
    /// Opens the page and answers what it is in the end.
    pub(crate) async fn visit(&mut self, order: &Order<'_>) -> Result<Visited, NoPage> {
        self.prepare(order).await?;
        let before = self.give_cookies(order.jar, order.now).await?;
        for storage in order.storage {
            self.give_storage(storage).await?;
        }
        self.intercept(order).await?;
        let journey = self.travel(order).await?;
        let after = self.cookies().await?;
        let Some(document) = journey.document else {
            return Err(NoPage::Late);
        };
        let storage = self.storage().await?;
        let (body, is_text) = self.body(&document, journey.is_empty).await?;
        Ok(Visited {
            document,
            passed: journey.passed,
            body,
            is_text,
            before,
            after,
            storage,
        })
    }

    async fn prepare(&mut self, order: &Order<'_>) -> Result<(), Fault> {
        let deny = json!({ "behavior": "deny" });
        self.ask("Browser.setDownloadBehavior", deny).await?;
        let room = json!({ "maxTotalBufferSize": BODY, "maxResourceBufferSize": BODY });
        self.tell("Network.enable", room).await?;
        let on = json!({ "enabled": true });
        self.tell("Page.setLifecycleEventsEnabled", on).await?;
        if order.trusts_anyone {
            self.trust_anyone().await?;
        }
        if let Some(agent) = &order.user_agent {
            self.go_by(agent).await?;
        }
        Ok(())
    }

    /// Fills an origin's storage from a blank page in its name; nothing is asked of the site.
    pub(crate) async fn give_storage(&mut self, storage: &OriginStorage) -> Result<(), Fault> {
        let pattern = json!({ "patterns": [{ "urlPattern": "*" }] });
        self.tell("Fetch.enable", pattern).await?;
        let url = json!({ "url": format!("{}/", storage.origin) });
        let sent = self.post("Page.navigate", url).await?;
        loop {
            match self.next().await? {
                Message::Reply { id, .. } if id == sent => break,
                Message::Reply { .. } => {}
                Message::Event(event) if event.method == "Fetch.requestPaused" => {
                    let blank = json!({
                        "requestId": event.params["requestId"],
                        "responseCode": 200,
                        "responseHeaders": [{ "name": "content-type", "value": "text/html" }],
                        "body": "",
                    });
                    self.post("Fetch.fulfillRequest", blank).await?;
                }
                Message::Event(_) => {}
            }
        }
        let items = storage.items.iter();
        let items: Vec<_> = items.map(|(name, value)| [name, value.expose()]).collect();
        let items = Value::from_iter(items.iter().map(|item| json!(item)));
        let script =
            format!("for (const [name, value] of {items}) localStorage.setItem(name, value)");
        self.look(&script).await?;
        self.tell("Fetch.disable", json!({})).await?;
        Ok(())
    }

    /// Looks at requests only where something is to be added to them.
    async fn intercept(&mut self, order: &Order<'_>) -> Result<(), Fault> {
        let mut patterns = Vec::new();
        if order.proxy_login.is_some() {
            patterns.push(json!({ "urlPattern": "*" }));
        } else if !order.headers.is_empty() {
            let origin = order.url.origin().ascii_serialization();
            patterns.push(json!({ "urlPattern": format!("{origin}/*") }));
        }
        if patterns.is_empty() {
            return Ok(());
        }
        let params = json!({
            "patterns": patterns,
            "handleAuthRequests": order.proxy_login.is_some(),
        });
        self.tell("Fetch.enable", params).await?;
        Ok(())
    }

    /// Goes to the page and stays until it has settled.
    async fn travel(&mut self, order: &Order<'_>) -> Result<Journey, NoPage> {
        let mut params = json!({ "url": order.url.as_str() });
        if let Some(referrer) = &order.referrer {
            params["referrer"] = referrer.as_str().into();
        }
        self.post("Page.navigate", params).await?;
        let mut journey = Journey::new(self.frame.clone());
        let mut deadline = Instant::now() + order.head;
        let mut is_refused = false;
        loop {
            let had_document = journey.document.is_some();
            let end = deadline.min(Instant::now() + SILENCE);
            let message = match timeout_at(end, self.next()).await {
                Ok(message) => message?,
                Err(_elapsed) => {
                    // A slow page is told from a browser that hangs.
                    self.feel_pulse().await?;
                    if Instant::now() < deadline {
                        continue;
                    }
                    return match journey.document {
                        Some(_) => Ok(journey),
                        None => Err(NoPage::Late),
                    };
                }
            };
            let Message::Event(event) = message else {
                continue;
            };
            self.serve(&event, order).await?;
            journey.note(&event);
            if journey.has_crashed {
                return Err(NoPage::Fault(Fault::Crash));
            }
            if journey.is_download {
                return Err(NoPage::Download);
            }
            if let Some(why) = journey.failure {
                // What is to be saved never becomes a page.
                return Err(match &*why {
                    "net::ERR_ABORTED" => NoPage::Download,
                    _ => NoPage::Net(why),
                });
            }
            match &journey.document {
                None if had_document => {
                    deadline = Instant::now() + order.head;
                    is_refused = false;
                }
                Some(_) if !had_document => deadline = Instant::now() + order.loading,
                Some(document) if journey.is_settled() && !is_refused => {
                    is_refused = (order.is_refusal)(document.status, &document.headers)
                        && self.has_scripts().await?;
                    if !is_refused {
                        return Ok(journey);
                    }
                    deadline = Instant::now() + order.loading.min(SECOND_THOUGHTS);
                }
                Some(_) | None => {}
            }
        }
    }

    /// What the browser waits for somebody to decide.
    async fn serve(&mut self, event: &Event, order: &Order<'_>) -> Result<(), Fault> {
        let params = &event.params;
        let request = || params["requestId"].clone();
        match &*event.method {
            "Fetch.authRequired" => {
                let answer = proxy_answer(params, order);
                let answer = json!({ "requestId": request(), "authChallengeResponse": answer });
                self.post("Fetch.continueWithAuth", answer).await?;
            }
            "Fetch.requestPaused" => {
                let mut answer = json!({ "requestId": request() });
                if let Some(headers) = added_headers(&params["request"], order) {
                    answer["headers"] = headers;
                }
                self.post("Fetch.continueRequest", answer).await?;
            }
            "Page.javascriptDialogOpening" => {
                let is_leaving = params["type"] == "beforeunload";
                let answer = json!({ "accept": is_leaving });
                self.post("Page.handleJavaScriptDialog", answer).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the browser still answers.
    async fn feel_pulse(&mut self) -> Result<(), Fault> {
        let asking = self.ask("Browser.getVersion", json!({}));
        match tokio::time::timeout(PULSE, asking).await {
            Ok(answer) => answer.map(|_version| ()),
            Err(_elapsed) => Err(Fault::Hang(PULSE)),
        }
    }

    async fn has_scripts(&mut self) -> Result<bool, Fault> {
        let seen = self.look("document.scripts.length > 0").await?;
        Ok(seen.as_bool().unwrap_or(false))
    }

    /// A page that scripts have a hand in as it stands, everything else as it came.
    async fn body(&mut self, document: &Document, is_empty: bool) -> Result<(Bytes, bool), Fault> {
        if is_empty {
            return Ok((Bytes::new(), false));
        }
        let is_page = matches!(&*document.kind, "text/html" | "application/xhtml+xml");
        if is_page && self.has_scripts().await? {
            return Ok((self.rendered().await?, true));
        }
        let request = json!({ "requestId": document.request });
        match self.tell("Network.getResponseBody", request).await {
            Ok(answer) => {
                let body = text(&answer["body"]);
                if answer["base64Encoded"] != true {
                    return Ok((body.into(), true));
                }
                use base64ct::Encoding;
                let bytes = base64ct::Base64::decode_vec(&body);
                let bytes = bytes.map_err(|_bad| Fault::Babble("a body isn't Base64"))?;
                Ok((bytes.into(), false))
            }
            Err(Fault::Refuse { .. }) if is_page => Ok((self.rendered().await?, true)),
            Err(fault) => Err(fault),
        }
    }

    async fn rendered(&mut self) -> Result<Bytes, Fault> {
        Ok(text(&self.look(RENDERED).await?).into())
    }
}

/// The page with its declaration, on which browsers decide how to show it.
const RENDERED: &str = "(document.doctype
    ? new XMLSerializer().serializeToString(document.doctype) + '\\n' : '')
    + document.documentElement.outerHTML";

/// Only the proxy learns the proxy's password.
fn proxy_answer(params: &Value, order: &Order<'_>) -> Value {
    match &order.proxy_login {
        Some((user, password)) if params["authChallenge"]["source"] == "Proxy" => json!({
            "response": "ProvideCredentials",
            "username": user,
            "password": password.expose(),
        }),
        Some(_) | None => json!({ "response": "Default" }),
    }
}

/// A request's headers with the order's, where it goes to the order's origin.
fn added_headers(request: &Value, order: &Order<'_>) -> Option<Value> {
    let url = Url::parse(request["url"].as_str()?).ok()?;
    if order.headers.is_empty() || url.origin() != order.url.origin() {
        return None;
    }
    let own = request["headers"].as_object().into_iter().flatten();
    let added = |name: &str| {
        let mut names = order.headers.iter().map(|(name, _)| name);
        names.any(|own| own.eq_ignore_ascii_case(name))
    };
    let own = own.filter(|(name, _)| !added(name));
    let own = own.map(|(name, value)| json!({ "name": name, "value": value }));
    let more = order.headers.iter();
    let more = more.map(|(name, value)| json!({ "name": name, "value": value.expose() }));
    Some(own.chain(more).collect())
}
