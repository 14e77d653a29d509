//! What is recorded, and where to.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::stop::Stop;

/// How media is recorded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordOptions {
    /// Where the file goes. Defaults to the current folder.
    pub target: Target,
    /// What to do where the file is there already. Defaults to [`Existing::Refuse`].
    pub existing: Existing,
    /// Which of several variants. Defaults to [`Quality::Best`].
    pub quality: Quality,
    /// How many requests may be under way at once. Defaults to 8.
    pub parallel: usize,
    /// Where a live recording begins. Defaults to [`LiveFrom::Edge`].
    pub live_from: LiveFrom,
    /// How much is recorded, by the media's own time. Defaults to all of it.
    pub duration: Option<Duration>,
    /// At which size the recording ends, to the segment. Defaults to none.
    pub size: Option<u64>,
    /// How often a segment, or a piece of a file, is tried again in a row. Defaults to 5.
    pub retries: u32,
    /// The pause before the first of these, doubled each time up to thirty times of it. Defaults to
    /// half a second.
    pub retry_pause: Duration,
    /// How long a live playlist may bring nothing before the recording ends, and the longest pause that
    /// a server is granted meanwhile. Defaults to 60 s.
    pub live_patience: Duration,
    /// Whether segments become one MP4. Defaults to [`Remux::WherePresent`] with `ffmpeg`.
    pub remux: Remux,
    /// Ends the recording early. Defaults to a handle that nobody has.
    pub stop: Stop,
}

impl Default for RecordOptions {
    fn default() -> Self {
        Self {
            target: Target::Folder(PathBuf::from(".")),
            existing: Existing::default(),
            quality: Quality::default(),
            parallel: 8,
            live_from: LiveFrom::default(),
            duration: None,
            size: None,
            retries: 5,
            retry_pause: Duration::from_millis(500),
            live_patience: Duration::from_secs(60),
            remux: Remux::default(),
            stop: Stop::default(),
        }
    }
}

/// Where a recording goes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a path is a file's or a folder's")]
pub enum Target {
    /// This very file.
    File(PathBuf),
    /// A file in this folder, named after the media.
    Folder(PathBuf),
}

/// What to do where there is a file of that name already.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Existing {
    /// Leave it and fail.
    #[default]
    Refuse,
    /// Put the recording in its place, once it is complete.
    Replace,
}

/// Which of several variants of a stream.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Quality {
    /// The best that has at most so many bits per second, else the one with the fewest.
    Bandwidth(u64),
    /// The one with the most lines, then with the most bits per second.
    #[default]
    Best,
    /// The best that has at most so many lines, else the one with the fewest.
    Height(u32),
    /// The one with the fewest lines, then with the fewest bits per second.
    Worst,
}

impl FromStr for Quality {
    type Err = String;

    /// Reads `best`, `worst`, `720p`, or bits per second as `2M`, `800k` and `1500000`.
    fn from_str(text: &str) -> Result<Self, String> {
        let unknown =
            || format!("`{text}` is no quality: write best, worst, 720p, or bits per second as 2M");
        Ok(match text {
            "best" => Self::Best,
            "worst" => Self::Worst,
            _ => match text.strip_suffix('p') {
                Some(height) => Self::Height(height.parse().map_err(|_no| unknown())?),
                None => Self::Bandwidth(bandwidth(text).ok_or_else(unknown)?),
            },
        })
    }
}

fn bandwidth(text: &str) -> Option<u64> {
    let (number, unit) = match text.strip_suffix(['M', 'm']) {
        Some(number) => (number, 1e6),
        None => match text.strip_suffix(['K', 'k']) {
            Some(number) => (number, 1e3),
            None => (text, 1.0),
        },
    };
    let bits = number.parse::<f64>().ok()? * unit;
    (bits.is_finite() && (1.0..1e15).contains(&bits)).then_some(bits as u64)
}

/// Where a live recording begins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum LiveFrom {
    /// Three target durations before the end, as players do.
    #[default]
    Edge,
    /// At the oldest segment that is offered.
    Start,
}

/// Whether segments become one MP4.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Remux {
    /// They stay as they came: `.ts`, or fragmented MP4.
    Never,
    /// By this program, where it is there: ffmpeg.
    WherePresent(PathBuf),
}

impl Default for Remux {
    fn default() -> Self {
        Self::WherePresent(PathBuf::from("ffmpeg"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualities_are_read() {
        check("best", Some(Quality::Best));
        check("worst", Some(Quality::Worst));
        check("720p", Some(Quality::Height(720)));
        check("2M", Some(Quality::Bandwidth(2_000_000)));
        check("1.5M", Some(Quality::Bandwidth(1_500_000)));
        check("800k", Some(Quality::Bandwidth(800_000)));
        check("123456", Some(Quality::Bandwidth(123_456)));
        for wrong in ["", "p", "-1", "nan", "infM", "good", "0", "720P"] {
            check(wrong, None);
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Option<Quality>) {
        assert_eq!(text.parse().ok(), expected, "{text}");
    }
}
