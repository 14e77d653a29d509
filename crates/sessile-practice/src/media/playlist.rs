//! Playlists (RFC 8216), written line by line.

use std::fmt::Write as _;

use super::seal;
use super::shelf::{ROWS, Row, Shelf};
use super::stream::{Place, Stream};

/// The segment that is said to be missing.
const GAP: usize = 5;

/// The playlist of that name.
pub(super) fn of(stream: Stream, name: &str, shelf: &Shelf, place: &Place<'_>) -> Option<String> {
    let suffix = place.suffix;
    Some(match (stream, name) {
        (Stream::Clip | Stream::Whole, _) => return None,
        (Stream::Variants, "index") => variants(suffix),
        (Stream::Separate, "index") => separate(suffix),
        (Stream::Seams, "index") => seams(["plain", "other"], shelf, suffix)?,
        (Stream::Turns, "index") => seams(["fmp4", "wide"], shelf, suffix)?,
        (_, "index") => {
            let name = match stream {
                Stream::Fmp4 | Stream::Single => "fmp4",
                _ => "plain",
            };
            segments(stream, name, shelf.row(name)?, place)
        }
        (_, name) => segments(Stream::Vod, name, shelf.row(name)?, place),
    })
}

/// The number of the key and the vector of the `n`th of `count` segments: the first half has a
/// vector that is told, the second its sequence number.
pub(super) fn lock(n: usize, count: usize) -> (usize, u128) {
    match n < count / 2 {
        true => (0, seal::named_vector(n)),
        false => (1, n as u128),
    }
}

/// What there is of the stream that lacks a segment.
pub(super) fn without_gap(shelf: &Shelf) -> Vec<u8> {
    let Some(row) = shelf.row("plain") else {
        return Vec::new();
    };
    let there = row.segments.iter().enumerate().filter(|(n, _)| *n != GAP);
    there
        .flat_map(|(_, segment)| segment.bytes.to_vec())
        .collect()
}

fn segments(stream: Stream, name: &str, row: &Row, place: &Place<'_>) -> String {
    let window = stream.window(row, &place.moment);
    let count = row.segments.len();
    let mut text = head(row);
    let mut line = |line: String| text += &(line + "\n");
    line(format!("#EXT-X-MEDIA-SEQUENCE:{}", window.first));
    let rounds = window.first.saturating_sub(1) / count as u64;
    line(format!("#EXT-X-DISCONTINUITY-SEQUENCE:{rounds}"));
    let mut offset = 0;
    match (&row.init, stream) {
        (None, _) => {}
        (Some(init), Stream::Single) => {
            offset = init.len();
            let uri = format!("{name}.m4s{}", place.suffix);
            line(format!("#EXT-X-MAP:URI=\"{uri}\",BYTERANGE=\"{offset}@0\""));
        }
        (Some(_), _) => line(map_line(name, place.suffix)),
    }
    for n in window.first..window.end {
        let n = usize::try_from(n).unwrap_or_default();
        let Some(segment) = row.segments.get(n % count) else {
            continue;
        };
        if n > 0 && n % count == 0 {
            line("#EXT-X-DISCONTINUITY".to_owned());
        }
        match stream {
            Stream::Aes => line(key_line(n, count, place.suffix)),
            Stream::Gaps if n == GAP => line("#EXT-X-GAP".to_owned()),
            _ => {}
        }
        line(format!("#EXTINF:{:.6},", segment.seconds));
        match stream {
            Stream::Bytes | Stream::Single => {
                let length = segment.bytes.len();
                line(format!("#EXT-X-BYTERANGE:{length}@{offset}"));
                line(format!("{name}.{}{}", extension(row), place.suffix));
                offset += length;
            }
            _ => line(format!("{name}-{n}.{}{}", extension(row), place.suffix)),
        }
    }
    if window.is_last {
        line("#EXT-X-ENDLIST".to_owned());
    }
    text
}

fn key_line(n: usize, count: usize, suffix: &str) -> String {
    let (key, vector) = lock(n, count);
    let told = match key {
        0 => format!(",IV=0x{vector:032X}"),
        _ => String::new(),
    };
    format!("#EXT-X-KEY:METHOD=AES-128,URI=\"key-{key}.bin{suffix}\"{told}")
}

