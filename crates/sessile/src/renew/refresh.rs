//! Access tokens that end: replaced before they do, or when the site refuses one.
//!
//! The new token is in the store before anybody uses it. Between the provider's answer and that
//! write nothing can help: who is killed there has used up a refresh token that can be used once.

use std::sync::Arc;
use std::time::Duration;

use super::sync::Purpose;
use super::{Again, Inner, KeepError, Mode, NoRenewal, Renewal, Renewer};
use crate::login::oauth2::{Granted, OAuth2, OAuthError};
use crate::login::{How, LoginError};
use crate::record::{KeptLogin, Tokens};
use crate::secret::Secret;
use crate::session::{Authorization, Reply, SessionState, Sign};
use crate::store::Lease;

/// How long a failed refresh is left alone while the old token still holds.
const PAUSE: Duration = Duration::from_secs(1);

/// What a request was sent with, to find out later whether somebody has renewed it since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) generation: u64,
    /// The revision of the access token; 0 where there is none.
    pub(super) token: u64,
}

impl Inner {
    /// What a request would be sent with now.
    pub(super) fn seen(&self) -> Seen {
        let held = self.held();
        Seen {
            generation: self.session.read(SessionState::generation),
            token: held.tokens.as_ref().map_or(0, |tokens| tokens.revision),
        }
    }

    /// Whether somebody has renewed the login or its token since.
    pub(super) fn has_moved(&self, seen: Seen) -> bool {
        let now = self.seen();
        now.generation > seen.generation
            || (now.generation == seen.generation && now.token > seen.token)
    }

    /// Whether the access token is to be replaced now.
    pub(super) fn is_token_due(&self) -> bool {
        let now = self.session.now();
        let held = self.held();
        held.tokens
            .as_ref()
            .is_some_and(|tokens| tokens.is_due(now))
    }

    /// Renews the login, or its access token, before it ends. Where that fails, the old one goes on
    /// to be used for as long as it lasts.
    pub(super) async fn renew_if_due(self: &Arc<Self>) -> Result<Option<Renewal>, KeepError> {
        let seen = self.seen();
        if !self.may_renew_early() {
            return Ok(None);
        }
        let failed = match self.renew_to_the_end(seen, &Sign::TokenEnds).await {
            Ok(renewal) => return Ok(renewal),
            Err(error) => error,
        };
        if self.is_over() {
            return Err(failed);
        }
        self.held().not_before = Some(self.session.now().plus(PAUSE));
        tracing::warn!(session = %self.name, error = %failed, "the login was not renewed early");
        Ok(None)
    }

    /// Without a way to a new token, the site is asked with the old one: it knows best.
    fn may_renew_early(&self) -> bool {
        if self.mode == Mode::ReadOnly
            || self.is_held()
            || self.is_replaced()
            || !self.is_end_near()
            || (self.vault.presence().is_away() && !self.is_over())
        {
            return false;
        }
        let now = self.session.now();
        let held = self.held();
        let is_paused = held.not_before.is_some_and(|time| now < time);
        let can_refresh = held
            .tokens
            .as_ref()
            .is_some_and(|tokens| tokens.refresh.is_some());
        let needs_nobody = held.login.as_ref().is_some_and(|login| {
            let has_secret = login.credentials.password.is_some();
            !needs_person(&login.how) && (has_secret || !login.how.needs_password())
        });
        !is_paused && (can_refresh || needs_nobody)
    }

    /// Whether a refusal is about this session's token. Other sites never get to see it.
    pub(super) fn is_about_token(&self, reply: &Reply) -> bool {
        self.session.read(|state| state.is_in_scope(reply.url()))
    }

