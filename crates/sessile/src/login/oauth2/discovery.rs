//! Where a provider's endpoints are: as configured, else as the provider says (RFC 8414, and the
//! address that OpenID Connect has for the same document).

use http::StatusCode;
use serde::Deserialize;
use url::Url;

use super::{ClientAuthentication, Grant, OAuth2, OAuthError};
use crate::login::Trail;
use crate::record::Tokens;
use crate::redact::ShownUrl;
use crate::session::{Request, Session};

/// The endpoints that a way to a token needs.
#[derive(Clone, Debug)]
pub(super) struct Provider {
    pub(super) token: Url,
    pub(super) authorization: Option<Url>,
    pub(super) device: Option<Url>,
    pub(super) client_authentication: Option<ClientAuthentication>,
    /// As the provider writes it, where that is known.
    pub(super) issuer: Option<String>,
}

/// What the document says, as far as it matters here.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    token_endpoint: Option<Url>,
    authorization_endpoint: Option<Url>,
    device_authorization_endpoint: Option<Url>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// The endpoints, looked up where they aren't configured.
pub(super) async fn resolve(
    oauth2: &OAuth2,
    session: &Session,
    trail: &mut Trail,
) -> Result<Provider, OAuthError> {
    let configured = |token: Url| Provider {
        token,
        authorization: oauth2.authorization.clone(),
        device: oauth2.device.clone(),
        client_authentication: oauth2.client_authentication,
        issuer: None,
    };
    let provider = match (&oauth2.token, &oauth2.issuer) {
        (Some(token), _) if has_what_it_needs(oauth2) => configured(token.clone()),
        (_, Some(issuer)) => {
            let document = find(issuer, session, trail).await?;
            combine(oauth2, issuer, document)?
        }
        (Some(token), None) => configured(token.clone()),
        (None, None) => return Err(missing("token endpoint", None)),
    };
    provider.must_be_safe(oauth2)?;
    provider.must_serve(oauth2)?;
    Ok(provider)
}

/// The endpoints that a refresh needs: where the tokens came from.
pub(super) fn known(oauth2: &OAuth2, tokens: &Tokens) -> Result<Provider, OAuthError> {
    let token = tokens.endpoint.as_ref().or(oauth2.token.as_ref());
    Ok(Provider {
        token: token
            .ok_or_else(|| missing("token endpoint", None))?
            .clone(),
        authorization: None,
        device: None,
        client_authentication: oauth2
            .client_authentication
            .or(tokens.client_authentication),
        issuer: None,
    })
}

fn has_what_it_needs(oauth2: &OAuth2) -> bool {
    match oauth2.grant {
        Grant::ClientCredentials => true,
        Grant::Code(_) => oauth2.authorization.is_some(),
        Grant::Device => oauth2.device.is_some(),
    }
}

/// The provider's document, at one of the two addresses.
async fn find(issuer: &Url, session: &Session, trail: &mut Trail) -> Result<Document, OAuthError> {
    let mut seen = Vec::new();
    for url in addresses(issuer) {
        let request = Request::get(url.as_str())
            .header("accept", "application/json")
            .without_robots();
        let reply = session.apart().send(request).await?;
        let (shown, status) = (ShownUrl(&url).to_string(), reply.status());
        if status.is_server_error() {
            let status = status.as_u16();
            return Err(OAuthError::Failing { url: shown, status });
        }
        let body = reply.bytes().await?;
        match serde_json::from_slice::<Document>(&body) {
            Ok(document) if status == StatusCode::OK => {
                must_be_its_own(&document, issuer, shown.clone())?;
                trail.say(format!("GET {shown} → the provider's endpoints"));
                return Ok(document);
            }
            // Values aren't shown: nothing says that the page was meant for us.
            Ok(_) | Err(_) => seen.push(format!("{shown} answered {status}")),
        }
    }
    Err(missing("endpoints", Some(&seen.join(", "))))
}

