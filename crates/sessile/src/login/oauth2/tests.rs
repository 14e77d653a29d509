use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::clock::ManualClock;
use crate::login::{Person, StepListener};
use crate::session::Request;
use crate::transport::{ScriptedReply, ScriptedTransport, Sent};

const TOKEN: &str = "POST https://id.test/token";

struct World {
    script: Arc<ScriptedTransport>,
    session: Session,
    said: Arc<Mutex<Vec<String>>>,
    secret: Secret<String>,
}

impl World {
    /// A session that has much to give away.
    fn new() -> Self {
        let script = ScriptedTransport::new();
        let session = Session::builder()
            .transport(script.clone())
            .clock(Arc::new(ManualClock::new(Timestamp::from_millis(
                1_000_000,
            ))))
            .base_url("https://shop.test/")
            .unwrap()
            .authorization(Authorization::Bearer(Secret::from("old".to_owned())))
            .header("cookie", "id=1")
            .header("x-api-key", "k1")
            .query("key", "q1")
            .build()
            .unwrap();
        Self {
            script,
            session,
            said: Arc::default(),
            secret: Secret::from("s 3".to_owned()),
        }
    }

    async fn obtain(
        &self,
        oauth2: &OAuth2,
        visit: Option<AskVisit>,
    ) -> Result<Granted, OAuthError> {
        let said = Arc::clone(&self.said);
        let hear = move |step: &str| said.lock().unwrap().push(step.to_owned());
        let person = Person {
            hears: Some(StepListener::new(hear)),
            visit,
            ..Person::default()
        };
        let mut trail = Trail::new(person, Vec::new());
        oauth2
            .obtain(&self.session, Some(&self.secret), &mut trail)
            .await
    }

    fn last(&self) -> Sent {
        self.script.sent().pop().unwrap()
    }
}

fn service() -> OAuth2 {
    let mut oauth2 = at("https://id.test", Grant::ClientCredentials);
    oauth2.token = Some("https://id.test/token".parse().unwrap());
    oauth2.authorization = Some("https://id.test/auth?tenant=7".parse().unwrap());
    oauth2.device = Some("https://id.test/device".parse().unwrap());
    oauth2.scopes = vec!["read".to_owned(), "write".to_owned()];
    oauth2
}

fn at(issuer: &str, grant: Grant) -> OAuth2 {
    let site = "https://shop.test/".parse().unwrap();
    OAuth2::new(site, Some(issuer.parse().unwrap()), "robot", grant)
}

fn with(grant: Grant) -> OAuth2 {
    OAuth2 { grant, ..service() }
}

fn json(text: &str) -> ScriptedReply {
    ScriptedReply::ok(text.to_owned()).header("content-type", "application/json")
}

fn body(sent: &Sent) -> String {
    String::from_utf8(sent.body.clone().unwrap().to_vec()).unwrap()
}

fn field(form: &str, name: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(form.as_bytes());
    let found = pairs.find_map(|(found, value)| (found == name).then(|| value.into_owned()));
    found.unwrap_or_else(|| panic!("no {name} in {form}"))
}

/// Whoever waits for a token may do so on any thread.
#[test]
fn waiting_is_no_threads_own() {
    fn check<T: Send>(_wait: impl FnOnce(crate::renew::Kept) -> T) {}
    check(|kept| async move { kept.send(Request::get("/")).await });
}

