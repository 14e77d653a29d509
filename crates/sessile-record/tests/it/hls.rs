//! Segments of a stream on demand.

use std::fs;
use std::time::Duration;

use sessile_practice::{Fault, MediaFault};
use sessile_record::{Ended, Event, Quality};

use crate::stage::Stage;

/// How many segments the practice site's streams have, and how long one lasts.
const SEGMENTS: u64 = 24;
const EACH: Duration = Duration::from_millis(500);

#[tokio::test]
async fn every_kind_of_stream_is_recorded_byte_for_byte() {
    for stream in [
        "vod", "aes", "bytes", "fmp4", "single", "seams", "turns", "variants",
    ] {
        let stage = Stage::new().await;
        let take = stage.record("open", stream).await;
        stage.is_exact(&take, stream);
        stage.is_tidy(&take);
        let done = take.done.unwrap();
        let expected = if stream == "seams" || stream == "turns" {
            2 * SEGMENTS
        } else {
            SEGMENTS
        };
        assert_eq!(done.segments, Some(expected), "{stream}");
        assert_eq!(done.ended, Ended::Complete, "{stream}");
        assert_eq!(done.gaps, [], "{stream}");
        assert!(
            stage.asked(".ts") + stage.asked(".m4s") <= expected + 2,
            "{stream}: none twice"
        );
    }
}

#[tokio::test]
async fn a_seam_is_told() {
    let stage = Stage::new().await;
    let take = stage.record("open", "seams").await;
    let is_seam =
        |event: &Event| matches!(event, Event::Discontinuity { sequence } if *sequence == SEGMENTS);
    assert_eq!(take.count(is_seam), 1, "{:?}", take.events);
}

#[tokio::test]
async fn a_segment_that_is_said_to_be_missing_is_named() {
    let stage = Stage::new().await;
    let take = stage.record("open", "gaps").await;
    stage.is_exact(&take, "gaps");
    let gaps = take.done.unwrap().gaps;
    assert_eq!((gaps.len(), gaps[0].first, gaps[0].count), (1, 5, 1));
    assert_eq!(stage.asked("plain-5.ts"), 0);
}

#[tokio::test]
async fn sound_of_its_own_comes_along() {
    let stage = Stage::new().await;
    let take = stage.record("open", "separate").await;
    stage.is_exact(&take, "separate");
    let beside = &take.done.unwrap().beside;
    assert_eq!(beside.len(), 1, "{beside:?}");
    // Twenty packets in each of the segments.
    assert_eq!(
        fs::read(&beside[0]).unwrap().len() as u64,
        SEGMENTS * 20 * 188
    );
}

#[tokio::test]
async fn the_variant_is_the_one_asked_for() {
    for (quality, row) in [
        (Quality::Best, "high"),
        (Quality::Worst, "low"),
        (Quality::Height(144), "plain"),
        (Quality::Height(50), "low"),
        (Quality::Bandwidth(500_000), "plain"),
    ] {
        let stage = Stage::new().await;
        let mut options = stage.options();
        options.quality = quality;
        let media = stage.media("open", "variants").await;
        let take = stage.take(media, &options).await;
        take.done.unwrap();
        assert_eq!(stage.asked(".ts"), SEGMENTS, "{quality:?}");
        assert_eq!(stage.asked(&format!("/{row}-")), SEGMENTS, "{quality:?}");
    }
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_is_mended() {
    for kind in [
        MediaFault::Cut { after: 5_000 },
        MediaFault::Fail { status: 500 },
        MediaFault::Fail { status: 404 },
        MediaFault::LongLength,
        MediaFault::Stall { after: 5_000 },
    ] {
        for stream in ["vod", "aes", "bytes"] {
            let stage = Stage::new().await;
            let media = stage.media("open", stream).await;
            stage
                .site
                .add_fault(Fault::new("plain", kind).after(3).every(6).times(3));
            let take = stage.take(media, &stage.options()).await;
            eprintln!("{kind:?}");
            stage.is_exact(&take, stream);
            stage.is_tidy(&take);
        }
    }
}

#[tokio::test]
async fn a_range_that_is_not_the_one_asked_for_is_asked_for_again() {
    for kind in [
        MediaFault::WrongRange,
        MediaFault::WholeForRange,
        MediaFault::Short,
    ] {
        let stage = Stage::new().await;
        let media = stage.media("open", "bytes").await;
        stage
            .site
            .add_fault(Fault::new("plain.ts", kind).after(3).every(6).times(3));
        let take = stage.take(media, &stage.options()).await;
        eprintln!("{kind:?}");
        stage.is_exact(&take, "bytes");
    }
}

#[tokio::test]
async fn a_playlist_that_fails_is_read_again() {
    let stage = Stage::new().await;
    let media = stage.media("open", "variants").await;
    stage
        .site
        .add_fault(Fault::new("index.m3u8", MediaFault::Fail { status: 500 }));
    stage
        .site
        .add_fault(Fault::new("high.m3u8", MediaFault::Cut { after: 100 }));
    let take = stage.take(media, &stage.options()).await;
    stage.is_exact(&take, "variants");
}

#[tokio::test]
async fn a_broken_recording_goes_on_where_it_was() {
    for stream in ["vod", "aes", "bytes", "fmp4"] {
        let stage = Stage::new().await;
        let mut options = stage.options();
        (options.retries, options.parallel) = (0, 2);
        let media = stage.media("open", stream).await;
        let row = if stream == "fmp4" { "fmp4-" } else { "plain" };
        let fault = Fault::new(row, MediaFault::Cut { after: 100 });
        stage.site.add_fault(fault.after(14).times(1));
        let broken = stage.take(media.clone(), &options).await;
        assert!(broken.done.is_err(), "{stream}");
        assert!(!stage.file().exists(), "{stream}: it isn't complete");
        let before = stage.asked(row);

        let take = stage.take(media, &options).await;
        stage.is_exact(&take, stream);
        stage.is_tidy(&take);
        let again = stage.asked(row) - before;
        assert!(again <= SEGMENTS - 8, "{stream}: {again} after {before}");
    }
}

#[tokio::test]
async fn a_recording_that_is_stopped_ends_at_a_segment() {
    let stage = Stage::new().await;
    let options = stage.options();
    let media = stage.media("open", "vod").await;
    let stop = options.stop.clone();
    let take = stage.take_and(media, &options, move |event| {
        if matches!(event, Event::Progress { segments: Some((done, _)), .. } if *done >= 5) {
            stop.stop();
        }
    });
    let done = take.await.done.unwrap();
    let found = fs::read(&done.path).unwrap();
    let original = stage.site.original("vod").unwrap();
    assert!(original.starts_with(&found));
    assert_eq!(found.len() % 18_800, 0);
    assert_eq!(done.segments, Some(found.len() as u64 / 18_800));
    assert!(
        matches!(done.ended, Ended::Stopped | Ended::Complete),
        "{done:?}"
    );
}

#[tokio::test]
async fn a_recording_ends_at_the_time_or_the_size_that_was_asked_for() {
    let stage = Stage::new().await;
    let mut options = stage.options();
    options.duration = Some(5 * EACH);
    let media = stage.media("open", "vod").await;
    let done = stage.take(media.clone(), &options).await.done.unwrap();
    assert_eq!((done.segments, done.ended), (Some(5), Ended::Duration));
    fs::remove_file(&done.path).unwrap();

    (options.duration, options.size) = (None, Some(50_000));
    let done = stage.take(media, &options).await.done.unwrap();
    assert_eq!(done.ended, Ended::Size);
    assert!((1..=3).contains(&done.segments.unwrap()), "{done:?}");
}
