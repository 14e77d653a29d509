//! The right to have one request running, until its reply has been read.

use std::future::ready;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Context, Poll};

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::{FutureExt, Stream};
use tokio::sync::OwnedSemaphorePermit;

use super::register::Place;
use crate::error::Error;
use crate::transport::ByteStream;

/// The right to have one request running; dropped when its reply has been read.
#[must_use]
#[derive(Debug)]
pub(crate) struct Turn {
    /// Among the requests of this process.
    pub(super) slot: Option<OwnedSemaphorePermit>,
    /// Among those of everybody.
    pub(super) place: Option<Place>,
}

impl Turn {
    /// Does some of the request's work; others are told that it goes on.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let Some(place) = &self.place else {
            return work.await;
        };
        match select(pin!(work), place.keep()).await {
            Either::Left((done, _)) => done,
            Either::Right(((), _)) => unreachable!("it is kept for ever"),
        }
    }

    /// The body, which holds the turn until its end, and the way to end it before.
    pub(crate) fn hold(self, body: ByteStream) -> (ByteStream, Option<Ender>) {
        if self.slot.is_none() && self.place.is_none() {
            return (body, None);
        }
        let keeping = self.place.as_ref().map(Place::keep);
        let ender = Ender(Arc::new(Mutex::new(Some(self))));
        let state = State::Running(keeping, ender.clone());
        (Box::pin(Held { body, state }), Some(ender))
    }
}

/// Ends a turn whose body isn't read yet.
#[derive(Clone, Debug)]
pub(crate) struct Ender(Arc<Mutex<Option<Turn>>>);

impl Ender {
    /// Others may go from now on.
    pub(crate) fn end(&self) {
        drop(self.take());
    }

    fn take(&self) -> Option<Turn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

struct Held {
    body: ByteStream,
    state: State,
}

enum State {
    /// What the body ended with is told after others know that the turn is over: the process may
    /// be gone then.
    Ending(BoxFuture<'static, ()>, Option<Result<Bytes, Error>>),
    Over,
    Running(Option<BoxFuture<'static, ()>>, Ender),
}

impl Stream for Held {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let held = &mut *self;
        if let State::Running(keeping, ender) = &mut held.state {
            if let Some(keeping) = keeping {
                let _for_ever = keeping.as_mut().poll(cx);
            }
            let piece = task::ready!(held.body.as_mut().poll_next(cx));
            if matches!(piece, Some(Ok(_))) {
                return Poll::Ready(piece);
            }
            let place = ender.take().and_then(|mut turn| turn.place.take());
            let leaving = place.map_or_else(|| ready(()).boxed(), |mut place| place.leave());
            held.state = State::Ending(leaving, piece);
        }
        if let State::Ending(leaving, last) = &mut held.state {
            task::ready!(leaving.as_mut().poll(cx));
            let last = last.take();
            held.state = State::Over;
            return Poll::Ready(last);
        }
        Poll::Ready(None)
    }
}
