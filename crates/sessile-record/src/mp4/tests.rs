use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::PART;
use crate::fake::{Answer, Asked, Folder, Site, ok, status};
use crate::media::Recorder;
use crate::record::{Ended, Event, RecordError};

/// A file of a few parts and a bit.
fn file(seed: u8) -> Arc<Vec<u8>> {
    let length = PART as usize * 3 + 12_345;
    let bytes = (0..length).map(|at| (at / 997) as u8 ^ (at % 251) as u8 ^ seed);
    Arc::new(bytes.collect())
}

fn range(asked: &Asked) -> Option<(usize, usize)> {
    let (start, end) = asked
        .header("range")?
        .strip_prefix("bytes=")?
        .split_once('-')?;
    Some((start.parse().ok()?, end.parse().ok()?))
}

/// As a server that gives parts.
fn serve(asked: &Asked, file: &[u8], tag: &str) -> Answer {
    let is_same = asked.header("if-range").is_none_or(|own| own == tag);
    match range(asked).filter(|_| is_same) {
        Some((start, _)) if start >= file.len() => status(416),
        Some((start, end)) => part(file, start, end.min(file.len() - 1)).header("etag", tag),
        None => ok(file).header("content-length", file.len().to_string()),
    }
}

fn part(file: &[u8], start: usize, end: usize) -> Answer {
    let range = format!("bytes {start}-{end}/{}", file.len());
    ok(&file[start..=end])
        .with_status(206)
        .header("content-range", range)
}

const TAG: &str = "\"one\"";

#[tokio::test(start_paused = true)]
async fn parts_make_the_file() {
    let all = file(0);
    let own = all.clone();
    let site = Site::new(move |asked| serve(asked, &own, TAG));
    let folder = Folder::new("v.mp4");
    let recorded = folder
        .record(site.media("/v.mp4", Recorder::Mp4))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == *all);
    assert_eq!(site.counts()["/v.mp4"], 4);
    assert_eq!(
        (recorded.bytes, recorded.ended),
        (all.len() as u64, Ended::Complete)
    );
}

#[tokio::test(start_paused = true)]
async fn one_request_at_a_time_where_that_is_asked_for() {
    let all = file(0);
    let own = all.clone();
    let site = Site::new(move |asked| serve(asked, &own, TAG));
    let mut folder = Folder::new("v.mp4");
    folder.options.parallel = 1;
    let recorded = folder
        .record(site.media("/v.mp4", Recorder::Mp4))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == *all);
    assert_eq!(site.counts()["/v.mp4"], 2);
}

