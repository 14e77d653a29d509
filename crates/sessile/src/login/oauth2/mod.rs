//! Access tokens from an OAuth 2 provider (RFC 6749), and new ones in place of old ones.
//!
//! `code`, `device` and `client` are the ways to a first token, `exchange` speaks with the provider's
//! endpoints, `discovery` finds them. Requests are built and answers read by the `oauth2` crate;
//! they travel by the session's transport, with nothing of the session's in them. When a token is
//! to be refreshed, and where it is kept, is not decided here.

mod code;
mod device;
mod discovery;
mod error;
mod exchange;
mod loopback;
mod redirect;

#[cfg(test)]
mod tests;

use std::fmt;

use sessile_jar::Timestamp;
use url::Url;

use super::{AskVisit, Credentials, Landed, LoginError, PageToVisit, Trail};
use crate::record::Tokens;
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::session::{Authorization, Session};

pub use error::OAuthError;
pub use redirect::{NotLoopback, Redirect};

use exchange::Exchange;

/// How tokens are had from a provider: what a site file says of it. No secret is in it.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct OAuth2 {
    /// The website that the tokens are for; they are sent there, and nowhere else.
    pub site: Url,
    /// The provider's own URL, from which its endpoints are found where they aren't named.
    pub issuer: Option<Url>,
    /// Where tokens are given out.
    pub token: Option<Url>,
    /// The page where a person says yes.
    pub authorization: Option<Url>,
    /// Where a device asks for its code.
    pub device: Option<Url>,
    /// The name under which the provider knows this program.
    pub client_id: String,
    /// How the client proves itself. Defaults to what the provider says it takes, and to
    /// [`ClientAuthentication::Basic`] where it says nothing; a client that has no secret just
    /// says its name.
    pub client_authentication: Option<ClientAuthentication>,
    /// The way to a first token.
    pub grant: Grant,
    /// What the token is to be good for.
    pub scopes: Vec<String>,
    /// More that this provider wants to be told, as `audience`.
    pub parameters: Vec<(String, String)>,
}

/// The way to a first token.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Grant {
    /// RFC 6749, section 4.4: the client itself is who logs in.
    ClientCredentials,
    /// Section 4.1 with PKCE (RFC 7636): a person logs in in a browser, which then leads back to
    /// this machine.
    Code(Redirect),
    /// RFC 8628: a person logs in in a browser anywhere and types a code there.
    Device,
}

/// How a client proves who it is (RFC 6749, section 2.3.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// By the `Authorization` header.
    Basic,
    /// Not at all: it has no secret.
    None,
    /// By a field of the body.
    Post,
}

/// An access token that a provider gave out.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) access: Secret<String>,
    pub(crate) tokens: Tokens,
}

impl OAuth2 {
    /// A client of a provider, which is known by nothing but its own URL.
    pub fn new(site: Url, issuer: Option<Url>, client_id: impl Into<String>, grant: Grant) -> Self {
        Self {
            site,
            issuer,
            token: None,
            authorization: None,
            device: None,
            client_id: client_id.into(),
            client_authentication: None,
            grant,
            scopes: Vec::new(),
            parameters: Vec::new(),
        }
    }

    /// Whether it doesn't go without a secret.
    pub fn needs_secret(&self) -> bool {
        match self.client_authentication {
            Some(ClientAuthentication::None) => false,
            Some(ClientAuthentication::Basic | ClientAuthentication::Post) => true,
            None => self.grant == Grant::ClientCredentials,
        }
    }

    /// Whether a person has to be there for a first token.
    pub fn needs_person(&self) -> bool {
        match self.grant {
            Grant::ClientCredentials => false,
            Grant::Code(_) | Grant::Device => true,
        }
    }

    /// A new access token for a refresh token (RFC 6749, section 6). A refresh token that the
    /// provider replaces is of no more use from here on, even if the answer is lost.
    pub(crate) async fn refresh(
        &self,
        session: &Session,
        tokens: &Tokens,
        secret: Option<&Secret<String>>,
    ) -> Result<Granted, OAuthError> {
        let provider = discovery::known(self, tokens)?;
        let exchange = Exchange::new(self, &provider, session, secret);
        exchange.refresh(tokens).await
    }

    /// A first token, by the way that is configured.
    async fn obtain(
        &self,
        session: &Session,
        secret: Option<&Secret<String>>,
        trail: &mut Trail,
    ) -> Result<Granted, OAuthError> {
        let provider = discovery::resolve(self, session, trail).await?;
        let exchange = Exchange::new(self, &provider, session, secret);
        match &self.grant {
            Grant::ClientCredentials => exchange.client_credentials(self).await,
            Grant::Code(redirect) => code::obtain(self, redirect, &exchange, trail).await,
            Grant::Device => device::obtain(self, &exchange, trail).await,
        }
    }
}

impl fmt::Debug for OAuth2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2")
            .field("site", &ShownUrl(&self.site))
            .field("issuer", &self.issuer.as_ref().map(ShownUrl))
            .field("client_id", &self.client_id)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}

/// Logs in at the provider: the token is the session's authorization from here on.
pub(super) async fn log_in(
    member: &Session,
    oauth2: &OAuth2,
    credentials: &Credentials,
    trail: &mut Trail,
) -> Result<Landed, LoginError> {
    let secret = credentials.password.as_ref();
    let granted = oauth2.obtain(member, secret, trail).await?;
    trail.say(told(&granted, member.now()));
    trail.tokens = Some(granted.tokens);
    member.update(|state, _now| {
        state.set_authorization(Authorization::Bearer(granted.access));
    });
    Ok(Landed::Answered)
}

fn told(granted: &Granted, now: Timestamp) -> String {
    let lives = match granted.tokens.expires {
        None => "with no end that is known".to_owned(),
        Some(expires) => {
            let seconds = (expires.as_millis() - now.as_millis()) / 1000;
            format!("good for {seconds} s")
        }
    };
    let next = match granted.tokens.refresh {
        None => "without a refresh token",
        Some(_) => "with a refresh token",
    };
    format!("got an access token, {lives}, {next}")
}

/// Shows the page on a thread of its own: whoever shows it may take long.
fn show(visit: &AskVisit, page: PageToVisit) {
    let visit = AskVisit::clone(visit);
    let _not_waited_for = tokio::task::spawn_blocking(move || visit(&page));
}
