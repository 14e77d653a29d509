//! What a playlist brings: what is fetched of it, and when it is loaded again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Done, Track};
use crate::hls::load;
use crate::hls::segment::Item;
use crate::plan::timeline::Name;
use crate::playlist::{Init, MediaPlaylist, Segment};
use crate::record::{Ended, Event, LiveFrom};

impl Track<'_> {
    /// Plans what a playlist has brought.
    pub(super) fn take_playlist(&mut self, media: &MediaPlaylist) {
        let start = match self.timeline.is_begun() || media.is_ended {
            true => 0,
            false => first(media, self.options().live_from),
        };
        let news = self.timeline.take(media, start);
        if news.has_restarted {
            self.shared
                .source
                .warn("the live playlist began anew; the recording goes on with it");
        }
        self.refresh(media, &news.known);
        if let Some((first, count)) = news.lost {
            let why = "they left the live playlist before they could be fetched".to_owned();
            self.tell_gap(first, count, why);
        }
        for (position, index) in &news.fresh {
            if self.ending.is_none() {
                self.plan(*position, &media.segments[*index]);
            }
        }
        if !news.fresh.is_empty() {
            self.heard = Instant::now();
        }
        if media.is_ended && self.total.is_none() {
            self.total = Some(self.recording.segments + self.schedule.len() as u64);
        }
        let wait = match news.fresh.is_empty() {
            true => media.target / 2,
            false => media.target,
        };
        // The segments are in the schedule now.
        self.loaded.media = MediaPlaylist {
            segments: Vec::new(),
            ..*media
        };
        if media.is_ended {
            self.ending = self.ending.or(Some(Ended::Complete));
        } else {
            self.end_if_silent();
            self.schedule_reload(wait);
        }
    }

    /// Segments that wait have the addresses of the newest playlist.
    fn refresh(&mut self, media: &MediaPlaylist, known: &[(u64, usize)]) {
        let known: HashMap<u64, usize> = known.iter().copied().collect();
        let epoch = self.loaded.epoch;
        let mut init: Option<Arc<Init>> = None;
        let mut inits = Vec::new();
        for item in self.schedule.items_mut() {
            match item.position {
                None => inits.push(item),
                Some(position) => {
                    let index = known.get(&position);
                    let Some(segment) = index.and_then(|index| media.segments.get(*index)) else {
                        continue;
                    };
                    item.place = segment.place.clone();
                    item.key.clone_from(&segment.key);
                    item.epoch = epoch;
                    init = segment.init.clone().or(init);
                }
            }
        }
        for item in inits {
            let mut all = media
                .segments
                .iter()
                .filter_map(|segment| segment.init.as_ref());
            let name = item.name();
            let found = all
                .find(|init| Name::of(&init.place) == name)
                .or(init.as_ref());
            if let Some(init) = found {
                item.place = init.place.clone();
                item.key.clone_from(&init.key);
                item.epoch = epoch;
            }
        }
    }

    fn plan(&mut self, position: u64, segment: &Segment) {
        let limit = self.options().duration;
        if limit.is_some_and(|limit| self.planned_time >= limit) {
            self.ending = Some(Ended::Duration);
            return;
        }
        if segment.is_gap {
            self.tell_gap(
                position,
                1,
                "the server says that it isn't there".to_owned(),
            );
            return;
        }
        if segment.is_discontinuous {
            let sequence = segment.sequence;
            self.shared.source.tell(Event::Discontinuity { sequence });
        }
        if let Some(init) = &segment.init {
            let name = Name::of(&init.place);
            if self.init != Some(name) {
                self.init = Some(name);
                self.schedule.push(Item {
                    place: init.place.clone(),
                    key: init.key.clone(),
                    sequence: segment.sequence,
                    position: None,
                    duration: Duration::ZERO,
                    epoch: self.loaded.epoch,
                });
            }
        }
        self.planned_time += segment.duration;
        self.schedule.push(Item {
            place: segment.place.clone(),
            key: segment.key.clone(),
            sequence: segment.sequence,
            position: Some(position),
            duration: segment.duration,
            epoch: self.loaded.epoch,
        });
    }

    pub(super) fn reload(&mut self) {
        self.reload_at = None;
        let shared = self.shared;
        let epoch = self.loaded.epoch;
        let (url, variables) = (self.loaded.url.clone(), self.loaded.variables.clone());
        self.jobs.push(Box::pin(async move {
            Done::Reloaded(epoch, load::load(shared.source, &url, &variables).await)
        }));
    }

    pub(super) fn schedule_reload(&mut self, wait: Duration) {
        if self.ending.is_none() {
            self.reload_at = Some(Instant::now() + wait);
        }
    }

    pub(super) fn end_if_silent(&mut self) {
        let is_silent = self.heard.elapsed() > self.options().live_patience;
        if is_silent && self.ending.is_none() {
            self.ending = Some(Ended::Silent);
        }
    }
}

/// Where a live recording begins.
fn first(media: &MediaPlaylist, from: LiveFrom) -> usize {
    if from == LiveFrom::Start {
        return 0;
    }
    // RFC 8216, section 6.3.3: no later than three target durations before the end.
    let wanted = media.target.saturating_mul(3);
    let mut left = Duration::ZERO;
    for (index, segment) in media.segments.iter().enumerate().rev() {
        left = left.saturating_add(segment.duration);
        if left >= wanted {
            return index;
        }
    }
    0
}
