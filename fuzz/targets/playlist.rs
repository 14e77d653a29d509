//! Whatever bytes come as playlists, one after the other: what is read is within limits and can be
//! fetched, and no segment is recorded twice.
#![no_main]
#![expect(dead_code, reason = "a part of the recorder, without the rest of it")]

#[path = "../../crates/sessile-record/src/playlist/mod.rs"]
mod playlist;
#[path = "../../crates/sessile-record/src/plan/timeline.rs"]
mod timeline;

use libfuzzer_sys::fuzz_target;
use playlist::{Limits, MediaPlaylist, Playlist, Variables};
use timeline::Timeline;

const LIMITS: Limits = Limits {
    bytes: 4096,
    segments: 100,
    variants: 10,
};

fuzz_target!(|bytes: &[u8]| {
    let base = "https://a.test/b/c.m3u8?d=e".parse().unwrap();
    let mut timeline = Timeline::default();
    let mut next = 0;
    for text in bytes.split(|byte| *byte == 0) {
        let read = playlist::read(text, &base, &Variables::default(), LIMITS);
        let Ok(Playlist::Media(media)) = read else {
            continue;
        };
        check(&media);
        let news = timeline.take(&media, usize::from(text.len() % 2 == 0));
        for (position, _) in &news.fresh {
            assert!(*position >= next, "{position} was recorded before {next}");
            next = position + 1;
        }
        // One that is older than what was seen counts only when it comes twice.
        let was_taken = !news.fresh.is_empty() || !news.known.is_empty();
        if was_taken {
            assert!(timeline.take(&media, 0).fresh.is_empty(), "nothing is new twice");
        }
    }
});

fn check(media: &MediaPlaylist) {
    assert!(media.segments.len() <= LIMITS.segments);
    for (segment, number) in media.segments.iter().zip(0..) {
        assert_eq!(segment.sequence, media.segments[0].sequence + number);
        assert!(matches!(segment.place.url.scheme(), "http" | "https"));
        let end = segment.place.range.map(|range| range.start.checked_add(range.length));
        assert_ne!(end, Some(None));
    }
}
