//! Logins, passes and links that end in the middle of a recording.

use sessile_practice::{Fault, MediaFault};
use sessile_record::{Event, LiveFrom, ResolveError};

use crate::stage::{Stage, Take};

#[tokio::test]
async fn a_login_that_dies_every_few_requests_costs_no_segment() {
    for door in ["member", "gate"] {
        for stream in ["vod", "aes", "bytes", "fmp4", "variants"] {
            let (stage, take) = often_ended(door, stream).await;
            assert!(stage.site.logins() > 2, "{door} {stream}");
            let renewed = take.count(|event| matches!(event, Event::Renewed));
            assert!(renewed > 0, "{door} {stream}");
        }
    }
}

#[tokio::test]
async fn a_link_or_a_pass_that_ends_every_few_requests_costs_no_segment() {
    for door in ["signed", "pass"] {
        for stream in ["vod", "aes", "bytes", "fmp4", "variants"] {
            let (_stage, take) = often_ended(door, stream).await;
            let again = take.count(|event| matches!(event, Event::ResolvedAgain));
            assert!(again > 0, "{door} {stream}: {:?}", take.events);
        }
    }
}

#[tokio::test]
async fn many_requests_at_once_notice_one_end() {
    for door in ["member", "signed"] {
        let stage = Stage::new().await;
        let media = stage.media(door, "seams").await;
        end_often(&stage, door, 20);
        let take = stage.take(media, &stage.options()).await;
        stage.is_exact(&take, "seams");
        assert_eq!(stage.site.logins(), 3, "{door}");
    }
}

#[tokio::test]
async fn a_login_that_dies_at_every_third_request_is_renewed_as_often() {
    for parallel in [1, 8] {
        let stage = Stage::new().await;
        let mut options = stage.options();
        options.parallel = parallel;
        let media = stage.media("member", "vod").await;
        end_often(&stage, "member", 3);
        let take = stage.take(media, &options).await;
        stage.is_exact(&take, "vod");
        assert!(stage.site.logins() > 8, "{parallel}");
    }
}

#[tokio::test]
async fn a_file_s_recording_survives_every_end() {
    for door in ["member", "gate", "signed", "pass"] {
        for stream in ["clip", "whole"] {
            let stage = Stage::new().await;
            let media = stage.media(door, stream).await;
            let cut = MediaFault::Cut { after: 200_000 };
            stage.site.add_fault(Fault::new("clip.mp4", cut).times(3));
            for before in [1, 3] {
                stage
                    .site
                    .add_fault(Fault::new("clip.mp4", MediaFault::End).after(before));
            }
            let take = stage.take(media, &stage.options()).await;
            eprintln!("{door}");
            stage.is_exact(&take, stream);
            stage.is_tidy(&take);
        }
    }
}

#[tokio::test]
async fn a_live_recording_survives_every_end() {
    for door in ["member", "signed"] {
        let stage = Stage::new().await;
        let mut options = stage.options();
        (options.live_from, options.parallel) = (LiveFrom::Start, 2);
        let media = stage.media(door, "steps").await;
        end_often(&stage, door, 7);
        let take = stage.take(media, &options).await;
        let done = take
            .done
            .as_ref()
            .unwrap_or_else(|error| panic!("{door}: {error}"));
        // Looking at the playlist moves this stream. What leaves it unseen is named, and nothing
        // else is missing or there twice.
        let found = std::fs::read(&done.path).unwrap();
        let lost: Vec<u64> = done
            .gaps
            .iter()
            .flat_map(|gap| gap.first..gap.first + gap.count)
            .collect();
        let first = 24 - done.segments.unwrap() - lost.len() as u64;
        let there = (first..24).filter(|number| !lost.contains(number));
        let original = stage.site.original("steps").unwrap();
        let segments: Vec<&[u8]> = original.chunks(18_800).collect();
        let expected: Vec<u8> = there
            .flat_map(|number| segments[number as usize].to_vec())
            .collect();
        assert!(found == expected, "{door}: {:?}", take.events);
        assert!(done.segments.unwrap() >= 14, "{door}: {done:?}");
    }
}

#[tokio::test]
async fn a_login_page_in_place_of_media_is_logged_in_at() {
    for has_check in [true, false] {
        let stage = Stage::new().await;
        let member = stage.member().await;
        if !has_check {
            stage.forget_check().await;
        }
        stage.site.kill_sessions();
        let page = stage.url("/members/soft");
        let error = sessile_record::resolve(&member, &page, None).await;
        let error = error.unwrap_err();
        assert!(matches!(error, ResolveError::Nothing { .. }), "{error}");
        assert_eq!(stage.site.logins(), 2, "{has_check}");
    }
}

#[tokio::test]
async fn a_form_that_members_see_too_is_no_login_that_is_gone() {
    for (has_check, logins) in [(true, 1), (false, 2)] {
        let stage = Stage::new().await;
        let member = stage.member().await;
        if !has_check {
            stage.forget_check().await;
        }
        let page = stage.url("/login");
        let error = sessile_record::resolve(&member, &page, None).await;
        let error = error.unwrap_err();
        assert!(matches!(error, ResolveError::Nothing { .. }), "{error}");
        assert_eq!(stage.site.logins(), logins, "{has_check}");
    }
}

#[tokio::test]
async fn who_can_not_log_in_again_is_told_and_keeps_what_there_is() {
    let stage = Stage::new().await;
    let mut options = stage.options();
    options.retries = 1;
    let mut media = stage.media("member", "vod").await;
    let url = media.resolved_url.clone();
    media.session = stage.stranger();
    (media.page, media.resolved_url) = (url.clone(), url);
    let take = stage.take(media, &options).await;
    let error = take.done.unwrap_err().to_string();
    assert!(error.contains("401"), "{error}");
    assert!(!stage.file().exists());
}

/// Records while all that is held ends at every seventh request.
async fn often_ended(door: &str, stream: &str) -> (Stage, Take) {
    let stage = Stage::new().await;
    let mut options = stage.options();
    options.parallel = 2;
    let media = stage.media(door, stream).await;
    end_often(&stage, door, 7);
    let take = stage.take(media, &options).await;
    stage.is_exact(&take, stream);
    stage.is_tidy(&take);
    (stage, take)
}

/// What the visitor holds ends at each `count`th request.
fn end_often(stage: &Stage, door: &str, count: u64) {
    let fault = Fault::new(&format!("/media/{door}/"), MediaFault::End);
    stage.site.add_fault(fault.every(count).times(1000));
}
