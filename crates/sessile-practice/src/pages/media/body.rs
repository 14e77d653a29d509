//! Bodies that end otherwise than they should.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;

/// A body that brings a piece, and then is over in a way that none should be.
pub(in crate::pages) struct Broken {
    piece: Bytes,
    state: State,
    then: Then,
}

/// What comes after the piece.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    Cut,
    Nothing,
}

enum State {
    Whole,
    /// The piece is with the connection, which still has to send it.
    Flushing,
    Over,
}

impl Broken {
    /// The connection is cut after the piece.
    pub(in crate::pages) fn cut(piece: Bytes) -> Body {
        Body::new(Self::new(piece, Then::Cut))
    }

    /// Nothing comes after the piece for as long as the visitor waits.
    pub(super) fn stall(piece: Bytes) -> Body {
        Body::new(Self::new(piece, Then::Nothing))
    }

    fn new(piece: Bytes, then: Then) -> Self {
        Self {
            piece,
            state: State::Whole,
            then,
        }
    }
}

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.state {
            State::Whole => {
                self.state = State::Flushing;
                let piece = std::mem::take(&mut self.piece);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            State::Flushing if self.then == Then::Nothing => Poll::Pending,
            State::Flushing => {
                self.state = State::Over;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            State::Over => Poll::Ready(Some(Err("cut short on purpose"))),
        }
    }
}
