//! Which way is tried when, without a network.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use sessile_jar::Timestamp;

use crate::clock::ManualClock;
use crate::profile::Profile;
use crate::session::{Challenge, RetryPolicy, Tier, Verdict};
use crate::transport::{ScriptedReply, ScriptedTransport};
use crate::{Request, Session};

const BOTH: [Tier; 2] = [Tier::Direct, Tier::Curl];
const PAGE: &str = "GET http://a.test/";

struct Ways {
    direct: Arc<ScriptedTransport>,
    curl: Arc<ScriptedTransport>,
    clock: Arc<ManualClock>,
    session: Session,
}

fn ways() -> Ways {
    let (direct, curl) = (ScriptedTransport::new(), ScriptedTransport::new());
    let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_795_219_200)));
    let session = Session::builder()
        .profile(Profile::None)
        .retry(RetryPolicy::never())
        .header("x-key", "k")
        .clock(Arc::<ManualClock>::clone(&clock))
        .transport(Arc::<ScriptedTransport>::clone(&direct))
        .curl(Arc::<ScriptedTransport>::clone(&curl))
        .build()
        .unwrap();
    Ways {
        direct,
        curl,
        clock,
        session,
    }
}

fn challenged() -> ScriptedReply {
    ScriptedReply::status(403).header("cf-mitigated", "challenge")
}

async fn fetch(ways: &Ways) -> crate::Reply {
    let request = Request::get("http://a.test/");
    let reply = ways.session.fetch_with_fallback(request, &BOTH).await;
    reply.unwrap()
}

#[tokio::test]
async fn a_challenge_is_taken_to_the_next_way() {
    let ways = ways();
    ways.direct
        .on(PAGE, challenged().header("set-cookie", "seen=1"));
    let reply = ScriptedReply::ok("in").header("set-cookie", "pass=2");
    ways.curl.on(PAGE, reply);
    let reply = fetch(&ways).await;
    assert_eq!(reply.tier(), Tier::Curl);
    assert_eq!(reply.passed_over().len(), 1);
    assert_eq!(
        reply.passed_over()[0].why,
        "challenged: Cloudflare asks for a browser check"
    );
    assert_eq!(reply.text().await.unwrap(), "in");
    // One jar for both.
    assert_eq!(ways.curl.sent()[0].header("cookie"), Some("seen=1"));
    let captured = ways.session.captured("http://a.test/").unwrap();
    let names: Vec<_> = captured.cookies.keys().collect();
    assert_eq!(names, ["pass", "seen"]);
    assert_eq!(captured.headers["x-key"].expose(), "k");
    assert_eq!(captured.user_agent, None);
    assert!(!format!("{captured:?}").contains("\"k\""));
}

#[tokio::test]
async fn the_way_that_worked_comes_first_for_a_while() {
    let ways = ways();
    ways.direct.on(PAGE, challenged());
    ways.curl.on_each(PAGE, ScriptedReply::ok(""));
    assert_eq!(fetch(&ways).await.tier(), Tier::Curl);
    assert_eq!(fetch(&ways).await.tier(), Tier::Curl);
    assert_eq!(ways.direct.sent().len(), 1);
    ways.clock.advance(Duration::from_secs(30 * 60));
    ways.direct.on(PAGE, ScriptedReply::ok(""));
    assert_eq!(fetch(&ways).await.tier(), Tier::Direct);
}

#[tokio::test]
async fn where_no_way_serves_the_challenge_is_the_answer() {
    let ways = ways();
    ways.direct.on(PAGE, challenged());
    ways.curl.on(PAGE, ScriptedReply::status(403));
    let reply = fetch(&ways).await;
    let challenge = Verdict::Challenged(Challenge::Cloudflare);
    assert_eq!((reply.tier(), reply.verdict()), (Tier::Direct, &challenge));
    assert_eq!(reply.passed_over()[0].tier, Tier::Curl);
    assert_eq!(
        reply.passed_over()[0].why,
        "blocked: the server answered 403"
    );
}

#[tokio::test]
async fn other_replies_and_streams_are_not_taken_on() {
    let ways = ways();
    ways.direct.on(PAGE, ScriptedReply::status(500));
    let reply = fetch(&ways).await;
    assert_eq!((reply.tier(), reply.status().as_u16()), (Tier::Direct, 500));

    ways.direct.on("POST http://a.test/", challenged());
    let request = Request::post("http://a.test/").stream(Box::pin(stream::empty()));
    let reply = ways.session.fetch_with_fallback(request, &BOTH).await;
    assert_eq!(reply.unwrap().tier(), Tier::Direct);
    assert!(ways.curl.sent().is_empty());
}

#[tokio::test]
async fn what_could_be_done_twice_stays_with_the_first_way() {
    const FORM: &str = "POST http://a.test/";
    let ways = ways();
    ways.direct.on(FORM, challenged());
    let post = || Request::post("http://a.test/").body("a=1");
    let reply = ways.session.fetch_with_fallback(post(), &BOTH).await;
    let reply = reply.unwrap();
    assert_eq!(reply.tier(), Tier::Direct);
    let [passed] = reply.passed_over() else {
        panic!("{:?}", reply.passed_over());
    };
    let why = "not tried, since what was asked could be done twice";
    assert_eq!((passed.tier, &*passed.why), (Tier::Curl, why));
    assert!(ways.curl.sent().is_empty());

    // Unless the caller knows better.
    ways.direct.on(FORM, challenged());
    ways.curl.on_each(FORM, ScriptedReply::ok(""));
    let reply = ways.session.fetch_with_fallback(post().repeatable(), &BOTH);
    assert_eq!(reply.await.unwrap().tier(), Tier::Curl);
    // Where another way has worked lately, it is the first.
    let reply = ways.session.fetch_with_fallback(post(), &BOTH).await;
    assert_eq!(reply.unwrap().tier(), Tier::Curl);
}

#[tokio::test]
async fn a_refusing_page_names_who_asks() {
    for (status, body, expected) in [
        (
            403,
            "<div class=g-recaptcha></div>",
            "challenged: the page asks to solve a reCAPTCHA",
        ),
        (200, "<div class=g-recaptcha></div>", "valid"),
        (403, "no", "blocked: the server answered 403"),
    ] {
        let ways = ways();
        let reply = ScriptedReply::status(status)
            .header("content-type", "text/html")
            .body(body);
        ways.direct.on(PAGE, reply);
        let reply = ways.session.get("http://a.test/").await.unwrap();
        assert_eq!(reply.verdict().to_string(), expected, "{status} {body}");
        assert_eq!(reply.text().await.unwrap(), body);
    }
}