#[tokio::test]
async fn the_client_itself_gets_a_token_and_the_provider_learns_nothing_of_the_site() {
    let world = World::new();
    world.script.on(
        TOKEN,
        json(r#"{"access_token":"t1","token_type":"Bearer","expires_in":60}"#),
    );
    let mut oauth2 = service();
    oauth2.parameters = vec![("audience".to_owned(), "shop".to_owned())];
    let granted = world.obtain(&oauth2, None).await.unwrap();
    assert_eq!(granted.access.expose(), "t1");
    assert_eq!(
        granted.tokens.expires,
        Some(Timestamp::from_millis(1_060_000))
    );
    assert_eq!(granted.tokens.refresh, None);

    let sent = world.last();
    assert_eq!(
        body(&sent),
        "grant_type=client_credentials&scope=read+write&audience=shop"
    );
    // `robot:s+3`: name and secret are form-encoded first (RFC 6749, section 2.3.1).
    assert_eq!(sent.header("authorization"), Some("Basic cm9ib3Q6cysz"));
    assert_eq!(sent.header("accept"), Some("application/json"));
    assert_eq!(sent.header("cookie"), None);
    assert_eq!(sent.header("x-api-key"), None);
}

#[tokio::test]
async fn a_secret_goes_into_the_body_where_the_provider_wants_it_there() {
    let world = World::new();
    world.script.on(
        "GET https://id.test/.well-known/openid-configuration",
        json(
            r#"{"issuer":"https://id.test/","token_endpoint":"https://id.test/token",
                "token_endpoint_auth_methods_supported":["private_key_jwt","client_secret_post"]}"#,
        ),
    );
    world.script.on(TOKEN, json(r#"{"access_token":"t1"}"#));
    let oauth2 = OAuth2 {
        token: None,
        scopes: Vec::new(),
        ..service()
    };
    let granted = world.obtain(&oauth2, None).await.unwrap();
    let sent = world.last();
    assert_eq!(
        body(&sent),
        "grant_type=client_credentials&client_id=robot&client_secret=s+3"
    );
    assert_eq!(sent.header("authorization"), None);
    let kept = granted.tokens.client_authentication;
    assert_eq!(kept, Some(ClientAuthentication::Post));
}

#[tokio::test]
async fn a_refresh_token_is_replaced_or_stays() {
    let world = World::new();
    let first = r#"{"access_token":"t1","refresh_token":"r1","token_type":"bearer"}"#;
    let second = r#"{"access_token":"t2","refresh_token":"r2","token_type":"bearer"}"#;
    let third = r#"{"access_token":"t3","token_type":"bearer"}"#;
    for answer in [first, second, third] {
        world.script.on(TOKEN, json(answer));
    }
    let oauth2 = service();
    let mut granted = world.obtain(&oauth2, None).await.unwrap();
    for (used, access, kept) in [("r1", "t2", "r2"), ("r2", "t3", "r2")] {
        let tokens = granted.tokens.clone();
        let refreshed = oauth2.refresh(&world.session, &tokens, Some(&world.secret));
        granted = refreshed.await.unwrap();
        assert_eq!(
            body(&world.last()),
            format!("grant_type=refresh_token&refresh_token={used}")
        );
        assert_eq!(granted.access.expose(), access);
        assert_eq!(granted.tokens.refresh.as_ref().unwrap().expose(), kept);
    }
}

#[tokio::test]
async fn answers_that_differ_from_the_standard_are_understood() {
    for answer in [
        r#"{"access_token":"t1","token_type":"BEARER","expires_in":"60"}"#,
        r#"{"access_token":"t1","expires_in":60.0,"scope":["read"]}"#,
        r#"{"access_token":"t1","token_type":"bearer","expires_in":60,"scope":null}"#,
    ] {
        let world = World::new();
        let odd_type = ScriptedReply::ok(answer).header("content-type", "text/javascript");
        world.script.on(TOKEN, odd_type);
        let granted = world.obtain(&service(), None).await.expect(answer);
        let expires = granted.tokens.expires;
        assert_eq!(expires, Some(Timestamp::from_millis(1_060_000)), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_without_a_token_is_said_in_words() {
    refused(
        ScriptedReply::status(400)
            .body(r#"{"error":"invalid_client","error_description":"unknown\nclient"}"#),
        "https://id.test/token refused: invalid_client (unknown client)",
    )
    .await;
    // Under a 200, as some providers have it.
    refused(
        json(r#"{"error":"bad_verification_code"}"#),
        "https://id.test/token refused: bad_verification_code",
    )
    .await;
    not_understood(
        ScriptedReply::ok("<h1>Hello</h1>").header("content-type", "text/html; charset=utf-8"),
        "it answers with text/html; charset=utf-8, not with JSON",
    )
    .await;
    not_understood(
        json(r#"{"token_type":"bearer"}"#),
        "there is no `access_token` in it",
    )
    .await;
    not_understood(
        json(r#"{"access_token":17}"#),
        "there is no `access_token` in it",
    )
    .await;
    not_understood(
        json(r#"{"access_token":"t1","token_type":"mac"}"#),
        "the token is of the type `mac`, and only `Bearer` is known here",
    )
    .await;
    not_understood(
        json(r#"{"access_token":"t1","refresh_token":{"a":"secret"}}"#),
        "a field of its JSON has another type than the standard says",
    )
    .await;
    not_understood(
        ScriptedReply::redirect(302, "https://id.test/login"),
        "it redirects (302 Found), so this is another kind of page",
    )
    .await;
    not_understood(
        ScriptedReply::status(404),
        "it answers 404 Not Found without saying why",
    )
    .await;
    refused(
        ScriptedReply::status(500).body("<h1>oops</h1>"),
        "https://id.test/token answered 500: the provider is in trouble, try again later",
    )
    .await;
    refused(
        ScriptedReply::status(429).header("retry-after", "7200"),
        "https://id.test/token wants to be asked less often (for 7200 s)",
    )
    .await;
}

async fn not_understood(answer: ScriptedReply, what: &str) {
    let start = "https://id.test/token doesn't answer as an OAuth 2 provider does: ";
    refused(answer, &format!("{start}{what}")).await;
}

async fn refused(answer: ScriptedReply, expected: &str) {
    let world = World::new();
    world.script.on(TOKEN, answer);
    let error = world.obtain(&service(), None).await.unwrap_err();
    assert_eq!(error.to_string(), expected);
    let shown = format!("{error:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("t1"),
        "{shown}"
    );
}

#[tokio::test]
async fn endpoints_are_found_at_the_providers_own_address() {
    let world = World::new();
    let realm = "https://id.test/realms/a";
    world.script.on(
        format!("GET {realm}/.well-known/openid-configuration"),
        ScriptedReply::status(404).body("<h1>no</h1>"),
    );
    world.script.on(
        "GET https://id.test/.well-known/oauth-authorization-server/realms/a",
        json(&format!(
            r#"{{"issuer":"{realm}","token_endpoint":"https://id.test/token"}}"#
        )),
    );
    world.script.on(TOKEN, json(r#"{"access_token":"t1"}"#));
    let grant = Grant::ClientCredentials;
    let oauth2 = at(realm, grant);
    world.obtain(&oauth2, None).await.unwrap();
    assert_eq!(
        *world.said.lock().unwrap(),
        [
            "GET https://id.test/.well-known/oauth-authorization-server/realms/a → \
          the provider's endpoints"
        ]
    );
    for sent in world.script.sent() {
        assert_eq!(sent.header("x-api-key"), None, "{}", sent.url);
    }
}

#[tokio::test]
async fn a_document_that_misleads_is_not_followed() {
    found(
        r#"{"issuer":"https://evil.test","token_endpoint":"https://evil.test/token"}"#,
        "speaks for the issuer https://evil.test",
    )
    .await;
    found(
        r#"{"issuer":"https://id.test","token_endpoint":"http://id.test/token"}"#,
        "http://id.test/token isn't asked",
    )
    .await;
    found(
        r#"{"issuer":"https://id.test"}"#,
        "no token endpoint was found",
    )
    .await;
    found(
        r#"{"issuer":"https://id.test","token_endpoint":"https://id.test/token"}"#,
        "no authorization endpoint was found",
    )
    .await;
}

async fn found(document: &str, expected: &str) {
    let world = World::new();
    let document_at = "GET https://id.test/.well-known/openid-configuration";
    world.script.on(document_at, json(document));
    let grant = Grant::Code(Redirect::default());
    let oauth2 = at("https://id.test", grant);
    let error = world.obtain(&oauth2, None).await.unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[tokio::test]
async fn without_anybody_there_a_browser_is_not_waited_for() {
    for grant in [Grant::Code(Redirect::default()), Grant::Device] {
        let world = World::new();
        let error = world.obtain(&with(grant), None).await.unwrap_err();
        assert!(error.needs_person(), "{error}");
    }
}

#[tokio::test]
async fn a_code_is_redeemed_with_the_proof_of_who_asked_for_it() {
    let world = World::new();
    world.script.on(
        TOKEN,
        json(r#"{"access_token":"t1","refresh_token":"r1","token_type":"bearer"}"#),
    );
    let asked = Arc::new(Mutex::new(None));
    let visit: AskVisit = {
        let asked = Arc::clone(&asked);
        Arc::new(move |page| {
            *asked.lock().unwrap() = Some(page.url.clone());
            let query = page.url.query().unwrap();
            let (redirect, state) = (field(query, "redirect_uri"), field(query, "state"));
            let redirect: Url = redirect.parse().unwrap();
            // A browser opens connections that it never uses, and asks for more than the page.
            let _unused = TcpStream::connect(("127.0.0.1", redirect.port().unwrap())).unwrap();
            assert!(come_back(&redirect, "/favicon.ico").contains("404"));
            assert!(come_back(&redirect, "/callback?code=forged&state=guessed").contains("404"));
            let page = come_back(&redirect, &format!("/callback?code=c1&state={state}"));
            assert!(
                page.contains("200 OK") && page.contains("close this window"),
                "{page}"
            );
        })
    };
    let oauth2 = with(Grant::Code(Redirect::default()));
    let granted = world.obtain(&oauth2, Some(visit)).await.unwrap();
    assert_eq!(granted.access.expose(), "t1");

    let asked = asked.lock().unwrap().take().unwrap();
    let query = asked.query().unwrap();
    assert!(
        asked.as_str().starts_with("https://id.test/auth?tenant=7&"),
        "{asked}"
    );
    assert_eq!(field(query, "response_type"), "code");
    assert_eq!(field(query, "client_id"), "robot");
    assert_eq!(field(query, "scope"), "read write");
    assert_eq!(field(query, "code_challenge_method"), "S256");
    let form = body(&world.last());
    assert_eq!(field(&form, "grant_type"), "authorization_code");
    assert_eq!(field(&form, "code"), "c1");
    assert_eq!(field(&form, "redirect_uri"), field(query, "redirect_uri"));
    let verifier = ::oauth2::PkceCodeVerifier::new(field(&form, "code_verifier"));
    let challenge = ::oauth2::PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    assert_eq!(challenge.as_str(), field(query, "code_challenge"));
}

#[tokio::test]
async fn a_person_who_says_no_is_heard() {
    let world = World::new();
    let visit: AskVisit = Arc::new(|page| {
        let query = page.url.query().unwrap();
        let redirect: Url = field(query, "redirect_uri").parse().unwrap();
        let state = field(query, "state");
        come_back(
            &redirect,
            &format!("/callback?error=access_denied&state={state}"),
        );
    });
    let oauth2 = with(Grant::Code(Redirect::default()));
    let error = world.obtain(&oauth2, Some(visit)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "https://id.test/auth?tenant=… refused: access_denied"
    );
}

/// What the browser shows after it was led back.
fn come_back(redirect: &Url, target: &str) -> String {
    let mut browser = TcpStream::connect(("127.0.0.1", redirect.port().unwrap())).unwrap();
    write!(browser, "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    let mut page = String::new();
    browser.read_to_string(&mut page).unwrap();
    page
}

const DEVICE: &str = r#"{"device_code":"d1","user_code":"ABCD-EFGH",
    "verification_uri":"https://id.test/activate","expires_in":600,"interval":2}"#;

fn pending(error: &str) -> ScriptedReply {
    ScriptedReply::status(400).body(format!(r#"{{"error":"{error}"}}"#))
}

fn shown() -> (AskVisit, Arc<Mutex<Vec<PageToVisit>>>) {
    let pages = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&pages);
    (
        Arc::new(move |page| seen.lock().unwrap().push(page.clone())),
        pages,
    )
}

#[tokio::test(start_paused = true)]
async fn a_device_asks_as_often_as_the_provider_likes() {
    let world = World::new();
    world.script.on("POST https://id.test/device", json(DEVICE));
    world.script.on(TOKEN, pending("authorization_pending"));
    world.script.on(TOKEN, pending("slow_down"));
    world
        .script
        .on(TOKEN, ScriptedReply::fail(crate::Error::Closed));
    world.script.on(TOKEN, pending("authorization_pending"));
    world.script.on(
        TOKEN,
        json(r#"{"access_token":"t1","token_type":"bearer"}"#),
    );
    let (visit, pages) = shown();
    let started = tokio::time::Instant::now();
    let granted = world
        .obtain(&with(Grant::Device), Some(visit))
        .await
        .unwrap();
    assert_eq!(granted.access.expose(), "t1");
    // 2 s, then 5 s more since it was too often, then twice as long, 10 s at most, since it
    // couldn't be reached.
    assert_eq!(started.elapsed(), Duration::from_secs(2 + 7 + 10 + 10));
    let form = body(&world.last());
    assert_eq!(field(&form, "device_code"), "d1");
    let pages = pages.lock().unwrap();
    assert_eq!(pages[0].url.as_str(), "https://id.test/activate");
    assert_eq!(pages[0].code.as_deref(), Some("ABCD-EFGH"));
}

#[tokio::test(start_paused = true)]
async fn a_device_stops_asking_when_there_is_no_more_hope() {
    device(
        "access_denied",
        "https://id.test/token refused: access_denied",
    )
    .await;
    device(
        "expired_token",
        "https://id.test/token refused: expired_token",
    )
    .await;

    let world = World::new();
    world.script.on("POST https://id.test/device", json(DEVICE));
    world.script.on(TOKEN, ScriptedReply::ok("<h1>hello</h1>"));
    let error = world.obtain(&with(Grant::Device), Some(shown().0)).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("not with JSON"), "{error}");

    let world = World::new();
    world.script.on("POST https://id.test/device", json(DEVICE));
    world
        .script
        .on_each(TOKEN, pending("authorization_pending"));
    let error = world.obtain(&with(Grant::Device), Some(shown().0)).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "nobody logged in at https://id.test/activate within 240 s"
    );
}

async fn device(answer: &str, expected: &str) {
    let world = World::new();
    world.script.on("POST https://id.test/device", json(DEVICE));
    world.script.on(TOKEN, pending(answer));
    let error = world.obtain(&with(Grant::Device), Some(shown().0)).await;
    assert_eq!(error.unwrap_err().to_string(), expected);
}
