//! The bytes of all media, in memory: read from a folder, or made up.
//!
//! A folder has a `clip.mp4` and one folder for each row, with an `index.m3u8` that names its
//! segments, and perhaps an `init.mp4`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use axum::body::Bytes;

/// The rows of segments that a shelf has: the name, packets in a made-up segment, the bandwidth
/// and the height that a master playlist tells of them.
pub(crate) const ROWS: [(&str, usize, u32, u32); 8] = [
    ("plain", 100, 400_000, 144),
    ("other", 90, 400_000, 144),
    ("low", 30, 120_000, 72),
    ("high", 300, 1_200_000, 216),
    ("picture", 80, 350_000, 144),
    ("sound", 20, 64_000, 0),
    ("fmp4", 100, 400_000, 144),
    ("wide", 110, 450_000, 144),
];

/// The rows whose segments are fragments of MP4.
const FRAGMENTED: [&str; 2] = ["fmp4", "wide"];

/// How many segments a made-up row has, and how long each lasts.
const MADE_UP: (usize, f64) = (24, 0.5);

/// How many bytes a packet of a transport stream has.
const PACKET: usize = 188;

/// A made-up clip's packets, of which each is 8 bytes.
const CLIP_WORDS: usize = 128 * 1024;

/// All media of a site.
pub(crate) struct Shelf {
    pub(crate) clip: Bytes,
    rows: BTreeMap<String, Row>,
}

/// Segments that follow each other.
pub(crate) struct Row {
    /// What comes before the first of them.
    pub(crate) init: Option<Bytes>,
    pub(crate) segments: Vec<Segment>,
}

/// A piece of a stream, and how many seconds it lasts.
pub(crate) struct Segment {
    pub(crate) bytes: Bytes,
    pub(crate) seconds: f64,
}

/// A file of the media folder that can't be read or makes no sense.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

impl Shelf {
    /// What the folder has.
    pub(crate) fn read(folder: &Path) -> Result<Self, Unreadable> {
        let rows = ROWS.iter().map(|(name, ..)| {
            let row = Row::read(&folder.join(name))?;
            Ok(((*name).to_owned(), row))
        });
        Ok(Self {
            clip: read(&folder.join("clip.mp4"))?,
            rows: rows.collect::<Result<_, _>>()?,
        })
    }

    /// The same bytes at every start: valid packets, boxes and lengths, and nothing to see.
    pub(crate) fn made_up() -> Arc<Self> {
        static MADE_UP: LazyLock<Arc<Shelf>> = LazyLock::new(|| Arc::new(Shelf::make_up()));
        Arc::clone(&MADE_UP)
    }

    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.get(name)
    }

    fn make_up() -> Self {
        let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
        let rows = ROWS.iter().map(|(name, packets, ..)| {
            let row = Row::make_up(*packets, FRAGMENTED.contains(name), &mut noise);
            ((*name).to_owned(), row)
        });
        let rows = rows.collect();
        let content: Vec<u8> = (0..CLIP_WORDS).flat_map(|_| noise.next()).collect();
        Self {
            clip: [
                mp4_box(b"ftyp", b"isom\0\0\0\0isom"),
                mp4_box(b"mdat", &content),
            ]
            .concat()
            .into(),
            rows,
        }
    }
}

impl Row {
    pub(crate) fn seconds(&self) -> f64 {
        self.segments.iter().map(|segment| segment.seconds).sum()
    }

    /// The segments one after the other, the way a recording has them.
    pub(crate) fn whole(&self) -> Vec<u8> {
        let segments = self.segments.iter().map(|segment| &segment.bytes);
        let all: Vec<&Bytes> = self.init.iter().chain(segments).collect();
        all.into_iter().flatten().copied().collect()
    }

    fn read(folder: &Path) -> Result<Self, Unreadable> {
        let index = folder.join("index.m3u8");
        let text = read(&index)?;
        let text = String::from_utf8_lossy(&text);
        let mut segments = Vec::new();
        let mut seconds = 0.0;
        for line in text.lines() {
            if let Some(length) = line.strip_prefix("#EXTINF:") {
                seconds = length.trim_end_matches(',').parse().unwrap_or_default();
            } else if !line.starts_with('#') && !line.is_empty() {
                let bytes = read(&folder.join(line))?;
                segments.push(Segment { bytes, seconds });
            }
        }
        let init = folder.join("init.mp4");
        let init = init.exists().then(|| read(&init)).transpose()?;
        if segments.is_empty() {
            let source = io::Error::new(io::ErrorKind::InvalidData, "it names no segment");
            return Err(Unreadable {
                path: index,
                source,
            });
        }
        Ok(Self { init, segments })
    }

    fn make_up(packets: usize, is_fragmented: bool, noise: &mut Noise) -> Self {
        let (count, seconds) = MADE_UP;
        let segments = (0..count).map(|_| {
            let packets: Vec<u8> = (0..packets).flat_map(|n| noise.packet(n)).collect();
            let bytes = match is_fragmented {
                true => mp4_box(b"mdat", &packets),
                false => packets,
            };
            let bytes = bytes.into();
            Segment { bytes, seconds }
        });
        let segments = segments.collect();
        let init = is_fragmented.then(|| mp4_box(b"ftyp", &noise.next()).into());
        Self { init, segments }
    }
}

fn read(path: &Path) -> Result<Bytes, Unreadable> {
    fs::read(path)
        .map(Bytes::from)
        .map_err(|source| Unreadable {
            path: path.to_owned(),
            source,
        })
}

/// A box of an MP4 file.
pub(crate) fn mp4_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).expect("boxes here are small");
    [&length.to_be_bytes(), kind.as_slice(), content].concat()
}

/// Numbers that look random and are the same each time (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> [u8; 8] {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_le_bytes()
    }

    /// The `n`th packet of a transport stream, with a payload and nothing else.
    fn packet(&mut self, n: usize) -> [u8; PACKET] {
        let mut packet = [0; PACKET];
        for word in packet.chunks_mut(8) {
            let noise = self.next();
            word.copy_from_slice(noise.get(..word.len()).unwrap_or_default());
        }
        let counter = u8::try_from(n % 16).unwrap_or_default();
        packet[..4].copy_from_slice(&[0x47, 0x01, 0x00, 0x10 | counter]);
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_segments_are_whole_packets_and_never_change() {
        let shelf = Shelf::make_up();
        let plain = shelf.row("plain").unwrap();
        assert_eq!(plain.segments.len(), 24);
        for segment in &plain.segments {
            let packets = segment.bytes.chunks(PACKET);
            assert!(
                packets
                    .into_iter()
                    .all(|packet| packet[0] == 0x47 && packet.len() == PACKET)
            );
        }
        assert_eq!(
            plain.whole(),
            Shelf::make_up().row("plain").unwrap().whole()
        );
        assert_ne!(plain.whole(), shelf.row("other").unwrap().whole());
    }

    #[test]
    fn a_folder_that_lacks_something_is_refused_with_its_name() {
        let missing = Shelf::read(Path::new("/nowhere/at/all")).err().unwrap();
        assert!(missing.path.starts_with("/nowhere/at/all"), "{missing:?}");
    }
}
