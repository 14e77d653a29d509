//! Several ways to send a request, tried in turn where a reply is challenged or blocked.
//!
//! No way passes a check that asks for a person: that stays a challenge, and is answered as one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use http::{HeaderMap, header};
use sessile_jar::Timestamp;
use url::{Position, Url};

use super::hop::Hop;
use super::reply::Reply;
use super::request::Request;
use super::run;
use super::verdict::Verdict;
use super::{Inner, prepare};
use crate::error::Error;
use crate::secret::Secret;
use crate::transport::{Chromium, ConnectOptions, Curl, Proxy, Transport};

/// How long the way that worked is remembered, unless the session says otherwise.
pub(super) const REMEMBER: Duration = Duration::from_secs(30 * 60);

/// More hosts than this are forgotten together.
const MANY_HOSTS: usize = 1024;

/// A way to send requests.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Tier {
    /// A page in a browser that nobody sees, see [`Chromium`]. For `GET` alone.
    Browser,
    /// The system's curl, see [`Curl`].
    Curl,
    /// The session's own connections.
    Direct,
}

/// A way that was tried and didn't serve.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PassedOver {
    /// Which one.
    pub tier: Tier,
    /// Why, in words.
    pub why: String,
}

/// What the requests to a URL carry, as dictionaries: what other programs need to go on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Captured {
    /// The cookies by name. Of several of one name, the one that is sent first.
    pub cookies: BTreeMap<String, Secret<String>>,
    /// The other headers by name; several of one name are joined by commas.
    pub headers: BTreeMap<String, Secret<String>>,
    /// The user agent, where one is sent.
    pub user_agent: Option<String>,
}

/// The ways of a session beside its own connections, and which of all worked where.
#[derive(Debug)]
pub(super) struct Ladder {
    connect: Mutex<Arc<ConnectOptions>>,
    browser: Chromium,
    curl: OnceLock<Arc<dyn Transport>>,
    remember: Duration,
    worked: Mutex<HashMap<Box<str>, (Tier, Timestamp)>>,
    is_closed: AtomicBool,
}

impl Ladder {
    pub(super) fn new(
        connect: Arc<ConnectOptions>,
        browser: Chromium,
        curl: Option<Arc<dyn Transport>>,
        remember: Duration,
    ) -> Self {
        Self {
            browser: browser.connecting(Arc::clone(&connect)),
            connect: Mutex::new(connect),
            curl: curl.map_or_else(OnceLock::new, OnceLock::from),
            remember,
            worked: Mutex::default(),
            is_closed: false.into(),
        }
    }

    pub(super) fn curl(&self) -> &Arc<dyn Transport> {
        self.curl.get_or_init(|| {
            let connect = self.connect.lock().unwrap_or_else(PoisonError::into_inner);
            let curl = Curl::new(Arc::clone(&connect));
            if self.is_closed.load(Ordering::SeqCst) {
                curl.close();
            }
            Arc::new(curl)
        })
    }

    pub(super) fn browser(&self) -> &Chromium {
        &self.browser
    }

    pub(super) fn connections(&self) -> usize {
        let children = self.curl.get().map_or(0, |curl| curl.connections());
        children + self.browser.running()
    }

    pub(super) fn reconnect(&self, options: &ConnectOptions) {
        let mut connect = self.connect.lock().unwrap_or_else(PoisonError::into_inner);
        *connect = Arc::new(options.clone());
        drop(connect);
        self.browser.reconnect(options.clone());
        if let Some(curl) = self.curl.get() {
            curl.reconnect(options.clone());
        }
    }

    /// The proxy of the session has changed; every tier goes through it.
    pub(super) fn route(&self, proxy: Option<&Proxy>) {
        let mut connect = self.connect.lock().unwrap_or_else(PoisonError::into_inner);
        let mut options = ConnectOptions::clone(&connect);
        options.proxy = proxy.cloned();
        *connect = Arc::new(options.clone());
        drop(connect);
        self.browser.reconnect(options);
        if let Some(curl) = self.curl.get() {
            curl.route(proxy.cloned());
        }
    }

    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.browser.close();
        if let Some(curl) = self.curl.get() {
            curl.close();
        }
    }

    fn worked(&self) -> MutexGuard<'_, HashMap<Box<str>, (Tier, Timestamp)>> {
        self.worked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ways in the order in which they are tried: one that worked here lately comes first.
    fn order(&self, host: &str, tiers: &[Tier], now: Timestamp) -> Vec<Tier> {
        let worked = self.worked().get(host).copied();
        let first = worked.filter(|(tier, until)| now < *until && tiers.contains(tier));
        let mut order: Vec<Tier> = first.map(|(tier, _)| tier).into_iter().collect();
        for tier in tiers {
            if !order.contains(tier) {
                order.push(*tier);
            }
        }
        order
    }

    fn remember(&self, host: &str, tier: Tier, now: Timestamp) {
        let mut worked = self.worked();
        if worked.len() >= MANY_HOSTS {
            worked.clear();
        }
        worked.insert(host.into(), (tier, now.plus(self.remember)));
    }

    fn forget(&self, host: &str) {
        self.worked().remove(host);
    }
}

