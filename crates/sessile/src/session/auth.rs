//! The `Authorization` header (RFC 9110, section 11): basic, bearer, digest.
//!
//! Where it may be sent is decided by [`Scope`]; refreshing a token is the business of `renew`.

use base64ct::{Base64, Encoding};
use digest_auth::{AlgorithmType, AuthContext, HttpMethod, WwwAuthenticateHeader};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::Url;

use crate::error::Error;
use crate::secret::Secret;

/// What proves who is asking. Setting one takes the place of another.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Authorization {
    /// RFC 7617: the name and password in every request.
    Basic {
        /// Who is asking.
        user: String,
        /// The password.
        password: Secret<String>,
    },
    /// RFC 6750: a token.
    Bearer(Secret<String>),
    /// RFC 7616: an answer to the server's challenge, MD5 or SHA-256.
    Digest {
        /// Who is asking.
        user: String,
        /// The password.
        password: Secret<String>,
    },
    /// The header's value as it is.
    Header(Secret<String>),
    /// Another header than `Authorization`, as some sites want their token.
    Named {
        /// The header's name.
        name: String,
        /// Its value.
        value: Secret<String>,
    },
}

impl Authorization {
    /// The kind in one word, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Basic { .. } => "basic",
            Self::Bearer(_) => "bearer",
            Self::Digest { .. } => "digest",
            Self::Header(_) | Self::Named { .. } => "header",
        }
    }

    /// Which header it goes into.
    pub(super) fn header_name(&self) -> Result<HeaderName, Error> {
        match self {
            Self::Named { name, .. } => HeaderName::from_bytes(name.as_bytes())
                .map_err(|_invalid| Error::bad_request("the authorization's header has no name")),
            Self::Basic { .. } | Self::Bearer(_) | Self::Digest { .. } | Self::Header(_) => {
                Ok(header::AUTHORIZATION)
            }
        }
    }

    /// The header's value where it needs no challenge first.
    pub(super) fn header(&self) -> Result<Option<HeaderValue>, Error> {
        let text = match self {
            Self::Basic { user, password } => {
                if user.contains(':') {
                    return Err(Error::bad_request(
                        "basic: a user name can't contain a colon",
                    ));
                }
                let pair = Secret::from(format!("{user}:{}", password.expose()));
                Secret::from(format!(
                    "Basic {}",
                    Base64::encode_string(pair.expose().as_bytes())
                ))
            }
            Self::Bearer(token) => Secret::from(format!("Bearer {}", token.expose())),
            Self::Digest { .. } => return Ok(None),
            Self::Header(value) | Self::Named { value, .. } => value.clone(),
        };
        sensitive(text.expose()).map(Some)
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_invalid| {
        Error::bad_request("the authorization has a line break or another control character")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A digest challenge that was met, for the requests after it.
#[derive(Debug)]
pub(super) struct DigestPrompt(WwwAuthenticateHeader);

impl DigestPrompt {
    /// The strongest digest challenge of a 401.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut prompts: Vec<WwwAuthenticateHeader> = headers
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .filter(|value| {
                let scheme = value.split_ascii_whitespace().next().unwrap_or("");
                scheme.eq_ignore_ascii_case("digest")
            })
            .filter_map(|value| digest_auth::parse(value).ok())
            .collect();
        prompts.sort_by_key(|prompt| matches!(prompt.algorithm.algo, AlgorithmType::MD5));
        prompts.into_iter().next().map(Self)
    }

    /// The header for one request; each answer counts the nonce up.
    pub(super) fn answer(
        &mut self,
        authorization: &Authorization,
        method: &Method,
        url: &Url,
    ) -> Result<Option<HeaderValue>, Error> {
        let Authorization::Digest { user, password } = authorization else {
            return Ok(None);
        };
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let method = HttpMethod::from(method.as_str().to_owned());
        let context = AuthContext::new_with_method(
            user.as_str(),
            password.expose().as_str(),
            target,
            None::<&[u8]>,
            method,
        );
        let answer = self
            .0
            .respond(&context)
            .map_err(|error| Error::bad_request(format!("digest: {error}")))?;
        sensitive(&answer.to_header_string()).map(Some)
    }
}

/// Where the authorization may go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Scope(String);

impl Scope {
    /// The scheme, host and port of a URL.
    pub(crate) fn of(url: &Url) -> Self {
        Self(url.origin().ascii_serialization())
    }

    /// The origin in text, as it is kept.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request to `url` may carry it.
    pub(super) fn covers(&self, url: &Url) -> bool {
        *self == Self::of(url)
    }
}

impl From<String> for Scope {
    fn from(origin: String) -> Self {
        Self(origin)
    }
}
