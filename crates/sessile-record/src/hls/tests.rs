use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aes::cipher::array::Array;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};

use super::cipher::iv_of;
use crate::fake::{Answer, Asked, Folder, Site, html, ok, status};
use crate::media::Recorder;
use crate::record::{Ended, Event, Quality, RecordError, Stop};
use crate::{ResolveError, resolve};

/// What segment `number` holds.
fn segment(number: usize) -> Vec<u8> {
    let mut bytes = vec![0; 188 * (number % 5 + 2)];
    for (index, packet) in bytes.chunks_mut(188).enumerate() {
        packet[0] = 0x47;
        packet[1] = u8::try_from(number).unwrap();
        packet[2] = u8::try_from(index).unwrap();
    }
    bytes
}

fn whole(numbers: impl IntoIterator<Item = usize>) -> Vec<u8> {
    numbers.into_iter().flat_map(segment).collect()
}

fn list(numbers: std::ops::Range<usize>, end: &str) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{}\n",
        numbers.start
    );
    for number in numbers {
        writeln!(text, "#EXTINF:2,\n{number}.ts").unwrap();
    }
    text + end
}

const END: &str = "#EXT-X-ENDLIST\n";

fn number(asked: &Asked) -> Option<usize> {
    let path = asked.path.split('?').next()?;
    path.rsplit('/').next()?.strip_suffix(".ts")?.parse().ok()
}

fn vod(asked: &Asked, count: usize) -> Answer {
    match number(asked) {
        Some(number) => ok(segment(number)),
        None => ok(list(0..count, END)),
    }
}

#[tokio::test(start_paused = true)]
async fn segments_are_written_in_order_each_once() {
    let site = Site::new(|asked| vod(asked, 50));
    let folder = Folder::new("a.ts");
    let recorded = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == whole(0..50));
    assert!(site.counts().values().all(|count| *count == 1));
    assert_eq!(
        (recorded.segments, recorded.ended),
        (Some(50), Ended::Complete)
    );
    assert_eq!(recorded.media_time, Some(Duration::from_secs(100)));
}

#[tokio::test(start_paused = true)]
async fn faults_are_got_over() {
    let site = Site::new(|asked| match (number(asked), asked.before) {
        (Some(3), 0 | 1) => status(500),
        (Some(5), 0) => ok(segment(5)).cut(),
        (Some(0), 0) => ok(segment(0)).cut(),
        (Some(9), 0..3) => status(404).with_status(429).header("retry-after", "2"),
        (None, 0) => ok("#EXTM3U\n#EXTINF:2"),
        _ => vod(asked, 20),
    });
    let folder = Folder::new("a.ts");
    let recorded = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == whole(0..20));
}

#[tokio::test(start_paused = true)]
async fn a_stall_ends_and_the_segment_comes_again() {
    let site = Site::new(|asked| match (number(asked), asked.before) {
        (Some(4), 0) => ok(segment(4)).cut(),
        _ => vod(asked, 8),
    });
    let folder = Folder::new("a.ts");
    let recorded = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == whole(0..8));
}

#[tokio::test(start_paused = true)]
async fn a_segment_of_something_that_stays_is_never_left_out() {
    let is_back = Arc::new(AtomicUsize::new(0));
    let seen = is_back.clone();
    let site = Site::new(move |asked| match number(asked) {
        Some(7) if seen.load(Ordering::SeqCst) == 0 => status(404),
        _ => vod(asked, 10),
    });
    let folder = Folder::new("a.ts");
    let error = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap_err();
    assert!(
        matches!(error, RecordError::Refused { status: 404, .. }),
        "{error}"
    );
    is_back.store(1, Ordering::SeqCst);
    let before = site.counts()["/0.ts"];
    let recorded = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == whole(0..10));
    assert_eq!(
        site.counts()["/0.ts"],
        before,
        "what is there isn't fetched again"
    );
}

