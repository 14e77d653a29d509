//! Sessions against servers on loopback.

mod bodies;
mod connections;
mod curl;
mod faults;
mod http2;
mod proxies;
pub(crate) mod server;
mod tls;

use std::time::Duration;

use sessile::session::{RetryPolicy, SessionBuilder};
use sessile::transport::Patience;
use sessile::{Error, Profile, Session};

/// A session that repeats nothing and soon loses patience.
fn builder() -> SessionBuilder {
    let patience = Patience {
        read: Duration::from_millis(300),
        ..Patience::default()
    };
    Session::builder()
        .profile(Profile::None)
        .retry(RetryPolicy::never())
        .patience(patience)
}

fn session() -> Session {
    builder().build().unwrap()
}

/// Fetches a whole page.
async fn fetch(session: &Session, url: &str) -> Result<String, Error> {
    session.get(url).await?.text().await
}

/// An error's text without the port, which is another one each time.
fn shown(error: &Error, port: u16) -> String {
    error.to_string().replace(&port.to_string(), "PORT")
}
