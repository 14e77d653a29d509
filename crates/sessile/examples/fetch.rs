//! Fetches a page with a session that keeps its cookies.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example shows what it does"
)]

use sessile::{Request, Session};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), sessile::Error> {
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "http://127.0.0.1:8000/".to_owned());
    let session = Session::builder().build()?;
    let reply = session.send(Request::get(url)).await?;
    eprintln!(
        "{} {} after {} redirects",
        reply.status(),
        reply.url(),
        reply.history().len()
    );
    print!("{}", reply.text().await?);
    Ok(())
}
