//! Where a page has been: the documents of its main frame, read from the browser's events.
//!
//! Pure. Which documents end a visit is for `visit` to say.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use serde_json::Value;
use url::Url;

use super::pipe::Event;

/// What is known of a page's main frame.
#[derive(Debug, Default)]
pub(crate) struct Journey {
    frame: String,
    /// The documents that led away again, with their answers.
    pub(super) passed: Vec<(Url, StatusCode)>,
    /// The document whose head came last.
    pub(super) document: Option<Document>,
    /// The request for a document that is under way.
    request: Option<String>,
    /// Why the last request has no document.
    pub(super) failure: Option<String>,
    /// Whether the document has no body, so that the browser shows something of its own.
    pub(super) is_empty: bool,
    is_loaded: bool,
    is_quiet: bool,
    pub(super) has_crashed: bool,
    pub(super) is_download: bool,
}

/// The head of a document.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(super) request: String,
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    /// What it is, without parameters.
    pub(super) kind: String,
}

impl Journey {
    pub(super) fn new(frame: String) -> Self {
        Self {
            frame,
            ..Self::default()
        }
    }

    /// Takes in what happened.
    pub(super) fn note(&mut self, event: &Event) {
        let params = &event.params;
        match &*event.method {
            "Inspector.targetCrashed" => self.has_crashed = true,
            "Network.loadingFailed" => self.fail(params),
            "Network.requestWillBeSent" if self.is_document(params) => self.depart(params),
            "Network.responseReceived" if self.is_document(params) => self.arrive(params),
            "Page.downloadWillBegin" => self.is_download = true,
            "Page.lifecycleEvent" => self.age(params),
            _ => {}
        }
    }

    /// Whether the document is there with all that it loads.
    pub(super) fn is_settled(&self) -> bool {
        let is_there = self.is_empty || (self.is_loaded && self.is_quiet);
        is_there && self.request.is_none() && self.document.is_some()
    }

    fn is_document(&self, params: &Value) -> bool {
        params["type"] == "Document" && params["frameId"] == *self.frame
    }

    /// A request for another document, or for where a redirect leads.
    fn depart(&mut self, params: &Value) {
        let id = params["requestId"].as_str().unwrap_or_default();
        if let Some(redirect) = document(id, &params["redirectResponse"]) {
            self.passed.push((redirect.url, redirect.status));
        } else if let Some(left) = self.document.take() {
            self.passed.push((left.url, left.status));
        }
        self.request = Some(id.to_owned());
        self.failure = None;
        (self.is_empty, self.is_loaded, self.is_quiet) = (false, false, false);
    }

    fn arrive(&mut self, params: &Value) {
        let id = params["requestId"].as_str().unwrap_or_default();
        if self.request.as_deref() == Some(id) {
            self.document = document(id, &params["response"]);
            self.request = None;
        }
    }

    fn fail(&mut self, params: &Value) {
        let id = params["requestId"].as_str();
        let why = params["errorText"].as_str().unwrap_or_default();
        if self.request.is_some() && self.request.as_deref() == id {
            self.failure = Some(why.to_owned());
            self.request = None;
        }
        let Some(document) = &self.document else {
            return;
        };
        if Some(&*document.request) != id {
            return;
        }
        match why {
            "net::ERR_HTTP_RESPONSE_CODE_FAILURE" => self.is_empty = true,
            // A script has left before all was there, unless there is nothing to be had.
            "net::ERR_ABORTED" => {
                self.is_empty = matches!(
                    document.status,
                    StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT
                );
            }
            _ => self.failure = Some(why.to_owned()),
        }
    }

    /// A document's loader has the number of the request for it.
    fn age(&mut self, params: &Value) {
        let loader = params["loaderId"].as_str();
        let is_ours = self
            .document
            .as_ref()
            .is_some_and(|document| Some(&*document.request) == loader);
        if params["frameId"] != *self.frame || !is_ours {
            return;
        }
        match params["name"].as_str() {
            Some("load") => self.is_loaded = true,
            Some("networkIdle") => self.is_quiet = true,
            Some(_) | None => {}
        }
    }
}

