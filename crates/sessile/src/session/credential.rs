//! Headers that by their names prove who is asking.
//!
//! They are treated as `Authorization` is: a site that redirects elsewhere gives none of them away.

use http::{HeaderName, header};

/// Words that make a header's name that of a credential, as `X-Auth-User` or `X-CSRF-Token`.
const WORDS: [&str; 17] = [
    "apikey",
    "auth",
    "authentication",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "credentials",
    "csrf",
    "jwt",
    "passwd",
    "password",
    "secret",
    "session",
    "sessionid",
    "token",
    "xsrf",
];

/// Words that end such a word, as in `X-AccessToken`.
const ENDINGS: [&str; 4] = ["apikey", "password", "secret", "token"];

/// Names that end in `key` and are none.
const OTHER_KEYS: [HeaderName; 2] = [
    HeaderName::from_static("idempotency-key"),
    header::SEC_WEBSOCKET_KEY,
];

/// Whether a header is a credential, as far as its name says so: `Authorization` and
/// `Proxy-Authorization`, `X-Api-Key`, `X-Auth-Token`, `PRIVATE-TOKEN` and their like.
pub(super) fn is_credential(name: &HeaderName) -> bool {
    let mut words = name.as_str().split(['-', '_']);
    let is_key = || name.as_str().ends_with("key") && !OTHER_KEYS.contains(name);
    words.any(|word| WORDS.contains(&word) || ENDINGS.iter().any(|end| word.ends_with(end)))
        || is_key()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell() {
        for name in [
            "authorization",
            "proxy-authorization",
            "x-api-key",
            "apikey",
            "ocp-apim-subscription-key",
            "x-auth-user",
            "private-token",
            "x-csrf-token",
            "x-xsrf-token",
            "x_session_id",
            "x-accesstoken",
            "x-amz-security-token",
            "key",
        ] {
            check(name, true);
        }
        for name in [
            "accept",
            "accept-language",
            "authority",
            "content-type",
            "idempotency-key",
            "origin",
            "referer",
            "sec-websocket-key",
            "user-agent",
            "x-author",
            "x-requested-with",
            "x-trace",
        ] {
            check(name, false);
        }
    }

    #[track_caller]
    fn check(name: &'static str, expected: bool) {
        assert_eq!(
            is_credential(&HeaderName::from_static(name)),
            expected,
            "{name}"
        );
    }
}
