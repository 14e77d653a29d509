//! The session that resolver and recorder share: the same cookies, headers and connections.

use sessile::renew::{KeepError, Kept};
use sessile::store::Name;
use sessile::{Reply, Request, Session, Verdict};

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
            Self::Plain(_) => self.send_once(request).await?,
        })
    }

    /// Sends a request and leaves it to the caller what to do where the login is gone.
    pub(crate) async fn send_once(&self, request: Request) -> Result<Sent, KeepError> {
        Ok(Sent {
            reply: self.session().send(request).await?,
            renewed: None,
        })
    }

    /// Looks whether a login holds that something speaks against, and logs in where it doesn't.
    pub(crate) async fn see_to_login(&self, against: Against) -> Result<Login, KeepError> {
        let Self::Kept(kept) = self else {
            return Ok(Login::Unknown);
        };
        if kept.renew().await?.is_some() {
            return Ok(Login::Renewed);
        }
        if against == Against::Refusal {
            return Ok(Login::Unknown);
        }
        let report = kept.check().await?;
        if report.verdict != Verdict::Valid {
            return Ok(Login::Unknown);
        }
        if report.is_certain {
            return Ok(Login::Holds);
        }
        // Nothing but the page itself can tell, and it asks for a login.
        kept.log_in_again().await?;
        Ok(Login::Renewed)
    }

    /// Stores what is new in a kept session.
    pub(crate) async fn save(&self) -> Result<(), KeepError> {
        match self {
            Self::Kept(kept) => kept.save().await,
            Self::Plain(_) => Ok(()),
        }
    }
}

/// What speaks against a login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Against {
    /// A page that asks for one.
    LoginPage,
    /// Something was refused.
    Refusal,
}

/// What is known of a login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Login {
    /// Its check says so.
    Holds,
    /// It was gone and is back.
    Renewed,
    /// Nothing can tell.
    Unknown,
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
