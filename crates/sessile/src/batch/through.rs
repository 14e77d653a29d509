//! What the requests of a batch go through, and one attempt.

use std::time::Duration;

use tokio::time::Instant;

use super::body::{Bodies, BodyFault};
use super::line::Body;
use crate::error::Error;
use crate::redact::ShownUrl;
use crate::renew::{KeepError, Kept};
use crate::session::verdict::retry_after;
use crate::session::{Reply, Request, Session, Verdict};

/// What the requests of a batch go through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Through {
    /// A stored session, which logs in again where it has to.
    Kept(Kept),
    /// A session of its own that isn't stored.
    Plain(Session),
}

/// What came of an attempt.
#[derive(Debug)]
pub(super) struct Attempted {
    pub(super) result: Result<Replied, KeepError>,
    pub(super) elapsed: Duration,
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

impl Attempted {
    /// Nothing was sent.
    pub(super) fn refused(error: Error) -> Self {
        Self {
            result: Err(error.into()),
            elapsed: Duration::ZERO,
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
    /// The name of the stored session.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Kept(kept) => Some(kept.name().as_str()),
            Self::Plain(_) => None,
        }
    }

    /// Sends the request and takes in the reply.
    pub(super) async fn attempt(
        &self,
        request: Request,
        bodies: &Bodies,
        target: &str,
    ) -> Attempted {
        let begun = Instant::now();
        let result = match self.send(request).await {
            Ok(reply) => Ok(self.take_in(reply, bodies, target).await),
            Err(error) => Err(error),
        };
        Attempted {
            result,
            elapsed: begun.elapsed(),
        }
    }

    async fn send(&self, request: Request) -> Result<Reply, KeepError> {
        match self {
            Self::Kept(kept) => Ok(kept.send(request).await?.reply),
            Self::Plain(session) => Ok(session.send(request).await?),
        }
    }

    async fn take_in(&self, reply: Reply, bodies: &Bodies, target: &str) -> Replied {
        let session = match self {
            Self::Kept(kept) => kept.session(),
            Self::Plain(session) => session,
        };
        let now = session.now().as_seconds();
        Replied {
            url: ShownUrl(reply.url()).to_string(),
            status: reply.status().as_u16(),
            verdict: reply.verdict().clone(),
            retry_after: retry_after(reply.headers(), now),
            body: bodies.receive(reply, target).await,
        }
    }
}
