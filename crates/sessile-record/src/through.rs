//! The session that resolver and recorder share: the same cookies, headers and connections.

use sessile::renew::{KeepError, Kept};
use sessile::store::Name;
use sessile::{Reply, Request, Session};

/// What media is found and fetched through.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a session is kept in a store or it isn't"
)]
pub enum Through {
    /// A session that is stored, shared, and logs in again by itself.
    Kept(Kept),
    /// A session of this process alone.
    Plain(Session),
}

impl Through {
    /// The name under which other processes find it.
    pub fn name(&self) -> Option<&Name> {
        match self {
            Self::Kept(kept) => Some(kept.name()),
            Self::Plain(_) => None,
        }
    }

    /// The session itself.
    pub fn session(&self) -> &Session {
        match self {
            Self::Kept(kept) => kept.session(),
            Self::Plain(session) => session,
        }
    }

    /// Sends a request; a kept session renews its login where the reply shows that it is gone.
    pub(crate) async fn send(&self, request: Request) -> Result<Sent, KeepError> {
        Ok(match self {
            Self::Kept(kept) => {
                let answer = kept.send(request).await?;
                Sent {
                    reply: answer.reply,
                    renewed: answer.renewal.map(|renewal| renewal.generation),
                }
            }
            Self::Plain(session) => Sent {
                reply: session.send(request).await?,
                renewed: None,
            },
        })
    }
}

/// A reply, and the login that a renewal before it brought.
pub(crate) struct Sent {
    pub(crate) reply: Reply,
    pub(crate) renewed: Option<u64>,
}

impl From<Kept> for Through {
    fn from(kept: Kept) -> Self {
        Self::Kept(kept)
    }
}

impl From<Session> for Through {
    fn from(session: Session) -> Self {
        Self::Plain(session)
    }
}
