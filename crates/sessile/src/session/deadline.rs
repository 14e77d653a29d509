//! The limit of a whole exchange, kept while its body is read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};
use url::Url;

use crate::error::{Error, Phase};
use crate::redact::ShownUrl;
use crate::transport::ByteStream;

/// When an exchange has to be over, and how long it was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) after: Duration,
}

impl Deadline {
    pub(super) fn in_time(after: Duration) -> Self {
        let now = Instant::now();
        // What no clock can reach is no limit.
        let at = now
            .checked_add(after)
            .unwrap_or(now + Duration::from_secs(u64::from(u32::MAX)));
        Self { at, after }
    }

    /// The body, which fails when the time is over.
    pub(super) fn limit(self, body: ByteStream, url: Arc<Url>) -> ByteStream {
        Box::pin(Limited {
            body,
            timer: Box::pin(sleep_until(self.at)),
            after: self.after,
            url,
        })
    }

    pub(super) fn error(self, url: &Url) -> Error {
        time_out(self.after, url)
    }
}

fn time_out(after: Duration, url: &Url) -> Error {
    Error::TimeOut {
        phase: Phase::Total,
        url: ShownUrl(url).to_string(),
        after,
    }
}

struct Limited {
    body: ByteStream,
    timer: Pin<Box<Sleep>>,
    after: Duration,
    url: Arc<Url>,
}

impl Stream for Limited {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(time_out(self.after, &self.url))));
        }
        self.body.as_mut().poll_next(cx)
    }
}