fn map_line(name: &str, suffix: &str) -> String {
    format!("#EXT-X-MAP:URI=\"{name}.mp4{suffix}\"")
}

fn seams(names: [&str; 2], shelf: &Shelf, suffix: &str) -> Option<String> {
    let mut text = head(shelf.row(names[0])?);
    for (turn, name) in names.into_iter().enumerate() {
        let row = shelf.row(name)?;
        if turn > 0 {
            text += "#EXT-X-DISCONTINUITY\n";
        }
        if row.init.is_some() {
            text += &(map_line(name, suffix) + "\n");
        }
        for (n, segment) in row.segments.iter().enumerate() {
            let (seconds, extension) = (segment.seconds, extension(row));
            _ = write!(
                text,
                "#EXTINF:{seconds:.6},\n{name}-{n}.{extension}{suffix}\n"
            );
        }
    }
    Some(text + "#EXT-X-ENDLIST\n")
}

fn head(row: &Row) -> String {
    let longest = row.segments.iter().map(|segment| segment.seconds);
    let target = longest.fold(0.0, f64::max).ceil();
    format!("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:{target}\n")
}

fn extension(row: &Row) -> &'static str {
    match row.init {
        Some(_) => "m4s",
        None => "ts",
    }
}

fn variants(suffix: &str) -> String {
    let mut text = "#EXTM3U\n#EXT-X-VERSION:6\n".to_owned();
    for wanted in ["plain", "high", "low"] {
        let rows = ROWS.iter().filter(|(name, ..)| *name == wanted);
        for (name, _, bandwidth, height) in rows {
            let width = height * 16 / 9;
            _ = write!(
                text,
                "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={width}x{height}\n{name}.m3u8{suffix}\n"
            );
        }
    }
    text
}

fn separate(suffix: &str) -> String {
    format!(
        "#EXTM3U\n#EXT-X-VERSION:6\n\
         #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",DEFAULT=YES,AUTOSELECT=YES,URI=\"sound.m3u8{suffix}\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=414000,RESOLUTION=256x144,AUDIO=\"a\"\npicture.m3u8{suffix}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Moment;

    #[test]
    fn keys_and_vectors_are_told_by_half() {
        let text = playlist(Stream::Aes, "?s=1");
        let keys: Vec<&str> = text.lines().filter(|line| line.contains("KEY")).collect();
        assert_eq!(keys.len(), 24);
        assert_eq!(
            keys[1],
            "#EXT-X-KEY:METHOD=AES-128,URI=\"key-0.bin?s=1\",IV=0x5E5511E0000000000000000000000001"
        );
        assert_eq!(keys[12], "#EXT-X-KEY:METHOD=AES-128,URI=\"key-1.bin?s=1\"");
        assert!(
            text.contains("\nplain-23.ts?s=1\n#EXT-X-ENDLIST\n"),
            "{text}"
        );
    }

    #[test]
    fn ranges_follow_each_other() {
        let text = playlist(Stream::Bytes, "");
        assert!(
            text.contains("#EXT-X-BYTERANGE:18800@0\nplain.ts\n"),
            "{text}"
        );
        assert!(
            text.contains("#EXT-X-BYTERANGE:18800@18800\nplain.ts\n"),
            "{text}"
        );
    }

    #[test]
    fn a_stream_without_end_has_a_seam_where_it_begins_again() {
        let place = Place {
            edition: 0,
            moment: Moment {
                elapsed: std::time::Duration::from_secs(10),
                ..Moment::default()
            },
            suffix: "",
        };
        let text = of(Stream::Live, "index", &Shelf::made_up(), &place).unwrap();
        assert!(
            text.contains("#EXT-X-DISCONTINUITY\n#EXTINF:0.500000,\nplain-24.ts\n"),
            "{text}"
        );
        assert!(!text.contains("ENDLIST"), "{text}");
    }

    #[track_caller]
    fn playlist(stream: Stream, suffix: &str) -> String {
        let place = Place {
            edition: 0,
            moment: Moment::default(),
            suffix,
        };
        of(stream, "index", &Shelf::made_up(), &place).unwrap()
    }
}
