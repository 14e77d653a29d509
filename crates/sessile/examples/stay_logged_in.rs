//! Logs in once, then fetches a members' page again and again: when the site forgets the login,
//! it is renewed and the request is answered all the same.
//!
//! Without arguments it runs against the practice website.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use sessile::login::Login;
use sessile::renew::{Kept, KeptOptions};
use sessile::store::{StoreOptions, Vault};
use sessile::{Request, Secret};
use sessile_practice::{ADA, ADA_PASSWORD, Options, Site};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = Site::start(Options::default()).await?;
    let members = format!("{}/members", site.url());

    let vault = Vault::in_memory(&StoreOptions::default()).await?;
    let mut login = Login::form(members.parse()?, ADA, Secret::from(ADA_PASSWORD.to_owned()));
    login.remember = true;
    let (ada, report) =
        Kept::log_in(&vault, &"ada".parse()?, login, KeptOptions::default()).await?;
    for step in &report.steps {
        println!("  {step}");
    }

    for round in 1..=3 {
        let answer = ada.send(Request::get(&members)).await?;
        match &answer.renewal {
            Some(renewal) => println!("round {round}: {} → logged in again", renewal.sign),
            None => println!("round {round}: still logged in"),
        }
        site.kill_sessions();
    }
    println!("the site saw {} logins", site.logins());
    ada.save().await?;
    site.stop().await;
    Ok(())
}
