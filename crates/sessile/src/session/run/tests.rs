//! What goes out for what comes in, byte for byte, without a network.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use sessile_jar::Timestamp;

use crate::clock::ManualClock;
use crate::error::{Error, RedirectRefusal};
use crate::profile::Profile;
use crate::session::{Authorization, Redirects, RetryPolicy, SessionBuilder, Sign, Verdict};
use crate::transport::{ScriptedReply, ScriptedTransport};
use crate::{Request, Secret, Session};

const NOW: Timestamp = Timestamp::from_seconds(1_795_219_200);

fn builder(script: &Arc<ScriptedTransport>) -> SessionBuilder {
    Session::builder()
        .profile(Profile::None)
        .clock(Arc::new(ManualClock::new(NOW)))
        .transport(Arc::<ScriptedTransport>::clone(script))
}

fn session(script: &Arc<ScriptedTransport>) -> Session {
    builder(script).build().unwrap()
}

fn ok() -> ScriptedReply {
    ScriptedReply::ok("")
}

fn bearer(token: &str) -> Authorization {
    Authorization::Bearer(Secret::from(token.to_owned()))
}

#[tokio::test]
async fn headers_go_out_in_their_order() {
    let script = ScriptedTransport::new();
    let session = builder(&script)
        .profile(Profile::Standard)
        .base_url("http://a.test:8080/api/")
        .unwrap()
        .header("x-first", "1")
        .header("Accept", "text/html")
        .header("X-Last", "2")
        .header("content-length", "77")
        .header("cookie", "id=7; theme=dark")
        .authorization(bearer("token"))
        .build()
        .unwrap();
    script.on_each("GET http://a.test:8080/*", ok());
    let plain = "GET http://a.test:8080/api/news?page=2\n\
        host: a.test:8080\n\
        user-agent: sessile/0.1.0\n\
        accept: text/html\n\
        accept-encoding: gzip, deflate, br, zstd\n\
        x-first: 1\n\
        x-last: 2\n\
        authorization: Bearer token\n\
        cookie: id=7; theme=dark\n";
    session.get("news?page=2").await.unwrap();
    session.get("news?page=2").await.unwrap();
    session.get("other").await.unwrap();
    session.get("/api/news?page=2").await.unwrap();
    let sent = script.take_sent();
    assert_eq!(sent[0].head(), plain);
    assert_eq!(sent[1].head(), plain);
    assert_eq!(sent[3].head(), plain);

    let request = Request::get("x")
        .header("accept", "image/png")
        .header("x-own", "3")
        .header("x-own", "4")
        .without_header("x-first")
        .without_header("Authorization")
        .cookie("theme", "light");
    session.send(request).await.unwrap();
    assert_eq!(
        script.sent()[0].head(),
        "GET http://a.test:8080/api/x\n\
        host: a.test:8080\n\
        user-agent: sessile/0.1.0\n\
        accept: image/png\n\
        accept-encoding: gzip, deflate, br, zstd\n\
        x-last: 2\n\
        x-own: 3\n\
        x-own: 4\n\
        cookie: id=7; theme=light\n"
    );
}

#[tokio::test]
async fn what_was_changed_shows_in_the_next_request() {
    let script = ScriptedTransport::new();
    let session = builder(&script)
        .base_url("http://a.test/")
        .unwrap()
        .authorization(bearer("old"))
        .build()
        .unwrap();
    script.on(
        "GET http://a.test/1",
        ok().header("set-cookie", "id=1; Path=/"),
    );
    script.on(
        "GET http://a.test/2",
        ok().header("set-cookie", "id=2; Path=/; Max-Age=0"),
    );
    script.on_each("GET http://a.test/3", ok());
    for page in ["1", "2", "3", "3"] {
        session.get(page).await.unwrap();
    }
    session.update(|state, _| state.authorization = Some(bearer("new")));
    session.get("3").await.unwrap();
    let sent = script.sent();
    let cookies: Vec<_> = sent.iter().map(|sent| sent.header("cookie")).collect();
    assert_eq!(cookies, [None, Some("id=1"), None, None, None]);
    let tokens: Vec<_> = sent
        .iter()
        .map(|sent| sent.header("authorization"))
        .collect();
    let old = Some("Bearer old");
    assert_eq!(tokens, [old, old, old, old, Some("Bearer new")]);
}

