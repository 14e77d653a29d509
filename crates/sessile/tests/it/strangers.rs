//! What sites tell strangers in place of a login page, and what becomes of a kept session there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sessile::login::{Login, LoginError};
use sessile::renew::{Answer, KeepError, Kept, KeptOptions};
use sessile::store::{StoreOptions, Vault};
use sessile::{Request, Secret};

use crate::session::server::Server;

const FORM: &str = "<h1>Log in</h1><form method=post action=/enter><input name=user>\
                    <input type=password name=pass><button>Log in</button></form>";

/// A site that knows members by a cookie, and strangers by a page of its own.
struct Site {
    server: Server,
    logins: Arc<AtomicUsize>,
    valid_from: Arc<AtomicUsize>,
}

impl Site {
    /// `stranger` is what strangers get for every page but `/login`.
    async fn start(stranger: &'static str) -> Self {
        let logins = Arc::<AtomicUsize>::default();
        let valid_from = Arc::new(AtomicUsize::new(1));
        let counted = Arc::clone(&logins);
        let valid = Arc::clone(&valid_from);
        let server = Server::start(move |mut conn| {
            let (logins, valid) = (Arc::clone(&counted), Arc::clone(&valid));
            async move {
                while let Some(request) = conn.request().await {
                    let is_member = member(&request) >= valid.load(Ordering::SeqCst);
                    let reply = if request.starts_with("POST /enter") {
                        let count = logins.fetch_add(1, Ordering::SeqCst) + 1;
                        let head = "HTTP/1.1 303 See Other\r\nlocation: /home\r\ncontent-length: 0";
                        format!("{head}\r\nset-cookie: member={count}; Path=/\r\n\r\n")
                    } else if request.starts_with("GET /login") {
                        page("200 OK", FORM)
                    } else if is_member && request.starts_with("GET /gone") {
                        page("404 Not Found", "<p>there is no such page</p>")
                    } else if is_member {
                        page("200 OK", "<p>orders of ada</p><a href=/logout>Log out</a>")
                    } else {
                        stranger.to_owned()
                    };
                    conn.send(reply).await;
                }
            }
        })
        .await;
        Self {
            server,
            logins,
            valid_from,
        }
    }

    async fn log_in(&self, path: &str) -> Kept {
        let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
        let url = self.server.url(path).parse().unwrap();
        let mut login = Login::form(url, "ada", Secret::from("correct".to_owned()));
        login.remember = true;
        let options = KeptOptions::default();
        let logged_in = Kept::log_in(&vault, &"ada".parse().unwrap(), login, options).await;
        logged_in.unwrap().0
    }

    fn kill_sessions(&self) {
        let logins = self.logins.load(Ordering::SeqCst);
        self.valid_from.store(logins + 1, Ordering::SeqCst);
    }

    async fn get(&self, kept: &Kept, path: &str) -> Answer {
        let request = Request::get(self.server.url(path));
        kept.send(request).await.unwrap()
    }
}

fn member(request: &str) -> usize {
    let value = request.split_once("member=").map(|(_, rest)| rest);
    let digits = value.and_then(|rest| rest.split(['\r', ';']).next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn page(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn forbidden_or_missing_may_mean_logged_out() {
    for stranger in [
        "HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 10\r\n\r\n<p>no!</p>",
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 10\r\n\r\n<p>no!</p>",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    ] {
        let site = Site::start(stranger).await;
        let kept = site.log_in("/login").await;
        site.kill_sessions();
        let answer = site.get(&kept, "/orders").await;
        assert!(answer.renewal.is_some(), "{stranger}");
        assert_eq!(answer.reply.status().as_u16(), 200, "{stranger}");
        assert_eq!(site.logins.load(Ordering::SeqCst), 2, "{stranger}");
    }
}

#[tokio::test]
async fn a_page_that_members_miss_too_logs_nobody_in() {
    let site = Site::start("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    let kept = site.log_in("/login").await;
    for _ in 0..3 {
        let answer = site.get(&kept, "/gone").await;
        assert!(answer.renewal.is_none());
        assert_eq!(answer.reply.status().as_u16(), 404);
    }
    assert_eq!(site.logins.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_start_without_a_way_to_the_login_leads_over_the_usual_places() {
    for stranger in [
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 14\r\n\r\n<p>welcome</p>",
    ] {
        let site = Site::start(stranger).await;
        let kept = site.log_in("/orders").await;
        site.kill_sessions();
        let answer = site.get(&kept, "/orders").await;
        assert!(answer.renewal.is_some(), "{stranger}");
        assert_eq!(site.logins.load(Ordering::SeqCst), 2, "{stranger}");
    }
}

#[tokio::test]
async fn http_authentication_that_takes_no_password_is_named() {
    let site = Server::always(
        "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Negotiate\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
    let url = site.url("/").parse().unwrap();
    let login = Login::form(url, "ada", Secret::from("correct".to_owned()));
    let refused = Kept::log_in(
        &vault,
        &"ada".parse().unwrap(),
        login,
        KeptOptions::default(),
    )
    .await;
    let message = refused.unwrap_err().to_string();
    assert!(
        message.contains("HTTP authentication (Negotiate)"),
        "{message}"
    );
}

#[tokio::test]
async fn consent_is_left_to_a_person() {
    const ASKS: &str =
        "<h1>Authorize</h1><form method=post action=/yes><button>Continue</button></form>";
    let provider = Server::start(|mut conn| async move {
        while let Some(request) = conn.request().await {
            let reply = match request.starts_with("POST /enter") {
                true => page("200 OK", ASKS),
                false => page("200 OK", FORM),
            };
            conn.send(reply).await;
        }
    })
    .await;
    let to = provider.url("/login");
    let shop = Server::always(format!(
        "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"
    ))
    .await;
    let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
    let url = shop.url("/orders").parse().unwrap();
    let login = Login::form(url, "ada", Secret::from("correct".to_owned()));
    let asked = Kept::log_in(
        &vault,
        &"ada".parse().unwrap(),
        login,
        KeptOptions::default(),
    )
    .await;
    let Err(KeepError::Login(error @ LoginError::Consent { .. })) = asked else {
        panic!("{asked:?}")
    };
    assert!(error.needs_person());
}