#[tokio::test(start_paused = true)]
async fn encrypted_segments_come_out_plain_and_the_key_is_asked_once() {
    const KEY: [u8; 16] = [9; 16];
    let site = Site::new(|asked| match number(asked) {
        Some(number) => {
            let mut bytes = segment(number);
            let added = 16 - bytes.len() % 16;
            bytes.extend(std::iter::repeat_n(added as u8, added));
            let iv = Array::from(iv_of(number as u64));
            let mut mode = cbc::Encryptor::<aes::Aes128>::new(&Array::from(KEY), &iv);
            mode.encrypt_blocks(Array::slice_as_chunks_mut(&mut bytes).0);
            ok(bytes)
        }
        None if asked.path == "/k" => ok(KEY),
        None => {
            let text = list(3..30, END);
            ok(text.replacen("#EXTINF", "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF", 1))
        }
    });
    let folder = Folder::new("a.ts");
    let recorded = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == whole(3..30));
    assert_eq!(site.counts()["/k"], 1);
}

#[tokio::test(start_paused = true)]
async fn parts_of_a_file_and_what_comes_before_them() {
    let file: Vec<u8> = (0..=255).cycle().take(1_000).collect();
    let all = file.clone();
    let site = Site::new(move |asked| match asked.path.as_str() {
        "/l.m3u8" => ok("#EXTM3U\n#EXT-X-TARGETDURATION:2\n\
            #EXT-X-MAP:URI=\"f.mp4\",BYTERANGE=\"100@0\"\n\
            #EXTINF:2,\n#EXT-X-BYTERANGE:300@100\nf.mp4\n#EXTINF:2,\n#EXT-X-BYTERANGE:200\nf.mp4\n\
            #EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"f.mp4\",BYTERANGE=\"50@600\"\n\
            #EXTINF:2,\n#EXT-X-BYTERANGE:350@650\nf.mp4\n#EXT-X-ENDLIST\n"),
        _ => {
            let range = asked
                .header("range")
                .unwrap()
                .strip_prefix("bytes=")
                .unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
            match start {
                // Another range than was asked for, then one that is short.
                100 if asked.before == 1 => part(&file, start + 1, end),
                100 if asked.before == 2 => part(&file, start, end - 1),
                // The whole file in place of the part.
                650 => ok(file.clone()),
                _ => part(&file, start, end),
            }
        }
    });
    let folder = Folder::new("a.mp4");
    let recorded = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert_eq!(folder.read(&recorded), all);
    assert_eq!(
        folder.count(|event| matches!(event, Event::Discontinuity { .. })),
        1
    );
}

fn part(file: &[u8], start: usize, end: usize) -> Answer {
    let range = format!("bytes {start}-{end}/{}", file.len());
    ok(&file[start..=end])
        .with_status(206)
        .header("content-range", range)
}

/// A site whose addresses are signed and end after some requests each.
fn signed(life: usize, count: usize) -> Arc<Site> {
    let state = Mutex::new((0, 0));
    Site::new(move |asked| {
        let mut state = state.lock().unwrap();
        if asked.path == "/watch" {
            *state = (state.0 + 1, 0);
            let page = format!("<video src='/s{0}/l.m3u8?sig={0}'></video>", state.0);
            return html(&page);
        }
        state.1 += 1;
        let is_right = asked.path.starts_with(&format!("/s{}/", state.0));
        if !is_right || state.1 > life {
            return status(403);
        }
        match number(asked) {
            Some(number) => ok(segment(number)),
            None => ok(list(0..count, END)),
        }
    })
}

#[tokio::test(start_paused = true)]
async fn signed_addresses_that_end_are_resolved_again() {
    let site = signed(12, 60);
    let page = "https://a.test/watch".parse().unwrap();
    let media = resolve(&site.session(), &page, None).await.unwrap();
    let folder = Folder::new("a.ts");
    let recorded = folder.record(media).await.unwrap();
    assert!(folder.read(&recorded) == whole(0..60));
    let again = folder.count(|event| matches!(event, Event::ResolvedAgain));
    assert!((5..12).contains(&again), "{again}");
}