#[tokio::test]
async fn a_cookie_is_sent_while_it_lives() {
    let clock = Arc::new(ManualClock::new(NOW));
    let script = ScriptedTransport::new();
    let session = builder(&script)
        .clock(Arc::<ManualClock>::clone(&clock))
        .build()
        .unwrap();
    script.on_each(
        "GET http://a.test/",
        ok().header("set-cookie", "id=1; Max-Age=60"),
    );
    script.on_each("GET http://a.test/x", ok());
    session.get("http://a.test/").await.unwrap();
    session.get("http://a.test/x").await.unwrap();
    clock.advance(Duration::from_secs(59));
    session.get("http://a.test/x").await.unwrap();
    clock.advance(Duration::from_secs(1));
    session.get("http://a.test/x").await.unwrap();
    let cookies: Vec<_> = script
        .sent()
        .iter()
        .map(|sent| sent.headers.contains_key("cookie"))
        .collect();
    assert_eq!(cookies, [false, true, true, false]);
}

#[tokio::test]
async fn cookies_work_at_every_hop() {
    let script = ScriptedTransport::new();
    let session = session(&script);
    let hop = ScriptedReply::redirect(302, "http://b.test/two").header("set-cookie", "a=1; Path=/");
    script.on("GET http://a.test/one", hop);
    let hop = ScriptedReply::redirect(302, "http://a.test/three").header("set-cookie", "b=2");
    script.on("GET http://b.test/two", hop);
    script.on(
        "GET http://a.test/three",
        ok().header("set-cookie", "a=3; Path=/"),
    );
    script.on("GET http://a.test/", ok());
    let reply = session.get("http://a.test/one").await.unwrap();
    assert_eq!(reply.url().as_str(), "http://a.test/three");
    assert_eq!(reply.cookies_set(), ["a", "b", "a"]);
    let history: Vec<_> = reply.history().iter().map(|hop| hop.url.as_str()).collect();
    assert_eq!(history, ["http://a.test/one", "http://b.test/two"]);
    session.get("http://a.test/").await.unwrap();
    let sent = script.sent();
    let cookies: Vec<_> = sent.iter().map(|sent| sent.header("cookie")).collect();
    assert_eq!(cookies, [None, None, Some("a=1"), Some("a=3")]);
}

#[tokio::test]
async fn credentials_never_leave_their_origin() {
    for elsewhere in ["http://b.test/", "http://a.test:81/", "https://a.test/"] {
        let script = ScriptedTransport::new();
        let session = builder(&script)
            .base_url("http://a.test/")
            .unwrap()
            .authorization(bearer("session's"))
            .header("x-own-token", "session's")
            .build()
            .unwrap();
        script.on_each(
            "GET http://a.test/",
            ScriptedReply::redirect(307, elsewhere),
        );
        script.on_each(format!("GET {elsewhere}"), ok());
        let by_hand = Request::get("/")
            .header("authorization", "Basic request's")
            .header("cookie", "secret=1")
            .header("host", "inner.test")
            .header("x-api-key", "request's")
            .header("x-stays", "1");
        session.send(by_hand).await.unwrap();
        session.get("/").await.unwrap();
        let sent = script.sent();
        assert_eq!(sent[0].header("authorization"), Some("Basic request's"));
        assert_eq!(sent[0].header("cookie"), Some("secret=1"));
        assert_eq!(sent[0].header("host"), Some("inner.test"));
        assert_eq!(sent[0].header("x-api-key"), Some("request's"));
        assert_eq!(sent[0].header("x-own-token"), Some("session's"));
        assert_eq!(sent[2].header("x-own-token"), Some("session's"));
        assert_eq!(sent[2].header("authorization"), Some("Bearer session's"));
        let host = elsewhere.split('/').nth(2).unwrap();
        assert_eq!(
            sent[1].head(),
            format!("GET {elsewhere}\nhost: {host}\nx-stays: 1\n")
        );
        assert_eq!(sent[3].head(), format!("GET {elsewhere}\nhost: {host}\n"));
    }
}

