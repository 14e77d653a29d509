//! A page opened in a Chromium that nobody sees: what a session asks, in the browser's terms.
//!
//! A browser for each page, started for it and gone after it. It follows redirects, runs scripts
//! and keeps cookies by itself, so a whole visit comes back in place of one exchange; what of that
//! the session takes in is for the session to say. How a browser is driven is in `browser`.

mod headers;
mod net_error;

use std::ffi::OsString;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream;
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use sessile_jar::{Jar, Timestamp};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{ConnectOptions, Incoming, Outgoing, OutgoingBody, Patience, Proxy, ProxyKind, Trust};
use crate::browser::{Browser, Cookies, Fault, Launch, NoPage, Order, OriginStorage, Visited};
use crate::error::{Error, Phase};
use crate::redact::ShownUrl;

/// How long a browser may take to start and to answer a command, unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Chromium on this machine, which opens pages that other ways don't get.
///
/// Each page has a browser of its own with an empty profile in a temporary folder; no process and
/// no folder is left when it is done. As root a Chromium runs without its sandbox, which is said
/// in the log.
#[derive(Clone, Debug)]
pub struct Chromium {
    program: Option<OsString>,
    patience: Duration,
    connect: Arc<Mutex<Arc<ConnectOptions>>>,
    running: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Default for Chromium {
    fn default() -> Self {
        Self {
            program: None,
            patience: PATIENCE,
            connect: Arc::new(Mutex::new(ConnectOptions::shared())),
            running: Arc::default(),
            stop: CancellationToken::new(),
        }
    }
}

/// What a visit takes along.
pub(crate) struct Luggage {
    pub(crate) jar: Jar,
    pub(crate) storage: Vec<OriginStorage>,
    pub(crate) now: Timestamp,
    /// Whether the head of a reply is a refusal that a script may still turn.
    pub(crate) is_refusal: fn(StatusCode, &HeaderMap) -> bool,
}

/// What came back from a visit.
pub(crate) struct Arrival {
    /// The last document.
    pub(crate) incoming: Incoming,
    /// Where it is.
    pub(crate) url: Url,
    /// The documents that led there.
    pub(crate) passed: Vec<(Url, StatusCode)>,
    pub(crate) before: Cookies,
    pub(crate) after: Cookies,
    pub(crate) storage: Option<OriginStorage>,
}

impl Chromium {
    /// The program to start. Defaults to the Chromium or Chrome in the search path.
    pub fn program(mut self, program: impl Into<OsString>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// How long it may take to start and to answer a command. Defaults to 30 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub(crate) fn connecting(self, options: Arc<ConnectOptions>) -> Self {
        *self.connect.lock().unwrap_or_else(PoisonError::into_inner) = options;
        self
    }

    pub(crate) fn reconnect(&self, options: ConnectOptions) {
        *self.connect.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(options);
    }

    /// How many browsers run.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    pub(crate) fn close(&self) {
        self.stop.cancel();
    }

    /// Opens a page.
    pub(crate) async fn visit(
        &self,
        request: Outgoing,
        luggage: Luggage,
    ) -> Result<Arrival, Error> {
        let is_empty = matches!(request.body, OutgoingBody::Empty);
        if request.method != Method::GET || !is_empty {
            return Err(Error::bad_request(format!(
                "a browser opens pages: {} can't be sent by the tier `browser`",
                request.method
            )));
        }
        let Outgoing {
            url,
            headers,
            patience,
            ..
        } = request;
        let visit = self.visit_alone(&url, &headers, patience, &luggage);
        let visited = self.stop.run_until_cancelled(visit).await;
        visited.unwrap_or(Err(Error::Closed))
    }

    async fn visit_alone(
        &self,
        url: &Url,
        headers: &HeaderMap,
        patience: Patience,
        luggage: &Luggage,
    ) -> Result<Arrival, Error> {
        let connect = self.connect();
        let launch = self.launch(&connect)?;
        let head = patience.connect + patience.read;
        let order = Order {
            url,
            referrer: headers::referrer(headers),
            headers: headers::own(headers),
            user_agent: headers::user_agent(headers),
            proxy_login: connect.proxy.as_ref().and_then(Proxy::login),
            trusts_anyone: matches!(connect.tls.trust, Trust::DangerAnyone),
            jar: &luggage.jar,
            storage: &luggage.storage,
            now: luggage.now,
            head,
            loading: patience.read,
            is_refusal: luggage.is_refusal,
        };
        let _running = Running::count(&self.running);
        let fault = |fault| self.error(fault);
        let mut browser = Browser::start(&launch, self.patience)
            .await
            .map_err(fault)?;
        let visited = browser.visit(&order).await;
        browser.close().await;
        match visited {
            Ok(visited) => Ok(arrival(visited)),
            Err(NoPage::Download) => Err(Error::bad_request(format!(
                "{} is a file to save, which a page doesn't show; the tier `direct` may get it \
                 with the cookies that the browser has now",
                ShownUrl(url)
            ))),
            Err(NoPage::Fault(why)) => Err(fault(why)),
            Err(NoPage::Late) => Err(Error::TimeOut {
                phase: Phase::Read,
                url: ShownUrl(url).to_string(),
                after: head,
            }),
            Err(NoPage::Net(why)) => Err(net_error::error(&why, url, head)),
        }
    }

