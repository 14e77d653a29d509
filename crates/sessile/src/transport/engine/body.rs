//! Bodies on their way out and in.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};
use url::Url;

use super::chain;
use super::sender::Sender;
use crate::error::{Error, Phase};
use crate::redact::ShownUrl;
use crate::transport::OutgoingBody;
use crate::transport::connections::Lent;

/// Our body as the engine wants it.
#[derive(Debug)]
pub(super) struct SendBody(pub(super) OutgoingBody);

impl Body for SendBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.0 {
            OutgoingBody::Empty => Poll::Ready(None),
            OutgoingBody::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            OutgoingBody::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            OutgoingBody::Stream(stream) => {
                let piece = ready!(stream.as_mut().poll_next(cx));
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            OutgoingBody::Bytes(bytes) => bytes.is_empty(),
            OutgoingBody::Empty => true,
            OutgoingBody::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            OutgoingBody::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            OutgoingBody::Empty => SizeHint::with_exact(0),
            OutgoingBody::Stream(_) => SizeHint::default(),
        }
    }
}

/// A reply's body; at its end the connection goes back to the idle ones.
pub(super) struct ReplyBody {
    body: hyper::body::Incoming,
    lent: Option<Lent<Sender>>,
    patience: Duration,
    url: Arc<Url>,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl ReplyBody {
    pub(super) fn new(
        body: hyper::body::Incoming,
        lent: Lent<Sender>,
        patience: Duration,
        url: Arc<Url>,
    ) -> Self {
        let mut body = Self {
            body,
            lent: Some(lent),
            patience,
            url,
            waiting: None,
        };
        if body.body.is_end_stream() {
            body.give_back();
        }
        body
    }

    fn give_back(&mut self) {
        if let Some(lent) = self.lent.take() {
            lent.give_back();
        }
    }

    fn fail(&mut self, error: &hyper::Error) -> Error {
        let lent = self.lent.take();
        if lent.as_ref().is_some_and(Lent::is_closed) {
            return Error::Closed;
        }
        let detail = chain(error);
        match lent {
            // The pieces of a chunked body are part of the protocol.
            Some(lent) if is_malformed(error) => Error::Protocol {
                origin: lent.origin.to_string(),
                detail,
            },
            Some(_) | None => Error::CutShort {
                url: ShownUrl(&self.url).to_string(),
                detail,
            },
        }
    }

    fn time_out(&mut self) -> Error {
        self.lent = None;
        Error::TimeOut {
            phase: Phase::Read,
            url: ShownUrl(&self.url).to_string(),
            after: self.patience,
        }
    }
}

fn is_malformed(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    let io = source.and_then(|source| source.downcast_ref::<io::Error>());
    io.is_some_and(|io| matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput))
}

impl Stream for ReplyBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.waiting = None;
                    if self.body.is_end_stream() {
                        self.give_back();
                    }
                    // Trailers end a body and carry nothing that a session uses.
                    let Ok(piece) = frame.into_data() else {
                        continue;
                    };
                    return Poll::Ready(Some(Ok(piece)));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(self.fail(&error)))),
                Poll::Ready(None) => {
                    self.give_back();
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    let patience = self.patience;
                    let waiting = self
                        .waiting
                        .get_or_insert_with(|| Box::pin(sleep(patience)));
                    ready!(waiting.as_mut().poll(cx));
                    return Poll::Ready(Some(Err(self.time_out())));
                }
            }
        }
    }
}
