//! A token file and what was seen in it, as bytes.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};
use sessile_jar::Timestamp;

use super::{WireError, bad, parse_url};
use crate::token_file::{Digest, Seen, TokenFile, TokenNames};

#[derive(Deserialize, Serialize)]
pub(super) struct WireTokenFile {
    path: String,
    url: String,
    /// `None`: those that the file names.
    names: Option<Vec<String>>,
    seen: Vec<WireToken>,
}

/// What is known of a token; digests are in base64.
#[derive(Deserialize, Serialize)]
struct WireToken {
    name: String,
    value: Option<String>,
    replaced: Vec<(String, i64)>,
}

impl From<&TokenFile> for WireTokenFile {
    fn from(file: &TokenFile) -> Self {
        let names = match file.names() {
            TokenNames::Listed(names) => Some(names.clone()),
            TokenNames::OfTheFile => None,
        };
        let tokens = file.seen().iter().map(|(name, seen)| WireToken {
            name: name.clone(),
            value: seen.value.map(wire_digest),
            replaced: seen
                .replaced
                .iter()
                .map(|(digest, at)| (wire_digest(*digest), at.as_millis()))
                .collect(),
        });
        Self {
            path: file.path().to_owned(),
            url: file.url().to_string(),
            names,
            seen: tokens.collect(),
        }
    }
}

impl TryFrom<WireTokenFile> for TokenFile {
    type Error = WireError;

    fn try_from(wire: WireTokenFile) -> Result<Self, WireError> {
        let names = match wire.names {
            Some(names) => TokenNames::Listed(names),
            None => TokenNames::OfTheFile,
        };
        let url = parse_url(&wire.url, "token file's URL")?;
        let file = Self::new(wire.path, url, names).map_err(|_trouble| bad("token file"))?;
        let mut seen = BTreeMap::new();
        for token in wire.seen {
            let replaced = token.replaced.into_iter().map(|(digest, at)| {
                read_digest(&digest).map(|digest| (digest, Timestamp::from_millis(at)))
            });
            let value = token.value.as_deref().map(read_digest);
            let known = Seen {
                value: value.transpose()?,
                replaced: replaced.collect::<Result<_, _>>()?,
            };
            seen.insert(token.name, known);
        }
        Ok(file.with_seen(seen))
    }
}

fn wire_digest(digest: Digest) -> String {
    Base64::encode_string(&digest.0)
}

fn read_digest(text: &str) -> Result<Digest, WireError> {
    let mut digest = [0; 32];
    match Base64::decode(text, &mut digest) {
        Ok(bytes) if bytes.len() == 32 => Ok(Digest(digest)),
        _ => Err(bad("token's digest")),
    }
}
