//! The way by a browser on this machine: authorization code with PKCE (RFC 6749 section 4.1,
//! RFC 7636, RFC 8252).

use std::time::Duration;

use futures_util::FutureExt as _;
use oauth2::{
    AuthUrl, AuthorizationCode, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
};
use tokio::time::timeout;
use url::Url;

use super::exchange::{Exchange, Expect, scopes};
use super::loopback::{Came, Loopback};
use super::{Granted, OAuth2, OAuthError, Redirect, show};
use crate::login::{PageToVisit, Trail};
use crate::redact::ShownUrl;
use crate::secret::Secret;

/// How long a person may take at the provider's pages.
const PATIENCE: Duration = Duration::from_secs(240);

pub(super) async fn obtain(
    oauth2: &OAuth2,
    redirect: &Redirect,
    exchange: &Exchange<'_>,
    trail: &mut Trail,
) -> Result<Granted, OAuthError> {
    let page = exchange.provider.authorization.as_ref();
    let page = page.expect("was looked for before");
    let shown = ShownUrl(page).to_string();
    let Some(visit) = trail.person().visit.clone() else {
        return Err(OAuthError::Nobody { url: shown });
    };
    let loopback = Loopback::listen(redirect).await?;
    let ask = Ask::new(oauth2, page, loopback.url(), exchange);
    trail.say(format!("waiting for the login at {shown}"));
    let page = PageToVisit {
        url: ask.url,
        code: None,
        purpose: format!("log in at {shown}"),
    };
    show(&visit, page);
    let issuer = exchange.provider.issuer.as_deref();
    let came = timeout(PATIENCE, loopback.wait(&ask.state, issuer)).await;
    let code = match came {
        Ok(Came::Code(code)) => code,
        Ok(Came::Refused { error, description }) => {
            return Err(OAuthError::Refused {
                url: shown,
                error,
                description,
            });
        }
        Err(_elapsed) => {
            let after = PATIENCE.as_secs();
            return Err(OAuthError::TimeOut { url: shown, after });
        }
    };
    trail.say("the browser came back with a code".to_owned());
    redeem(exchange, &code, ask.verifier, ask.redirect).await
}

/// One request of authorization.
struct Ask {
    url: Url,
    redirect: RedirectUrl,
    state: Secret<String>,
    verifier: PkceCodeVerifier,
}

impl Ask {
    fn new(oauth2: &OAuth2, page: &Url, redirect: Url, exchange: &Exchange<'_>) -> Self {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let redirect = RedirectUrl::from_url(redirect);
        let client = exchange.client.clone();
        let client = client
            .set_auth_uri(AuthUrl::from_url(page.clone()))
            .set_redirect_uri(redirect.clone());
        let mut request = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(scopes(oauth2))
            .set_pkce_challenge(challenge);
        for (name, value) in &oauth2.parameters {
            request = request.add_extra_param(name, value);
        }
        let (url, state) = request.url();
        Self {
            url,
            redirect,
            state: Secret::from(state.secret().clone()),
            verifier,
        }
    }
}

/// The tokens for a code.
async fn redeem(
    exchange: &Exchange<'_>,
    code: &Secret<String>,
    verifier: PkceCodeVerifier,
    redirect: RedirectUrl,
) -> Result<Granted, OAuthError> {
    let obtained = exchange.now();
    let http = exchange.at(Expect::Token);
    let answer = exchange
        .client
        .exchange_code(AuthorizationCode::new(code.expose().clone()))
        .set_pkce_verifier(verifier)
        .set_redirect_uri(std::borrow::Cow::Owned(redirect))
        .request_async(&http)
        .boxed()
        .await;
    exchange.granted(answer, obtained)
}
