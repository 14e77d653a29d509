//! Tokens: what they look like, what is kept of them, and how one is found in a request.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use http::{HeaderMap, header};
use sessile::Secret;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::AccessError;

/// How every token begins, so that one in the wrong place is recognised.
pub const TOKEN_PREFIX: &str = "sessile_";

/// A token of 256 random bits.
pub(super) fn fresh() -> Result<Secret<String>, AccessError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|why| AccessError::NoRandomness(why.to_string()))?;
    let text = Base64UrlUnpadded::encode_string(&random);
    Ok(Secret::from(format!("{TOKEN_PREFIX}{text}")))
}

/// The SHA-256 of a token. Nobody can guess 256 bits, so that no salt and no slowness is needed.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether they are the same, which takes as long wherever they differ.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    pub(super) fn to_text(self) -> String {
        base64ct::Base64::encode_string(&self.0)
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let decoded = base64ct::Base64::decode(text, &mut bytes).ok()?;
        (decoded.len() == 32).then_some(Self(bytes))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

/// The token of an `Authorization: Bearer` field.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (only, None) = (all.next()?, all.next()) else {
        return None;
    };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_found_again() {
        let (a, b) = (fresh().unwrap(), fresh().unwrap());
        assert_ne!(a.expose(), b.expose());
        assert_eq!(a.expose().len(), TOKEN_PREFIX.len() + 43);
        let print = Fingerprint::of(a.expose());
        let read = Fingerprint::from_text(&print.to_text()).unwrap();
        assert!(print.is(&read));
        assert!(!print.is(&Fingerprint::of(b.expose())));
        assert!(Fingerprint::from_text("short").is_none());
    }

    #[test]
    fn a_token_is_in_one_place_only() {
        check(&[("authorization", "Bearer abc")], Some("abc"));
        check(&[("authorization", "bearer  abc ")], Some("abc"));
        check(&[("authorization", "Basic abc")], None);
        check(&[("authorization", "Bearer ")], None);
        check(&[("authorization", "Bearer")], None);
        check(&[], None);
        let twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
        check(&twice, None);
    }

    #[track_caller]
    fn check(pairs: &[(&'static str, &'static str)], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        assert_eq!(bearer(&headers), expected, "{pairs:?}");
    }
}
