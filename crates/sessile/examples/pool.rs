//! A pool of two sessions: leased by many, and followed by fresh ones while they are used.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::time::Duration;

use sessile::Request;
use sessile::pool::{Account, Definition, Pool, PoolOptions, Which, Wish};
use sessile::store::{StoreOptions, Vault};
use sessile_practice::{ADA, ADA_PASSWORD, GRACE, GRACE_PASSWORD, Options, Site};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = Site::start(Options::default()).await?;
    let url = site.url();
    let file = format!("base_url = \"{url}\"\n[login]\nurl = \"/login\"\n[pool]\nsize = 2\n");
    let file = sessile::site::Site::parse(&file, "practice.toml")?;
    let mut definition = Definition::new("practice".parse()?, Arc::new(file));
    for (user, password) in [(ADA, ADA_PASSWORD), (GRACE, GRACE_PASSWORD)] {
        let account = Account::new(user, Some(password.to_owned().into()));
        definition.accounts.push(account);
    }
    let vault = Vault::in_memory(&StoreOptions::default()).await?;
    Pool::define(&vault, &definition).await?;

    let pool = Pool::open(&vault, &definition.name, PoolOptions::default()).await?;
    for _lease in 0..4 {
        let lease = pool.lease(&Wish::default(), PATIENCE).await?;
        let answer = lease.send(Request::get(format!("{url}/members"))).await?;
        println!("{} through {}", answer.reply.status(), lease.name());
    }
    let ordered = pool.rotate(&Which::All).await?;
    println!("{} sessions are followed", ordered.sessions);
    pool.settled(PATIENCE).await;
    let lease = pool.lease(&Wish::default(), PATIENCE).await?;
    println!("now it is {}", lease.name());
    drop(lease);
    pool.close(PATIENCE).await;
    site.stop().await;
    Ok(())
}
