//! Media to record: what there is, who may have it, and what goes wrong on demand.
//!
//! `shelf` holds the bytes, `stream` says which of them a stream is made of, `playlist` writes them
//! down, `fault` decides which request goes wrong. The pages are in `pages::media`.

mod fault;
mod playlist;
mod seal;
mod shelf;
mod stream;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

pub(crate) use fault::Trouble;
pub use fault::{Fault, MediaFault};
pub(crate) use shelf::{Shelf, Unreadable};
pub(crate) use stream::{Moment, Place, Stream};

use crate::secret::{self, Digest};
use crate::tickets::Tickets;

/// The media of a site, with what changes of them.
pub(crate) struct Media {
    shelf: Arc<Shelf>,
    start: SystemTime,
    state: Mutex<State>,
}

struct State {
    /// Counts the times that the clip was replaced.
    edition: usize,
    faults: fault::Desk,
    /// How often something went wrong.
    troubled: u64,
    /// What signs the links that end.
    key: String,
    passes: Tickets<()>,
    /// How often the playlist of each stream that goes on by reloads was read.
    reloads: HashMap<String, u64>,
}

impl Media {
    /// Those in `folder`, or made-up ones; their live streams begin `now`.
    pub(crate) fn open(folder: Option<&Path>, now: SystemTime) -> Result<Self, Unreadable> {
        Ok(Self {
            shelf: match folder {
                Some(folder) => Arc::new(Shelf::read(folder)?),
                None => Shelf::made_up(),
            },
            start: now,
            state: Mutex::new(State {
                edition: 0,
                faults: fault::Desk::default(),
                troubled: 0,
                key: secret::random(),
                passes: Tickets::new(),
                reloads: HashMap::new(),
            }),
        })
    }

    pub(crate) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// What is to go wrong from now on, in addition to what was asked for before.
    pub(crate) fn add_fault(&self, fault: Fault) {
        self.state().faults.add(fault);
    }

    /// What goes wrong with this request of somebody who was let in; it counts.
    pub(crate) fn troubles(&self, path: &str) -> Vec<Trouble> {
        let mut state = self.state();
        let troubles = state.faults.next(path);
        state.troubled += troubles.len() as u64;
        for trouble in &troubles {
            match trouble {
                Trouble::Change => state.edition += 1,
                Trouble::End => state.end(),
                _ => {}
            }
        }
        troubles
    }

    pub(crate) fn troubled(&self) -> u64 {
        self.state().troubled
    }

    pub(crate) fn edition(&self) -> usize {
        self.state().edition
    }

    /// Where a live stream stands; asking for its playlist may move it.
    pub(crate) fn moment(&self, path: &str, jump: i64, now: SystemTime) -> Moment {
        let mut state = self.state();
        let reloads = state.reloads.entry(path.to_owned()).or_default();
        let before = *reloads;
        // A look into the past is a copy that somebody kept: the stream itself stands still.
        *reloads += u64::from(jump >= 0);
        Moment {
            elapsed: now.duration_since(self.start).unwrap_or_default(),
            jump,
            reloads: before,
        }
    }

    /// The query of a link to `stream` that is good for `lifetime`.
    pub(crate) fn sign(&self, stream: &str, now: SystemTime, lifetime: Duration) -> String {
        let expires = seconds(now + lifetime);
        let signature = self.state().signature(stream, expires);
        format!("expires={expires}&signature={signature}")
    }

    /// Whether a link's query is one of ours and still good.
    pub(crate) fn is_signed(&self, stream: &str, query: &str, now: SystemTime) -> bool {
        let field = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(found, _)| *found == name)
                .map(|(_, value)| value)
        };
        let expires = field("expires").and_then(|text| text.parse::<u64>().ok());
        let (Some(expires), Some(signature)) = (expires, field("signature")) else {
            return false;
        };
        let expected = self.state().signature(stream, expires);
        seconds(now) < expires && Digest::of(&expected).matches(signature)
    }

    pub(crate) fn issue_pass(&self, now: SystemTime, lifetime: Duration) -> String {
        self.state().passes.issue((), now, lifetime)
    }

    pub(crate) fn has_pass(&self, pass: &str, now: SystemTime) -> bool {
        self.state().passes.value(pass, now).is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends the links and passes that are out.
    fn end(&mut self) {
        self.key = secret::random();
        self.passes.revoke_all(|()| true);
    }

    fn signature(&self, stream: &str, expires: u64) -> String {
        // Each part has a fixed length, so that no two of them can run together into one input.
        let stream = Digest::of(stream).hex();
        Digest::of(&format!("{}{stream}{expires:020}", self.key)).hex()
    }
}

fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: SystemTime = SystemTime::UNIX_EPOCH;
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_link_is_good_for_its_stream_and_its_time() {
        let media = Media::open(None, NOON).unwrap();
        let query = media.sign("vod", NOON, MINUTE);
        for (stream, query, now, expected) in [
            ("vod", query.as_str(), NOON, true),
            ("vod", &query, NOON + MINUTE, false),
            ("live", &query, NOON, false),
            ("vod", &query.replace("expires=6", "expires=7"), NOON, false),
            ("vod", "expires=60", NOON, false),
            ("vod", "", NOON, false),
        ] {
            assert_eq!(media.is_signed(stream, query, now), expected, "{query}");
        }
        media.add_fault(Fault::new("vod", MediaFault::End));
        assert_eq!(media.troubles("/media/signed/vod/index.m3u8").len(), 1);
        assert!(!media.is_signed("vod", &query, NOON));
    }
}
