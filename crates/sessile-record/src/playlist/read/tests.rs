use super::*;

fn base() -> Url {
    "https://a.test/show/list.m3u8?token=x".parse().unwrap()
}

fn parse(text: &str) -> Result<Playlist, String> {
    let playlist = read(
        text.as_bytes(),
        &base(),
        &Variables::default(),
        Limits::default(),
    );
    playlist.map_err(|fault| fault.to_string())
}

#[track_caller]
fn media(lines: &str) -> MediaPlaylist {
    let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n{lines}");
    match parse(&text) {
        Ok(Playlist::Media(media)) => media,
        other => panic!("{other:?}"),
    }
}

#[test]
fn segments_have_their_numbers_and_places() {
    let media = media(
        "#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:4,\na.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:3.5\n\
         //b.test/x/b.ts\n#EXT-X-GAP\n#EXTINF:4,\r\n/c.ts\r\n#EXT-X-ENDLIST\n",
    );
    let seen: Vec<_> = media
        .segments
        .iter()
        .map(|segment| {
            (
                segment.sequence,
                segment.place.url.as_str(),
                segment.is_discontinuous,
                segment.is_gap,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (7, "https://a.test/show/a.ts", false, false),
            (8, "https://b.test/x/b.ts", true, false),
            (9, "https://a.test/c.ts", false, true),
        ]
    );
    assert!(media.is_ended && !media.keeps_all);
    assert_eq!(media.segments[1].duration, Duration::from_millis(3_500));
}

#[test]
fn byte_ranges_go_on() {
    let media = media(
        "#EXT-X-MAP:URI=\"v.mp4\",BYTERANGE=\"100@0\"\n#EXTINF:4,\n#EXT-X-BYTERANGE:50@100\nv.mp4\n\
         #EXTINF:4,\n#EXT-X-BYTERANGE:60\nv.mp4\n",
    );
    let ranges: Vec<_> = media
        .segments
        .iter()
        .map(|segment| segment.place.range.map(|range| (range.start, range.length)))
        .collect();
    assert_eq!(ranges, [Some((100, 50)), Some((150, 60))]);
    let init = media.segments[1].init.as_ref().unwrap();
    assert_eq!(init.place.range.unwrap().length, 100);
}

#[test]
fn keys_hold_until_the_next() {
    let media = media(
        "#EXTINF:4,\na.ts\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x0A\n#EXTINF:4,\nb.ts\n\
         #EXTINF:4,\nc.ts\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\"\n#EXTINF:4,\nd.ts\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"k2\"\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"skd://x\",KEYFORMAT=\"com.other\"\n#EXTINF:4,\ne.ts\n\
         #EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\nf.ts\n",
    );
    let mut iv = [0; 16];
    iv[15] = 10;
    let key = |name: &str, iv| Key::Aes128 {
        url: base().join(name).unwrap(),
        iv,
    };
    let seen: Vec<_> = media
        .segments
        .iter()
        .map(|segment| segment.key.as_deref().cloned())
        .collect();
    let ours = Some(key("k", Some(iv)));
    let other = Some(Key::Other("SAMPLE-AES".into()));
    assert_eq!(
        seen,
        [None, ours.clone(), ours, other, Some(key("k2", None)), None]
    );
}

#[test]
fn variants_and_audio_are_listed() {
    let text = "#EXTM3U\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",DEFAULT=YES,URI=\"en.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"en\",URI=\"s.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=2000000,RESOLUTION=1280x720,AUDIO=\"a\"\nhd.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=500000\nsd.m3u8\n";
    let Ok(Playlist::Main(main)) = parse(text) else {
        panic!("it lists variants");
    };
    assert_eq!(main.variants[0].height, Some(720));
    assert_eq!(main.variants[1].url.path(), "/show/sd.m3u8");
    assert_eq!(main.audio.len(), 1);
}

#[test]
fn variables_are_filled_in() {
    let media = media(
        "#EXT-X-DEFINE:NAME=\"p\",VALUE=\"q/r\"\n#EXT-X-DEFINE:QUERYPARAM=\"token\"\n\
         #EXTINF:4,\n{$p}/a.ts?t={$token}\n",
    );
    let url = &media.segments[0].place.url;
    assert_eq!(url.as_str(), "https://a.test/show/q/r/a.ts?t=x");
}

#[test]
fn what_cant_be_used_is_named() {
    let check = |lines: &str, expected: &str| {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n{lines}\n#EXTINF:4,\na.ts\n");
        let fault = parse(&text).unwrap_err();
        assert!(fault.contains(expected), "{lines}: {fault}");
    };
    check(
        "#EXT-X-MEDIA-SEQUENCE:-5",
        "#EXT-X-MEDIA-SEQUENCE can't be read",
    );
    check("#EXT-X-MEDIA-SEQUENCE:18446744073709551615", "too large");
    check("#EXTINF:-4,\nb.ts", "negative");
    check("#EXTINF:nan,\nb.ts", "");
    check("#EXTINF:1e300,\nb.ts", "longer than a day");
    check("b.ts", "line 3: a segment has no EXTINF");
    check("#EXTINF:4,\nfile:///etc/passwd", "begins with file:");
    check("#EXTINF:4,\ndata:video/mp2t,AAAA", "begins with data:");
    check(
        "#EXT-X-KEY:METHOD=AES-128,URI=\"file:///etc/passwd\"",
        "begins with file:",
    );
    check("#EXT-X-KEY:METHOD=AES-128", "the key has no address");
    check(
        "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x123456789012345678901234567890123",
        "IV",
    );
    check("#EXT-X-BYTERANGE:10", "no start");
    check(
        "#EXT-X-BYTERANGE:18446744073709551615@18446744073709551615",
        "too large",
    );
    check("#EXT-X-BYTERANGE:0@0", "empty");
    check("#EXT-X-MAP:URI=\"gopher://x/\"", "begins with gopher:");
    check("#EXTINF:4,\n{$x}.ts", "a variable");
    check(
        "#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8",
        "variants and segments",
    );
    check("#EXT-X-SKIP:SKIPPED-SEGMENTS=3", "part of a playlist");
    assert_eq!(
        parse("<html>").unwrap_err(),
        "it doesn't begin with #EXTM3U"
    );
    assert_eq!(parse("#EXTM3U\n").unwrap_err(), "it lists nothing");
}

#[test]
fn a_billion_segments_end_at_the_limit() {
    let limits = Limits {
        segments: 10,
        ..Limits::default()
    };
    let text = format!("#EXTM3U\n{}", "#EXTINF:1,\na.ts\n".repeat(11));
    let fault = read(text.as_bytes(), &base(), &Variables::default(), limits).unwrap_err();
    assert_eq!(fault.to_string(), "line 23: it has more than 10 segments");
}