#[tokio::test]
async fn a_form_that_was_sent_becomes_a_page() {
    let script = ScriptedTransport::new();
    let session = session(&script);
    script.on(
        "POST http://a.test/form",
        ScriptedReply::redirect(303, "/done"),
    );
    script.on("GET http://a.test/done", ok());
    script.on(
        "POST http://a.test/again",
        ScriptedReply::redirect(307, "/there"),
    );
    script.on("POST http://a.test/there", ok());
    session
        .send(Request::post("http://a.test/form").form([("a", "1 2")]))
        .await
        .unwrap();
    session
        .send(Request::post("http://a.test/again").json(&7))
        .await
        .unwrap();
    let sent = script.sent();
    assert_eq!(
        sent[0].head(),
        "POST http://a.test/form\nhost: a.test\ncontent-type: application/x-www-form-urlencoded\n"
    );
    assert_eq!(sent[0].body.as_deref(), Some(b"a=1+2".as_slice()));
    assert_eq!(sent[1].head(), "GET http://a.test/done\nhost: a.test\n");
    assert_eq!(sent[1].body, None);
    assert_eq!(sent[3].body.as_deref(), Some(b"7".as_slice()));
    assert_eq!(sent[3].header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn an_empty_post_says_so() {
    let script = ScriptedTransport::new();
    let session = session(&script);
    script.on_each("POST http://a.test/", ok());
    session.send(Request::post("http://a.test/")).await.unwrap();
    session
        .send(Request::post("http://a.test/").header("content-length", "9"))
        .await
        .unwrap();
    for sent in script.sent() {
        assert_eq!(
            sent.head(),
            "POST http://a.test/\nhost: a.test\ncontent-length: 0\n"
        );
    }
}

#[tokio::test]
async fn a_stream_is_sent_once() {
    let script = ScriptedTransport::new();
    let session = session(&script);
    let body = || stream::iter([Ok("ab".into()), Ok("cd".into())]).boxed();
    script.on("PUT http://a.test/307", ScriptedReply::redirect(307, "/x"));
    script.on("PUT http://a.test/503", ScriptedReply::status(503));
    let request = |page: &str| Request::new(http::Method::PUT, format!("http://a.test/{page}"));
    let error = session
        .send(request("307").stream(body()))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Redirect {
                why: RedirectRefusal::NotReplayable,
                ..
            }
        ),
        "{error}"
    );
    let reply = session.send(request("503").stream(body())).await.unwrap();
    assert_eq!(reply.status(), 503);
    assert_eq!(script.sent()[0].body.as_deref(), Some(b"abcd".as_slice()));
}

#[tokio::test]
async fn loops_and_long_chains_end() {
    let script = ScriptedTransport::new();
    let session = builder(&script)
        .redirects(Redirects::Follow(2))
        .build()
        .unwrap();
    script.on_each(
        "GET http://a.test/loop",
        ScriptedReply::redirect(302, "/pool"),
    );
    script.on_each(
        "GET http://a.test/pool",
        ScriptedReply::redirect(302, "/loop"),
    );
    script.on("GET http://a.test/1", ScriptedReply::redirect(302, "/2"));
    script.on("GET http://a.test/2", ScriptedReply::redirect(302, "/3"));
    script.on(
        "GET http://a.test/3",
        ScriptedReply::redirect(302, "/4?token=secret"),
    );
    // A page that sets a cookie and asks again is no loop.
    let bounce = ScriptedReply::redirect(302, "/gate").header("set-cookie", "ok=1");
    script.on("GET http://a.test/gate", bounce);
    script.on("GET http://a.test/gate", ok());
    let error = session.get("http://a.test/loop").await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Redirect {
                why: RedirectRefusal::Loop,
                ..
            }
        ),
        "{error}"
    );
    let error = session.get("http://a.test/1").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "http://a.test/3 redirects to http://a.test/4?token=…, which isn't followed: more than 2 redirects"
    );
    assert_eq!(
        session.get("http://a.test/gate").await.unwrap().status(),
        200
    );
    let stay = Request::get("http://a.test/loop").redirects(Redirects::Stay);
    assert_eq!(session.send(stay).await.unwrap().status(), 302);
}