    /// Inside the lease: a new access token for the refresh token. Nothing where that is of no more
    /// use and the whole login is to be done again.
    pub(super) async fn refresh(
        &self,
        sign: &Sign,
        lease: &Lease,
    ) -> Result<Option<Renewer>, KeepError> {
        let (tokens, login) = {
            let held = self.held();
            (held.tokens.clone(), held.login.clone())
        };
        let Some(tokens) = tokens else {
            return Ok(None);
        };
        if tokens.is_refused && !tokens.is_due(self.session.now()) {
            return Err(self.logged_out(sign, NoRenewal::TokenRefused));
        }
        let oauth2 = login.as_ref().and_then(|login| login.how.oauth2());
        let (Some(oauth2), Some(_), Some(login)) = (oauth2, &tokens.refresh, &login) else {
            return Ok(None);
        };
        self.may_try(sign)?;
        let secret = self.client_secret(oauth2, login, sign).await?;
        match oauth2
            .refresh(&self.session, &tokens, secret.as_ref())
            .await
        {
            Ok(granted) => self.keep_token(granted, &tokens, lease).await.map(Some),
            Err(error) if error.is_dead_grant() && self.can_log_in(oauth2) => Ok(None),
            Err(error) => Err(self.refused(error, sign).await),
        }
    }

    /// The client's own secret, where it has one; asked for where it isn't kept.
    async fn client_secret(
        &self,
        oauth2: &OAuth2,
        login: &KeptLogin,
        sign: &Sign,
    ) -> Result<Option<Secret<String>>, KeepError> {
        let kept = login.credentials.password.clone();
        if kept.is_some() || !oauth2.needs_secret() {
            return Ok(kept);
        }
        let asked = self.ask_password(&login.how, &login.credentials.user).await;
        asked
            .map(Some)
            .ok_or_else(|| self.logged_out(sign, NoRenewal::NoPassword))
    }

    /// Whether the login can be done again from its beginning.
    fn can_log_in(&self, oauth2: &OAuth2) -> bool {
        !oauth2.needs_person() || self.person.visit.is_some()
    }

    /// Stores a token, and takes it into use only then.
    async fn keep_token(
        &self,
        granted: Granted,
        before: &Tokens,
        lease: &Lease,
    ) -> Result<Renewer, KeepError> {
        let mut state = self.session.state();
        state.set_authorization(Authorization::Bearer(granted.access));
        let mut record = self.held().record(state);
        record.tokens = Some(granted.tokens);
        let purpose = Purpose::Refresh(lease.fence(), before.revision);
        if self.push_login(record, purpose).await?.is_some() {
            return Ok(Renewer::Ourselves);
        }
        // Somebody emptied, replaced or removed the session meanwhile: what he left holds.
        self.pull().await?;
        Ok(Renewer::Other)
    }

    /// A provider that says no is not asked again; one in trouble is.
    async fn refused(&self, error: OAuthError, sign: &Sign) -> KeepError {
        let is_dead = error.is_dead_grant();
        let message = error.to_string();
        let error = KeepError::Login(LoginError::OAuth(error));
        if let Err(unsaved) = self.remember_refusal(&error).await {
            tracing::warn!(session = %self.name, %unsaved, "the refusal was not stored");
        }
        if is_dead {
            let again = Again::ByHand;
            return self.logged_out(sign, NoRenewal::Refused { message, again });
        }
        error
    }

    /// A fresh token that the site refuses is not replaced for nothing, until it ends.
    pub(super) async fn remember_refused_token(&self) -> Result<(), KeepError> {
        let revision = self.seen().token;
        let mark = move |tokens: &mut Tokens| {
            if tokens.revision == revision {
                tokens.is_refused = true;
            }
        };
        if let Some(tokens) = &mut self.held().tokens {
            mark(tokens);
        }
        let stored = super::edit(&self.vault, &self.name, move |record| {
            record.tokens.as_mut().map(mark);
        });
        match stored.await {
            Ok(()) | Err(KeepError::Unknown { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }
}

fn needs_person(how: &How) -> bool {
    how.oauth2().is_some_and(OAuth2::needs_person)
}
