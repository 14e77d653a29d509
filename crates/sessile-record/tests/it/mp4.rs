//! One file, fetched whole or in ranges.

use std::fs;

use sessile_practice::{Fault, MediaFault};
use sessile_record::{Event, Existing, RecordError};

use crate::stage::Stage;

#[tokio::test]
async fn a_file_is_recorded_byte_for_byte() {
    for stream in ["clip", "whole"] {
        let stage = Stage::new().await;
        let take = stage.record("open", stream).await;
        stage.is_exact(&take, stream);
        stage.is_tidy(&take);
    }
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_is_mended() {
    for kind in [
        MediaFault::Cut { after: 70_000 },
        MediaFault::Fail { status: 500 },
        MediaFault::Fail { status: 503 },
        MediaFault::LongLength,
        MediaFault::Short,
        MediaFault::Stall { after: 70_000 },
        MediaFault::WholeForRange,
    ] {
        let stage = Stage::new().await;
        let media = stage.media("open", "clip").await;
        stage.site.add_fault(Fault::new("clip.mp4", kind).times(3));
        let take = stage.take(media, &stage.options()).await;
        eprintln!("{kind:?}");
        stage.is_exact(&take, "clip");
        stage.is_tidy(&take);
    }
}

#[tokio::test]
async fn a_server_without_ranges_is_asked_again_from_the_beginning() {
    let stage = Stage::new().await;
    let media = stage.media("open", "whole").await;
    stage.fault("clip.mp4", MediaFault::Cut { after: 70_000 });
    let take = stage.take(media, &stage.options()).await;
    stage.is_exact(&take, "whole");
}

#[tokio::test]
async fn a_range_that_was_not_asked_for_is_not_written() {
    let stage = Stage::new().await;
    let mut options = stage.options();
    options.retries = 1;
    let media = stage.media("open", "clip").await;
    // What comes first is cut, so that the rest is asked for by a range, or it is from the start.
    stage.fault("clip.mp4", MediaFault::Cut { after: 70_000 });
    stage
        .site
        .add_fault(Fault::new("clip.mp4", MediaFault::WrongRange).times(1000));
    let take = stage.take(media.clone(), &options).await;
    let error = take.done.unwrap_err();
    assert!(matches!(error, RecordError::Wrong { .. }), "{error:?}");
    assert!(!stage.file().exists());
}

#[tokio::test]
async fn a_broken_recording_goes_on_where_it_was() {
    let stage = Stage::new().await;
    let mut options = stage.options();
    (options.retries, options.parallel) = (0, 1);
    let media = stage.media("open", "clip").await;
    stage
        .site
        .add_fault(Fault::new("clip.mp4", MediaFault::Cut { after: 300_000 }).times(1));
    let broken = stage.take(media.clone(), &options).await;
    assert!(broken.done.is_err());
    assert!(!stage.file().exists(), "it isn't complete");

    let take = stage.take(media, &options).await;
    stage.is_exact(&take, "clip");
    stage.is_tidy(&take);
    let resumed = take.events.iter().find_map(|event| match event {
        Event::Started { resumed, .. } => Some(*resumed),
        _ => None,
    });
    assert!(resumed.unwrap() > 0, "{:?}", take.events);
    let log = stage.site.log();
    let from_zero = log.iter().filter(|line| line.path.ends_with("clip.mp4"));
    let last = from_zero.filter_map(|line| line.range.clone()).next_back();
    assert!(!last.unwrap().starts_with("bytes=0-"), "{log:?}");
}

#[tokio::test]
async fn another_edition_takes_the_place_of_a_half_recorded_one() {
    let stage = Stage::new().await;
    let mut options = stage.options();
    options.retries = 0;
    let media = stage.media("open", "clip").await;
    stage
        .site
        .add_fault(Fault::new("clip.mp4", MediaFault::Cut { after: 300_000 }).times(1));
    stage.take(media.clone(), &options).await.done.unwrap_err();
    stage.fault("clip.mp4", MediaFault::Change);
    options.retries = 5;
    let take = stage.take(media, &options).await;
    stage.is_exact(&take, "clip");
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_recorded_is_never_mixed() {
    let stage = Stage::new().await;
    let media = stage.media("open", "clip").await;
    stage.fault("clip.mp4", MediaFault::Cut { after: 300_000 });
    stage
        .site
        .add_fault(Fault::new("clip.mp4", MediaFault::Change).after(1));
    let take = stage.take(media, &stage.options()).await;
    match &take.done {
        Ok(_) => stage.is_exact(&take, "clip"),
        Err(_) => assert!(!stage.file().exists()),
    }
}

#[tokio::test]
async fn a_file_that_is_there_stays() {
    let stage = Stage::new().await;
    fs::write(stage.file(), "mine").unwrap();
    let take = stage.record("open", "clip").await;
    let error = take.done.unwrap_err();
    assert!(matches!(error, RecordError::Exists { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(stage.file()).unwrap(), "mine");
    let mut options = stage.options();
    options.existing = Existing::Replace;
    let media = stage.media("open", "clip").await;
    let take = stage.take(media, &options).await;
    stage.is_exact(&take, "clip");
}

#[tokio::test]
async fn two_recordings_do_not_share_a_file() {
    let stage = Stage::new().await;
    let media = stage.media("open", "clip").await;
    stage.fault("clip.mp4", MediaFault::Stall { after: 300_000 });
    let options = stage.options();
    let (first, second) = tokio::join!(
        stage.take(media.clone(), &options),
        stage.take(media.clone(), &options)
    );
    let (good, bad) = match first.done.is_ok() {
        true => (first, second),
        false => (second, first),
    };
    stage.is_exact(&good, "clip");
    let error = bad.done.unwrap_err();
    assert!(matches!(error, RecordError::Busy { .. }), "{error:?}");
}
