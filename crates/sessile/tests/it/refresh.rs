//! Access tokens that end, with every request scripted and a clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sessile::clock::{ManualClock, Timestamp};
use sessile::login::{Credentials, Login};
use sessile::renew::{KeepError, Kept, KeptOptions, Mode, NoRenewal, Renewed, Renewer, edit};
use sessile::site::Site;
use sessile::store::{Name, StoreOptions, Vault};
use sessile::transport::{ScriptedReply, ScriptedTransport};
use sessile::{Request, Secret};

const TOKEN: &str = "POST https://id.test/token";
const ORDERS: &str = "GET https://api.test/orders";

const SITE: &str = r#"
    base_url = "https://api.test/"
    [login]
    kind = "oauth2"
    grant = "client_credentials"
    client_id = "robot"
    token_url = "https://id.test/token"
    [check]
    url = "/orders"
    status = 200
"#;

struct World {
    script: Arc<ScriptedTransport>,
    clock: Arc<ManualClock>,
    vault: Vault,
}

impl World {
    /// A session whose access token `t1` lives for a minute, with the refresh token `r1`.
    async fn new() -> (Self, Kept) {
        let world = Self {
            script: ScriptedTransport::new(),
            clock: Arc::new(ManualClock::new(Timestamp::from_seconds(1_000_000))),
            vault: Vault::in_memory(&StoreOptions::default()).await.unwrap(),
        };
        world.gives("t1", Some("r1"));
        world.answers(200);
        let site = Site::parse(SITE, "api.toml").unwrap();
        let secret = Secret::from("s".to_owned());
        let mut login = Login::site(Arc::new(site), Credentials::new("", Some(secret)));
        login.remember = true;
        let (name, options) = (name(), world.options(Mode::Renew));
        let done = Kept::log_in(&world.vault, &name, login, options).await;
        let (kept, report) = done.unwrap();
        assert!(report.tokens.unwrap().refresh.is_some());
        world.script.take_sent();
        (world, kept)
    }

    fn options(&self, mode: Mode) -> KeptOptions {
        let mut options = KeptOptions::default();
        options.mode = mode;
        let builder = options.builder.transport(self.script.clone());
        options.builder = builder.clock(self.clock.clone());
        options
    }

    async fn open(&self, mode: Mode) -> Kept {
        Kept::open(&self.vault, &name(), self.options(mode))
            .await
            .unwrap()
    }