#[tokio::test(start_paused = true)]
async fn faults_are_got_over() {
    let all = file(0);
    let own = all.clone();
    let site = Site::new(move |asked| match (asked.count, range(asked)) {
        (1, _) => serve(asked, &own, TAG).cut(),
        (2, _) => status(500),
        // Not what was asked for.
        (3, Some((start, end))) => part(&own, start + 1, end).header("etag", TAG),
        (4, Some((start, end))) => {
            let right = format!("bytes {start}-{end}/{}", own.len());
            ok(&own[start..=start + 9])
                .with_status(206)
                .header("content-range", right)
        }
        _ => serve(asked, &own, TAG),
    });
    let folder = Folder::new("v.mp4");
    let recorded = folder
        .record(site.media("/v.mp4", Recorder::Mp4))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == *all);
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_was_killed_goes_on_where_the_file_is_the_same() {
    let all = file(0);
    let own = all.clone();
    let first = Arc::new(AtomicUsize::new(0));
    let is_first = first.clone();
    let site = Site::new(move |asked| match range(asked) {
        Some((start, _)) if start > 0 && is_first.load(Ordering::SeqCst) == 0 => {
            serve(asked, &own, TAG).stall()
        }
        _ => serve(asked, &own, TAG),
    });
    let folder = Folder::new("v.mp4");
    let media = || site.media("/v.mp4", Recorder::Mp4);
    let killed = tokio::time::timeout(Duration::from_secs(5), folder.record(media())).await;
    assert!(killed.is_err());
    first.store(1, Ordering::SeqCst);
    let before = site.asked().len();
    let recorded = folder.record(media()).await.unwrap();
    assert!(folder.read(&recorded) == *all);
    let asked = site.asked().split_off(before);
    assert!(
        asked
            .iter()
            .all(|asked| asked.header("if-range") == Some(TAG))
    );
    assert!(
        asked
            .iter()
            .all(|asked| range(asked).unwrap().0 >= PART as usize)
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_another_one_by_now_is_recorded_anew() {
    let (old, new) = (file(0), file(1));
    let now = new.clone();
    let is_new = Arc::new(AtomicUsize::new(0));
    let seen = is_new.clone();
    let site = Site::new(
        move |asked| match (seen.load(Ordering::SeqCst), range(asked)) {
            (0, Some((0, _))) => serve(asked, &old, TAG),
            (0, _) => serve(asked, &old, TAG).stall(),
            _ => serve(asked, &now, "\"two\""),
        },
    );
    let folder = Folder::new("v.mp4");
    let media = || site.media("/v.mp4", Recorder::Mp4);
    let killed = tokio::time::timeout(Duration::from_secs(5), folder.record(media())).await;
    assert!(killed.is_err());
    is_new.store(1, Ordering::SeqCst);
    let recorded = folder.record(media()).await.unwrap();
    assert!(folder.read(&recorded) == *new);
    assert_eq!(folder.count(|event| matches!(event, Event::Warning(_))), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_stays_when_the_file_can_not_be_had_for_a_while() {
    let (old, new) = (file(0), file(1));
    let state = Arc::new(AtomicUsize::new(0));
    let seen = state.clone();
    let (own, other) = (old.clone(), new.clone());
    let site = Site::new(move |asked| {
        let first = range(asked).is_some_and(|(start, _)| start == 0);
        match seen.load(Ordering::SeqCst) {
            0 if first => serve(asked, &own, TAG),
            // It has changed, and what it has become isn't there either.
            1 if asked.header("if-range").is_some() => serve(asked, &other, "\"two\""),
            2 => serve(asked, &own, TAG),
            _ => status(404),
        }
    });
    let mut folder = Folder::new("v.mp4");
    // What is under way when another part fails may be written or not.
    folder.options.parallel = 1;
    let media = || site.media("/v.mp4", Recorder::Mp4);
    for run in [0, 0, 1] {
        state.store(run, Ordering::SeqCst);
        let error = folder.record(media()).await.unwrap_err();
        let is_refused = matches!(error, RecordError::Refused { status: 404, .. });
        assert!(is_refused, "{error}");
        let part = std::fs::read(folder.folder.path().join("v.mp4.part")).unwrap();
        assert!(part.starts_with(&old[..PART as usize]), "run {run}");
    }
    state.store(2, Ordering::SeqCst);
    let before = site.asked().len();
    let recorded = folder.record(media()).await.unwrap();
    assert!(folder.read(&recorded) == *old);
    let asked = site.asked().split_off(before);
    assert!(asked.iter().all(|asked| range(asked).unwrap().0 > 0));
}

#[tokio::test(start_paused = true)]
async fn parts_of_two_states_are_never_mixed_where_the_server_ignores_conditions() {
    let (old, new) = (file(0), file(1));
    let now = new.clone();
    let site = Site::new(move |asked| {
        let (start, end) = range(asked).unwrap();
        let (file, tag) = match asked.count {
            0 => (&old, TAG),
            _ => (&now, "\"two\""),
        };
        part(file, start, end.min(file.len() - 1)).header("etag", tag)
    });
    let folder = Folder::new("v.mp4");
    let recorded = folder
        .record(site.media("/v.mp4", Recorder::Mp4))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == *new);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_parts_is_read_whole() {
    let all = file(0);
    let own = all.clone();
    let site = Site::new(move |asked| {
        let answer = ok(own.to_vec()).header("content-length", own.len().to_string());
        match asked.before {
            0 => answer.cut(),
            1 => ok(&own[1..]).header("content-length", own.len().to_string()),
            _ => answer,
        }
    });
    let folder = Folder::new("v.mp4");
    let recorded = folder
        .record(site.media("/v.mp4", Recorder::Mp4))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == *all);
}

#[tokio::test(start_paused = true)]
async fn an_empty_file_is_a_file() {
    let site = Site::new(|asked| serve(asked, b"", TAG));
    let folder = Folder::new("v.mp4");
    let recorded = folder
        .record(site.media("/v.mp4", Recorder::Mp4))
        .await
        .unwrap();
    assert_eq!(folder.read(&recorded), b"");
}

#[tokio::test(start_paused = true)]
async fn a_stop_keeps_what_is_there() {
    let all = file(0);
    let site = Site::new(move |asked| serve(asked, &all, TAG).stall());
    let folder = Folder::new("v.mp4");
    let stop = folder.options.stop.clone();
    let media = site.media("/v.mp4", Recorder::Mp4);
    let (recorded, ()) = tokio::join!(folder.record(media), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        stop.stop();
    });
    assert_eq!(recorded.unwrap().ended, Ended::Stopped);
    assert_eq!(folder.files(), ["v.mp4.part", "v.mp4.part.journal"]);
    let journal = std::fs::read_to_string(folder.folder.path().join("v.mp4.part.journal"));
    let journal = journal.unwrap();
    let last = journal.lines().next_back().unwrap();
    assert!(last.starts_with("safe "), "a reboot loses it: {journal}");
}

#[tokio::test(start_paused = true)]
async fn what_is_there_already_stays() {
    let site = Site::new(|asked| serve(asked, b"x", TAG));
    let folder = Folder::new("v.mp4");
    std::fs::write(folder.folder.path().join("v.mp4"), "mine").unwrap();
    let error = folder
        .record(site.media("/v.mp4", Recorder::Mp4))
        .await
        .unwrap_err();
    assert!(matches!(error, RecordError::Exists { .. }), "{error}");
    assert!(site.asked().is_empty());
}
