//! The way by a browser anywhere: device authorization (RFC 8628).

use std::time::Duration;

use futures_util::FutureExt as _;
use oauth2::{DeviceAuthorizationUrl, StandardDeviceAuthorizationResponse};
use tokio::time::{sleep, timeout};
use url::Url;

use super::exchange::{Exchange, Expect, scopes};
use super::{Granted, OAuth2, OAuthError, show};
use crate::login::{PageToVisit, Trail};
use crate::redact::ShownUrl;

/// The shortest pause between two questions, whatever the provider says.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest time that a code is waited for, whatever the provider says.
const LONGEST: Duration = Duration::from_secs(240);

pub(super) async fn obtain(
    oauth2: &OAuth2,
    exchange: &Exchange<'_>,
    trail: &mut Trail,
) -> Result<Granted, OAuthError> {
    let endpoint = exchange.provider.device.as_ref();
    let endpoint = endpoint.expect("was looked for before");
    let Some(visit) = trail.person().visit.clone() else {
        let url = ShownUrl(endpoint).to_string();
        return Err(OAuthError::Nobody { url });
    };
    let details = ask(oauth2, endpoint, exchange).await?;
    let page = details.verification_uri().url();
    let shown = ShownUrl(page).to_string();
    trail.say(format!("waiting for the code to be typed at {shown}"));
    let direct = details.verification_uri_complete();
    let direct = direct.and_then(|url| Url::parse(url.secret()).ok());
    let page = PageToVisit {
        url: direct.unwrap_or_else(|| page.clone()),
        code: Some(details.user_code().secret().clone()),
        purpose: format!("log in at {shown}"),
    };
    show(&visit, page);
    let limit = details.expires_in().min(LONGEST);
    match timeout(limit, poll(exchange, &details)).await {
        Ok(granted) => granted,
        Err(_elapsed) => {
            let after = limit.as_secs();
            Err(OAuthError::TimeOut { url: shown, after })
        }
    }
}

async fn ask(
    oauth2: &OAuth2,
    endpoint: &Url,
    exchange: &Exchange<'_>,
) -> Result<StandardDeviceAuthorizationResponse, OAuthError> {
    let client = exchange.client.clone();
    let url = DeviceAuthorizationUrl::from_url(endpoint.clone());
    let client = client.set_device_authorization_url(url);
    let mut request = client.exchange_device_code().add_scopes(scopes(oauth2));
    for (name, value) in &oauth2.parameters {
        request = request.add_extra_param(name, value);
    }
    let http = exchange.at(Expect::DeviceCode);
    let details = request.request_async(&http).boxed().await;
    details.map_err(|_unusable| exchange.take_problem(endpoint))
}

/// Asks again and again, as the provider wants it: section 3.5.
async fn poll(
    exchange: &Exchange<'_>,
    details: &StandardDeviceAuthorizationResponse,
) -> Result<Granted, OAuthError> {
    let started = exchange.now();
    let http = exchange.at(Expect::Token);
    let answer = exchange
        .client
        .exchange_device_access_token(details)
        .request_async(&http, |pause| sleep(pause.max(SHORTEST)), None)
        .boxed()
        .await;
    // The token was given at some time since; counted from now it could be believed for too long,
    // and counted from the first question it is at worst refreshed too early.
    let obtained = match &answer {
        Ok(_) => exchange.now(),
        Err(_) => started,
    };
    exchange.granted(answer, obtained)
}
