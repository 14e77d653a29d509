//! What a resolver found: in this process with its session, for another one by the session's name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sessile::ShownUrl;
use sessile::clock::Timestamp;
use sessile::site::MediaRules;
use sha2::{Digest, Sha256};
use url::Url;

use crate::through::Through;

/// Media that can be recorded, with the session that found it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Media {
    /// Where it is.
    pub resolved_url: Url,
    /// What records it.
    pub recorder: Recorder,
    /// The session that found it and fetches it.
    pub session: Through,
    /// Headers beside the session's.
    pub headers: Vec<(String, String)>,
    /// What it is called, as the page has it.
    pub title: Option<String>,
    /// When the address stops working, as far as it says so.
    pub expires: Option<Timestamp>,
    /// The page that it was found on: asked again when the address has stopped working.
    pub page: Url,
    /// The site's own rules that found it.
    pub rules: Option<Arc<MediaRules>>,
    /// Its playlist, where that is what the page answered: it needn't be fetched again.
    pub(crate) seen: Option<Arc<Seen>>,
}

/// A playlist as it came.
pub(crate) struct Seen {
    /// Where it was redirected to.
    pub(crate) base: Url,
    pub(crate) text: String,
}

/// What records a kind of media.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Recorder {
    /// A playlist of segments, on demand or live.
    Hls,
    /// One file that is fetched as it is: MP4, WebM, audio.
    Mp4,
}

impl Recorder {
    /// Its name.
    pub fn id(self) -> &'static str {
        match self {
            Self::Hls => "hls",
            Self::Mp4 => "mp4",
        }
    }
}

impl fmt::Display for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Media {
    /// Media at a known address, without a page.
    pub fn at(resolved_url: Url, recorder: Recorder, session: Through) -> Self {
        Self {
            page: resolved_url.clone(),
            resolved_url,
            recorder,
            session,
            headers: Vec::new(),
            title: None,
            expires: None,
            rules: None,
            seen: None,
        }
    }

    /// Tells the recording of this page's media from that of others'. The query says which video it
    /// is; only where the page is the media itself it may be a signature, new each time.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut page = self.page.clone();
        page.set_fragment(None);
        if self.is_direct() {
            page.set_query(None);
        }
        let digest = Sha256::digest(page.as_str().as_bytes());
        u64::from_be_bytes(*digest.first_chunk().expect("a digest has 32 bytes"))
    }

    /// Whether it was linked directly, without a page.
    pub(crate) fn is_direct(&self) -> bool {
        self.page == self.resolved_url
    }

    /// What another process needs to record it.
    pub fn handover(&self) -> Handover {
        let expires = self.expires.map(Timestamp::as_seconds);
        let expires = expires.and_then(|at| jiff::Timestamp::from_second(at).ok());
        Handover {
            resolved_url: self.resolved_url.clone(),
            recorder_id: self.recorder,
            session: self.session.name().map(ToString::to_string),
            headers: self.headers.iter().cloned().collect(),
            title: self.title.clone(),
            expires: expires.map(|at| at.to_string()),
            page: Some(self.page.clone()),
        }
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("resolved_url", &ShownUrl(&self.resolved_url))
            .field("recorder", &self.recorder)
            .field("page", &ShownUrl(&self.page))
            .finish_non_exhaustive()
    }
}

/// Media as JSON: what `sessile resolve --json` prints and `sessile record --resolved` reads.
///
/// The session goes over by its name; its cookies stay in the store.
#[derive(Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Handover {
    /// Where it is.
    pub resolved_url: Url,
    /// What records it.
    pub recorder_id: Recorder,
    /// The name of the session to record through.
    #[serde(default)]
    pub session: Option<String>,
    /// Headers beside the session's.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What it is called.
    #[serde(default)]
    pub title: Option<String>,
    /// When the address stops working, by RFC 3339.
    #[serde(default)]
    pub expires: Option<String>,
    /// The page that it was found on.
    #[serde(default)]
    pub page: Option<Url>,
}

impl Handover {
    /// The media, to be recorded through this session.
    pub fn with(self, session: Through, rules: Option<Arc<MediaRules>>) -> Media {
        let expires = self.expires.as_deref().and_then(|at| at.parse().ok());
        let expires = expires.map(|at: jiff::Timestamp| Timestamp::from_seconds(at.as_second()));
        Media {
            page: self.page.unwrap_or_else(|| self.resolved_url.clone()),
            resolved_url: self.resolved_url,
            recorder: self.recorder_id,
            session,
            headers: self.headers.into_iter().collect(),
            title: self.title,
            expires,
            rules,
            seen: None,
        }
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover")
            .field("resolved_url", &ShownUrl(&self.resolved_url))
            .field("recorder_id", &self.recorder_id)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