/// RFC 8414 section 3 puts its name between host and path; OpenID Connect puts its own at the end.
fn addresses(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/');
    [
        format!("{path}/.well-known/openid-configuration"),
        format!("/.well-known/oauth-authorization-server{path}"),
    ]
    .map(|path| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url.set_query(None);
        url.set_fragment(None);
        url
    })
}

/// Section 3.3: a document that speaks for another issuer must not be used.
fn must_be_its_own(document: &Document, issuer: &Url, url: String) -> Result<(), OAuthError> {
    let bare = |text: &str| text.trim_end_matches('/').to_owned();
    if bare(&document.issuer) == bare(issuer.as_str()) {
        return Ok(());
    }
    let what = format!(
        "it speaks for the issuer {}, and was asked as {issuer}",
        document.issuer
    );
    Err(OAuthError::NotUnderstood { url, what })
}

/// What is configured stands; the document fills the rest in.
fn combine(oauth2: &OAuth2, issuer: &Url, document: Document) -> Result<Provider, OAuthError> {
    let token = oauth2.token.clone().or(document.token_endpoint);
    let found = document.token_endpoint_auth_methods_supported;
    Ok(Provider {
        token: token.ok_or_else(|| missing("token endpoint", Some(issuer.as_str())))?,
        authorization: oauth2
            .authorization
            .clone()
            .or(document.authorization_endpoint),
        device: oauth2
            .device
            .clone()
            .or(document.device_authorization_endpoint),
        client_authentication: oauth2
            .client_authentication
            .or_else(|| preferred(&found.unwrap_or_default())),
        issuer: Some(document.issuer),
    })
}

/// RFC 8414: a provider that says nothing takes the header.
fn preferred(methods: &[String]) -> Option<ClientAuthentication> {
    let takes = |method: &str| methods.iter().any(|taken| taken == method);
    match (takes("client_secret_basic"), takes("client_secret_post")) {
        (true, _) => Some(ClientAuthentication::Basic),
        (false, true) => Some(ClientAuthentication::Post),
        (false, false) => None,
    }
}

impl Provider {
    fn must_serve(&self, oauth2: &OAuth2) -> Result<(), OAuthError> {
        let at = oauth2.issuer.as_ref().map(Url::as_str);
        match oauth2.grant {
            Grant::Code(_) if self.authorization.is_none() => {
                Err(missing("authorization endpoint", at))
            }
            Grant::Device if self.device.is_none() => {
                Err(missing("device authorization endpoint", at))
            }
            Grant::ClientCredentials | Grant::Code(_) | Grant::Device => Ok(()),
        }
    }

    /// What a site asks for over https isn't sent in the clear because a document says so.
    fn must_be_safe(&self, oauth2: &OAuth2) -> Result<(), OAuthError> {
        let is_safe = |url: &Url| url.scheme() == "https";
        if !oauth2.issuer.as_ref().is_some_and(is_safe) {
            return Ok(());
        }
        let endpoints = [
            Some(&self.token),
            self.authorization.as_ref(),
            self.device.as_ref(),
        ];
        match endpoints.into_iter().flatten().find(|url| !is_safe(url)) {
            None => Ok(()),
            Some(url) => Err(OAuthError::NotSafe {
                url: ShownUrl(url).to_string(),
                what: "the issuer's address is https, and this one is not".to_owned(),
            }),
        }
    }
}

fn missing(endpoint: &str, at: Option<&str>) -> OAuthError {
    let what = match at {
        None => format!("no {endpoint} is named, and no issuer that would name it"),
        Some(at) => format!("no {endpoint} was found: {at}"),
    };
    OAuthError::NoEndpoint { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_looked_for_at_both_addresses() {
        let at = |issuer: &str| addresses(&issuer.parse().unwrap()).map(|url| url.to_string());
        assert_eq!(
            at("https://id.test"),
            [
                "https://id.test/.well-known/openid-configuration",
                "https://id.test/.well-known/oauth-authorization-server",
            ]
        );
        assert_eq!(
            at("https://id.test/realms/a/"),
            [
                "https://id.test/realms/a/.well-known/openid-configuration",
                "https://id.test/.well-known/oauth-authorization-server/realms/a",
            ]
        );
    }
}