    /// The provider's next answer.
    fn gives(&self, access: &str, refresh: Option<&str>) {
        let refresh = refresh.map(|token| format!(r#","refresh_token":"{token}""#));
        let refresh = refresh.unwrap_or_default();
        let body = format!(
            r#"{{"access_token":"{access}","token_type":"bearer","expires_in":60{refresh}}}"#
        );
        self.script.on(TOKEN, ScriptedReply::ok(body));
    }

    fn refuses(&self, error: &str) {
        let body = format!(r#"{{"error":"{error}"}}"#);
        self.script.on(TOKEN, ScriptedReply::status(400).body(body));
    }

    /// The website's next answer.
    fn answers(&self, status: u16) {
        self.script.on(ORDERS, ScriptedReply::status(status));
    }

    /// What was asked since the last look, each with its token.
    fn asked(&self) -> Vec<String> {
        let sent = self.script.take_sent();
        let asked = sent.iter().map(|sent| match sent.url.path() {
            "/token" => {
                let body = String::from_utf8(sent.body.clone().unwrap().to_vec()).unwrap();
                body.replace("grant_type=", "")
            }
            path => format!("{path} {}", sent.header("authorization").unwrap_or("-")),
        });
        asked.collect()
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn name() -> Name {
    "api".parse().unwrap()
}

fn orders() -> Request {
    Request::get("https://api.test/orders")
}

#[tokio::test]
async fn a_refresh_that_nobody_waits_for_is_stored_all_the_same() {
    let (world, kept) = World::new().await;
    world.advance(50);
    world.gives("t2", Some("r2"));
    assert!(kept.send(orders()).now_or_never().is_none());
    world.answers(200);
    let renewal = kept.send(orders()).await.unwrap().renewal;
    assert_eq!(renewal.unwrap().by, Renewer::Other);
    assert_eq!(
        world.asked(),
        ["refresh_token&refresh_token=r1", "/orders Bearer t2"]
    );
}

#[tokio::test]
async fn a_token_is_refreshed_before_it_ends() {
    let (world, kept) = World::new().await;
    world.answers(200);
    assert!(kept.send(orders()).await.unwrap().renewal.is_none());
    world.advance(50);
    world.gives("t2", Some("r2"));
    world.answers(200);
    let renewal = kept.send(orders()).await.unwrap().renewal.unwrap();
    assert_eq!((renewal.what, renewal.generation), (Renewed::Token, 1));
    assert_eq!(
        world.asked(),
        [
            "/orders Bearer t1",
            "refresh_token&refresh_token=r1",
            "/orders Bearer t2"
        ]
    );
    // Another process has it too, and the refresh token that took the first one's place.
    world.advance(60);
    world.gives("t3", None);
    world.answers(200);
    let other = world.open(Mode::Renew).await;
    other.send(orders()).await.unwrap();
    world.answers(200);
    kept.send(orders()).await.unwrap();
    assert_eq!(
        world.asked(),
        [
            "refresh_token&refresh_token=r2",
            "/orders Bearer t3",
            "/orders Bearer t3"
        ]
    );
}

#[tokio::test]
async fn a_token_that_the_site_refuses_is_refreshed_and_the_request_sent_again() {
    let (world, kept) = World::new().await;
    world.answers(401);
    world.gives("t2", Some("r2"));
    world.answers(200);
    let answer = kept.send(orders()).await.unwrap();
    assert_eq!(answer.reply.status(), 200);
    assert_eq!(answer.renewal.unwrap().what, Renewed::Token);
    assert_eq!(
        world.asked(),
        [
            "/orders Bearer t1",
            "refresh_token&refresh_token=r1",
            "/orders Bearer t2"
        ]
    );
}

#[tokio::test]
async fn a_page_that_refuses_a_fresh_token_costs_one_refresh() {
    let (world, kept) = World::new().await;
    world.answers(401);
    world.gives("t2", Some("r2"));
    world.answers(401);
    token_refused(&kept).await;
    world.asked();
    world.answers(401);
    token_refused(&kept).await;
    world.answers(401);
    token_refused(&world.open(Mode::Renew).await).await;
    assert_eq!(world.asked(), ["/orders Bearer t2"; 2]);
    // When it ends, that is another matter.
    world.advance(60);
    world.gives("t3", None);
    world.answers(200);
    kept.send(orders()).await.unwrap();
}

async fn token_refused(kept: &Kept) {
    let error = kept.send(orders()).await.unwrap_err();
    let KeepError::LoggedOut { why, .. } = &error else {
        panic!("{error}");
    };
    assert!(matches!(why, NoRenewal::TokenRefused), "{error}");
}

#[tokio::test]
async fn a_provider_in_trouble_is_no_harm_while_the_token_lasts() {
    let (world, kept) = World::new().await;
    world.advance(50);
    world.script.on(TOKEN, ScriptedReply::status(503));
    world.answers(200);
    world.answers(200);
    kept.send(orders()).await.unwrap();
    kept.send(orders()).await.unwrap();
    assert_eq!(
        world.asked(),
        [
            "refresh_token&refresh_token=r1",
            "/orders Bearer t1",
            "/orders Bearer t1"
        ]
    );
    world.advance(10);
    world.script.on(TOKEN, ScriptedReply::status(503));
    let error = kept.send(orders()).await.unwrap_err().to_string();
    assert!(error.contains("the provider is in trouble"), "{error}");
    world.gives("t2", Some("r2"));
    world.answers(200);
    kept.send(orders()).await.unwrap();
}

#[tokio::test]
async fn a_dead_refresh_token_means_the_whole_login_again() {
    let (world, kept) = World::new().await;
    world.advance(60);
    world.refuses("invalid_grant");
    world.gives("t2", Some("r2"));
    // Once by the check of the login, once for the request itself.
    world.answers(200);
    world.answers(200);
    let renewal = kept.send(orders()).await.unwrap().renewal.unwrap();
    assert_eq!((renewal.what, renewal.generation), (Renewed::Login, 2));
    assert_eq!(
        world.asked(),
        [
            "refresh_token&refresh_token=r1",
            "client_credentials",
            "/orders Bearer t2",
            "/orders Bearer t2"
        ]
    );
}

#[tokio::test]
async fn a_refusal_is_not_asked_for_twice() {
    let (world, kept) = World::new().await;
    world.advance(60);
    world.refuses("invalid_client");
    let error = kept.send(orders()).await.unwrap_err().to_string();
    assert!(error.contains("invalid_client"), "{error}");
    for kept in [kept, world.open(Mode::Renew).await] {
        let error = kept.send(orders()).await.unwrap_err().to_string();
        assert!(error.contains("run `sessile login` again"), "{error}");
    }
    assert_eq!(world.asked(), ["refresh_token&refresh_token=r1"]);
}

#[tokio::test]
async fn other_sites_and_readers_refresh_nothing() {
    let (world, kept) = World::new().await;
    world
        .script
        .on("GET https://other.test/", ScriptedReply::status(401));
    let answer = kept
        .send(Request::get("https://other.test/"))
        .await
        .unwrap();
    assert_eq!(answer.reply.status(), 401);
    assert_eq!(world.asked(), ["/ -"]);

    world.advance(60);
    world.answers(401);
    let reader = world.open(Mode::ReadOnly).await;
    let error = reader.send(orders()).await.unwrap_err().to_string();
    assert!(error.contains("read-only"), "{error}");
    assert_eq!(world.asked(), ["/orders Bearer t1"]);
}

#[tokio::test]
async fn a_session_that_was_emptied_is_not_refreshed() {
    let (world, kept) = World::new().await;
    edit(&world.vault, &name(), |record| {
        record.tokens = None;
        record.login = None;
        record.state.clear(Timestamp::from_seconds(1_000_001));
    })
    .await
    .unwrap();
    world.advance(60);
    world.answers(401);
    let answer = kept.send(orders()).await.unwrap();
    assert_eq!(answer.reply.status(), 401);
    assert_eq!(world.asked(), ["/orders -"]);
}

const COOKIE_SITE: &str = r#"
    base_url = "https://api.test/"
    [login]
    kind = "json"
    url = "/login"
    body = { password = "{password}" }
    [check]
    url = "/orders"
    status = 200
    [renew]
    cookies = ["sid"]
    before = "1m"
"#;

#[tokio::test]
async fn a_cookie_that_carries_the_login_is_renewed_before_it_ends() {
    let (world, _kept) = World::new().await;
    let gives = |cookie: &str| {
        let reply = ScriptedReply::ok("{}").header("set-cookie", cookie);
        world.script.on("POST https://api.test/login", reply);
        world.answers(200);
    };
    gives("sid=1; Max-Age=1000");
    let site = Arc::new(Site::parse(COOKIE_SITE, "api.toml").unwrap());
    let secret = Secret::from("s".to_owned());
    let mut login = Login::site(site, Credentials::new("", Some(secret)));
    login.remember = true;
    let options = world.options(Mode::Renew);
    let (kept, _report) = Kept::log_in(&world.vault, &name(), login, options)
        .await
        .unwrap();
    world.advance(930);
    world.answers(200);
    assert!(kept.send(orders()).await.unwrap().renewal.is_none());
    world.advance(20);
    // One that lives shorter than a minute isn't renewed at every request.
    gives("sid=2; Max-Age=40");
    world.answers(200);
    let renewal = kept.send(orders()).await.unwrap().renewal.unwrap();
    assert_eq!((renewal.what, renewal.generation), (Renewed::Login, 3));
    world.advance(25);
    world.answers(200);
    assert!(kept.send(orders()).await.unwrap().renewal.is_none());
}
