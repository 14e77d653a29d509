//! A record as bytes, versioned: JSON with the jar's own encoding inside.
//!
//! The types here are what is written, and change only together with the version. Sealing the
//! bytes is the vault's.

mod check;
mod login;
mod session;
mod sites;
mod token_file;
mod tokens;

use std::fmt;

use base64ct::{Base64, Encoding};
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use sessile_jar::{Delta, Jar, Timestamp};
use url::Url;
use zeroize::{Zeroize, Zeroizing};

use super::{Check, KeptLogin, KeptRefusal, Last, Record, Tokens};
use crate::profile::Profile;
use crate::secret::Secret;
use crate::session::{Authorization, Counts, Headers, OriginStorage, Scope, SessionState, Signs};
use crate::token_file::TokenFile;
use crate::transport::Proxy;

use check::WireCheck;
use login::{WireLogin, WireRefusal};
use session::{WireAuthorization, WireStorage};
use token_file::WireTokenFile;
use tokens::WireTokens;

/// The version that is written. What is new in it: 2, the proxy; 3, ways of logging in beside the
/// form that is found, tokens, a browser's storage, the token file.
const VERSION: u32 = 3;

/// Why bytes aren't a record.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes don't have the shape of their version.
    Malformed {
        /// What was not understood; no value is shown.
        what: String,
    },
    /// A newer Sessile wrote it.
    Newer {
        /// The version that was found.
        found: u32,
        /// The newest that is understood.
        known: u32,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what } => write!(f, "the stored session can't be read: {what}"),
            Self::Newer { found, known } => write!(
                f,
                "the stored session has format {found}, and this program knows formats up to \
                 {known}; use the newer program that wrote it"
            ),
        }
    }
}

impl std::error::Error for WireError {}

#[derive(Deserialize)]
struct Envelope {
    version: u32,
}

#[derive(Deserialize, Serialize)]
struct WireRecord {
    version: u32,
    id: String,
    created: i64,
    generation: u64,
    base_url: Option<String>,
    profile: String,
    headers: Vec<(String, String)>,
    authorization: Option<WireAuthorization>,
    scope: Option<String>,
    proxy: Option<String>,
    jar: String,
    login_pages: Vec<String>,
    replies: u64,
    requests: u64,
    login: Option<WireLogin>,
    check: Option<WireCheck>,
    tokens: Option<WireTokens>,
    #[serde(default)]
    storage: Vec<WireStorage>,
    last_login: Option<i64>,
    last_check: Option<(i64, String)>,
    refusal: Option<WireRefusal>,
    last_code: Option<u64>,
    #[serde(default)]
    told: Vec<(String, i64)>,
    token_file: Option<WireTokenFile>,
}

/// A record's bytes, wiped when dropped.
pub(crate) fn encode(record: &Record) -> Zeroizing<Vec<u8>> {
    let wire = WireRecord::from(record);
    Zeroizing::new(serde_json::to_vec(&wire).expect("strings and numbers are always JSON"))
}

/// The record in the bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<Record, WireError> {
    let wire = serde_json::from_slice::<WireRecord>(bytes);
    let found = match &wire {
        Ok(wire) => wire.version,
        // One of a newer version may have another shape.
        Err(_) => serde_json::from_slice::<Envelope>(bytes).map_or(VERSION, |it| it.version),
    };
    // What is missing in a record of an older version isn't there.
    if !(1..=VERSION).contains(&found) {
        let known = VERSION;
        return Err(WireError::Newer { found, known });
    }
    Record::try_from(wire.map_err(malformed)?)
}

impl From<&Record> for WireRecord {
    fn from(record: &Record) -> Self {
        let state = &record.state;
        let jar = Zeroizing::new(state.jar.snapshot().encode());
        Self {
            version: VERSION,
            id: record.id.clone(),
            created: record.created.as_millis(),
            generation: state.generation,
            base_url: state.base_url.as_ref().map(Url::to_string),
            profile: state.profile.to_string(),
            headers: state.headers.iter().map(wire_header).collect(),
            authorization: state.authorization.as_ref().map(WireAuthorization::from),
            scope: state.scope.as_ref().map(|scope| scope.as_str().to_owned()),
            proxy: state
                .proxy
                .as_ref()
                .map(|proxy| proxy.url().expose().clone()),
            jar: Base64::encode_string(&jar),
            login_pages: state.signs.login_pages.iter().map(Url::to_string).collect(),
            replies: state.counts.replies,
            requests: state.counts.requests,
            login: record.login.as_ref().map(WireLogin::from),
            check: record.check.as_ref().and_then(WireCheck::of),
            tokens: record.tokens.as_ref().map(WireTokens::from),
            storage: state.storage.iter().map(WireStorage::from).collect(),
            last_login: record.last.login.map(Timestamp::as_millis),
            last_check: record
                .last
                .check
                .clone()
                .map(|(at, found)| (at.as_millis(), found)),
            refusal: record.last.refusal.as_ref().map(WireRefusal::from),
            last_code: record.last.code,
            told: record.last.told.iter().map(told).collect(),
            token_file: record.token_file.as_ref().map(WireTokenFile::from),
        }
    }
}

impl TryFrom<WireRecord> for Record {
    type Error = WireError;

