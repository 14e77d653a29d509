//! A request of a kept session: sent, and sent again once its login has been renewed.

use super::refresh::Seen;
use super::{Inner, KeepError, Kept, NoRenewal, flush};
use crate::session::{Reply, Request, Sign, Verdict};

/// How often, at most, an access token is renewed for one request: more than once only while it is so
/// short-lived that it ends on the way.
const TOKENS: u32 = 5;

/// How often, at most, a login is renewed for one request: more than once only where a check can tell
/// that it was ended again meanwhile.
const LOGINS: u32 = 3;

/// A reply, and what it took to get it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The reply.
    pub reply: Reply,
    /// The renewal that came before it, where there was one.
    pub renewal: Option<Renewal>,
}

/// How a login that was gone came back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Renewal {
    /// How it was seen that it was gone.
    pub sign: Sign,
    /// Who renewed it.
    pub by: Renewer,
    /// What was renewed.
    pub what: Renewed,
    /// The login that holds now.
    pub generation: u64,
}

/// What a renewal has renewed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Renewed {
    /// The login, from its beginning.
    Login,
    /// The access token of a login that goes on.
    Token,
}

/// Who renewed a login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Renewer {
    /// Somebody else, at the same time: another task, or another process.
    Other,
    /// This process.
    Ourselves,
}

impl Kept {
    /// Sends a request; when the reply shows that the login is gone, renews it and sends the
    /// request again: once, or up to three times where the session's check can tell that something
    /// else ended the new login too. After that no login is tried for a while: 15 seconds at first,
    /// twice as long each time, at most five minutes, until a reply shows that one holds.
    ///
    /// A renewal that has begun goes on where the answer is waited for no longer.
    ///
    /// # Errors
    ///
    /// [`KeepError::LoggedOut`] where the login can't be renewed, with the reason.
    pub async fn send(&self, request: Request) -> Result<Answer, KeepError> {
        let inner = &self.0;
        inner.pull_if_there().await?;
        let mut renewal = inner.renew_if_due().await?;
        let mut request = request;
        let mut renewals = 0;
        loop {
            let (again, seen) = (request.try_clone(), inner.seen());
            let mut reply = inner.session.send(request).await?;
            inner.judge(&mut reply).await?;
            inner.tell_of_challenge(reply.verdict()).await;
            let Verdict::Expired(sign) = reply.verdict().clone() else {
                if *reply.verdict() == Verdict::Valid {
                    inner.forget_contests();
                }
                inner.save_if_due_and_there().await?;
                flush::schedule(inner);
                return Ok(Answer { reply, renewal });
            };
            if !inner.is_ours(&reply) {
                return Ok(Answer { reply, renewal });
            }
            if !inner.may_send_again(renewals) {
                // Boxed, so that a request whose login holds stays small.
                let asked = inner.still_asked(&sign, renewal.as_ref());
                return Err(Box::pin(asked).await?);
            }
            reply.make_room();
            let seen = Seen {
                generation: reply.generation(),
                ..seen
            };
            let Some(done) = inner.renew_to_the_end(seen, &sign).await? else {
                return inner.without_rights(reply, &sign);
            };
            renewal = Some(done);
            request = again.ok_or_else(|| KeepError::NotReplayable {
                name: inner.name.to_string(),
            })?;
            renewals += 1;
        }
    }
}

impl Inner {
    /// Whether a refusal is this session's affair. A 401 of a session that never logs in is the
    /// site's answer, and the caller's to read; so is one of a site that is shown no token.
    fn is_ours(&self, reply: &Reply) -> bool {
        let (has_login, has_tokens) = {
            let held = self.held();
            (held.login.is_some(), held.tokens.is_some())
        };
        has_login && (!has_tokens || self.is_about_token(reply))
    }

    /// A request is sent again once, and once more where its token or login may have ended meanwhile:
    /// a renewal begins with the check, which says whether it has.
    fn may_send_again(&self, renewals: u32) -> bool {
        let has_tokens = self.held().tokens.is_some();
        renewals == 0
            || match has_tokens {
                true => renewals < TOKENS && self.is_token_due(),
                false => renewals < LOGINS && self.can_tell(),
            }
    }

    /// Whether a check tells a login that works from one that doesn't.
    fn can_tell(&self) -> bool {
        self.held().check.is_some()
    }

    /// The error for a page that asks for a login right after one.
    async fn still_asked(
        &self,
        sign: &Sign,
        renewal: Option<&Renewal>,
    ) -> Result<KeepError, KeepError> {
        let by = renewal.map(|renewal| renewal.by);
        if self.held().tokens.is_some() {
            self.remember_refused_token().await?;
            return Ok(self.logged_out(sign, NoRenewal::TokenRefused));
        }
        if by == Some(Renewer::Ourselves) {
            match self.can_tell() {
                true => self.remember_contest().await?,
                false => self.remember_fruitless_login().await?,
            }
        }
        Ok(self.logged_out(sign, NoRenewal::StillAsking))
    }

    /// What to make of a refusal while the login holds.
    fn without_rights(&self, mut reply: Reply, sign: &Sign) -> Result<Answer, KeepError> {
        if let Sign::LoginRedirect(_) = sign {
            return Err(self.logged_out(sign, NoRenewal::OtherRights));
        }
        reply.set_verdict(Verdict::Blocked);
        Ok(Answer {
            reply,
            renewal: None,
        })
    }
}
