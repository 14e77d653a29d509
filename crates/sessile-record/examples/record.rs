//! Records the media of a page into the current folder, without a kept session.
//!
//!     cargo run --release -p sessile-record --example record -- https://example.com/watch/7

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use sessile::Session;
use sessile_record::{Event, RecordOptions, Target, Through, record, resolve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let page = words.next().ok_or("which page?")?.parse()?;
    let session = Through::Plain(Session::builder().build()?);
    let media = resolve(&session, &page, None).await?;
    let mut options = RecordOptions::default();
    if let Some(path) = words.next() {
        options.target = Target::File(path.into());
    }
    let recorded = record(media, &options, &|event| match event {
        Event::Progress { bytes, rate, .. } => println!("{bytes} bytes, {rate} a second"),
        other => println!("{other:?}"),
    });
    println!("{}", recorded.await?.path.display());
    Ok(())
}
