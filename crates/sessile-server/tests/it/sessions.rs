//! Stored sessions: logged in, used, looked at, emptied, removed.

use futures_util::future::{join, join_all};
use http::Method;
use serde_json::{Value, json};
use sessile::store::Name;
use sessile::{Request, renew};
use sessile_jar::Timestamp;
use sessile_practice::{ADA, ADA_PASSWORD};
use sessile_server::access::Scope;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::World;

#[tokio::test]
async fn a_session_is_logged_in_and_used() {
    let world = World::start().await;
    world.log_in().await;
    let page = world
        .get("/api/sessions/ada/fetch?url=/members")
        .await
        .is(200);
    assert!(page.body.contains("Hello"), "{page:?}");
    assert_eq!(page.header("sessile-from"), "site");
    assert_eq!(page.header("sessile-verdict"), "valid");
    assert_eq!(page.header("sessile-generation"), "1");
    assert_eq!(page.header("sessile-session"), "ada");
    assert_eq!(page.header("set-cookie"), "");
    let checked = world
        .post("/api/sessions/ada/check", &json!({}))
        .await
        .is(200);
    assert_eq!(checked.json()["verdict"], "valid");
}

/// Plain names go past the router, escaped ones through it.
#[tokio::test]
async fn an_escaped_name_is_answered_as_a_plain_one() {
    let world = World::start().await;
    world.log_in().await;
    let (read, uses) = (Some(Scope::Read), Some(Scope::Use));
    for (method, query, scope) in [
        (Method::GET, "?url=/members", uses),
        (Method::GET, "?url=/members&redirects=0", uses),
        (Method::GET, "?url=/members&redirects=99", uses),
        (Method::GET, "?url=/members&other=1", uses),
        (Method::GET, "?url=%FF&url=a", uses),
        (Method::GET, "?", uses),
        (Method::GET, "", uses),
        (Method::GET, "?url=/members", read),
        (Method::GET, "", None),
        (Method::HEAD, "?url=/members", uses),
        (Method::HEAD, "?url=/members", None),
        (Method::OPTIONS, "?url=/members", uses),
        (Method::OPTIONS, "", None),
        (Method::DELETE, "?url=/members", uses),
        (Method::TRACE, "", uses),
    ] {
        for (plain, escaped) in [
            ("ada", "%61da"),
            ("-ada", "-%61da"),
            ("nobody", "nobod%79"),
            ("-event", "-%65vent"),
            ("~", "%7E"),
            ("-", "%2D"),
        ] {
            let asked = [plain, escaped].map(|name| {
                let path = format!("/api/sessions/{name}/fetch{query}");
                match scope {
                    Some(scope) => world.request(method.clone(), &path, scope),
                    None => Request::new(method.clone(), format!("{}{path}", world.url)),
                }
            });
            let [plainly, through_router] = join_all(asked.map(|asked| world.send(asked)))
                .await
                .try_into()
                .unwrap();
            let what = format!("{method} {plain} {query:?}");
            assert_eq!(plainly.status, through_router.status, "{what}");
            for field in ["sessile-from", "sessile-session", "content-type", "allow"] {
                let expected = through_router.header(field);
                assert_eq!(plainly.header(field), expected, "{what}: {field}");
            }
            // The site's pages differ each time.
            if plainly.header("sessile-from") == "daemon" {
                assert_eq!(plainly.body, through_router.body, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_dead_login_is_renewed_under_a_request() {
    let world = World::start().await;
    world.log_in().await;
    world.site.kill_sessions();
    let page = world
        .get("/api/sessions/ada/fetch?url=/members")
        .await
        .is(200);
    assert_eq!(page.header("sessile-generation"), "2");
    assert!(page.body.contains("Hello"), "{page:?}");
    let shown = world.get("/api/sessions/ada").await.is(200).json();
    assert_eq!(shown["generation"], 2);
    // Asked for outright, it is logged in once more.
    let again = world
        .send(world.request(Method::POST, "/api/sessions/ada/login", Scope::Manage))
        .await;
    assert_eq!(again.is(200).json()["generation"], 3);
    let page = world
        .get("/api/sessions/ada/fetch?url=/members")
        .await
        .is(200);
    assert_eq!(page.header("sessile-generation"), "3");
}

#[tokio::test]
async fn ages_and_validity_are_those_of_the_last_login() {
    let world = World::start().await;
    world.log_in().await;
    let name: Name = "ada".parse().unwrap();
    let change = renew::edit(&world.vault, &name, |record| {
        let login = record.last.login.unwrap().as_millis();
        record.last.login = Some(Timestamp::from_millis(login - 3_600_000));
    });
    change.await.unwrap();
    world.site.kill_sessions();
    let checked = world.post("/api/sessions/ada/check", &json!({})).await;
    assert_eq!(checked.is(200).json()["verdict"], "expired");
    let stats = world.get("/api/sessions/stats").await.is(200).json();
    assert_eq!(stats["validSessions"], 0, "{stats}");
    assert!(stats["oldestSession"].as_f64().unwrap() >= 60.0, "{stats}");
    let again = world.request(Method::POST, "/api/sessions/ada/login", Scope::Manage);
    world.send(again).await.is(200);
    let stats = world.get("/api/sessions/stats").await.is(200).json();
    assert_eq!(stats["validSessions"], 1, "{stats}");
    assert!(stats["oldestSession"].as_f64().unwrap() < 60.0, "{stats}");
}

#[tokio::test]
async fn only_what_is_asked_for_by_name_goes_on_to_the_site() {
    let world = World::start().await;
    world.log_in().await;
    let path = format!("/api/sessions/ada/fetch?url={}/api/echo", world.site.url());
    let request = world
        .request(Method::POST, &path, Scope::Use)
        .header("user-agent", "some-library/1")
        .header("sessile-header-x-trace", "7")
        .header("content-type", "text/plain")
        .body("words");
    let echoed = world.send(request).await;
    for absent in ["some-library", "Bearer", "sessile_"] {
        assert!(!echoed.body.contains(absent), "{echoed:?}");
    }
}

#[tokio::test]
async fn a_long_upload_keeps_its_length() {
    let world = World::start().await;
    world.log_in().await;
    let site = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let path = format!(
        "/api/sessions/ada/fetch?url=http://{}/",
        site.local_addr().unwrap()
    );
    let body = vec![b'x'; 3 << 20];
    let request = world.request(Method::PUT, &path, Scope::Use);
    let (answer, head) = join(
        world.send(request.body(body.clone())),
        taken(&site, body.len()),
    )
    .await;
    answer.is(200);
    assert!(head.contains("content-length: 3145728\r\n"), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
}

/// Takes one request with a body of this length; answers its head.
async fn taken(site: &TcpListener, length: usize) -> String {
    let (mut stream, _peer) = site.accept().await.unwrap();
    let (mut read, mut head) = (Vec::new(), None::<String>);
    loop {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "{head:?}");
        if head.is_none()
            && let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n")
        {
            let rest = read.split_off(end + 4);
            let bytes = std::mem::replace(&mut read, rest);
            head = Some(String::from_utf8(bytes).unwrap());
        }
        if let Some(head) = &head
            && read.len() == length
        {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            return head.to_ascii_lowercase();
        }
    }
}

#[tokio::test]
async fn what_a_session_is_made_of_is_handed_out_in_order() {
    let world = World::start().await;
    world.log_in().await;
    let headers = world
        .get("/api/sessions/ada/headers?url=/members")
        .await
        .is(200)
        .json();
    let names: Vec<_> = headers["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|header| header["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["user-agent", "accept", "accept-encoding", "cookie"]);
    let bundle = world.get("/api/sessions/ada/bundle").await.is(200).json();
    assert_eq!(bundle["generation"], 1);
    let cookies = bundle["cookies"].as_array().unwrap();
    let session = cookies
        .iter()
        .find(|cookie| cookie["name"] == "session")
        .unwrap();
    let line = headers["headers"][3]["value"].as_str().unwrap();
    assert!(line.contains(session["value"].as_str().unwrap()), "{line}");
    assert_eq!(session["hostOnly"], true);
    // Where the next one is leads to one.
    world.get(bundle["next"].as_str().unwrap()).await.is(200);
    assert_eq!(bundle["headers"][0]["name"], "user-agent");
}

#[tokio::test]
async fn sessions_are_listed_emptied_and_removed() {
    let world = World::start().await;
    world.log_in().await;
    let (one, two): (Name, Name) = ("ada".parse().unwrap(), "stats".parse().unwrap());
    world.vault.copy(&one, &two).await.unwrap();
    let first = world.get("/api/sessions?limit=1").await.is(200).json();
    assert_eq!(
        (&first["sessions"][0]["name"], &first["next"]),
        (&json!("ada"), &json!("ada"))
    );
    let second = world.get("/api/sessions?after=ada").await.is(200).json();
    assert_eq!(
        (&second["sessions"][0]["name"], &second["next"]),
        (&json!("stats"), &json!(null))
    );
    // A name that is one of the API's own words stands behind a `-`.
    let stats = world.get("/api/sessions/stats").await.is(200).json();
    assert!(stats["totalSessions"].is_number(), "{stats}");
    assert_eq!(
        world.get("/api/sessions/-stats").await.is(200).json()["name"],
        "stats"
    );
    world
        .post("/api/sessions/-stats/clean", &json!({}))
        .await
        .is(204);
    assert_eq!(
        world.get("/api/sessions/-stats").await.json()["cookies"],
        json!([])
    );
    let delete = world.request(Method::DELETE, "/api/sessions/ada", Scope::Manage);
    world.send(delete).await.is(204);
    world
        .get("/api/sessions/ada")
        .await
        .refuses(404, "unknown-session");
    world
        .get("/api/sessions/ada/fetch?url=/")
        .await
        .refuses(404, "unknown-session");
}

#[tokio::test]
async fn a_code_is_handed_over_to_a_login_that_waits() {
    let world = World::start().await;
    let url = format!("{}/totp/field/login", world.site.url());
    let (user, password) = (sessile_practice::GRACE, sessile_practice::GRACE_PASSWORD);
    let document = json!({ "url": url, "username": user, "password": password });
    let login = world.post("/api/sessions/grace/login", &document);
    let hand_over = async {
        loop {
            let document = json!({ "code": world.site.code() });
            let handed = world.post("/api/sessions/grace/otp", &document).await;
            if handed.status == 204 {
                return;
            }
            handed.refuses(409, "wrong-moment");
            tokio::task::yield_now().await;
        }
    };
    let (login, ()) = tokio::join!(login, hand_over);
    login.is(200);
}

#[tokio::test]
async fn refusals_of_the_site_are_told_apart() {
    let world = World::start().await;
    let url = format!("{}/login", world.site.url());
    let wrong = json!({ "url": url, "username": ADA, "password": "wrong" });
    world
        .post("/api/sessions/x/login", &wrong)
        .await
        .refuses(409, "login-refused");
    let nobody = json!({ "url": "http://127.0.0.1:1/", "username": "a", "password": "b" });
    world
        .post("/api/sessions/x/login", &nobody)
        .await
        .refuses(502, "site-unreachable");
    world.get("/api/sessions").await.is(200);
    world.log_in().await;
    world
        .get("/api/sessions/ada/fetch?url=http://127.0.0.1:1/")
        .await
        .refuses(502, "site-unreachable");
    // Without a password to renew it with, a person is needed.
    let forgetful = json!({ "url": url, "username": ADA, "password": ADA_PASSWORD });
    world
        .post("/api/sessions/y/login", &forgetful)
        .await
        .is(200);
    world.site.kill_sessions();
    world
        .get("/api/sessions/y/fetch?url=/members")
        .await
        .refuses(409, "person-needed");
    // Whoever gets what it is made of all the same is told.
    for path in ["bundle", "headers?url=/"] {
        let handed = world.get(&format!("/api/sessions/y/{path}")).await.is(200);
        assert_eq!(handed.json()["verdict"], "expired", "{handed:?}");
    }
    let fine = world.get("/api/sessions/ada/bundle").await.is(200).json();
    assert_eq!(
        (&fine["verdict"], &fine["lastRefusal"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn where_a_redirect_leads_is_told_to_people_and_not_to_clients_that_follow() {
    let world = World::start().await;
    world.log_in().await;
    let answer = world
        .get("/api/sessions/ada/fetch?url=/redirect/2&redirects=0")
        .await;
    let answer = answer.is(302);
    assert!(!answer.headers.contains_key("location"), "{answer:?}");
    let next = format!("{}/redirect/1", world.site.url());
    assert_eq!(answer.header("sessile-location"), next);
}

#[tokio::test]
async fn who_saw_events_of_an_earlier_daemon_is_told_that_some_are_missing() {
    let world = World::start().await;
    let listen = world
        .request(Method::GET, "/api/events", Scope::Read)
        .header("last-event-id", "00000000-7");
    let mut told = world.open(listen).await;
    let mut text = String::new();
    while !text.contains("event: gap\n") {
        let piece = told.chunk().await.unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&piece));
    }
}

#[tokio::test]
async fn events_come_as_they_happen_and_again_for_who_was_away() {
    let world = World::start().await;
    let listen = world.request(Method::GET, "/api/events", Scope::Read);
    let mut told = world.open(listen).await;
    assert_eq!(told.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let mut until = async |wanted: &str| {
        while !text.contains(wanted) {
            let piece = told.chunk().await.unwrap().unwrap();
            text.push_str(&String::from_utf8_lossy(&piece));
        }
        text.clone()
    };
    until("listening").await;
    world.log_in().await;
    let told = until("event: login\n").await;
    assert!(told.contains("\"session\":\"ada\""), "{told}");
    let id = told
        .lines()
        .find_map(|line| line.strip_prefix("id: "))
        .unwrap();
    world
        .post("/api/sessions/ada/clean", &json!({}))
        .await
        .is(204);
    let again = world
        .request(Method::GET, "/api/events", Scope::Read)
        .header("last-event-id", id);
    let mut later = world.open(again).await;
    let mut text = String::new();
    while !text.contains("event: cleaned") {
        text.push_str(&String::from_utf8_lossy(
            &later.chunk().await.unwrap().unwrap(),
        ));
    }
    assert!(!text.contains("event: login"), "{text}");
}

#[tokio::test]
async fn nothing_that_only_shows_has_a_secret_in_it() {
    let world = World::start().await;
    world.log_in().await;
    world
        .get("/api/sessions/ada/fetch?url=/members")
        .await
        .is(200);
    let bundle = world.get("/api/sessions/ada/bundle").await.is(200).json();
    world.take_seen();
    for path in [
        "/api/sessions",
        "/api/sessions/ada",
        "/api/sessions/stats",
        "/api/sessions/active",
        "/api/cookies/stats",
        "/api/cookies/recent",
        "/api/pools",
        "/metrics",
        "/healthz",
        "/readyz",
        "/api/openapi.json",
    ] {
        world.get(path).await.is(200);
    }
    world
        .post("/api/sessions/ada/check", &json!({}))
        .await
        .is(200);
    let malformed = json!({ "url": 1, "password": ADA_PASSWORD });
    world
        .post("/api/sessions/ada/login", &malformed)
        .await
        .refuses(400, "bad-request");
    let seen = world.take_seen();
    let cookies = bundle["cookies"].as_array().unwrap();
    let mut secrets: Vec<&str> = cookies
        .iter()
        .map(|cookie| cookie["value"].as_str().unwrap())
        .collect();
    secrets.extend([
        ADA_PASSWORD,
        world.token(Scope::Read),
        world.token(Scope::Manage),
    ]);
    for secret in secrets {
        assert!(!seen.contains(secret), "{secret} in {seen}");
    }
}
