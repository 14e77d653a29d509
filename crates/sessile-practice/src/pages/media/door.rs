//! Who may have a stream: five doors, each turning strangers away in its own manner.

use axum::http::header::{SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};

use crate::pages::door::see_other;
use crate::visit::{MaybeCookie, SESSION, browser_cookie, cookie};
use crate::world::World;

/// The cookie of those who were let in at the page.
const PASS: &str = "pass";

/// What a visitor needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Door {
    /// A login; strangers are led to it.
    Gate,
    /// A login; strangers get a 401.
    Member,
    /// Nothing.
    Open,
    /// A cookie that the page gives, and that ends by itself; others get a 403.
    Pass,
    /// A signature in the address, which ends by itself; others get a 403.
    Signed,
}

impl Door {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "gate" => Self::Gate,
            "member" => Self::Member,
            "open" => Self::Open,
            "pass" => Self::Pass,
            "signed" => Self::Signed,
            _ => return None,
        })
    }

    /// What turns away who may not have the file.
    pub(super) fn refusal(
        self,
        world: &World,
        headers: &HeaderMap,
        stream: &str,
        target: &Target<'_>,
    ) -> Option<Response> {
        let now = world.now();
        let may_pass = match self {
            Self::Gate | Self::Member => is_member(world, headers),
            Self::Open => true,
            Self::Pass => {
                let pass = cookie(headers, PASS);
                pass.is_some_and(|pass| world.media.has_pass(&pass, now))
            }
            Self::Signed => world.media.is_signed(stream, target.query, now),
        };
        (!may_pass).then(|| self.turn_away(target.path))
    }

    /// What turns away who may not see the page that leads to it: all but the open ones are for
    /// members.
    pub(super) fn page_refusal(
        self,
        world: &World,
        headers: &HeaderMap,
        path: &str,
    ) -> Option<Response> {
        let may_pass = self == Self::Open || is_member(world, headers);
        (!may_pass).then(|| to_login(path))
    }

    /// What the page gives along: behind the addresses, and as a cookie.
    pub(super) fn permission(self, world: &World, stream: &str) -> (String, MaybeCookie) {
        let (now, options) = (world.now(), world.options());
        let mut query = String::new();
        let mut line = None;
        match self {
            Self::Gate | Self::Member | Self::Open => {}
            Self::Pass => {
                let pass = world.media.issue_pass(now, options.pass_lifetime);
                let seconds = options.pass_lifetime.as_secs();
                let cookie = browser_cookie(PASS, &pass) + &format!("; Max-Age={seconds}");
                line = Some((SET_COOKIE, cookie));
            }
            Self::Signed => {
                let signed = world.media.sign(stream, now, options.link_lifetime);
                query = format!("?{signed}");
            }
        }
        (query, AppendHeaders(line))
    }

    fn turn_away(self, path: &str) -> Response {
        match self {
            Self::Gate => to_login(path),
            Self::Member => {
                let scheme = "Form realm=\"members\"";
                (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, scheme)]).into_response()
            }
            Self::Open | Self::Pass | Self::Signed => StatusCode::FORBIDDEN.into_response(),
        }
    }
}

/// What is asked for.
pub(super) struct Target<'a> {
    pub(super) path: &'a str,
    pub(super) query: &'a str,
}

fn is_member(world: &World, headers: &HeaderMap) -> bool {
    let session = cookie(headers, SESSION);
    session.is_some_and(|id| world.use_session(&id).is_some())
}

fn to_login(path: &str) -> Response {
    see_other(&format!("/login?next={path}"))
}
