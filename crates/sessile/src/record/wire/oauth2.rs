//! How tokens are had, and what came with one, as bytes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile_jar::Timestamp;
use url::Url;
use zeroize::Zeroize;

use super::{WireError, bad, parse_url, text};
use crate::login::oauth2::{ClientAuthentication, Grant, OAuth2, Redirect};
use crate::record::Tokens;
use crate::secret::Secret;

#[derive(Deserialize, Serialize)]
pub(super) struct WireTokens {
    refresh: Option<String>,
    expires: Option<i64>,
    #[serde(default)]
    margin: u64,
    #[serde(default)]
    revision: u64,
    #[serde(default)]
    is_refused: bool,
    endpoint: Option<String>,
    client_authentication: Option<WireClientAuthentication>,
}

/// The site's address is that of the login.
#[derive(Deserialize, Serialize)]
pub(super) struct WireOAuth2 {
    issuer: Option<String>,
    token: Option<String>,
    authorization: Option<String>,
    device: Option<String>,
    client_id: String,
    client_authentication: Option<WireClientAuthentication>,
    grant: WireGrant,
    scopes: Vec<String>,
    parameters: Vec<(String, String)>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum WireClientAuthentication {
    Basic,
    None,
    Post,
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "kind", content = "redirect", rename_all = "kebab-case")]
enum WireGrant {
    ClientCredentials,
    Code(String),
    Device,
}

impl From<&Tokens> for WireTokens {
    fn from(tokens: &Tokens) -> Self {
        Self {
            refresh: tokens.refresh.as_ref().map(text),
            expires: tokens.expires.map(Timestamp::as_millis),
            margin: u64::try_from(tokens.margin.as_millis()).unwrap_or(u64::MAX),
            revision: tokens.revision,
            is_refused: tokens.is_refused,
            endpoint: tokens.endpoint.as_ref().map(Url::to_string),
            client_authentication: tokens.client_authentication.map(Into::into),
        }
    }
}

impl TryFrom<WireTokens> for Tokens {
    type Error = WireError;

    fn try_from(mut wire: WireTokens) -> Result<Self, WireError> {
        Ok(Self {
            refresh: wire.refresh.take().map(Secret::from),
            expires: wire.expires.map(Timestamp::from_millis),
            margin: Duration::from_millis(wire.margin),
            revision: wire.revision,
            is_refused: wire.is_refused,
            endpoint: read_url(wire.endpoint.as_deref(), "token endpoint")?,
            client_authentication: wire.client_authentication.map(Into::into),
        })
    }
}

impl Drop for WireTokens {
    fn drop(&mut self) {
        self.refresh.zeroize();
    }
}

impl From<&OAuth2> for WireOAuth2 {
    fn from(oauth2: &OAuth2) -> Self {
        let url = |url: &Option<Url>| url.as_ref().map(Url::to_string);
        Self {
            issuer: url(&oauth2.issuer),
            token: url(&oauth2.token),
            authorization: url(&oauth2.authorization),
            device: url(&oauth2.device),
            client_id: oauth2.client_id.clone(),
            client_authentication: oauth2.client_authentication.map(Into::into),
            grant: WireGrant::from(&oauth2.grant),
            scopes: oauth2.scopes.clone(),
            parameters: oauth2.parameters.clone(),
        }
    }
}

impl WireOAuth2 {
    pub(super) fn read(self, site: Url) -> Result<OAuth2, WireError> {
        let issuer = read_url(self.issuer.as_deref(), "issuer")?;
        let grant = self.grant.try_into()?;
        let mut oauth2 = OAuth2::new(site, issuer, self.client_id, grant);
        oauth2.token = read_url(self.token.as_deref(), "token endpoint")?;
        oauth2.authorization = read_url(self.authorization.as_deref(), "authorization endpoint")?;
        oauth2.device = read_url(self.device.as_deref(), "device endpoint")?;
        oauth2.client_authentication = self.client_authentication.map(Into::into);
        oauth2.scopes = self.scopes;
        oauth2.parameters = self.parameters;
        Ok(oauth2)
    }
}

impl From<&Grant> for WireGrant {
    fn from(grant: &Grant) -> Self {
        match grant {
            Grant::ClientCredentials => Self::ClientCredentials,
            Grant::Code(redirect) => Self::Code(redirect.to_string()),
            Grant::Device => Self::Device,
        }
    }
}

impl TryFrom<WireGrant> for Grant {
    type Error = WireError;

    fn try_from(wire: WireGrant) -> Result<Self, WireError> {
        Ok(match wire {
            WireGrant::ClientCredentials => Self::ClientCredentials,
            WireGrant::Code(redirect) => {
                let redirect = redirect.parse::<Redirect>();
                Self::Code(redirect.map_err(|_elsewhere| bad("redirect address"))?)
            }
            WireGrant::Device => Self::Device,
        })
    }
}

impl From<ClientAuthentication> for WireClientAuthentication {
    fn from(way: ClientAuthentication) -> Self {
        match way {
            ClientAuthentication::Basic => Self::Basic,
            ClientAuthentication::None => Self::None,
            ClientAuthentication::Post => Self::Post,
        }
    }
}

impl From<WireClientAuthentication> for ClientAuthentication {
    fn from(wire: WireClientAuthentication) -> Self {
        match wire {
            WireClientAuthentication::Basic => Self::Basic,
            WireClientAuthentication::None => Self::None,
            WireClientAuthentication::Post => Self::Post,
        }
    }
}

fn read_url(text: Option<&str>, what: &str) -> Result<Option<Url>, WireError> {
    text.map(|text| parse_url(text, what)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::{Credentials, How};
    use crate::record::{KeptLogin, Record, decode, encode};
    use crate::session::SessionState;

    #[test]
    fn everything_comes_back() {
        for grant in [
            Grant::ClientCredentials,
            Grant::Code("http://localhost:8912/cb".parse().unwrap()),
            Grant::Device,
        ] {
            let url = |text: &str| text.parse::<Url>().unwrap();
            let issuer = Some(url("https://id.test/"));
            let mut oauth2 = OAuth2::new(url("https://api.test/v2/"), issuer, "robot", grant);
            oauth2.device = Some(url("https://id.test/device"));
            oauth2.client_authentication = Some(ClientAuthentication::Post);
            oauth2.scopes = vec!["read".to_owned()];
            oauth2.parameters = vec![("audience".to_owned(), "shop".to_owned())];
            let now = Timestamp::from_millis(1_000);
            let mut tokens = Tokens::for_time(now, Some(Duration::from_secs(2)));
            tokens.refresh = Some(Secret::from("r1".to_owned()));
            tokens.endpoint = Some(url("https://id.test/token"));
            tokens.client_authentication = Some(ClientAuthentication::Basic);
            tokens.is_refused = true;
            let mut record = Record::new(SessionState::default(), now);
            record.tokens = Some(tokens.clone());
            let how = How::OAuth2(Box::new(oauth2));
            record.login = Some(KeptLogin {
                how: how.clone(),
                credentials: Credentials::default(),
                sent_to: Vec::new(),
            });
            let again = decode(&encode(&record)).unwrap();
            assert_eq!(again.login.unwrap().how, how);
            assert_eq!(again.tokens, Some(tokens));
        }
    }
}
