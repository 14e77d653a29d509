//! What came with an access token, as bytes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile_jar::Timestamp;
use url::Url;
use zeroize::Zeroize;

use super::{WireError, parse_url, text};
use crate::login::oauth2::ClientAuthentication;
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

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum WireClientAuthentication {
    Basic,
    None,
    Post,
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
        let endpoint = wire.endpoint.as_deref();
        let endpoint = endpoint.map(|url| parse_url(url, "token endpoint"));
        Ok(Self {
            refresh: wire.refresh.take().map(Secret::from),
            expires: wire.expires.map(Timestamp::from_millis),
            margin: Duration::from_millis(wire.margin),
            revision: wire.revision,
            is_refused: wire.is_refused,
            endpoint: endpoint.transpose()?,
            client_authentication: wire.client_authentication.map(Into::into),
        })
    }
}

impl Drop for WireTokens {
    fn drop(&mut self) {
        self.refresh.zeroize();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Record, decode, encode};
    use crate::session::SessionState;

    #[test]
    fn everything_comes_back() {
        let now = Timestamp::from_millis(1_000);
        let mut tokens = Tokens::for_time(now, Some(Duration::from_secs(2)));
        tokens.refresh = Some(Secret::from("r1".to_owned()));
        tokens.endpoint = Some("https://id.test/token".parse().unwrap());
        tokens.client_authentication = Some(ClientAuthentication::Post);
        tokens.is_refused = true;
        for tokens in [tokens, Tokens::default()] {
            let mut record = Record::new(SessionState::default(), now);
            record.tokens = Some(tokens.clone());
            let again = decode(&encode(&record)).unwrap();
            assert_eq!(again.tokens, Some(tokens));
        }
    }
}