/// Tries one way after the other.
pub(super) async fn climb(session: &Inner, hop: Hop) -> Result<Reply, Error> {
    let host = hop.url[Position::BeforeHost..Position::AfterPort].to_owned();
    let ladder = &session.ladder;
    let order = ladder.order(&host, &hop.request.tiers, session.clock.now());
    let first = order[0];
    let mut passed_over = Vec::new();
    let mut refused: Option<Reply> = None;
    let is_repeatable = hop.request.is_repeatable();
    let mut original = Some(hop);
    for (index, tier) in order.iter().copied().enumerate() {
        let copy = original.as_ref().and_then(|hop| hop.by(tier));
        let hop = match copy {
            Some(copy) => copy,
            // A stream goes out once, by the first way.
            None => match original.take() {
                Some(mut hop) if index == 0 => {
                    hop.tier = tier;
                    hop
                }
                Some(_) | None => break,
            },
        };
        let mut reply = match run::follow(session, hop).await {
            Ok(reply) => reply,
            Err(error) if refused.is_none() => return Err(error),
            Err(error) => {
                let why = error.to_string();
                passed_over.push(PassedOver { tier, why });
                continue;
            }
        };
        if !is_refusal(reply.verdict()) {
            // What came first by its own right needs no remembering.
            if index > 0 {
                ladder.remember(&host, tier, session.clock.now());
            }
            return Ok(with(reply, passed_over));
        }
        let why = reply.verdict().to_string();
        passed_over.push(PassedOver { tier, why });
        reply.make_room();
        refused = Some(telling(refused, reply));
        if tier == first {
            ladder.forget(&host);
        }
        // The refusal doesn't say that nothing was done.
        if !is_repeatable {
            passed_over.extend(order[index + 1..].iter().map(|tier| PassedOver {
                tier: *tier,
                why: "not tried, since what was asked could be done twice".to_owned(),
            }));
            break;
        }
    }
    let reply = refused.expect("the first way either failed or was refused");
    passed_over.retain(|passed| passed.tier != reply.tier);
    Ok(with(reply, passed_over))
}

fn is_refusal(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Blocked | Verdict::Challenged(_))
}

/// The later refusal, unless the earlier one names what is asked for and the later one doesn't.
fn telling(earlier: Option<Reply>, later: Reply) -> Reply {
    match earlier {
        Some(earlier)
            if matches!(earlier.verdict(), Verdict::Challenged(_))
                && !matches!(later.verdict(), Verdict::Challenged(_)) =>
        {
            earlier
        }
        Some(_) | None => later,
    }
}

fn with(mut reply: Reply, passed_over: Vec<PassedOver>) -> Reply {
    reply.passed_over = passed_over;
    reply
}

impl Captured {
    pub(super) fn of(session: &Inner, url: &Url) -> Result<Self, Error> {
        let now = session.clock.now();
        let request = Request::get(url.as_str());
        let headers = prepare::headers(&mut session.live(), &request, url, now)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut cookies = BTreeMap::new();
        let line = headers
            .get(header::COOKIE)
            .map(|line| text(line.as_bytes()));
        for pair in line.iter().flat_map(|line| line.split("; ")) {
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            cookies
                .entry(name.to_owned())
                .or_insert_with(|| Secret::from(value.to_owned()));
        }
        let user_agent = headers.get(header::USER_AGENT);
        Ok(Self {
            cookies,
            user_agent: user_agent.map(|value| text(value.as_bytes())),
            headers: dictionary(&headers),
        })
    }
}

fn dictionary(headers: &HeaderMap) -> BTreeMap<String, Secret<String>> {
    let names = headers
        .keys()
        .filter(|name| !matches!(**name, header::COOKIE | header::HOST));
    let joined = names.map(|name| {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (name.to_string(), Secret::from(values.join(", ")))
    });
    joined.collect()
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Browser => "browser",
            Self::Curl => "curl",
            Self::Direct => "direct",
        })
    }
}

#[cfg(test)]
mod tests;
