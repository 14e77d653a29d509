//! Records the media of a page, as a stranger: `record URL FILE`.
//!
//! Through a session that is kept in a store (`Kept`), a login that dies meanwhile is renewed.

use std::error::Error;

use sessile::Session;
use sessile_record::{Event, RecordOptions, Remux, Target, Through, record, resolve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(page), Some(file)) = (words.next(), words.next()) else {
        return Err("record URL FILE".into());
    };
    let session = Through::from(Session::builder().build()?);
    let media = resolve(&session, &page.parse()?, None).await?;
    let mut options = RecordOptions::default();
    options.target = Target::File(file.into());
    options.remux = Remux::Never;
    let lost = std::sync::atomic::AtomicU64::new(0);
    let listener = |event| {
        if let Event::Gap(gap) = event {
            lost.fetch_add(gap.count, std::sync::atomic::Ordering::Relaxed);
        }
    };
    record(media, &options, &listener).await?;
    match lost.into_inner() {
        0 => Ok(()),
        lost => Err(format!("{lost} segments are missing").into()),
    }
}
