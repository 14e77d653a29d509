//! An API behind a token: the token goes to the session's own site and nowhere else.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use sessile::{Authorization, Request, Secret, Session};
use sessile_practice::{ADA, ADA_PASSWORD, Options, Site};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = Site::start(Options::default()).await?;
    let session = Session::builder().base_url(&site.url())?.build()?;

    let login = serde_json::json!({ "user": ADA, "password": ADA_PASSWORD });
    let reply = session
        .send(Request::post("/api/login").json(&login))
        .await?;
    let answer: serde_json::Value = reply.json().await?;
    let token = answer["token"].as_str().unwrap_or_default().to_owned();
    session.update(|state, _now| {
        state.set_authorization(Authorization::Bearer(Secret::from(token)));
    });

    println!("{}", session.get("/api/me").await?.text().await?);
    site.stop().await;
    Ok(())
}
