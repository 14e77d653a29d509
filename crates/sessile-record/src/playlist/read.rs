//! From a playlist's bytes to a playlist.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use quick_m3u8::config::ParsingOptions;
use quick_m3u8::tag::hls::{self, EnumeratedString, MediaType, Method, Tag};
use quick_m3u8::tag::{HlsPlaylistType, KnownTag};
use quick_m3u8::{HlsLine, Reader};
use url::Url;

use super::variables::Variables;
use super::{
    ByteRange, Init, Key, Main, MediaPlaylist, Place, Playlist, Rendition, Segment, Variant,
};

/// How much a playlist may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    pub(crate) segments: usize,
    pub(crate) variants: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            segments: 100_000,
            variants: 1_000,
        }
    }
}

/// Why bytes are no playlist, with the line where one is to blame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PlaylistFault {
    pub(crate) line: Option<usize>,
    pub(crate) what: String,
}

impl fmt::Display for PlaylistFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// Reads a playlist that came from `base`; `variables` are those of the list of variants.
pub(crate) fn read(
    bytes: &[u8],
    base: &Url,
    variables: &Variables,
    limits: Limits,
) -> Result<Playlist, PlaylistFault> {
    let fault = |what: &str| PlaylistFault {
        line: None,
        what: what.to_owned(),
    };
    if bytes.len() > limits.bytes {
        return Err(fault("it is too large"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_fault| fault("it isn't UTF-8"))?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with("#EXTM3U") {
        return Err(fault("it doesn't begin with #EXTM3U"));
    }
    let mut draft = Draft::new(base, variables, limits);
    let mut line = 0;
    let mut reader = Reader::from_str(text, ParsingOptions::default());
    loop {
        line += 1;
        let read = match reader.read_line() {
            Ok(Some(read)) => draft.take(read),
            Ok(None) => break,
            Err(_unreadable) => Err("it can't be read".to_owned()),
        };
        read.map_err(|what| PlaylistFault {
            line: Some(line),
            what,
        })?;
    }
    draft
        .finish()
        .map_err(|what| PlaylistFault { line: None, what })
}

/// A playlist as far as it is read.
struct Draft<'a> {
    base: &'a Url,
    inherited: &'a Variables,
    limits: Limits,
    main: Main,
    target: Option<u64>,
    first: u64,
    is_ended: bool,
    keeps_all: bool,
    segments: Vec<Segment>,
    /// What holds from here on.
    key: Option<Arc<Key>>,
    /// Whether the key was named since the last segment.
    has_named_key: bool,
    init: Option<Arc<Init>>,
    /// What is known of the next line that is an address.
    next: Next,
    stream: Option<Variant>,
}

/// What was said of the next segment.
#[derive(Default)]
struct Next {
    duration: Option<Duration>,
    range: Option<(u64, Option<u64>)>,
    is_discontinuous: bool,
    is_gap: bool,
}

impl<'a> Draft<'a> {
    fn new(base: &'a Url, inherited: &'a Variables, limits: Limits) -> Self {
        Self {
            base,
            inherited,
            limits,
            main: Main::default(),
            target: None,
            first: 0,
            is_ended: false,
            keeps_all: false,
            segments: Vec::new(),
            key: None,
            has_named_key: false,
            init: None,
            next: Next::default(),
            stream: None,
        }
    }

    fn take(&mut self, line: HlsLine<'_>) -> Result<(), String> {
        match line {
            HlsLine::KnownTag(KnownTag::Hls(tag)) => self.tag(&tag),
            HlsLine::UnknownTag(tag) => refuse_malformed(tag.name()),
            HlsLine::Uri(uri) => self.address(uri.trim()),
            HlsLine::KnownTag(KnownTag::Custom(_)) | HlsLine::Blank | HlsLine::Comment(_) => Ok(()),
        }
    }

    fn tag(&mut self, tag: &Tag<'_>) -> Result<(), String> {
        match tag {
            Tag::Targetduration(tag) => self.target = Some(tag.target_duration()),
            Tag::MediaSequence(tag) => self.sequence(tag.media_sequence())?,
            Tag::Endlist(_) => self.is_ended = true,
            Tag::PlaylistType(tag) => {
                self.keeps_all = true;
                self.is_ended |= tag.playlist_type() == HlsPlaylistType::Vod;
            }
            Tag::Inf(tag) => self.next.duration = Some(duration(tag.duration())?),
            Tag::Byterange(tag) => self.next.range = Some((tag.length(), tag.offset())),
            Tag::Discontinuity(_) => self.next.is_discontinuous = true,
            Tag::Gap(_) => self.next.is_gap = true,
            Tag::Key(tag) => self.key(tag)?,
            Tag::Map(tag) => self.init = Some(Arc::new(self.init(tag)?)),
            Tag::Define(tag) => self.define(tag)?,
            Tag::Skip(_) => return Err("it is a part of a playlist, which wasn't asked for".into()),
            Tag::IFramesOnly(_) => return Err("it has single pictures only".into()),
            Tag::StreamInf(tag) => self.stream = Some(self.variant(tag)),
            Tag::Media(tag) => self.rendition(tag)?,
            _ => {}
        }
        Ok(())
    }

    fn sequence(&mut self, first: u64) -> Result<(), String> {
        if !self.segments.is_empty() {
            return Err("EXT-X-MEDIA-SEQUENCE comes after a segment".into());
        }
        // Room for every segment that may follow.
        if first > u64::MAX / 4 {
            return Err("the media sequence number is too large".into());
        }
        self.first = first;
        Ok(())
    }

    fn key(&mut self, tag: &hls::Key<'_>) -> Result<(), String> {
        let is_plain = tag.keyformat() == "identity";
        let key = match tag.method() {
            EnumeratedString::Known(Method::None) => None,
            EnumeratedString::Known(Method::Aes128) if is_plain => Some(Key::Aes128 {
                url: self.url(tag.uri().ok_or("the key has no address")?)?,
                iv: tag.iv().map(iv).transpose()?,
            }),
            EnumeratedString::Known(Method::Aes128) => Some(Key::Other(tag.keyformat().to_owned())),
            EnumeratedString::Known(Method::SampleAes | Method::SampleAesCtr) => {
                Some(Key::Other("SAMPLE-AES".to_owned()))
            }
            EnumeratedString::Unknown(other) => Some(Key::Other(other.to_owned())),
        };
        // The same segments may name a key for each of several systems: ours counts.
        let has_ours = matches!(self.key.as_deref(), Some(Key::Aes128 { .. }));
        let is_other = matches!(key, Some(Key::Other(_)));
        if !(is_other && has_ours && self.has_named_key) {
            self.key = key.map(Arc::new);
        }
        self.has_named_key = true;
        Ok(())
    }

    fn init(&self, tag: &hls::Map<'_>) -> Result<Init, String> {
        let range = tag.byterange().map(|range| ByteRange {
            start: range.offset,
            length: range.length,
        });
        let place = Place {
            url: self.url(tag.uri())?,
            range: range.map(within).transpose()?,
        };
        let key = self.key.clone();
        Ok(Init { place, key })
    }

    fn define(&mut self, tag: &hls::Define<'_>) -> Result<(), String> {
        let undefined = |name: &str| format!("the variable `{name}` has no value");
        let (name, value) = match (tag.name(), tag.import(), tag.queryparam()) {
            (Some(name), _, _) => (name, tag.value().map(str::to_owned)),
            (_, Some(name), _) => (name, self.inherited.value(name).map(str::to_owned)),
            (_, _, Some(name)) => {
                let mut pairs = self.base.query_pairs();
                let pair = pairs.find(|(own, _)| own == name);
                (name, pair.map(|(_, value)| value.into_owned()))
            }
            (None, None, None) => return Ok(()),
        };
        let value = value.ok_or_else(|| undefined(name))?;
        match self.main.variables.define(name, &value) {
            true => Ok(()),
            false => Err("too many variables, or too long ones".into()),
        }
    }

    fn variant(&self, tag: &hls::StreamInf<'_>) -> Variant {
        let height = tag.resolution().map(|size| size.height);
        Variant {
            url: self.base.clone(),
            bandwidth: tag.bandwidth(),
            height: height.and_then(|height| u32::try_from(height).ok()),
            audio: tag.audio().map(str::to_owned),
            codecs: tag.codecs().map(str::to_owned),
        }
    }

    fn rendition(&mut self, tag: &hls::Media<'_>) -> Result<(), String> {
        if tag.media_type() != EnumeratedString::Known(MediaType::Audio) {
            return Ok(());
        }
        if self.main.audio.len() >= self.limits.variants {
            return Err("it has too many renditions".into());
        }
        let url = tag.uri().map(|uri| self.url(uri)).transpose()?;
        self.main.audio.push(Rendition {
            group: tag.group_id().to_owned(),
            name: tag.name().to_owned(),
            url,
            is_default: tag.default(),
        });
        Ok(())
    }

    fn address(&mut self, uri: &str) -> Result<(), String> {
        if let Some(mut variant) = self.stream.take() {
            if self.main.variants.len() >= self.limits.variants {
                return Err("it has too many variants".into());
            }
            variant.url = self.url(uri)?;
            self.main.variants.push(variant);
            return Ok(());
        }
        if uri.is_empty() {
            return Ok(());
        }
        self.segment(uri)
    }

    fn segment(&mut self, uri: &str) -> Result<(), String> {
        let next = std::mem::take(&mut self.next);
        if self.segments.len() >= self.limits.segments {
            return Err(format!(
                "it has more than {} segments",
                self.limits.segments
            ));
        }
        let url = self.url(uri)?;
        let range = next
            .range
            .map(|range| self.range(range, &url))
            .transpose()?;
        self.segments.push(Segment {
            sequence: self.first + self.segments.len() as u64,
            duration: next.duration.ok_or("a segment has no EXTINF")?,
            place: Place { url, range },
            key: self.key.clone(),
            init: self.init.clone(),
            is_discontinuous: next.is_discontinuous,
            is_gap: next.is_gap,
        });
        self.has_named_key = false;
        Ok(())
    }

    /// A range without a start goes on where the segment before it ends.
    fn range(&self, (length, start): (u64, Option<u64>), url: &Url) -> Result<ByteRange, String> {
        let before = || {
            let place = &self.segments.last()?.place;
            let range = place.range.filter(|_| place.url == *url)?;
            Some(range.start + range.length)
        };
        let start = start.or_else(before);
        let start = start.ok_or("a byte range has no start, and nothing is before it")?;
        within(ByteRange { start, length })
    }

    fn url(&self, uri: &str) -> Result<Url, String> {
        let own = self.main.variables.fill(uri);
        let uri = own.ok_or("a variable in an address has no value")?;
        let url = self.base.join(&uri);
        let url = url.map_err(|fault| format!("an address can't be read: {fault}"))?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(url),
            "http" | "https" => Err("an address has no host".to_owned()),
            other => Err(format!(
                "an address begins with {other}:, which isn't fetched"
            )),
        }
    }

    fn finish(self) -> Result<Playlist, String> {
        let is_main = !self.main.variants.is_empty();
        if is_main && self.segments.is_empty() {
            return Ok(Playlist::Main(self.main));
        }
        if is_main {
            return Err("it lists variants and segments".into());
        }
        if self.segments.is_empty() && self.target.is_none() {
            return Err("it lists nothing".into());
        }
        let durations = self.segments.iter().map(|segment| segment.duration);
        let longest = durations.max().unwrap_or(Duration::from_secs(1));
        let target = self.target.map(Duration::from_secs).unwrap_or(longest);
        Ok(Playlist::Media(MediaPlaylist {
            target: target.clamp(Duration::from_secs(1), Duration::from_secs(3_600)),
            is_ended: self.is_ended,
            keeps_all: self.keeps_all,
            segments: self.segments,
        }))
    }
}

