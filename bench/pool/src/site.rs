//! A pool whose site answers from memory: what is measured is the pool, not a server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use sessile::pool::{Definition, Pool, PoolOptions, Target};
use sessile::session::SessionBuilder;
use sessile::site::Site;
use sessile::store::{Name, Vault};
use sessile::transport::{Incoming, Outgoing, Transport};

/// Answers everything with five cookies.
#[derive(Debug)]
struct FromMemory(HeaderMap);

impl FromMemory {
    fn new() -> Self {
        let cookies = (0..5).map(|at| {
            let cookie = format!("cookie-{at}={}; Path=/; Max-Age=604800", "v".repeat(32));
            (header::SET_COOKIE, HeaderValue::from_str(&cookie).expect("it is a header"))
        });
        Self(cookies.collect())
    }
}

impl Transport for FromMemory {
    fn send(&self, _request: Outgoing) -> BoxFuture<'_, Result<Incoming, sessile::Error>> {
        let incoming = Incoming {
            status: StatusCode::OK,
            version: Version::HTTP_11,
            headers: self.0.clone(),
            body: Box::pin(stream::empty()),
        };
        async { Ok(incoming) }.boxed()
    }

    fn connections(&self) -> usize {
        0
    }

    fn close(&self) {}
}

/// Where the sessions of a pool are.
#[derive(Clone, Copy)]
pub enum Seats {
    /// As many seats that anybody may use.
    Shared(usize),
    /// One seat for each of as many targets.
    Targets(usize),
}

pub async fn define(vault: &Vault, seats: Seats) {
    let (size, targets) = match seats {
        Seats::Shared(size) => (size, 1000),
        Seats::Targets(targets) => (0, targets),
    };
    let file = format!(
        "base_url = \"http://site.test\"\n[login]\nkind = \"visit\"\nurl = \"/visit\"\n\
         [pool]\nsize = {size}\nmin_ready = 0\nvalidate_every = \"24h\"\nrotate_every = \"48h\"\nmax_age = \"96h\"\n\
         [pool.cookies]\nrefresh_every = \"24h\"\n[pool.targets]\nmost = {targets}\nidle = \"24h\"\n"
    );
    let site = Arc::new(Site::parse(&file, "bench.toml").expect("the file is right"));
    Pool::define(vault, &Definition::new(name(), site)).await.expect("the name is free");
}

pub async fn open(vault: &Vault) -> Pool {
    let mut options = PoolOptions::default();
    options.builder = SessionBuilder::default().transport(Arc::new(FromMemory::new()));
    Pool::open(vault, &name(), options).await.expect("it is defined")
}

/// Waits until all sessions are there; answers how long that took.
pub async fn fill(pool: &Pool, seats: Seats) -> Duration {
    let begun = Instant::now();
    let members = match seats {
        Seats::Shared(members) => members,
        Seats::Targets(members) => {
            for at in 0..members {
                pool.ensure_target(&target(at), None).await.expect("there is room");
            }
            members
        }
    };
    while pool.stats().valid < members {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

pub fn target(at: usize) -> Target {
    Target::new(&format!("target-{at}"))
}

fn name() -> Name {
    "bench".parse().expect("it is a name")
}
