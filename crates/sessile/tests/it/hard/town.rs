//! A site in memory that many sessions share, and that does what a test tells it to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use sessile::Error;
use sessile::transport::{Incoming, Outgoing, OutgoingBody, Transport};
use tokio::time::sleep;

pub(super) const PASSWORD: &str = "correct horse";

/// How the site answers a login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Door {
    /// The password decides.
    Open,
    /// 503.
    Failing,
    /// 429 with a minute to wait.
    TooMany,
}

/// The site; each session sends through it.
#[derive(Debug)]
pub(super) struct Town(Mutex<State>);

#[derive(Debug)]
struct State {
    door: Door,
    session: u32,
    is_alive: bool,
    /// How often a request for data still ends the login.
    deaths: u32,
    attempts: u32,
    logins: u32,
    notes: Vec<Bytes>,
    note_requests: u32,
    slow: u32,
    agents: BTreeSet<String>,
}

struct Answer(u16, Vec<(HeaderName, String)>, String);

impl Town {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            door: Door::Open,
            session: 0,
            is_alive: false,
            deaths: 0,
            attempts: 0,
            logins: 0,
            notes: Vec::new(),
            note_requests: 0,
            slow: 0,
            agents: BTreeSet::new(),
        })))
    }

    pub(super) fn set_door(&self, door: Door) {
        self.state().door = door;
    }

    /// The login dies.
    pub(super) fn kill(&self) {
        self.state().is_alive = false;
    }

    /// The login dies as soon as data is asked for, so often.
    pub(super) fn kill_again(&self, deaths: u32) {
        self.state().deaths = deaths;
    }

    /// How often a password was sent.
    pub(super) fn attempts(&self) -> u32 {
        self.state().attempts
    }

    /// How often it was taken.
    pub(super) fn logins(&self) -> u32 {
        self.state().logins
    }

    /// The notes that were taken, and how often one was sent.
    pub(super) fn notes(&self) -> (usize, u32) {
        let state = self.state();
        (state.notes.len(), state.note_requests)
    }

    /// What those who were logged in, or logged in, called themselves.
    pub(super) fn agents(&self) -> BTreeSet<String> {
        self.state().agents.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    async fn answer(&self, request: Outgoing) -> Answer {
        let body = whole(request.body).await;
        let path = request.url.path().to_owned();
        let cookies = request.headers.get(header::COOKIE);
        let cookies = cookies.map_or("", |line| line.to_str().unwrap()).to_owned();
        // Who asks is seen when the request comes in; what it takes comes after.
        let is_member = self.state().is_member(&cookies, &path);
        if is_member || path == "/login" {
            let agent = request.headers.get(header::USER_AGENT);
            let agent = agent.map_or("", |agent| agent.to_str().unwrap()).to_owned();
            self.state().agents.insert(agent);
        }
        let member = |text: &str| match is_member {
            true => Answer(200, html(), text.to_owned()),
            false => Answer(
                303,
                vec![(header::LOCATION, "/login".to_owned())],
                String::new(),
            ),
        };
        match (request.method, path.as_str()) {
            (Method::POST, "/login") => {
                sleep(Duration::from_secs(2)).await;
                self.state().log_in(&body)
            }
            (Method::GET, "/login") => Answer(200, html(), form("")),
            (Method::GET, "/members") => member("<h1>Hello, ada</h1><a href=/out>Log out</a>"),
            (Method::POST, "/notes") => self.state().note(is_member, body),
            (Method::GET, "/slow") => {
                let count = self.state().count_slow();
                sleep(Duration::from_secs(30)).await;
                let seen = (header::SET_COOKIE, format!("seen={count}; Path=/"));
                let status = if is_member { 200 } else { 401 };
                Answer(status, vec![seen], "data".to_owned())
            }
            (Method::GET, "/data") if is_member => Answer(200, Vec::new(), "data".to_owned()),
            (Method::GET, "/data") => Answer(401, Vec::new(), String::new()),
            (Method::GET, _) => Answer(200, html(), "<h1>Welcome</h1>".to_owned()),
            (method, path) => panic!("{method} {path}"),
        }
    }
}

impl State {
    fn is_member(&mut self, cookies: &str, path: &str) -> bool {
        if path == "/data" && self.deaths > 0 {
            self.deaths -= 1;
            self.is_alive = false;
        }
        let wanted = format!("sid={}", self.session);
        self.is_alive && cookies.split("; ").any(|pair| pair == wanted)
    }

    fn count_slow(&mut self) -> u32 {
        self.slow += 1;
        self.slow
    }

    fn log_in(&mut self, body: &Bytes) -> Answer {
        self.attempts += 1;
        let is_right = String::from_utf8_lossy(body).contains("password=correct+horse");
        match self.door {
            Door::Failing => Answer(503, Vec::new(), String::new()),
            Door::TooMany => {
                let wait = (header::RETRY_AFTER, "60".to_owned());
                Answer(429, vec![wait], "too many attempts".to_owned())
            }
            Door::Open if !is_right => Answer(200, html(), form("Wrong password.")),
            Door::Open => {
                self.logins += 1;
                self.session += 1;
                self.is_alive = true;
                let cookie = format!("sid={}; Path=/; Max-Age=600", self.session);
                let to = (header::LOCATION, "/members".to_owned());
                Answer(303, vec![(header::SET_COOKIE, cookie), to], String::new())
            }
        }
    }

    fn note(&mut self, is_member: bool, note: Bytes) -> Answer {
        self.note_requests += 1;
        if !is_member {
            return Answer(401, Vec::new(), String::new());
        }
        self.notes.push(note);
        Answer(201, Vec::new(), String::new())
    }
}

impl Transport for Town {
    fn send(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Error>> {
        Box::pin(async move {
            let Answer(status, pairs, body) = self.answer(request).await;
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(name, HeaderValue::try_from(value).unwrap());
            }
            Ok(Incoming {
                status: StatusCode::from_u16(status).unwrap(),
                version: Version::HTTP_11,
                headers,
                body: stream::iter([Ok(Bytes::from(body))]).boxed(),
            })
        })
    }

    fn connections(&self) -> usize {
        0
    }

    fn close(&self) {}
}

async fn whole(body: OutgoingBody) -> Bytes {
    match body {
        OutgoingBody::Bytes(bytes) => bytes,
        OutgoingBody::Empty => Bytes::new(),
        OutgoingBody::Stream(mut pieces) => {
            let mut whole = BytesMut::new();
            while let Some(piece) = pieces.next().await {
                whole.extend_from_slice(&piece.unwrap());
            }
            whole.freeze()
        }
    }
}

fn html() -> Vec<(HeaderName, String)> {
    vec![(header::CONTENT_TYPE, "text/html".to_owned())]
}

fn form(message: &str) -> String {
    format!(
        "<p role=alert>{message}</p><form method=post action=/login><input name=user>\
         <input type=password name=password><button>Log in</button></form>"
    )
}
