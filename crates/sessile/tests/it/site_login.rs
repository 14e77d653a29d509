//! Logins by site files, with every reply scripted: what it says of the credentials, and what shows.

use std::sync::Arc;

use sessile::Secret;
use sessile::login::{Credentials, Login, LoginError};
use sessile::renew::{KeepError, Kept, KeptOptions};
use sessile::site::Site;
use sessile::store::{StoreOptions, Vault};
use sessile::transport::{ScriptedReply, ScriptedTransport};

const JSON: &str = r#"
    base_url = "https://api.test/"
    [login]
    kind = "json"
    url = "/login"
    body = { name = "{user}", word = "{password}" }
    token = "$.token"
"#;

const STEPS: &str = r#"
    base_url = "https://api.test/"
    [login]
    kind = "steps"
    [[login.steps]]
    url = "/start"
    capture.place = { jsonpath = "$.place" }
    [[login.steps]]
    method = "POST"
    url = "/enter/{place}"
    form = { name = "{user}", word = "{password}" }
"#;

#[tokio::test]
async fn only_who_has_looked_at_the_credentials_refuses_them() {
    let json = "application/json";
    for (status, kind, body, is_refusal) in [
        (401, json, "{}", true),
        (200, json, r#"{"error": "invalid_credentials"}"#, true),
        (200, json, r#"{"token": {"a": 1}}"#, true),
        (200, json, r#"{"tokn": "a"}"#, true),
        (404, json, "{}", false),
        (200, "text/html", "<h1>We are back soon</h1>", false),
        (200, json, r#"{"token": "a\nb"}"#, false),
    ] {
        let script = ScriptedTransport::new();
        let reply = ScriptedReply::status(status).header("content-type", kind);
        script.on("POST https://api.test/login", reply.body(body));
        match log_in(JSON, &script).await {
            // Whoever gave no token and said nothing may have refused them: they aren't tried again.
            Err(LoginError::Refused { .. } | LoginError::Unproven { .. }) => {
                assert!(is_refusal, "{status} {body}");
            }
            Err(LoginError::Step { .. }) => assert!(!is_refusal, "{status} {body}"),
            other => panic!("{status} {body}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_was_captured_shows_in_no_step_and_no_error() {
    let script = ScriptedTransport::new();
    let start = ScriptedReply::ok(r#"{"place": "c0ffee42"}"#);
    script.on(
        "GET https://api.test/start",
        start.header("content-type", "application/json"),
    );
    let enter = "POST https://api.test/enter/c0ffee42";
    script.on(enter, ScriptedReply::status(401));
    let error = log_in(STEPS, &script).await.unwrap_err().to_string();
    assert!(error.contains("/enter/[secret]"), "{error}");
    assert!(!error.contains("c0ffee42"), "{error}");
}

async fn log_in(site: &str, script: &Arc<ScriptedTransport>) -> Result<Vec<String>, LoginError> {
    let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
    let site = Arc::new(Site::parse(site, "api.toml").unwrap());
    let password = Secret::from("wonderland".to_owned());
    let login = Login::site(site, Credentials::new("ada", Some(password)));
    let mut options = KeptOptions::default();
    options.builder = options.builder.transport(script.clone());
    let done = Kept::log_in(&vault, &"api".parse().unwrap(), login, options).await;
    match done {
        Ok((_kept, report)) => Ok(report.steps),
        Err(KeepError::Login(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}
