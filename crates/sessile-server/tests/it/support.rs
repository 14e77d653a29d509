//! A practice site, a store, a daemon that serves it, and somebody who asks.

use std::sync::Mutex;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use sessile::store::{StoreOptions, Vault};
use sessile::{Request, Session};
use sessile_jar::Timestamp;
use sessile_practice::{ADA, ADA_PASSWORD, Options, Site};
use sessile_server::access::{self, NewGrant, Scope};
use sessile_server::{Daemon, DaemonOptions, Listener, Report};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Nothing here takes longer, on a machine that is busy with something else too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) vault: Vault,
    pub(crate) url: String,
    tokens: [String; 3],
    client: Session,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinSet<Report>,
    /// All that was answered, head and body.
    seen: Mutex<String>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(
            Options::default(),
            DaemonOptions::default(),
            async |_, _| {},
        )
        .await
    }

    /// A daemon over a store that was prepared.
    pub(crate) async fn start_with(
        site: Options,
        options: DaemonOptions,
        prepare: impl AsyncFnOnce(&Site, &Vault),
    ) -> Self {
        let site = Site::start(site).await.unwrap();
        let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
        let mut tokens = Vec::new();
        for scope in [Scope::Read, Scope::Use, Scope::Manage] {
            let name = scope.to_string().parse().unwrap();
            let new = NewGrant {
                name,
                scope,
                expires: None,
            };
            let token = access::add(&vault, new, Timestamp::from_seconds(0))
                .await
                .unwrap();
            tokens.push(token.expose().clone());
        }
        prepare(&site, &vault).await;
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), None)
            .await
            .unwrap();
        let url = listener.place();
        let daemon = Daemon::new(vault.clone(), options);
        let (stop, stopped) = oneshot::channel();
        let mut serving = JoinSet::new();
        serving.spawn(sessile_server::serve(listener, daemon, async {
            _ = stopped.await
        }));
        Self {
            site,
            vault,
            url,
            tokens: tokens.try_into().unwrap(),
            client: Session::builder().build().unwrap(),
            stop: Some(stop),
            serving,
            seen: Mutex::default(),
        }
    }

    pub(crate) fn token(&self, scope: Scope) -> &str {
        &self.tokens[scope as usize]
    }

    pub(crate) fn request(&self, method: Method, path: &str, scope: Scope) -> Request {
        let request = Request::new(method, format!("{}{path}", self.url));
        request.header("authorization", &format!("Bearer {}", self.token(scope)))
    }

    /// Sends, and notes what is answered.
    pub(crate) async fn send(&self, request: Request) -> Answer {
        let reply = self.client.send(request).await.unwrap();
        let (status, headers) = (reply.status(), reply.headers().clone());
        let body = reply.text().await.unwrap();
        let mut seen = self.seen.lock().unwrap();
        seen.push_str(&format!("{headers:?}\n{body}\n"));
        Answer {
            status,
            headers,
            body,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, Scope::Manage))
            .await
    }

    pub(crate) async fn post(&self, path: &str, document: &Value) -> Answer {
        self.send(
            self.request(Method::POST, path, Scope::Manage)
                .json(document),
        )
        .await
    }

    /// An answer whose body isn't read here, as an endless one.
    pub(crate) async fn open(&self, request: Request) -> sessile::Reply {
        self.client.send(request).await.unwrap()
    }

    /// Logs Ada in at the practice site, as the session `ada`.
    pub(crate) async fn log_in(&self) {
        let url = format!("{}/login", self.site.url());
        let document =
            json!({ "url": url, "username": ADA, "password": ADA_PASSWORD, "remember": true });
        self.post("/api/sessions/ada/login", &document)
            .await
            .is(200);
    }

    /// All that was answered so far, which is forgotten.
    pub(crate) fn take_seen(&self) -> String {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// Tells the daemon to stop.
    pub(crate) fn begin_to_stop(&mut self) {
        _ = self.stop.take().unwrap().send(());
    }

    pub(crate) async fn stopped(mut self) -> Report {
        self.serving.join_next().await.unwrap().unwrap()
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {self:#?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// A problem of this kind, told from what a site answers.
    #[track_caller]
    pub(crate) fn is_problem(self, status: u16, kind: &str) -> Self {
        let answer = self.is(status);
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{answer:#?}"
        );
        assert_eq!(answer.header("sessile-from"), "daemon");
        let document = answer.json();
        assert_eq!(
            document["type"],
            format!("urn:sessile:problem:{kind}"),
            "{answer:#?}"
        );
        assert_eq!(document["status"], status);
        answer
    }
}
