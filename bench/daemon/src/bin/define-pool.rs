//! Defines the pool `bench`: so many sessions of a site without accounts.
//!
//!     define-pool STORE KEY_FILE ORIGIN SESSIONS

use std::sync::Arc;

use sessile::pool::{Definition, Pool};
use sessile::site::Site;
use sessile::store::{KeySource, StoreOptions, StoreUrl, Vault};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [store, key, origin, sessions] = std::array::from_fn(|at| std::env::args().nth(at + 1).unwrap());
    let key = KeySource::File { path: key.into(), create: true };
    let vault = Vault::open(&StoreUrl::parse(&store)?, &key, &StoreOptions::default()).await?;
    let file = format!(
        "base_url = \"{origin}\"\n[login]\nkind = \"visit\"\nurl = \"/visit\"\n\
         [pool]\nsize = {sessions}\nvalidate_every = \"6h\"\nrotate_every = \"12h\"\nmax_age = \"24h\"\n"
    );
    let site = Arc::new(Site::parse(&file, "bench.toml")?);
    Pool::define(&vault, &Definition::new("bench".parse()?, site)).await?;
    vault.close().await?;
    Ok(())
}
