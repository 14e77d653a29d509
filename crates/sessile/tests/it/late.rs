//! Replies that arrive after the login they belong to has been replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, join};
use sessile::clock::{Clock, ManualClock, Timestamp};
use sessile::login::Login;
use sessile::renew::{Kept, KeptOptions, Renewer};
use sessile::store::{Acquired, HolderId, LeaseKey, StoreOptions, Vault};
use sessile::transport::{ConnectOptions, Engine, Incoming, Outgoing, Transport};
use sessile::{Error, Request, Secret, SessionState};
use sessile_practice::{ADA, ADA_PASSWORD, Options, Site};
use tokio::sync::Notify;

/// Passes everything on, but keeps the first reply of one page back until it is let go.
#[derive(Debug)]
struct Gate {
    behind: Arc<dyn Transport>,
    page: &'static str,
    has_held: AtomicBool,
    holds: Notify,
    let_go: Notify,
}

impl Gate {
    fn new(page: &'static str) -> Arc<Self> {
        Arc::new(Self {
            behind: Engine::new().transport(Arc::new(ConnectOptions::default())),
            page,
            has_held: AtomicBool::new(false),
            holds: Notify::new(),
            let_go: Notify::new(),
        })
    }
}

impl Transport for Gate {
    fn send(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Error>> {
        Box::pin(async move {
            let is_held = request.url.path() == self.page;
            let reply = self.behind.send(request).await;
            if is_held && !self.has_held.swap(true, Ordering::SeqCst) {
                self.holds.notify_one();
                self.let_go.notified().await;
            }
            reply
        })
    }

    fn connections(&self) -> usize {
        self.behind.connections()
    }

    fn close(&self) {
        self.behind.close();
    }
}

async fn log_in(site: &Site, gate: &Arc<Gate>) -> Kept {
    let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
    let url = format!("{}/members", site.url()).parse().unwrap();
    let mut login = Login::form(url, ADA, Secret::from(ADA_PASSWORD.to_owned()));
    login.remember = true;
    let mut options = KeptOptions::default();
    options.builder = options
        .builder
        .transport(Arc::clone(gate) as Arc<dyn Transport>);
    let name = "ada".parse().unwrap();
    Kept::log_in(&vault, &name, login, options).await.unwrap().0
}

#[tokio::test]
async fn a_late_refusal_of_an_older_login_starts_no_login() {
    let site = Site::start(Options::default()).await.unwrap();
    let gate = Gate::new("/members/notes");
    let kept = log_in(&site, &gate).await;
    site.kill_sessions();
    let late = kept.send(Request::get(format!("{}/members/notes", site.url())));
    let meanwhile = async {
        gate.holds.notified().await;
        let answer = kept
            .send(Request::get(format!("{}/members", site.url())))
            .await
            .unwrap();
        assert_eq!(answer.renewal.unwrap().by, Renewer::Ourselves);
        gate.let_go.notify_one();
    };
    let (late, ()) = join(late, meanwhile).await;
    let late = late.unwrap();
    assert_eq!(late.renewal.unwrap().by, Renewer::Other);
    assert_eq!(late.reply.text().await.unwrap(), "[]");
    assert_eq!(site.logins(), 2);
}

#[tokio::test]
async fn a_late_reply_of_an_older_login_brings_no_cookie_back() {
    let site = Site::start(Options::default()).await.unwrap();
    let gate = Gate::new("/cookies/five");
    let kept = log_in(&site, &gate).await;
    let late = kept.send(Request::get(format!("{}/cookies/five", site.url())));
    let meanwhile = async {
        gate.holds.notified().await;
        site.kill_sessions();
        let answer = kept
            .send(Request::get(format!("{}/members", site.url())))
            .await
            .unwrap();
        assert!(answer.renewal.is_some());
        gate.let_go.notify_one();
    };
    let (late, ()) = join(late, meanwhile).await;
    assert!(late.unwrap().reply.status().is_success());
    let state = kept.session().state();
    let names: Vec<_> = state
        .jar()
        .iter()
        .map(|cookie| cookie.name_lossy().into_owned())
        .collect();
    assert!(
        !names.iter().any(|name| name.starts_with("five")),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_process_that_died_while_it_logged_in_is_waited_for_and_replaced() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
    let mut options = StoreOptions::default();
    options.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    let vault = Vault::in_memory(&options).await.unwrap();
    let site = Site::start(Options::default()).await.unwrap();
    let url = format!("{}/members", site.url());
    let password = Secret::from(ADA_PASSWORD.to_owned());
    let mut login = Login::form(url.parse().unwrap(), ADA, password);
    login.remember = true;
    let name = "ada".parse().unwrap();
    let (kept, _report) = Kept::log_in(&vault, &name, login, KeptOptions::default())
        .await
        .unwrap();
    site.kill_sessions();

    // Somebody took the right to log in and is never heard of again.
    let key = LeaseKey::parse("login:ada").unwrap();
    let dead = HolderId::parse("dead").unwrap();
    let term = Duration::from_secs(15);
    let taken = vault.acquire(&key, &dead, term).await.unwrap();
    assert!(matches!(taken, Acquired::Granted(_)));
    let before = site.requests()["/members"];
    let time_passes = async {
        while site.requests()["/members"] == before {
            tokio::task::yield_now().await;
        }
        clock.advance(term);
    };
    let (answer, ()) = join(kept.send(Request::get(url)), time_passes).await;
    assert_eq!(answer.unwrap().renewal.unwrap().by, Renewer::Ourselves);
    assert_eq!(site.logins(), 2);
}

#[tokio::test]
async fn a_late_reply_brings_no_cookie_into_the_session_that_took_the_place() {
    let site = Site::start(Options::default()).await.unwrap();
    let gate = Gate::new("/cookies/five");
    let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
    let name = "shop".parse().unwrap();
    let create = || {
        let mut options = KeptOptions::default();
        options.builder = options
            .builder
            .transport(Arc::clone(&gate) as Arc<dyn Transport>);
        Kept::create(&vault, &name, SessionState::default(), options).unwrap()
    };
    let kept = create();
    kept.save().await.unwrap();
    let page = |path: &str| Request::get(format!("{}{path}", site.url()));
    let late = kept.send(page("/cookies/five"));
    let others = async {
        gate.holds.notified().await;
        vault.remove(&name).await.unwrap();
        create().save().await.unwrap();
        kept.send(page("/cookies/show")).await.unwrap();
        gate.let_go.notify_one();
    };
    let (answer, ()) = join(late, others).await;
    let reply = answer.unwrap().reply;
    let cookies = reply.headers().get_all("set-cookie").iter();
    assert!(cookies.count() > 1);
    assert_eq!(kept.session().read(|state| state.jar().len()), 0);
    site.stop().await;
}