#[tokio::test(start_paused = true)]
async fn a_hiccup_of_the_page_ends_nothing() {
    let shown = AtomicUsize::new(0);
    let signed = signed(12, 60);
    let inner = signed.clone();
    let site = Site::new(move |asked| {
        if asked.path == "/watch" {
            match shown.fetch_add(1, Ordering::SeqCst) {
                2..=4 => return status(503),
                7 => return status(429),
                _ => {}
            }
        }
        inner.answer(asked)
    });
    let page = "https://a.test/watch".parse().unwrap();
    let media = resolve(&site.session(), &page, None).await.unwrap();
    let folder = Folder::new("a.ts");
    let recorded = folder.record(media).await.unwrap();
    assert!(folder.read(&recorded) == whole(0..60));
}

#[tokio::test(start_paused = true)]
async fn a_way_in_that_leads_nowhere_is_given_up() {
    let site = signed(1, 60);
    let page = "https://a.test/watch".parse().unwrap();
    let media = resolve(&site.session(), &page, None).await.unwrap();
    let folder = Folder::new("a.ts");
    let error = folder.record(media).await.unwrap_err();
    assert!(
        matches!(error, RecordError::Refused { status: 403, .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_live_stream_is_followed_and_a_gap_named() {
    let site = Site::new(|asked| match number(asked) {
        Some(6) => status(404),
        Some(number) => ok(segment(number)),
        None => match asked.before {
            0 => ok(list(0..5, "")),
            1 => ok(list(2..7, "")),
            2 => status(503),
            // Segments 8 and 9 come and go unseen.
            3 => ok(list(3..8, "")),
            4 => ok(list(10..13, "")),
            _ => ok(list(11..14, END)),
        },
    });
    let mut folder = Folder::new("a.ts");
    folder.options.retries = 1;
    let recorded = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap();
    // Three target durations before the end.
    let expected = [2, 3, 4, 5, 7, 10, 11, 12, 13];
    assert!(folder.read(&recorded) == whole(expected));
    let gaps: Vec<_> = recorded
        .gaps
        .iter()
        .map(|gap| (gap.first, gap.count))
        .collect();
    assert_eq!(gaps, [(6, 1), (8, 2)]);
    assert_eq!(recorded.segments, Some(9));
}

#[tokio::test(start_paused = true)]
async fn a_live_stream_that_falls_silent_ends() {
    let site = Site::new(|asked| match number(asked) {
        Some(number) => ok(segment(number)),
        None => ok(list(0..3, "")),
    });
    let folder = Folder::new("a.ts");
    let recorded = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == whole(0..3));
    assert_eq!(recorded.ended, Ended::Silent);
}

#[tokio::test(start_paused = true)]
async fn time_and_size_end_a_recording() {
    let site = Site::new(|asked| vod(asked, 50));
    let mut folder = Folder::new("a.ts");
    folder.options.duration = Some(Duration::from_secs(7));
    let recorded = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == whole(0..4));
    assert_eq!(recorded.ended, Ended::Duration);
    let mut folder = Folder::new("a.ts");
    folder.options.size = Some(1_000);
    let recorded = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == whole(0..3));
    assert_eq!(recorded.ended, Ended::Size);
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_whole_segments_and_the_rest_comes_later() {
    let site = Site::new(|asked| match number(asked) {
        Some(6) if asked.before == 0 => ok(segment(6)).stall(),
        _ => vod(asked, 50),
    });
    let mut folder = Folder::new("a.ts");
    let stop = folder.options.stop.clone();
    folder.options.parallel = 3;
    let media = site.media("/l.m3u8", Recorder::Hls);
    let (recorded, ()) = tokio::join!(folder.record(media), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        stop.stop();
    });
    let recorded = recorded.unwrap();
    assert!(std::fs::read(&recorded.path).unwrap() == whole(0..6));
    assert_eq!(recorded.ended, Ended::Stopped);
    assert_eq!(folder.files(), ["a.ts", "a.ts.part", "a.ts.part.journal"]);

    // A run that was stopped before anything came leaves it all as it is.
    let again = folder.record(site.media("/l.m3u8", Recorder::Hls)).await;
    let error = again.unwrap_err().to_string();
    assert!(error.contains("it was stopped"), "{error}");
    assert_eq!(folder.files().len(), 3);

    folder.options.stop = Stop::new();
    let media = site.media("/l.m3u8", Recorder::Hls);
    let recorded = folder.record(media).await.unwrap();
    assert!(folder.read(&recorded) == whole(0..50));
    assert_eq!(site.counts().get("/3.ts"), Some(&1));
    // It is whole now, and nobody replaces it.
    let media = site.media("/l.m3u8", Recorder::Hls);
    let taken = folder.record(media).await.unwrap_err();
    assert!(matches!(taken, RecordError::Exists { .. }), "{taken}");
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_was_killed_goes_on() {
    let life = Arc::new(AtomicUsize::new(0));
    let left = life.clone();
    let site = Site::new(move |asked| {
        // Of the segments under way when it is killed, none has come whole.
        match number(asked) {
            Some(number) if number >= left.load(Ordering::SeqCst) => ok(segment(number)).stall(),
            _ => vod(asked, 40),
        }
    });
    let folder = Folder::new("a.ts");
    for reached in [7, 8, 23, 40] {
        life.store(reached, Ordering::SeqCst);
        let media = site.media("/l.m3u8", Recorder::Hls);
        let run = tokio::time::timeout(Duration::from_secs(5), folder.record(media)).await;
        match run {
            Ok(recorded) => assert_eq!(folder.read(&recorded.unwrap()), whole(0..40)),
            Err(_killed) => assert!(reached < 40),
        }
    }
    assert_eq!(site.counts()["/3.ts"], 1);
    assert_eq!(folder.files(), ["a.ts"]);
}

/// Pages of several videos, told apart by the query alone, each in two sizes.
fn videos() -> Arc<Site> {
    let asked_for_master = AtomicUsize::new(0);
    Site::new(move |asked| {
        let video = asked.path.rsplit('=').next().unwrap_or_default().to_owned();
        match asked.path.split('?').next().unwrap() {
            "/watch" => html(&format!("<video src='/{video}/m.m3u8'></video>")),
            path if path.ends_with("m.m3u8") => {
                let rate = 1_000 + asked_for_master.fetch_add(1, Ordering::SeqCst);
                ok(format!(
                    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH={rate},RESOLUTION=1x900\nl.m3u8\n\
                     #EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=1x100\nl.m3u8\n"
                ))
            }
            path if number(asked) == Some(5) && path.starts_with("/A") => status(404),
            _ => vod(asked, 9),
        }
    })
}

#[tokio::test(start_paused = true)]
async fn another_page_s_recording_is_put_aside_and_the_same_one_s_is_not() {
    let site = videos();
    let folder = Folder::new("a.ts");
    let media = async |video: &str| {
        let page = format!("https://a.test/watch?v={video}").parse().unwrap();
        resolve(&site.session(), &page, None).await.unwrap()
    };
    // The bits per second are others each time.
    for _ in 0..2 {
        folder.record(media("A").await).await.unwrap_err();
    }
    assert_eq!(site.counts()["/A/0.ts"], 1);
    let recorded = folder.record(media("B").await).await.unwrap();
    assert!(std::fs::read(&recorded.path).unwrap() == whole(0..9));
    let aside = folder.folder.path().join("a.ts.part.old-1");
    assert!(std::fs::read(aside).unwrap() == whole(0..5));
    assert_eq!(site.counts()["/B/0.ts"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_direct_link_with_other_segments_is_another_recording() {
    let site = Site::new(|asked| match number(asked) {
        Some(5) if asked.before < 3 => status(404),
        None if asked.path.ends_with("v=B") => {
            ok(list(0..9, END).replace("EXTINF:2", "EXTINF:1.5"))
        }
        _ => vod(asked, 9),
    });
    let folder = Folder::new("a.ts");
    let media = |query: &str| site.media(&format!("/l.m3u8?{query}"), Recorder::Hls);
    folder.record(media("v=A")).await.unwrap_err();
    let recorded = folder.record(media("v=B")).await.unwrap();
    assert!(std::fs::read(&recorded.path).unwrap() == whole(0..9));
    assert_eq!(site.counts()["/0.ts"], 2);
    assert!(folder.files().contains(&"a.ts.part.old-1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_variant_that_was_asked_for_and_its_audio() {
    let site = Site::new(|asked| match asked.path.as_str() {
        "/m.m3u8" => ok("#EXTM3U\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",URI=\"/a/l.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x100,AUDIO=\"a\"\n/lo/l.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=1x900\n/hi/l.m3u8\n"),
        "/lo/l.m3u8" | "/a/l.m3u8" => ok(list(0..9, END)),
        path if path.starts_with("/a/") => ok(segment(number(asked).unwrap() + 100)),
        _ => vod(asked, 0),
    });
    let mut folder = Folder::new("a.ts");
    folder.options.quality = Quality::Worst;
    let recorded = folder
        .record(site.media("/m.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert_eq!(folder.files(), ["a.audio.ts", "a.ts"]);
    assert_eq!(std::fs::read(&recorded.path).unwrap(), whole(0..9));
    assert_eq!(std::fs::read(&recorded.beside[0]).unwrap(), whole(100..109));
}

#[tokio::test(start_paused = true)]
async fn sound_of_its_own_ends_with_the_size_that_was_asked_for() {
    let site = Site::new(|asked| match asked.path.as_str() {
        "/m.m3u8" => ok("#EXTM3U\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",URI=\"/a/l.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x100,AUDIO=\"a\"\n/v/l.m3u8\n"),
        // A live stream that goes on as long as anybody looks.
        path if path.ends_with("l.m3u8") => {
            assert!(asked.before < 500, "it doesn't end");
            ok(list(asked.before..asked.before + 5, ""))
        }
        _ => ok(segment(number(asked).unwrap() % 200)),
    });
    let mut folder = Folder::new("a.ts");
    folder.options.size = Some(5_000);
    let recorded = folder
        .record(site.media("/m.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert_eq!(recorded.ended, Ended::Size);
    let sound = std::fs::read(&recorded.beside[0]).unwrap();
    assert!(sound.len() < 10_000, "{}", sound.len());
}

#[tokio::test(start_paused = true)]
async fn a_live_stream_that_ended_may_lack_its_last_segment() {
    let site = Site::new(|asked| match number(asked) {
        Some(5) => status(410),
        Some(number) => ok(segment(number)),
        None if asked.before == 0 => ok(list(0..3, "")),
        None => ok(list(2..6, END)),
    });
    let folder = Folder::new("a.ts");
    let recorded = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert!(folder.read(&recorded) == whole(0..5));
    assert_eq!((recorded.gaps[0].first, recorded.gaps[0].count), (5, 1));
}

#[tokio::test(start_paused = true)]
async fn a_live_segment_that_stays_shut_is_a_gap() {
    for is_direct in [true, false] {
        let site = Site::new(|asked| match number(asked) {
            Some(4) => status(403),
            Some(number) => ok(segment(number)),
            None if asked.path == "/watch" => html("<video src='/l.m3u8'></video>"),
            None if asked.before < 12 => ok(list(0..3 + asked.before / 2, "")),
            None => ok(list(0..9, END)),
        });
        let page = "https://a.test/watch".parse().unwrap();
        let media = match is_direct {
            true => site.media("/l.m3u8", Recorder::Hls),
            false => resolve(&site.session(), &page, None).await.unwrap(),
        };
        let mut folder = Folder::new("a.ts");
        folder.options.live_from = crate::record::LiveFrom::Start;
        let recorded = folder.record(media).await.unwrap();
        assert!(folder.read(&recorded) == whole((0..9).filter(|number| *number != 4)));
        assert_eq!((recorded.gaps[0].first, recorded.gaps[0].count), (4, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_in_the_end_is_no_failure() {
    let site = Site::new(|asked| vod(asked, 5));
    let folder = Folder::new("a.mp4");
    std::fs::write(folder.folder.path().join("a.ts"), "mine").unwrap();
    let recorded = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap();
    assert_eq!(folder.files(), ["a-2.ts", "a.ts"]);
    assert!(std::fs::read(recorded.path).unwrap() == whole(0..5));
    assert_eq!(folder.count(|event| matches!(event, Event::Warning(_))), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_to_where_a_redirect_may_not_lead() {
    const INSIDE: &str = "https://127.0.0.1/inside";
    for redirects in ["/l.m3u8", "/2.ts"] {
        let site = Site::new(move |asked| match asked.path == redirects {
            true => status(302).header("location", INSIDE),
            false => vod(asked, 5),
        });
        let folder = Folder::new("a.ts");
        let media = site.media("/l.m3u8", Recorder::Hls);
        let error = folder.record(media).await.unwrap_err().to_string();
        assert!(error.contains("an address of this machine"), "{error}");
        assert_eq!(site.counts().get("/inside"), None, "{redirects}");
    }
    for redirects in ["/page", "/frame"] {
        let site = Site::new(move |asked| match asked.path == redirects {
            true => status(302).header("location", INSIDE),
            false => html("<iframe src='/frame'></iframe>"),
        });
        let page = "https://a.test/page".parse().unwrap();
        let found = resolve(&site.session(), &page, None).await;
        assert!(found.is_err(), "{redirects}");
        assert_eq!(site.counts().get("/inside"), None, "{redirects}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_in_place_of_a_segment_is_not_recorded() {
    let site = Site::new(|asked| match number(asked) {
        Some(2) => html("<form>log in</form>"),
        _ => vod(asked, 5),
    });
    let folder = Folder::new("a.ts");
    let error = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap_err();
    assert!(matches!(error, RecordError::Wrong { .. }), "{error}");
    assert_eq!(folder.files(), ["a.ts.part", "a.ts.part.journal"]);
}

#[tokio::test(start_paused = true)]
async fn a_login_page_in_place_of_anything_is_said() {
    const FORM: &str = "<form><input name=user><input type=password></form>";
    for closed in ["/l.m3u8", "/2.ts"] {
        let site = Site::new(move |asked| match asked.path == closed {
            true => html(FORM),
            false => vod(asked, 5),
        });
        let folder = Folder::new("a.ts");
        let media = site.media("/l.m3u8", Recorder::Hls);
        let error = folder.record(media).await.unwrap_err();
        assert!(matches!(error, RecordError::LoggedOut { .. }), "{error}");
    }
    let site = Site::new(|_asked| html(FORM));
    let page = "https://a.test/page".parse().unwrap();
    let error = resolve(&site.session(), &page, None).await.unwrap_err();
    assert!(matches!(error, ResolveError::LoggedOut { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn addresses_of_this_machine_are_not_for_others() {
    let site =
        Site::new(|_asked| ok("#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"));
    let folder = Folder::new("a.ts");
    let error = folder
        .record(site.media("/l.m3u8", Recorder::Hls))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("an address of this machine"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_live_stream_waits_no_longer_than_it_may_be_silent() {
    let site = Site::new(|asked| match number(asked) {
        Some(4) => status(429).header("retry-after", "3000"),
        Some(number) => ok(segment(number)),
        None if asked.before < 12 => ok(list(0..3 + asked.before / 2, "")),
        None => ok(list(0..9, END)),
    });
    let mut folder = Folder::new("a.ts");
    folder.options.live_from = crate::record::LiveFrom::Start;
    let began = tokio::time::Instant::now();
    let media = site.media("/l.m3u8", Recorder::Hls);
    let recorded = folder.record(media).await.unwrap();
    assert!(folder.read(&recorded) == whole((0..9).filter(|number| *number != 4)));
    assert_eq!((recorded.gaps[0].first, recorded.gaps[0].count), (4, 1));
    assert!(began.elapsed() < Duration::from_secs(60));
}
