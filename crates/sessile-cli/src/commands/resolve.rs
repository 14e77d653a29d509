//! `sessile resolve`: where the media of a page is.

use serde_json::{Value, json};
use sessile_record::Media;

use super::media::{self, Way};
use super::work::Work;
use crate::args::ResolveArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::plain;

/// Finds it and says so.
pub(super) async fn run(args: ResolveArgs, work: &mut Work<'_>) -> Outcome {
    let page = media::address(&args.url)?;
    let session = args.through.session.as_deref();
    let way = Way::open(session, &args.through, |builder| builder, work).await?;
    let found = sessile_record::resolve(&way.through, &page, way.rules.as_deref()).await;
    way.close(work).await?;
    let found = found?;
    if work.json() {
        let document = document(&found)?;
        work.printer.document(&document)?;
        return Ok(Exit::Done);
    }
    tell(&found, work)?;
    Ok(Exit::Done)
}

fn tell(found: &Media, work: &mut Work<'_>) -> Outcome<()> {
    let view = document(found)?;
    work.printer
        .note(&format!("recorder  {}", found.recorder.id()));
    for (what, key) in [("title", "title"), ("good until", "expires")] {
        if let Some(text) = view.get(key).and_then(Value::as_str) {
            work.printer.note(&format!("{what:<9} {}", plain(text)));
        }
    }
    work.printer.line(&plain(found.resolved_url.as_str()))
}

fn document(found: &Media) -> Result<Value, Failure> {
    let read = serde_json::to_value(found.handover());
    read.map_err(|error| {
        let told = json!(error.to_string());
        Failure::new(Exit::Failed, "output", format!("cannot be written: {told}"))
    })
}
