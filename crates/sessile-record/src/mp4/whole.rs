//! A file in one piece, from a server that gives no parts: what breaks off begins anew.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use sessile::{Reply, ShownUrl};

use super::Recording;
use crate::record::RecordError;
use crate::record::source::{Fault, Wanted};

/// How much is gathered before it is written.
const BATCH: usize = 512 * 1024;

/// Fetches all of it; answers its length.
pub(super) async fn fetch(recording: &Recording<'_>, reply: Reply) -> Result<u64, RecordError> {
    let mut begun = Some(reply);
    let mut tried = 0;
    loop {
        let reply = match begun.take() {
            Some(reply) => Ok(reply),
            None => {
                let (url, _) = recording.source.address();
                recording.source.fetch(&Wanted::bytes(&url, None)).await
            }
        };
        let done = match reply {
            Ok(reply) => pour(recording, reply).await,
            Err(fault) => Err(fault),
        };
        match done {
            Ok(bytes) => return Ok(bytes),
            Err(fault) => recording.recover(fault, &mut tried).await?,
        }
    }
}

async fn pour(recording: &Recording<'_>, reply: Reply) -> Result<u64, Fault> {
    let mut reply = reply;
    let total = length(&reply);
    recording.progress.begin(0, total);
    let cut = recording.file.run(|part| part.cut(0)).await;
    cut.map_err(Fault::Stop)?;
    let mut written = 0;
    let mut batch: Vec<Bytes> = Vec::new();
    let mut gathered = 0;
    loop {
        let piece = reply.chunk().await;
        let piece = piece.map_err(|error| Fault::Passing(error.into(), None))?;
        let is_end = piece.is_none();
        if let Some(piece) = piece {
            gathered += piece.len();
            batch.push(piece);
        }
        if gathered < BATCH && !is_end {
            continue;
        }
        let pieces = std::mem::take(&mut batch);
        let append = recording.file.write(recording.file.edition(), move |part| {
            let mut pieces = pieces.iter();
            pieces.try_for_each(|piece| part.append(piece))
        });
        append.await.map_err(Fault::Stop)?;
        recording.count(gathered as u64);
        written += gathered as u64;
        gathered = 0;
        if is_end {
            break;
        }
    }
    match total {
        Some(total) if total != written => {
            let url = ShownUrl(reply.url()).to_string();
            let what = format!("{written} bytes came in place of {total}");
            Err(Fault::Passing(RecordError::Wrong { url, what }, None))
        }
        _ => Ok(written),
    }
}

/// The length that is announced of the file itself.
fn length(reply: &Reply) -> Option<u64> {
    let headers = reply.headers();
    if headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
