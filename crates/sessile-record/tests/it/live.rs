//! Streams that go on while they are recorded.

use std::time::Duration;

use sessile_practice::{Clock, Fault, MediaFault, Options};
use sessile_record::{Ended, Event, LiveFrom};

use crate::stage::{Stage, Take};

#[tokio::test]
async fn a_live_stream_is_recorded_to_its_end() {
    let (stage, take) = steps(|_| ()).await;
    stage.is_exact(&take, "steps");
    stage.is_tidy(&take);
    let done = take.done.unwrap();
    assert_eq!((done.segments, done.ended), (Some(24), Ended::Complete));
    assert_eq!(done.gaps, []);
    assert_eq!(stage.asked(".ts"), 24, "none twice");
}

#[tokio::test]
async fn a_playlist_that_jumps_back_brings_nothing_twice() {
    let fault = Fault::new("index.m3u8", MediaFault::Jump { by: -7 });
    let (stage, take) = steps(|stage| stage.site.add_fault(fault.after(2))).await;
    stage.is_exact(&take, "steps");
    assert_eq!(stage.asked(".ts"), 24, "none twice");
}

#[tokio::test]
async fn a_playlist_that_jumps_ahead_leaves_a_gap_with_a_name() {
    let fault = Fault::new("index.m3u8", MediaFault::Jump { by: 5 });
    let (stage, take) = steps(|stage| stage.site.add_fault(fault.after(2))).await;
    let gaps = &take.done.as_ref().unwrap().gaps;
    // The third look shows 13 to 18 in place of 8 to 13; 0 to 9 were there.
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].first, gaps[0].count), (10, 3));
    let is_gap = |event: &Event| matches!(event, Event::Gap(_));
    assert_eq!(take.count(is_gap), 1);
    assert_eq!(stage.asked(".ts"), 21);
}

#[tokio::test]
async fn segments_that_fail_and_reloads_that_fail_are_tried_again() {
    let (stage, take) = steps(|stage| {
        let cut = MediaFault::Cut { after: 1_000 };
        stage
            .site
            .add_fault(Fault::new("plain-", cut).every(5).times(4));
        let fail = MediaFault::Fail { status: 502 };
        stage
            .site
            .add_fault(Fault::new("index.m3u8", fail).after(1).every(2).times(2));
    })
    .await;
    let done = take.done.as_ref().unwrap();
    assert_eq!(done.ended, Ended::Complete);
    // A failing reload may cost the window, which is then named; nothing else is missing.
    let lost: u64 = done.gaps.iter().map(|gap| gap.count).sum();
    assert_eq!(done.segments, Some(24 - lost), "{done:?}");
    if lost == 0 {
        stage.is_exact(&take, "steps");
    }
}

#[tokio::test]
async fn a_live_stream_without_end_ends_when_it_is_told_to() {
    let clock = Clock::system();
    let stage = Stage::with(Options {
        clock: clock.clone(),
        ..Options::default()
    })
    .await;
    let mut options = stage.options();
    options.duration = Some(Duration::from_secs(7));
    let media = stage.media("open", "live").await;
    // Time flies at the site, as soon as something was recorded.
    let take = stage.take_and(media, &options, move |event| {
        if matches!(event, Event::Progress { .. }) {
            clock.advance(Duration::from_millis(200));
        }
    });
    let take = take.await;
    let done = take.done.unwrap();
    assert_eq!((done.segments, done.ended), (Some(14), Ended::Duration));
    assert!(
        take.events
            .iter()
            .any(|event| matches!(event, Event::Started { is_live: true, .. }))
    );
}

/// Records the stream that goes on by reloads, from its start.
async fn steps(prepare: impl FnOnce(&Stage)) -> (Stage, Take) {
    let stage = Stage::new().await;
    let mut options = stage.options();
    options.live_from = LiveFrom::Start;
    let page = stage.url("/media/open/steps/index.m3u8");
    let through = stage.stranger();
    // The page is not looked at, which would move the stream.
    let media = sessile_record::Media::at(page, sessile_record::Recorder::Hls, through);
    prepare(&stage);
    let take = stage.take(media, &options).await;
    (stage, take)
}
