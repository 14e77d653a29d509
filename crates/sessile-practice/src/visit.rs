//! Who asks: what a request's cookies and headers say about the visitor.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::response::AppendHeaders;

use crate::csrf::Forgery;
use crate::secret;
use crate::world::World;

/// The cookie with the session's id.
pub(crate) const SESSION: &str = "session";
/// The cookie that form tokens are bound to.
pub(crate) const CSRF: &str = "csrf";

/// A visitor, as the cookies show them.
pub(crate) struct Visit {
    /// Who is logged in.
    pub(crate) user: Option<String>,
    /// The session's id as received, alive or dead.
    pub(crate) session: Option<String>,
    is_foreign: bool,
    seed: Seed,
}

/// What the visitor's form tokens are bound to.
enum Seed {
    Fresh(String),
    Received(String),
}

/// One `Set-Cookie` header, or none.
pub(crate) type MaybeCookie = AppendHeaders<Option<(HeaderName, String)>>;

impl Visit {
    fn of(headers: &HeaderMap, world: &World) -> Self {
        let session = cookie(headers, SESSION);
        Self {
            user: session.as_deref().and_then(|id| world.use_session(id)),
            session,
            is_foreign: is_foreign(headers),
            seed: cookie(headers, CSRF)
                .map_or_else(|| Seed::Fresh(secret::random()), Seed::Received),
        }
    }

    /// A token for a form on the answer, which must carry [`Self::seed_cookie`].
    pub(crate) fn token(&self, world: &World) -> String {
        let (Seed::Fresh(seed) | Seed::Received(seed)) = &self.seed;
        world.csrf.token(seed)
    }

    /// The cookie for the tokens, if the visitor hasn't got it yet.
    pub(crate) fn seed_cookie(&self) -> MaybeCookie {
        AppendHeaders(match &self.seed {
            Seed::Fresh(seed) => Some((SET_COOKIE, browser_cookie(CSRF, seed))),
            Seed::Received(_) => None,
        })
    }

    /// Fails unless the form is ours, sent by the visitor it was made for.
    pub(crate) fn check(&self, world: &World, token: Option<&str>) -> Result<(), Forgery> {
        if self.is_foreign {
            return Err(Forgery::ForeignOrigin);
        }
        let seed = match &self.seed {
            Seed::Fresh(_) => None,
            Seed::Received(seed) => Some(seed.as_str()),
        };
        world.csrf.check(seed, token)
    }
}

impl FromRequestParts<Arc<World>> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, world: &Arc<World>) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, world))
    }
}

/// A cookie for the whole site that lasts until the browser is closed.
pub(crate) fn browser_cookie(name: &str, value: &str) -> String {
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax")
}

/// What makes a browser drop the cookie.
pub(crate) fn dropped_cookie(name: &str) -> String {
    browser_cookie(name, "") + "; Max-Age=0"
}

/// The first cookie of that name that was received.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut cookies = cookies(headers).into_iter();
    cookies
        .find(|(found, _)| found == name)
        .map(|(_, value)| value)
}

/// All cookies that were received, as names and values in order.
pub(crate) fn cookies(headers: &HeaderMap) -> Vec<(String, String)> {
    let lines = headers.get_all(COOKIE).into_iter();
    let lines: Vec<_> = lines
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    let pairs = lines.iter().flat_map(|line| line.split(';')).map(str::trim);
    let pairs = pairs.filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or(("", pair)))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether a browser says that another site's page sent this request.
fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let Some(host) = headers.get(HOST) else {
        return true;
    };
    origin.as_bytes() != [b"http://", host.as_bytes()].concat()
}