/// Tags that a recording needs; where one can't be read, segments would be taken for what they
/// aren't.
fn refuse_malformed(name: &str) -> Result<(), String> {
    const NEEDED: [&str; 8] = [
        "-X-BYTERANGE",
        "-X-DEFINE",
        "-X-KEY",
        "-X-MAP",
        "-X-MEDIA-SEQUENCE",
        "-X-STREAM-INF",
        "-X-TARGETDURATION",
        "INF",
    ];
    match NEEDED.contains(&name) {
        true => Err(format!("#EXT{name} can't be read")),
        false => Ok(()),
    }
}

fn duration(seconds: f64) -> Result<Duration, String> {
    const LONGEST: f64 = 24.0 * 3600.0;
    match (0.0..=LONGEST).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err("a segment's duration is negative, or longer than a day".into()),
    }
}

fn within(range: ByteRange) -> Result<ByteRange, String> {
    // What files can have; sums of two stay numbers.
    const MOST: u64 = 1 << 62;
    match range.length > 0 && range.length < MOST && range.start < MOST {
        true => Ok(range),
        false => Err("a byte range is empty or too large".into()),
    }
}

/// Sixteen bytes as `0x…`, shorter ones with zeros before them.
fn iv(text: &str) -> Result<[u8; 16], String> {
    let wrong = || "an IV isn't a hexadecimal number of 128 bits".to_owned();
    let digits = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let digits = digits.ok_or_else(wrong)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if digits.is_empty() || digits.len() > 32 || !is_hex {
        return Err(wrong());
    }
    let number = u128::from_str_radix(digits, 16).map_err(|_too_long| wrong())?;
    Ok(number.to_be_bytes())
}

#[cfg(test)]
mod tests;