#[tokio::test]
async fn a_redirect_to_the_login_page_is_not_followed() {
    let script = ScriptedTransport::new();
    let session = session(&script);
    let login = "http://a.test/login".parse().unwrap();
    session.update(|state, _| state.signs.login_pages = vec![login]);
    script.on(
        "GET http://a.test/members",
        ScriptedReply::redirect(302, "/login?next=/members"),
    );
    let reply = session.get("http://a.test/members").await.unwrap();
    let sign = Sign::LoginRedirect("/login".to_owned());
    assert_eq!(*reply.verdict(), Verdict::Expired(sign));
    assert_eq!(reply.status(), 302);
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_sent_again_by_the_rules() {
    let script = ScriptedTransport::new();
    let session = session(&script);
    let gone = |sent| Error::Disconnect {
        origin: "http://a.test:80".into(),
        detail: "reset".into(),
        sent,
    };
    script.on("GET http://a.test/", ScriptedReply::fail(gone(true)));
    script.on(
        "GET http://a.test/",
        ScriptedReply::status(503).header("retry-after", "2"),
    );
    script.on("GET http://a.test/", ok());
    let started = tokio::time::Instant::now();
    assert_eq!(session.get("http://a.test/").await.unwrap().status(), 200);
    let waited = started.elapsed().as_millis();
    assert!((2100..=2201).contains(&waited), "{waited} ms");

    script.on("POST http://a.test/", ScriptedReply::fail(gone(true)));
    let error = session
        .send(Request::post("http://a.test/").body("x"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Disconnect { sent: true, .. }),
        "{error}"
    );
    script.on("POST http://a.test/", ScriptedReply::fail(gone(false)));
    script.on("POST http://a.test/", ok());
    session
        .send(Request::post("http://a.test/").body("x"))
        .await
        .unwrap();

    script.on_each("GET http://a.test/busy", ScriptedReply::status(429));
    let reply = session.get("http://a.test/busy").await.unwrap();
    assert_eq!(*reply.verdict(), Verdict::RateLimited { wait: None });
    assert_eq!(script.take_sent().len(), 3 + 1 + 2 + 3);

    let patient = builder(&script)
        .retry(RetryPolicy::never())
        .build()
        .unwrap();
    patient.get("http://a.test/busy").await.unwrap();
    assert_eq!(script.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_whole_exchange_has_a_limit() {
    let script = ScriptedTransport::new();
    let session = builder(&script)
        .timeout(Duration::from_secs(9))
        .build()
        .unwrap();
    script.on_each(
        "GET http://a.test/",
        ScriptedReply::status(503).header("retry-after", "10"),
    );
    let error = session.get("http://a.test/").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "http://a.test/: the whole exchange took longer than 9s"
    );
    let request = Request::get("http://a.test/").timeout(Duration::from_secs(5));
    let error = session.send(request).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "http://a.test/: the whole exchange took longer than 5s"
    );
}

#[tokio::test]
async fn digest_answers_and_renews_its_nonce() {
    let script = ScriptedTransport::new();
    let session = builder(&script)
        .base_url("http://a.test/")
        .unwrap()
        .authorization(Authorization::Digest {
            user: "ada".into(),
            password: Secret::from("pw".to_owned()),
        })
        .build()
        .unwrap();
    let challenge = |nonce: &str, rest: &str| {
        let md5 = format!("Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\", algorithm=MD5");
        let sha =
            format!("Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\", algorithm=SHA-256{rest}");
        ScriptedReply::status(401)
            .header("www-authenticate", &md5)
            .header("www-authenticate", &sha)
    };
    script.on("GET http://a.test/1", challenge("one", ""));
    script.on("GET http://a.test/1", ok());
    script.on("GET http://a.test/2", challenge("two", ", stale=true"));
    script.on("GET http://a.test/2", ok());
    script.on("GET http://a.test/3", challenge("three", ""));
    script.on("GET http://a.test/3", challenge("four", ""));
    session.get("1").await.unwrap();
    session.get("2").await.unwrap();
    let reply = session.get("3").await.unwrap();
    assert_eq!(*reply.verdict(), Verdict::Expired(Sign::Unauthorized));
    let answers: Vec<_> = script
        .sent()
        .iter()
        .map(|sent| {
            let answer = sent.header("authorization")?;
            assert!(answer.contains("algorithm=SHA-256"), "{answer}");
            let part = |name: &str| answer.split(name).nth(1)?.split([',', '"']).next();
            Some((part("nonce=\"")?.to_owned(), part("nc=")?.to_owned()))
        })
        .collect();
    let answer = |nonce: &str, count: &str| Some((nonce.to_owned(), count.to_owned()));
    assert_eq!(
        answers,
        [
            None,
            answer("one", "00000001"),
            answer("one", "00000002"),
            answer("two", "00000001"),
            answer("two", "00000002"),
            answer("three", "00000001"),
        ]
    );
    session.update(|state, _| state.authorization = Some(bearer("token")));
    script.on("GET http://a.test/4", ok());
    session.get("4").await.unwrap();
    assert_eq!(
        script.sent()[6].header("authorization"),
        Some("Bearer token")
    );
}

#[tokio::test]
async fn mistakes_are_said_before_anything_is_sent() {
    let script = ScriptedTransport::new();
    let session = session(&script);
    for (request, expected) in [
        (
            Request::get("/x"),
            "`/x` isn't an absolute URL; write it with http:// or https://",
        ),
        (
            Request::get("ftp://a.test/"),
            "`ftp://a.test/` isn't an http or https URL",
        ),
        (Request::get("http://"), "`http://` isn't a URL: empty host"),
        (
            Request::get("http://a.test/").header("a b", "1"),
            "`a b` can't be a header's name",
        ),
        (
            Request::get("http://a.test/").header("a", "1\r\nb: 2"),
            "the value of the header `a` has a line break or another control character",
        ),
        (
            Request::get("http://a.test/").cookie("a", "1; b=2"),
            "the cookie `a` can't be sent: its name or value has a delimiter or a control character",
        ),
        (
            Request::get("http://a.test/").cookie("a", "1\r\nb: 2"),
            "the cookie `a` can't be sent: its name or value has a delimiter or a control character",
        ),
    ] {
        let error = session.send(request).await.unwrap_err();
        assert!(matches!(error, Error::BadRequest { .. }), "{error:?}");
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(script.sent().len(), 0);
}

#[tokio::test]
async fn another_site_learns_where_one_comes_from_but_not_the_page() {
    let script = ScriptedTransport::new();
    let session = session(&script);
    script.on("GET http://a.test/out", ScriptedReply::redirect(302, "/on"));
    let elsewhere = ScriptedReply::redirect(302, "http://b.test/");
    script.on("GET http://a.test/on", elsewhere);
    script.on("GET http://b.test/", ok());
    let page = "http://a.test/page?token=abc";
    let request = Request::get("http://a.test/out").header("referer", page);
    session.send(request).await.unwrap();
    let sent = script.sent();
    let heads: Vec<String> = sent.iter().map(|sent| sent.head()).collect();
    assert!(heads[1].contains(page), "{}", heads[1]);
    assert_eq!(
        heads[2],
        "GET http://b.test/\nhost: b.test\nreferer: http://a.test/\n"
    );
}

#[test]
fn what_is_secret_does_not_show() {
    let url = "https://ada:hunter2@a.test/x?key=hunter2";
    let builder = Session::builder()
        .base_url(url)
        .unwrap()
        .query("key", "hunter2")
        .header("x-key", "hunter2")
        .authorization(bearer("hunter2"));
    let built = format!("{builder:?}");
    let session = builder.build().unwrap();
    let request = Request::post(url)
        .query("key", "hunter2")
        .header("x-key", "hunter2")
        .cookie("id", "hunter2")
        .body("hunter2");
    let password = Secret::from("hunter2".to_owned());
    let login = crate::login::Login::form(url.parse().unwrap(), "ada", password);
    for shown in [
        built,
        format!("{:?}", session.state()),
        format!("{request:?}"),
        format!("{login:?}"),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
