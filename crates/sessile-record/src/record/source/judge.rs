//! Whether a reply is what was asked for.

use http::StatusCode;
use http::header::CONTENT_RANGE;
use sessile::{Reply, ShownUrl, Verdict};

use super::{Fault, Wanted};
use crate::login_page;
use crate::record::RecordError;

pub(super) fn judge(reply: Reply, wanted: &Wanted<'_>, epoch: u64) -> Result<Reply, Fault> {
    let status = reply.status();
    let url = || ShownUrl(reply.url()).to_string();
    let refused = || RecordError::Refused {
        url: url(),
        status: status.as_u16(),
    };
    match reply.verdict() {
        Verdict::Expired(_) | Verdict::Blocked | Verdict::Challenged(_) => {
            return Err(Fault::Closed(epoch, refused()));
        }
        Verdict::RateLimited { wait } => return Err(Fault::Passing(refused(), *wait)),
        Verdict::Failing(_) => return Err(Fault::Passing(refused(), None)),
        _ => {}
    }
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
            return Err(Fault::Passing(refused(), None));
        }
        StatusCode::RANGE_NOT_SATISFIABLE if wanted.range.is_some() => {
            return Err(Fault::Gone(refused()));
        }
        status if !status.is_success() => return Err(Fault::Gone(refused())),
        _ => {}
    }
    let is_part = status == StatusCode::PARTIAL_CONTENT;
    match wanted.range {
        Some(range) if is_part => {
            let got = content_range(&reply);
            // A file may be shorter than what is asked for, never begin elsewhere.
            let fits = got.is_some_and(|(start, _, _)| start == range.start);
            if !fits {
                let what = "another range came than was asked for".to_owned();
                return Err(Fault::Passing(
                    RecordError::Wrong { url: url(), what },
                    None,
                ));
            }
        }
        Some(_) if !wanted.may_be_whole => {
            let what = "the server doesn't give parts of it".to_owned();
            return Err(Fault::Gone(RecordError::Wrong { url: url(), what }));
        }
        None if is_part => {
            let what = "a part came where all was asked for".to_owned();
            return Err(Fault::Passing(
                RecordError::Wrong { url: url(), what },
                None,
            ));
        }
        _ => {}
    }
    Ok(reply)
}

/// What a page that came in place of media says.
pub(super) async fn in_its_place(mut page: Reply) -> RecordError {
    const LOOK_AT: usize = 1 << 20;
    let mut bytes = Vec::new();
    while bytes.len() < LOOK_AT
        && let Ok(Some(piece)) = page.chunk().await
    {
        bytes.extend_from_slice(&piece);
    }
    let url = ShownUrl(page.url()).to_string();
    match login_page::is_one(&String::from_utf8_lossy(&bytes)) {
        true => RecordError::LoggedOut { url },
        false => {
            let what = "a page came in its place".to_owned();
            RecordError::Wrong { url, what }
        }
    }
}

/// First byte, last byte and the whole length, where it is known.
pub(crate) fn content_range(reply: &Reply) -> Option<(u64, u64, Option<u64>)> {
    let text = reply.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
    let total: Option<u64> = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    (start <= end && total.is_none_or(|total| end < total)).then_some((start, end, total))
}
