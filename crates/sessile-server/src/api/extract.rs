//! What handlers are given: who asks, the session's name, the query, the document; each refused as
//! a problem where it isn't right.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use sessile::store::Name;

use super::Daemon;
use crate::access::{Caller, Scope, bearer};
use crate::problem::{Kind, Problem};
use crate::traced;

/// Somebody who may do what this scope allows.
pub(super) struct May<const SCOPE: u8>(pub(super) Caller);

pub(super) type MayRead = May<0>;
pub(super) type MayUse = May<1>;
pub(super) type MayManage = May<2>;

const SCOPES: [Scope; 3] = [Scope::Read, Scope::Use, Scope::Manage];

impl<const SCOPE: u8> FromRequestParts<Daemon> for May<SCOPE> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, daemon: &Daemon) -> Result<Self, Problem> {
        let refused = |detail: &str| Problem::new(Kind::Unauthorized, detail);
        let token = bearer(&parts.headers).ok_or_else(|| {
            refused("send a token as `Authorization: Bearer …`; `sessile access add` makes one")
        })?;
        let found = daemon
            .grants
            .find(&daemon.vault, token, daemon.now())
            .await?;
        let caller = found.ok_or_else(|| refused("this token isn't known, or has ended"))?;
        let needed = SCOPES[usize::from(SCOPE)];
        if caller.scope < needed {
            let detail = format!(
                "this wants the scope `{needed}`, and the token `{}` has `{}`",
                caller.name, caller.scope
            );
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        Ok(Self(caller))
    }
}

/// The session that a path names. A name that is one of the API's own words stands behind a `-`,
/// with which no name begins.
pub(super) struct Named(pub(super) Name);

impl FromRequestParts<Daemon> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, daemon: &Daemon) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, daemon)
            .await
            .map_err(|why| Problem::new(Kind::BadRequest, why.body_text()))?;
        let name = Name::parse(text.strip_prefix('-').unwrap_or(&text))?;
        traced::note_session(&name);
        Ok(Self(name))
    }
}

/// The pairs of the query; one that isn't known is a mistake.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Daemon> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, daemon: &Daemon) -> Result<Self, Problem> {
        let asked = Query::<T>::from_request_parts(parts, daemon).await;
        let Query(asked) = asked.map_err(|why| Problem::new(Kind::BadRequest, why.body_text()))?;
        Ok(Self(asked))
    }
}

/// A JSON document.
pub(super) struct Given<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Daemon> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, daemon: &Daemon) -> Result<Self, Problem> {
        match MaybeGiven::from_request(request, daemon).await? {
            MaybeGiven(Some(given)) => Ok(Self(given)),
            MaybeGiven(None) => Err(Problem::new(Kind::BadRequest, "this wants a JSON document")),
        }
    }
}

/// A JSON document, or none.
pub(super) struct MaybeGiven<T>(pub(super) Option<T>);

impl<T: DeserializeOwned> FromRequest<Daemon> for MaybeGiven<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, daemon: &Daemon) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = Bytes::from_request(request, daemon).await;
        let bytes = bytes.map_err(|why| match why.status() {
            http::StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(Kind::TooLarge, "256 KiB are enough for a document")
            }
            _ => Problem::new(Kind::BadRequest, "the body didn't come to its end"),
        })?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !is_json {
            let detail = "send the document as `Content-Type: application/json`";
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let read = serde_path_to_error::deserialize(&mut reader);
        let read = read.map_err(|why| Problem::new(Kind::BadRequest, misread(&why)))?;
        match reader.end() {
            Ok(()) => Ok(Self(Some(read))),
            Err(_more) => Err(Problem::new(
                Kind::BadRequest,
                "something follows the document",
            )),
        }
    }
}

/// What is wrong with a document. The reader's words may repeat what was sent, a password for
/// example: only the place is said.
fn misread(why: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let (path, why) = (why.path().to_string(), why.inner());
    let (line, column) = (why.line(), why.column());
    let what = match why.classify() {
        serde_json::error::Category::Data if path == "." => {
            "the document isn't of the shape that is wanted".to_owned()
        }
        serde_json::error::Category::Data => {
            format!("`{path}` isn't known or isn't of the kind that is wanted")
        }
        _ => "the document isn't JSON".to_owned(),
    };
    format!("{what}: line {line}, column {column}")
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or("").trim();
        kind.eq_ignore_ascii_case("application/json")
    })
}

/// Whether a request is addressed to this machine's loopback. A page of another site that has its
/// name point here (DNS rebinding) still sends that name.
pub(super) fn is_for_loopback(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return false;
        };
        return is_port(port)
            && address
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
    }
    let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
    let is_here = name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    is_here && is_port(port)
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_this_machine_s_own_names_are_served() {
        for host in [
            "localhost",
            "LOCALHOST:8471",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:80",
            "[::1]",
        ] {
            check(&[host], true);
        }
        for host in [
            "attacker.example",
            "localhost.attacker.example",
            "127.0.0.1.attacker.example:80",
            "localhost:",
            "localhost:x",
            "192.0.2.1",
            "[::1",
            "[::2]",
            "[::1]x",
            "",
        ] {
            check(&[host], false);
        }
        check(&[], false);
        check(&["localhost", "attacker.example"], false);
    }

    #[track_caller]
    fn check(hosts: &[&'static str], expected: bool) {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_static(host));
        }
        assert_eq!(is_for_loopback(&headers), expected, "{hosts:?}");
    }
}