fn document(request: &str, response: &Value) -> Option<Document> {
    let status = response["status"].as_u64()?;
    let protocol = response["protocol"].as_str().unwrap_or_default();
    Some(Document {
        request: request.to_owned(),
        url: Url::parse(response["url"].as_str()?).ok()?,
        status: StatusCode::from_u16(u16::try_from(status).ok()?).ok()?,
        version: match protocol {
            "h2" => Version::HTTP_2,
            "http/1.0" => Version::HTTP_10,
            _ if protocol.starts_with("h3") => Version::HTTP_3,
            _ => Version::HTTP_11,
        },
        headers: headers(&response["headers"]),
        kind: response["mimeType"].as_str().unwrap_or_default().to_owned(),
    })
}

/// Fields of one name come joined by line breaks.
fn headers(fields: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in fields.as_object().into_iter().flatten() {
        let Ok(name) = HeaderName::try_from(name) else {
            continue;
        };
        for value in values.as_str().unwrap_or_default().split('\n') {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.append(&name, value);
            }
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn redirects_and_scripts_that_lead_away_are_passed() {
        let mut journey = Journey::new("main".to_owned());
        request(&mut journey, "1", None);
        request(&mut journey, "1", Some(("http://h.test/a", 302)));
        response(&mut journey, "1", "http://h.test/b", 200);
        request(&mut journey, "2", None);
        assert!(!journey.is_settled());
        response(&mut journey, "2", "http://h.test/c", 403);
        let passed = journey.passed.iter();
        let passed: Vec<_> = passed
            .map(|(url, status)| (url.path(), status.as_u16()))
            .collect();
        assert_eq!(passed, [("/a", 302), ("/b", 200)]);
        assert_eq!(journey.document.unwrap().status, 403);
    }

    #[test]
    fn a_page_is_settled_when_its_own_loader_says_so() {
        let mut journey = Journey::new("main".to_owned());
        request(&mut journey, "1", None);
        response(&mut journey, "1", "http://h.test/a", 200);
        for (frame, loader, name) in [
            ("main", "0", "load"),
            ("other", "1", "load"),
            ("main", "1", "networkIdle"),
        ] {
            age(&mut journey, frame, loader, name);
            assert!(!journey.is_settled(), "{frame} {loader} {name}");
        }
        age(&mut journey, "main", "1", "load");
        assert!(journey.is_settled());
    }

    #[test]
    fn frames_and_pictures_are_no_documents_of_the_page() {
        let mut journey = Journey::new("main".to_owned());
        for (kind, frame) in [("Document", "ad"), ("Image", "main")] {
            let response = json!({ "url": "http://h.test/", "status": 200, "headers": {} });
            let params =
                json!({ "requestId": "1", "type": kind, "frameId": frame, "response": response });
            note(&mut journey, "Network.requestWillBeSent", params.clone());
            note(&mut journey, "Network.responseReceived", params);
        }
        assert!(journey.document.is_none());
    }

    fn request(journey: &mut Journey, id: &str, redirect: Option<(&str, u16)>) {
        let mut params = json!({ "requestId": id, "type": "Document", "frameId": "main" });
        if let Some((url, status)) = redirect {
            params["redirectResponse"] = json!({ "url": url, "status": status, "headers": {} });
        }
        note(journey, "Network.requestWillBeSent", params);
    }

    fn response(journey: &mut Journey, id: &str, url: &str, status: u16) {
        let response = json!({ "url": url, "status": status, "headers": { "X-A": "1\n2" } });
        let params =
            json!({ "requestId": id, "type": "Document", "frameId": "main", "response": response });
        note(journey, "Network.responseReceived", params);
    }

    fn age(journey: &mut Journey, frame: &str, loader: &str, name: &str) {
        let params = json!({ "frameId": frame, "loaderId": loader, "name": name });
        note(journey, "Page.lifecycleEvent", params);
    }

    fn note(journey: &mut Journey, method: &str, params: Value) {
        journey.note(&Event {
            method: method.to_owned(),
            params,
        });
    }
}
