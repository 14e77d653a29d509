//! Tokens from an OpenID provider that others wrote, from the command line.

use std::fs;

use crate::support::{OpenIdProvider, Outcome, Person, ROBOT_SECRET, browser};

const CODE: &str = "client_id = \"app\"\nscopes = \"openid offline_access orders\"";
const DEVICE: &str = "client_id = \"television\"\ngrant = \"device\"\nscopes = \"openid orders\"";
const ROBOT: &str = "client_id = \"robot\"\ngrant = \"client_credentials\"";

#[test]
fn a_person_logs_in_in_a_browser_and_the_token_is_refreshed() {
    let (provider, me) = (OpenIdProvider::start(), Person::new());
    let text = fs::read_to_string(format!(
        "{}/../../examples/sites/oauth2.toml",
        env!("CARGO_MANIFEST_DIR")
    ));
    let text = text
        .unwrap()
        .replace("https://shop.example", provider.site())
        .replace("https://id.example", provider.issuer());
    let file = me.home().join("oauth2.toml");
    fs::write(&file, text).unwrap();
    let page = me.home().join("last-page");
    me.sessile(&format!("login shop --site {}", file.display()))
        .environment("BROWSER", browser())
        .environment("PAGE_FILE", &page)
        .run()
        .exits(0)
        .prints_nothing()
        .says(&[
            "the provider's endpoints",
            "open this page in a browser",
            "/auth?response_type=code",
            "came back with a code",
            "with a refresh token",
            "logged in",
        ]);
    get(&provider, &me).exits(0).prints("the orders of ada");
    assert!(
        fs::read_to_string(page)
            .unwrap()
            .contains("close this window")
    );

    // The site takes the token no more.
    me.run(&format!("get {}/forget", provider.site())).exits(0);
    get(&provider, &me)
        .exits(0)
        .prints("the orders of ada")
        .says(&["access token", "refreshed"]);
    get(&provider, &me).exits(0).prints("the orders of ada");
    let grants = provider.grants();
    assert_eq!(
        (grants.of("authorization_code"), grants.of("refresh_token")),
        (1, 1)
    );
    assert_eq!(grants.refused, [""; 0]);
    shows_no_token(&me);
}

fn shows_no_token(me: &Person) {
    let shown = me.run("status shop --json --show-secrets").exits(0).json();
    let status = me.run("status shop --json").exits(0);
    let token = status.json()["accessToken"].clone();
    assert_eq!(token["hasRefreshToken"], true);
    assert_eq!(token["isOver"], false);
    assert!(token["expires"].is_string(), "{token}");
    assert_eq!(shown["accessToken"], token);
    me.run("status shop").exits(0).prints("refresh token ***");
    let check = me.run("check shop --json").exits(0).json();
    assert_eq!(check["authorization"], "bearer");
    assert_eq!(check["accessToken"]["hasRefreshToken"], true);
    let secret = me.run("status shop --show-secrets").exits(0).stdout();
    let (_, token) = secret.split_once("refresh token ").unwrap();
    let token = token.lines().next().unwrap();
    assert!(token.len() > 20, "{token}");
    for (name, bytes) in me.store_files() {
        let found = bytes
            .windows(token.len())
            .any(|part| part == token.as_bytes());
        assert!(!found, "the refresh token is in {name}");
    }
}

#[test]
fn a_person_who_says_no_is_heard() {
    let (provider, me) = (OpenIdProvider::start(), Person::new());
    me.sessile(&format!("login shop --site {}", provider.site_file(CODE)))
        .environment("BROWSER", browser())
        .environment("SAY_NO", "1")
        .run()
        .exits(3)
        .prints_nothing()
        .says(&["refused: access_denied", "aborted"]);
    me.run("status shop").exits(1);
}

#[test]
fn a_code_is_typed_on_another_device() {
    let (provider, me) = (OpenIdProvider::start(), Person::new());
    me.sessile(&format!("login shop --site {}", provider.site_file(DEVICE)))
        .environment("BROWSER", browser())
        .run()
        .exits(0)
        .says(&["compare this code", "/device", "with a refresh token"]);
    get(&provider, &me).exits(0).prints("the orders of ada");
    assert_eq!(
        provider
            .grants()
            .of("urn:ietf:params:oauth:grant-type:device_code"),
        1
    );
}

#[test]
fn a_client_gets_a_token_for_itself_and_another_when_that_ends() {
    let (provider, me) = (OpenIdProvider::start(), Person::new());
    let line = format!(
        "login shop --site {} --password-stdin",
        provider.site_file(ROBOT)
    );
    me.sessile(&line)
        .input("wrong")
        .run()
        .exits(3)
        .says(&["refused: invalid_client", "client authentication failed"]);
    me.sessile(&format!("{line} --remember"))
        .input(ROBOT_SECRET)
        .run()
        .exits(0);
    get(&provider, &me).exits(0).prints("the orders of robot");
    me.run(&format!("get {}/forget", provider.site())).exits(0);
    get(&provider, &me)
        .exits(0)
        .prints("the orders of robot")
        .says(&["logged in again", "generation 2"]);
    assert_eq!(provider.grants().of("client_credentials"), 2);
}

#[test]
fn a_login_that_was_taken_back_is_said_and_not_asked_for_again() {
    let (provider, me) = (OpenIdProvider::start(), Person::new());
    me.sessile(&format!("login shop --site {}", provider.site_file(CODE)))
        .environment("BROWSER", browser())
        .run()
        .exits(0);
    for page in ["forget", "forget-grants"] {
        me.run(&format!("get {}/{page}", provider.site())).exits(0);
    }
    for _time in 0..2 {
        get(&provider, &me).exits(3).prints_nothing().says(&[
            "shop",
            "invalid_grant",
            "sessile login",
        ]);
    }
    assert_eq!(provider.grants().refused.len(), 1);
}

#[test]
fn what_is_no_provider_is_said() {
    let (provider, me) = (OpenIdProvider::start(), Person::new());
    let site = provider.site();
    let file = provider.site_file(ROBOT);
    let text = fs::read_to_string(&file).unwrap();
    let asking = |text: String| {
        fs::write(&file, text).unwrap();
        me.sessile(&format!("login shop --site {file} --password-stdin"))
            .input("s")
            .run()
    };
    let elsewhere = format!("issuer = \"{site}\"");
    let issuer = format!("issuer = \"{}\"", provider.issuer());
    asking(text.replace(&issuer, &elsewhere)).exits(1).says(&[
        "no endpoints",
        "openid-configuration",
        "401",
    ]);
    let token_url = format!("token_url = \"{site}/forget\"");
    asking(text.replace(&issuer, &token_url))
        .exits(1)
        .says(&["/forget", "not with JSON"]);
    asking(text.replace(&issuer, "issuer = \"http://127.0.0.1:1/\""))
        .exits(1)
        .says(&["can't connect to", "127.0.0.1:1"]);
}

fn get(provider: &OpenIdProvider, me: &Person) -> Outcome {
    me.run(&format!("get -s shop {}", provider.orders()))
}
