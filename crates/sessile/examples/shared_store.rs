//! Two holders of one stored session, as two processes would be: each sees the other's cookies on
//! its next request, and none is lost.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use sessile::renew::{Kept, KeptOptions};
use sessile::session::SessionState;
use sessile::store::{KeySource, Name, StoreOptions, StoreUrl, Vault};
use sessile::{Profile, Request};
use sessile_practice::{Options, Site};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = Site::start(Options::default()).await?;
    let folder = tempfile::tempdir()?;
    let url = StoreUrl::sqlite(folder.path().join("sessions.db"));
    let key = KeySource::Bytes([7; 32].into());
    let name: Name = "shared".parse()?;

    let first = Vault::open(&url, &key, &StoreOptions::default()).await?;
    let state = SessionState::new(Profile::Standard);
    Kept::create(&first, &name, state, KeptOptions::default())?
        .save()
        .await?;
    let one = Kept::open(&first, &name, KeptOptions::default()).await?;

    let second = Vault::open(&url, &key, &StoreOptions::default()).await?;
    let other = Kept::open(&second, &name, KeptOptions::default()).await?;

    one.send(Request::get(format!("{}/cookies/five", site.url())))
        .await?;
    one.save().await?;
    let answer = other
        .send(Request::get(format!("{}/cookies/show", site.url())))
        .await?;
    println!("the other holder sends: {}", answer.reply.text().await?);
    site.stop().await;
    Ok(())
}