    fn try_from(mut wire: WireRecord) -> Result<Self, WireError> {
        let last = Last {
            login: wire.last_login.map(Timestamp::from_millis),
            check: wire
                .last_check
                .take()
                .map(|(at, found)| (Timestamp::from_millis(at), found)),
            code: wire.last_code,
            told: std::mem::take(&mut wire.told)
                .into_iter()
                .map(|(what, at)| (what, Timestamp::from_millis(at)))
                .collect(),
            refusal: wire.refusal.take().map(KeptRefusal::from),
        };
        let login = wire.login.take().map(KeptLogin::try_from).transpose()?;
        let learned = wire.check.take().map(Check::try_from).transpose()?;
        let of_site = login
            .as_ref()
            .and_then(|login: &KeptLogin| login.how.check());
        let check = learned.or(of_site);
        let tokens = wire.tokens.take().map(Tokens::try_from).transpose()?;
        let token_file = wire.token_file.take();
        let token_file = token_file.map(TokenFile::try_from).transpose()?;
        Ok(Self {
            id: std::mem::take(&mut wire.id),
            created: Timestamp::from_millis(wire.created),
            state: state(&wire)?,
            login,
            check,
            tokens,
            last,
            token_file,
        })
    }
}

fn state(wire: &WireRecord) -> Result<SessionState, WireError> {
    let bytes = Base64::decode_vec(&wire.jar).map_err(|_invalid| bad("encoding of the jar"))?;
    let delta = Delta::decode(&Zeroizing::new(bytes)).map_err(|error| WireError::Malformed {
        what: format!("the jar: {error}"),
    })?;
    let mut jar = Jar::new();
    jar.apply(&delta, Timestamp::from_millis(wire.created));
    let pages = wire
        .login_pages
        .iter()
        .map(|page| parse_url(page, "login page"));
    let mut headers = Headers::default();
    for (name, value) in &wire.headers {
        let (name, value) = read_header(name, value)?;
        headers.append(&name, &value);
    }
    Ok(SessionState {
        base_url: wire
            .base_url
            .as_deref()
            .map(|url| parse_url(url, "base URL"))
            .transpose()?,
        // A profile that this program doesn't know must not cost the session.
        profile: Profile::stored(&wire.profile),
        headers,
        authorization: wire.authorization.as_ref().map(Authorization::from),
        scope: wire.scope.clone().map(Scope::from),
        proxy: wire.proxy.as_deref().map(read_proxy).transpose()?,
        jar,
        storage: wire.storage.iter().map(OriginStorage::from).collect(),
        signs: Signs {
            login_pages: pages.collect::<Result<_, _>>()?,
        },
        generation: wire.generation,
        counts: Counts {
            replies: wire.replies,
            requests: wire.requests,
        },
    })
}

/// Header values are bytes; Latin-1 gives each its own character.
fn wire_header((name, value): (HeaderName, HeaderValue)) -> (String, String) {
    let value = value
        .as_bytes()
        .iter()
        .map(|byte| char::from(*byte))
        .collect();
    (name.as_str().to_owned(), value)
}

fn read_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), WireError> {
    let bytes: Result<Vec<u8>, _> = value.chars().map(u8::try_from).collect();
    let bytes = bytes.map_err(|_wide| bad("header"))?;
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_invalid| bad("header"))?;
    let value = HeaderValue::from_bytes(&bytes).map_err(|_invalid| bad("header"))?;
    Ok((name, value))
}

/// A proxy that can't be read is no reason to go without one.
fn read_proxy(text: &str) -> Result<Proxy, WireError> {
    text.parse().map_err(|_unreadable| bad("proxy"))
}

fn parse_url(text: &str, what: &str) -> Result<Url, WireError> {
    Url::parse(text).map_err(|_invalid| bad(what))
}

fn told((what, at): &(String, Timestamp)) -> (String, i64) {
    (what.clone(), at.as_millis())
}

fn text(secret: &Secret<String>) -> String {
    secret.expose().clone()
}

impl Drop for WireRecord {
    fn drop(&mut self) {
        self.jar.zeroize();
        self.proxy.zeroize();
        if let Some(login) = &mut self.login {
            login.password.zeroize();
            login.otp.zeroize();
        }
        let items = self
            .storage
            .iter_mut()
            .flat_map(|storage| &mut storage.items);
        for (_name, value) in items {
            value.zeroize();
        }
        for (_name, value) in &mut self.headers {
            value.zeroize();
        }
    }
}

/// Says where, never what: the text may be a secret.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err asks for"
)]
fn malformed(error: serde_json::Error) -> WireError {
    let kind = match error.classify() {
        serde_json::error::Category::Data => "a field is missing or has another shape",
        serde_json::error::Category::Eof => "it ends early",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "it isn't JSON",
    };
    WireError::Malformed {
        what: format!("{kind}, at column {}", error.column()),
    }
}

fn bad(what: &str) -> WireError {
    WireError::Malformed {
        what: format!("bad {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_before_is_read_and_a_bad_proxy_is_not_left_out() {
        check(1, None, Ok(None));
        let kept = Some("http://ada:pw@proxy.test:1");
        check(2, kept, Ok(Some("http://proxy.test:1")));
        check(2, Some("ftp://ada:pw@h"), Err(bad("proxy")));
        check(3, kept, Ok(Some("http://proxy.test:1")));
        let newer = WireError::Newer { found: 4, known: 3 };
        check(4, None, Err(newer));
    }

    #[track_caller]
    fn check(version: u32, proxy: Option<&str>, expected: Result<Option<&str>, WireError>) {
        let record = Record::new(SessionState::default(), Timestamp::from_millis(0));
        let mut json: serde_json::Value = serde_json::from_slice(&encode(&record)).unwrap();
        json["version"] = version.into();
        match proxy {
            Some(proxy) => json["proxy"] = proxy.into(),
            None => drop(json.as_object_mut().unwrap().remove("proxy")),
        }
        let found = decode(json.to_string().as_bytes());
        let found = found.map(|record| record.state.proxy.map(|proxy| proxy.to_string()));
        assert_eq!(found, expected.map(|proxy| proxy.map(str::to_owned)));
    }
}
