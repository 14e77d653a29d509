//! What the requests of a batch go through, and one attempt.

mod pooled;
mod queue;

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Lack;
use super::body::{Bodies, BodyFault};
use super::line::Body;
use crate::error::Error;
use crate::pool::PoolError;
use crate::redact::ShownUrl;
use crate::renew::{KeepError, Kept};
use crate::session::verdict::retry_after;
use crate::session::{Reply, Request, Session, Verdict};

pub use pooled::Pooled;

/// What the requests of a batch go through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Through {
    /// A stored session, which logs in again where it has to.
    Kept(Kept),
    /// A session of its own that isn't stored.
    Plain(Session),
    /// The sessions of a pool, a lease for each target.
    Pool(Pooled),
}

/// What came of an attempt.
#[derive(Debug)]
pub(super) struct Attempted {
    pub(super) result: Result<Replied, PoolError>,
    pub(super) elapsed: Duration,
    pub(super) sender: Sender,
}

/// Who sent it.
#[derive(Debug)]
pub(super) enum Sender {
    /// A session in place of a pooled one, which couldn't be had for this reason.
    Fallback(PoolError),
    /// A session that has no name, or none.
    Nameless,
    Session(String),
}

/// A reply, as far as its line needs it.
#[derive(Debug)]
pub(super) struct Replied {
    pub(super) url: String,
    pub(super) status: u16,
    pub(super) verdict: Verdict,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Result<Option<Body>, BodyFault>,
}

/// What is sent, and what becomes of its reply's body.
pub(super) struct Sending<'a> {
    pub(super) request: Request,
    pub(super) bodies: &'a Bodies,
    pub(super) target: &'a str,
    /// Whoever still waits for a session then waits no longer.
    pub(super) stop: &'a CancellationToken,
}

impl Attempted {
    /// Nothing was sent.
    pub(super) fn refused(error: Error) -> Self {
        Self {
            result: Err(error.into()),
            elapsed: Duration::ZERO,
            sender: Sender::Nameless,
        }
    }
}

impl Replied {
    /// Why the body couldn't be had.
    pub(super) fn lost(&self) -> Option<&Error> {
        match &self.body {
            Err(BodyFault::Reply(error)) => Some(error),
            Err(BodyFault::Kept(_)) | Ok(_) => None,
        }
    }
}

impl Through {
    /// Whether another attempt may go through another session.
    pub(super) fn has_many(&self) -> bool {
        matches!(self, Self::Pool(_))
    }

    /// Who waits for a session, and why.
    pub(super) fn lack(&self) -> Option<Lack> {
        match self {
            Self::Kept(_) | Self::Plain(_) => None,
            Self::Pool(pooled) => pooled.lack(),
        }
    }

    /// Sends the request and takes in the reply.
    pub(super) async fn attempt(&self, sending: Sending<'_>) -> Attempted {
        match self {
            Self::Kept(kept) => {
                let sender = Sender::Session(kept.name().to_string());
                timed(sender, through_kept(kept, sending)).await
            }
            Self::Plain(session) => timed(Sender::Nameless, through_plain(session, sending)).await,
            Self::Pool(pooled) => pooled.attempt(sending).await,
        }
    }
}

/// Measures without the wait for a session.
async fn timed(
    sender: Sender,
    sending: impl Future<Output = Result<Replied, PoolError>>,
) -> Attempted {
    let begun = Instant::now();
    let result = sending.await;
    Attempted {
        result,
        elapsed: begun.elapsed(),
        sender,
    }
}

async fn through_kept(kept: &Kept, sending: Sending<'_>) -> Result<Replied, PoolError> {
    let answer = kept.send(sending.request).await?;
    Ok(take_in(kept.session(), answer.reply, sending.bodies, sending.target).await)
}

async fn through_plain(session: &Session, sending: Sending<'_>) -> Result<Replied, PoolError> {
    let reply = session
        .send(sending.request)
        .await
        .map_err(KeepError::from)?;
    Ok(take_in(session, reply, sending.bodies, sending.target).await)
}

async fn take_in(session: &Session, reply: Reply, bodies: &Bodies, target: &str) -> Replied {
    let now = session.now().as_seconds();
    Replied {
        url: ShownUrl(reply.url()).to_string(),
        status: reply.status().as_u16(),
        verdict: reply.verdict().clone(),
        retry_after: retry_after(reply.headers(), now),
        body: bodies.receive(reply, target).await,
    }
}