    /// Starts a browser for a person: it connects as the session does, and goes by the session's
    /// name where these headers have one that fits.
    pub(crate) async fn open(
        &self,
        has_window: bool,
        headers: &HeaderMap,
    ) -> Result<Browser, Error> {
        let connect = self.connect();
        let launch = Launch {
            has_window,
            ..self.launch(&connect)?
        };
        let opened = async {
            let mut browser = Browser::start(&launch, self.patience).await?;
            if matches!(connect.tls.trust, Trust::DangerAnyone) {
                browser.trust_anyone().await?;
            }
            if let Some(agent) = headers::user_agent(headers) {
                browser.go_by(&agent).await?;
            }
            Ok(browser)
        };
        opened.await.map_err(|fault: Fault| self.error(fault))
    }

    /// What a browser's fault is to a session.
    pub(crate) fn error(&self, fault: Fault) -> Error {
        let launch = Launch {
            program: self.program.clone(),
            ..Launch::default()
        };
        fault.error(&launch.name())
    }

    fn connect(&self) -> Arc<ConnectOptions> {
        Arc::clone(&self.connect.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How to start a browser that connects as the session does.
    fn launch(&self, connect: &ConnectOptions) -> Result<Launch, Error> {
        Ok(Launch {
            program: self.program.clone(),
            has_window: false,
            options: options(connect)?,
        })
    }
}

/// One that runs is counted until this is dropped.
struct Running<'a>(&'a AtomicUsize);

impl<'a> Running<'a> {
    fn count(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How to connect, as the browser's options. Everybody on the machine can read them: no secret.
fn options(connect: &ConnectOptions) -> Result<Vec<String>, Error> {
    let cannot = |what: &str| {
        Error::bad_request(format!(
            "the browser can't be given {what}; use another tier"
        ))
    };
    if connect.local_address.is_some() {
        return Err(cannot("an address to connect from"));
    }
    if connect.tls.identity.is_some() {
        return Err(cannot("a client certificate"));
    }
    if let Trust::SystemAnd(_) = connect.tls.trust {
        return Err(cannot(
            "an authority of its own: it trusts those of the system",
        ));
    }
    let mut options = Vec::new();
    match &connect.proxy {
        // Proxies come from the options alone, never from the desktop's settings.
        None => options.push("--no-proxy-server".to_owned()),
        Some(proxy) => {
            let scheme = match proxy.kind() {
                ProxyKind::Http => "http",
                ProxyKind::Socks5 | ProxyKind::Socks5h if proxy.login().is_some() => {
                    return Err(cannot("a login to a SOCKS proxy"));
                }
                ProxyKind::Socks5 | ProxyKind::Socks5h => "socks5",
            };
            let (host, port) = (proxy.host(), proxy.port());
            let bracketed = if host.contains(':') {
                format!("[{host}]")
            } else {
                host.to_owned()
            };
            options.push(format!("--proxy-server={scheme}://{bracketed}:{port}"));
            // This machine's own servers too.
            options.push("--proxy-bypass-list=<-loopback>".to_owned());
        }
    }
    let hosts = connect.hosts.iter();
    let rules = hosts.filter_map(|(host, addresses)| match addresses.first()? {
        std::net::IpAddr::V4(address) => Some(format!("MAP {host} {address}")),
        std::net::IpAddr::V6(address) => Some(format!("MAP {host} [{address}]")),
    });
    let rules: Vec<_> = rules.collect();
    if !rules.is_empty() {
        options.push(format!("--host-resolver-rules={}", rules.join(",")));
    }
    Ok(options)
}

fn arrival(visited: Visited) -> Arrival {
    let document = visited.document;
    let mut headers = document.headers;
    // They were about the bytes on the wire; the cookies come with all their attributes.
    for name in [
        CONNECTION,
        CONTENT_ENCODING,
        CONTENT_LENGTH,
        SET_COOKIE,
        TRANSFER_ENCODING,
    ] {
        headers.remove(name);
    }
    if visited.is_text {
        let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let kind = String::from_utf8_lossy(kind.unwrap_or(b"text/html")).into_owned();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if let Ok(kind) = HeaderValue::try_from(format!("{kind}; charset=utf-8")) {
            headers.insert(CONTENT_TYPE, kind);
        }
    }
    Arrival {
        incoming: Incoming {
            status: document.status,
            version: document.version,
            headers,
            body: Box::pin(stream::iter([Ok(visited.body)])),
        },
        url: document.url,
        passed: visited.passed,
        before: visited.before,
        after: visited.after,
        storage: visited.storage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_connects_as_the_session_does() {
        check(|_| {}, Ok(&["--no-proxy-server"]));
        check(
            |connect| connect.proxy = Some("http://ada:pw@p.test:3128".parse().unwrap()),
            Ok(&[
                "--proxy-server=http://p.test:3128",
                "--proxy-bypass-list=<-loopback>",
            ]),
        );
        check(
            |connect| {
                connect.proxy = Some("socks5h://[::1]:1080".parse().unwrap());
                connect.hosts = vec![("a.test".to_owned(), vec!["127.0.0.1".parse().unwrap()])];
            },
            Ok(&[
                "--proxy-server=socks5://[::1]:1080",
                "--proxy-bypass-list=<-loopback>",
                "--host-resolver-rules=MAP a.test 127.0.0.1",
            ]),
        );
        let socks = "socks5://ada:pw@p.test:1080";
        check(
            |connect| connect.proxy = Some(socks.parse().unwrap()),
            Err("a login to a SOCKS proxy"),
        );
        check(
            |connect| connect.tls.trust = Trust::SystemAnd(Vec::new()),
            Err("it trusts those of the system"),
        );
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut ConnectOptions), expected: Result<&[&str], &str>) {
        let mut connect = ConnectOptions::default();
        change(&mut connect);
        match (options(&connect), expected) {
            (Ok(options), Ok(expected)) => assert_eq!(options, expected),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (found, _) => panic!("{found:?}"),
        }
    }
}
