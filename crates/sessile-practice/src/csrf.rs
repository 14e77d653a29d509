//! Form tokens bound to a cookie.
//!
//! The cookie holds a random seed; a form carries `nonce.digest(key, nonce,
//! seed)`. So the token differs on every page, can't be made from the cookie
//! alone, and is worth nothing to the holder of another cookie.

use std::fmt;

use crate::secret::{self, Digest};

/// Makes and checks form tokens.
pub(crate) struct Csrf {
    key: String,
}

/// Why a form was taken for a forgery.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Forgery {
    ForeignOrigin,
    MissingCookie,
    MissingToken,
    WrongToken,
}

impl Csrf {
    pub(crate) fn new() -> Self {
        Self {
            key: secret::random(),
        }
    }

    pub(crate) fn token(&self, seed: &str) -> String {
        let nonce = secret::random();
        let proof = self.proof(&nonce, seed);
        format!("{nonce}.{proof}")
    }

    /// Fails when the token isn't one made for this cookie's seed.
    pub(crate) fn check(&self, seed: Option<&str>, token: Option<&str>) -> Result<(), Forgery> {
        let seed = seed.ok_or(Forgery::MissingCookie)?;
        let token = token.ok_or(Forgery::MissingToken)?;
        let (nonce, proof) = token.split_once('.').ok_or(Forgery::WrongToken)?;
        let is_ours = Digest::of(&self.proof(nonce, seed)).matches(proof);
        is_ours.then_some(()).ok_or(Forgery::WrongToken)
    }

    // Each part is hashed to a fixed length first, so that no two different
    // pairs of nonce and seed can run together into one input.
    fn proof(&self, nonce: &str, seed: &str) -> String {
        let [key, nonce, seed] = [&self.key, nonce, seed].map(|part| Digest::of(part).hex());
        Digest::of(&Digest::of(&(key + &nonce + &seed)).hex()).hex()
    }
}

impl fmt::Display for Forgery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ForeignOrigin => "This form was sent from another site.",
            Self::MissingCookie => "This form needs its cookie, and the cookie did not come along.",
            Self::MissingToken => "This form needs its token, and the token did not come along.",
            Self::WrongToken => "This form has expired. Please send it again.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_seed_only() {
        let csrf = Csrf::new();
        let token = csrf.token("seed");
        assert_eq!(csrf.check(Some("seed"), Some(&token)), Ok(()));
        assert_ne!(csrf.token("seed"), token);
        let refused = |seed, token| csrf.check(seed, token).unwrap_err();
        assert_eq!(refused(Some("other"), Some(&token)), Forgery::WrongToken);
        assert_eq!(refused(Some("seed"), Some("seed")), Forgery::WrongToken);
        assert_eq!(refused(Some("seed"), Some("")), Forgery::WrongToken);
        assert_eq!(refused(Some("seed"), None), Forgery::MissingToken);
        assert_eq!(refused(None, Some(&token)), Forgery::MissingCookie);
    }

    #[test]
    fn another_site_s_token_is_wrong() {
        let token = Csrf::new().token("seed");
        let check = Csrf::new().check(Some("seed"), Some(&token));
        assert_eq!(check, Err(Forgery::WrongToken));
    }
}
