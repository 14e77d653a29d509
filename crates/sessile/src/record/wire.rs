//! A record as bytes, versioned: JSON with the jar's own encoding inside.
//!
//! The types here are what is written, and change only together with the version. Sealing the
//! bytes is the vault's.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use sessile_jar::{Delta, Jar, Timestamp};
use url::Url;
use zeroize::{Zeroize, Zeroizing};

use super::{Check, KeptLogin, KeptRefusal, Last, Record};
use crate::check::LearnedCheck;
use crate::profile::Profile;
use crate::secret::Secret;
use crate::session::{Authorization, Counts, Scope, SessionState, Signs};

/// The version that is written.
const VERSION: u32 = 1;

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
    jar: String,
    login_pages: Vec<String>,
    replies: u64,
    requests: u64,
    login: Option<WireLogin>,
    check: Option<WireCheck>,
    last_login: Option<i64>,
    last_check: Option<(i64, String)>,
    refusal: Option<WireRefusal>,
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum WireAuthorization {
    Basic { user: String, password: String },
    Bearer { token: String },
    Digest { user: String, password: String },
    Header { value: String },
}

#[derive(Deserialize, Serialize)]
struct WireLogin {
    url: String,
    user: String,
    password: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct WireCheck {
    url: String,
    marks: Vec<WireMark>,
}

#[derive(Deserialize, Serialize)]
struct WireRefusal {
    at: i64,
    message: String,
    again: Option<i64>,
}

/// A record's bytes, wiped when dropped.
pub(crate) fn encode(record: &Record) -> Zeroizing<Vec<u8>> {
    let mut wire = WireRecord::from(record);
    let text = serde_json::to_vec(&wire).expect("strings and numbers are always JSON");
    wire.wipe();
    Zeroizing::new(text)
}

/// The record in the bytes. `writer` names this process's copy of the jar.
pub(crate) fn decode(bytes: &[u8]) -> Result<Record, WireError> {
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(malformed)?;
    if envelope.version != VERSION {
        return Err(WireError::Newer { found: envelope.version, known: VERSION });
    }
    let wire: WireRecord = serde_json::from_slice(bytes).map_err(malformed)?;
    Record::try_from(wire)
}

/// Says where, never what: the text may be a secret.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err asks for")]
fn malformed(error: serde_json::Error) -> WireError {
    let kind = match error.classify() {
        serde_json::error::Category::Data => "a field is missing or has another shape",
        serde_json::error::Category::Eof => "it ends early",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "it isn't JSON",
    };
    WireError::Malformed { what: format!("{kind}, at column {}", error.column()) }
}

fn bad(what: &str) -> WireError {
    WireError::Malformed { what: format!("bad {what}") }
}
