//! Segments in a file become one MP4, by a program that is installed.
//!
//! The program is given files that are there and nothing else: it may read no address, and it is told
//! what kind of file it reads, so that bytes from outside can't make it open another one.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::record::part;

/// What a file of segments is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Aac,
    /// Fragments that play as they are.
    Mp4,
    Mp3,
    Ts,
    Unknown,
}

impl Kind {
    /// By the first bytes of the file.
    pub(super) fn of_file(path: &Path) -> Self {
        let mut start = [0; 4096];
        let read = std::fs::File::open(path).and_then(|mut file| {
            let mut read = 0;
            while read < start.len() {
                match file.read(&mut start[read..])? {
                    0 => break,
                    more => read += more,
                }
            }
            Ok(read)
        });
        Self::of(start.get(..read.unwrap_or(0)).unwrap_or_default())
    }

    fn of(start: &[u8]) -> Self {
        const PACKET: usize = 188;
        let name = start.get(4..8).unwrap_or_default();
        if [b"ftyp", b"styp", b"moof", b"sidx", b"moov", b"emsg"]
            .iter()
            .any(|own| *own == name)
        {
            return Self::Mp4;
        }
        if start.first() == Some(&0x47) && start.get(PACKET).is_none_or(|byte| *byte == 0x47) {
            return Self::Ts;
        }
        // Timestamps of packed audio come in an ID3 tag before it.
        let audio = after_id3(start).unwrap_or(start);
        match audio {
            [0xff, second, ..] if second & 0xf6 == 0xf0 => Self::Aac,
            [0xff, second, ..] if second & 0xe0 == 0xe0 => Self::Mp3,
            _ => Self::Unknown,
        }
    }

    /// The end of its file's name.
    pub(super) fn end(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Mp3 => "mp3",
            Self::Mp4 => "mp4",
            Self::Ts | Self::Unknown => "ts",
        }
    }

    /// What the program calls it.
    fn format(self) -> Option<&'static str> {
        match self {
            Self::Aac => Some("aac"),
            Self::Mp3 => Some("mp3"),
            Self::Mp4 => Some("mov"),
            Self::Ts => Some("mpegts"),
            Self::Unknown => None,
        }
    }
}

/// ID3v2: ten bytes of which the last four are the length, seven bits each.
fn after_id3(start: &[u8]) -> Option<&[u8]> {
    let length = start.strip_prefix(b"ID3")?.get(3..7)?;
    let length = length
        .iter()
        .fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
    start.get(10 + length..)
}

/// Why there is no MP4.
#[derive(Debug)]
pub(super) enum NoMp4 {
    /// The program isn't there.
    Absent,
    /// It failed, in its words.
    Failed(String),
}

/// Joins the files into one MP4 under a name that is free; answers that name.
pub(super) async fn join(
    program: &Path,
    inputs: &[(PathBuf, Kind)],
    path: &Path,
) -> Result<PathBuf, NoMp4> {
    let joined = part::beside(path, ".part.mp4");
    let mut command = Command::new(program);
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]);
    for (input, kind) in inputs {
        let Some(format) = kind.format() else {
            let what = "the segments are of a kind that isn't known".to_owned();
            return Err(NoMp4::Failed(what));
        };
        command.args(["-protocol_whitelist", "file", "-f", format, "-i"]);
        command.arg(file_url(input));
    }
    for index in 0..inputs.len() {
        command.args([
            "-map",
            &format!("{index}:v?"),
            "-map",
            &format!("{index}:a?"),
        ]);
    }
    command.args(["-c", "copy", "-movflags", "+faststart", "-f", "mp4"]);
    command.arg(file_url(&joined));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.env_clear().kill_on_drop(true);
    match run(command).await {
        Ok(()) => Ok(joined),
        Err(why) => {
            // What it has left is no recording.
            let _absent = std::fs::remove_file(&joined);
            Err(why)
        }
    }
}

async fn run(mut command: Command) -> Result<(), NoMp4> {
    let failed = |why: std::io::Error| match why.kind() {
        std::io::ErrorKind::NotFound => NoMp4::Absent,
        _ => NoMp4::Failed(why.to_string()),
    };
    let mut child = command.spawn().map_err(failed)?;
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let mut some = stderr.take(16 * 1024);
        let _unreadable = some.read_to_end(&mut said).await;
        // A program that says more than that goes on saying it to nobody.
        let _rest = tokio::io::copy(&mut some.into_inner(), &mut tokio::io::sink()).await;
    }
    let status = child.wait().await.map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(NoMp4::Failed(
        last.unwrap_or("it gave no reason").to_owned(),
    ))
}

/// A path that can't be taken for an option or another protocol.
fn file_url(path: &Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from("file:");
    text.push(path);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_seen_by_their_first_bytes() {
        let mut packets = vec![0; 376];
        (packets[0], packets[188]) = (0x47, 0x47);
        assert_eq!(Kind::of(&packets), Kind::Ts);
        assert_eq!(Kind::of(b"\0\0\0\x18ftypiso5"), Kind::Mp4);
        assert_eq!(Kind::of(&[0xff, 0xf1, 0x50]), Kind::Aac);
        assert_eq!(Kind::of(b"ID3\x04\0\0\0\0\0\x02xx\xff\xfb"), Kind::Mp3);
        assert_eq!(Kind::of(b"#EXTM3U\nfile:///etc/passwd"), Kind::Unknown);
        assert_eq!(Kind::of(b"ID3\x04\0\0\x7f\x7f\x7f\x7f"), Kind::Unknown);
        assert_eq!(Kind::of(b""), Kind::Unknown);
    }
}
